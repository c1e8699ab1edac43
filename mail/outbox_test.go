package mail_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/templates"
)

func kinds() []accounts.MailKind {
	return []accounts.MailKind{
		accounts.MailVerifyAddress, accounts.MailResetPassword, accounts.MailCode, accounts.MailInvitation,
		accounts.MailAddressChanged, accounts.MailAddressReplaced, accounts.MailPasswordChanged, accounts.MailFactorAdded, accounts.MailFactorRemoved,
		accounts.MailRecoveryCodesLow, accounts.MailNewDevice, accounts.MailAccountExists, accounts.MailResetUnknown,
		accounts.MailDeletionPlanned, accounts.MailDeletionUndone, accounts.MailSecurityAlert,
	}
}

// The domain and the templates know the same kinds.
func TestKinds(t *testing.T) {
	want := []string{"test"}
	for _, k := range kinds() {
		want = append(want, string(k))
	}
	got := templates.MailKinds()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOutboxIsPartOfItsCause(t *testing.T) {
	onEach(t, testenv.SMTPOptions{}, func(t *testing.T, w *world) {
		undone := errors.New("undone")
		err := w.InTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(w.outbox.Mail(ctx, w.reset("ada@example.org")), undone)
		})
		if !errors.Is(err, undone) || len(w.queued()) != 0 {
			t.Fatalf("error %v, %d queued", err, len(w.queued()))
		}
		err = w.InTx(t.Context(), func(ctx context.Context) error { return w.outbox.Mail(ctx, w.reset("ada@example.org")) })
		if err != nil || len(w.queued()) != 1 {
			t.Fatalf("error %v, %d queued", err, len(w.queued()))
		}
	})
}

// TestQueueHoldsNoLink: who reads the table, or a backup, can act for nobody.
func TestQueueHoldsNoLink(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	w.mail(w.reset("Ada@Example.ORG"))
	for _, payload := range w.queued() {
		silentAbout(t, "the row", payload, "https:", "token", "Ada\"")
		if !strings.Contains(payload, `"to":"Ada@example.org"`) {
			t.Error(payload)
		}
	}
	if got := w.column(`SELECT target FROM jobs`); len(got) != 1 || got[0] != "example.org" {
		t.Errorf("targets %q", got)
	}
	silentAbout(t, "the log", w.log.String())
}

// Who has no address, or one that is none, must still be able to do what the mail
// would tell of.
func TestOutboxDropsWhatIsForNobody(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	for _, to := range []string{"", "ada", "ada@", "@example.org", "a b@example.org"} {
		w.mail(w.reset(to))
	}
	if n := len(w.queued()); n != 0 {
		t.Errorf("%d queued", n)
	}
	silentAbout(t, "the log", w.log.String(), "a b@")
}

// TestAttack_181_Recipients: an address names one recipient and no header.
func TestAttack_181_Recipients(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	for _, to := range []string{
		"ada@example.org\r\nBcc: eve@example.net", "ada@example.org\nBcc:eve@example.net", "ada@example.org,eve@example.net",
		"ada@example.org;eve@example.net", "ada@example.org@example.net", "ada@example.org eve@example.net",
		"<ada@example.org>", "Ada <ada@example.org>", `"ada@x"@example.org`, "ada@example.org>", "ada@[192.0.2.1]",
		"ada@example.org\x00", "ada@exa\u202emple.org", "ada\u2028@example.org", "ada@example.org(comment)", "ada%0d%0a@example.org\r",
		"ada@example..org", "ada@-example.org", strings.Repeat("a", 65) + "@example.org",
	} {
		w.mail(w.reset(to))
		if n := len(w.queued()); n != 0 {
			t.Fatalf("%q is queued", to)
		}
	}
	w.mail(w.reset("ada@BÜCHER.example"))
	if got := w.column(`SELECT target FROM jobs`); len(got) != 1 || got[0] != "xn--bcher-kva.example" {
		t.Errorf("targets %q", got)
	}
}

// full is a queue that takes nothing.
type full struct{}

func (full) Enqueue(context.Context, ...jobs.Job) error { return errors.New("full") }

func TestOutboxTellsThatItFailed(t *testing.T) {
	w := newWorld(t, "", testenv.SMTPOptions{})
	o := &mail.Outbox{Jobs: full{}, Keyring: w.keyring, Log: w.logger()}
	err := o.Mail(t.Context(), w.reset("ada@example.org"))
	if err == nil {
		t.Fatal("a mail was lost")
	}
	silentAbout(t, "the error", err.Error(), "ada@")
}
