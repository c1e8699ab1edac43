package accounts_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestReset(t *testing.T) {
	d := newDoors(t)
	u, app := d.member("ada"), d.client("App")
	stored := d.stored(u)
	stored.RequiredActions = []accounts.Action{accounts.ActionChangePassword}
	d.must(d.db.UpdateUser(t.Context(), stored))
	token, session := d.session(u)
	d.grant(u, app, session, true)
	proofID, m := d.askReset(u, here())
	head := d.position()

	link, err := d.resets.Exchange(t.Context(), accounts.Evidence{ProofID: proofID, Code: m.Data[accounts.MailDataCode], Asker: here()})
	d.must(err)
	_, err = d.resets.Look(t.Context(), tokenOf(t, m, accounts.PathResetPassword))
	wantErr(t, err, accounts.ErrProofVoid) // the code was exchanged for the link that is good now
	for range 3 {
		found, err := d.resets.Look(t.Context(), link)
		d.must(err)
		if found.ID != u.ID {
			t.Fatal("another account")
		}
	}
	_, err = d.resets.Finish(t.Context(), link, "short", here(), accounts.Meta{})
	wantField(t, err, "new_password", nil)
	flow, err := d.resets.Finish(t.Context(), link, otherPassword, here(), accounts.Meta{Address: "192.0.2.1"})
	d.must(err)
	if flow != "a flow" {
		t.Errorf("flow %q", flow)
	}
	if _, _, err := d.sessions.Find(t.Context(), token); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the session lives: %v", err)
	}
	if diff := cmp.Diff([]string{"user " + u.Subject}, d.rows(head)); diff != "" {
		t.Error(diff)
	}
	after := d.stored(u)
	if after.PasswordChangedAt != d.now().UnixMilli() || len(after.RequiredActions) != 0 {
		t.Errorf("%+v", after)
	}
	told := d.box.last(t, accounts.MailPasswordChanged, u.Email)
	if told.Data[accounts.MailDataAddress] != "192.0.2.1" {
		t.Errorf("mail %+v", told)
	}
	_, err = d.auth.Authenticate(t.Context(), accounts.Attempt{Login: "ada", Password: goodPassword})
	wantErr(t, err, accounts.ErrCredentials)
	_, err = d.auth.Authenticate(t.Context(), accounts.Attempt{Login: "ada", Password: otherPassword})
	d.must(err)
}

// The page of the new password cannot be reached past the code: what is exchanged
// belongs to the account of the proof, and ends when the code would have.
func TestAttack_199_ResetStepNotSkipped(t *testing.T) {
	d := newDoors(t)
	ada, mallory := d.member("ada"), d.member("mallory")
	victim, _ := d.askReset(ada, here())
	own, m := d.askReset(mallory, here())
	code := m.Data[accounts.MailDataCode]
	if _, err := d.resets.Exchange(t.Context(), accounts.Evidence{ProofID: victim, Code: code, Asker: here()}); !errors.As(err, new(*accounts.WrongCode)) {
		t.Fatalf("the code of another proof: %v", err)
	}
	for _, skip := range []string{victim, own, "gh_mail_" + own, ""} {
		_, err := d.resets.Finish(t.Context(), skip, otherPassword, here(), accounts.Meta{})
		wantErr(t, err, accounts.ErrProofVoid)
	}
	d.pass(59 * time.Minute)
	link, err := d.resets.Exchange(t.Context(), accounts.Evidence{ProofID: own, Code: code, Asker: here()})
	d.must(err)
	found, err := d.resets.Look(t.Context(), link)
	d.must(err)
	if found.ID != mallory.ID {
		t.Error("another account's password")
	}
	d.pass(time.Minute)
	_, err = d.resets.Look(t.Context(), link)
	wantErr(t, err, accounts.ErrProofVoid)
}

// Nobody is mailed a proof who has not proven the address.
func TestReset_Nobody(t *testing.T) {
	d := newDoors(t)
	_, err := d.users.Create(t.Context(), operator(), accounts.NewUser{Username: "ada", Email: "ada@test.com", Password: goodPassword})
	d.must(err)
	banned := d.member("bob")
	d.must(d.users.Ban(t.Context(), operator(), banned.Subject))
	for _, email := range []string{"ada@test.com", "bob@test.com", "nobody@test.com"} {
		_, err := d.resets.Ask(t.Context(), email, here())
		d.must(err)
		if m := d.box.last(t, accounts.MailResetUnknown, email); m.Data[accounts.MailDataLink] != "" || m.Data[accounts.MailDataCode] != "" {
			t.Errorf("the mail holds a proof: %v", m.Data)
		}
	}
	_, err = d.resets.Ask(t.Context(), "nonsense", here())
	wantField(t, err, "email", accounts.ErrInvalid)
}
