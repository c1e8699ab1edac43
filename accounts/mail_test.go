package accounts

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// steps is everything that a journal writes to, and notes the order.
type steps struct {
	done []string
	full error // of the mailer
}

func (s *steps) InTx(ctx context.Context, f func(ctx context.Context) error) error {
	err := f(ctx)
	if err != nil {
		s.done = append(s.done, "rolled back")
	}
	return err
}

func (s *steps) WriteAudit(_ context.Context, e audit.Event) error {
	s.done = append(s.done, "event "+e.Action)
	return nil
}

func (s *steps) WriteSignal(_ context.Context, g Signal) error {
	s.done = append(s.done, "signal "+string(g.Kind))
	return nil
}

func (s *steps) Mail(_ context.Context, m Mail) error {
	s.done = append(s.done, "mail "+string(m.Kind)+" "+m.To)
	return s.full
}

func (s *steps) Append(context.Context, ...revocation.Entry) error {
	s.done = append(s.done, "row")
	return nil
}

func (s *steps) Stamp(context.Context, ...revocation.Stamp) error { return nil }

// TestMails: mails are taken in the transaction of their cause, before the ledger's
// row, whose lock must be held for the commit alone; and one that cannot be taken
// undoes the cause.
func TestMails(t *testing.T) {
	full := errors.New("full")
	told := []string{"event user.x", "signal unbanned", "mail code a@example.org", "mail new_device b@example.org", "row"}
	for name, tt := range map[string]struct {
		mailer bool
		full   error
		nobody bool // the change leaves nothing behind
		want   []string
	}{
		"in order":   {mailer: true, want: told},
		"no mailer":  {want: []string{"event user.x", "signal unbanned", "row"}},
		"no change":  {mailer: true, nobody: true},
		"undone":     {mailer: true, full: full, want: append(told[:3:3], "rolled back")},
		"not called": {full: full, want: []string{"event user.x", "signal unbanned", "row"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &steps{full: tt.full}
			j := Journal{Tx: s, Audit: s, Ledger: s, Signals: s, Now: time.Now}
			if tt.mailer {
				j.Mails = s
			}
			err := j.record(t.Context(), audit.Actor{Kind: audit.System}, func(context.Context, int64) (*effect, error) {
				if tt.nobody {
					return nil, nil
				}
				return &effect{
					action: "user.x", signals: []Signal{{Kind: SignalUnbanned}}, rows: []revocation.Entry{{}},
					mails: []Mail{{Kind: MailCode, To: "a@example.org"}, {Kind: MailNewDevice, To: "b@example.org"}},
				}, nil
			})
			if want := tt.mailer && tt.full != nil; errors.Is(err, full) != want || err != nil != want {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, s.done); diff != "" {
				t.Error(diff)
			}
		})
	}
}
