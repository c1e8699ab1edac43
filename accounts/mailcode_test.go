package accounts_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestMailCode(t *testing.T) {
	d := newDoors(t)
	u := d.member("ada")
	ask := func() (proofID, code string) {
		proofID, err := d.codes.Ask(t.Context(), "Ada@Test.com", onTheWay("Post Board"))
		d.must(err)
		m := d.box.last(t, accounts.MailCode, u.Email)
		if m.Data[accounts.MailDataLink] != "" || m.Data[accounts.MailDataApp] != "Post Board" {
			t.Errorf("mail %+v", m)
		}
		return proofID, m.Data[accounts.MailDataCode]
	}
	enter := func(proofID, code string, a accounts.Asker) (*accounts.Entry, error) {
		return d.codes.Enter(t.Context(), accounts.Evidence{ProofID: proofID, Code: code, Asker: a}, "")
	}
	proofID, code := ask()
	_, err := enter(proofID, code, elsewhere())
	wantErr(t, err, accounts.ErrProofVoid)
	entry, err := enter(proofID, code, here())
	d.must(err)
	if entry.User.ID != u.ID || entry.Flow != "a flow" || len(d.limiter.drained()) == 0 {
		t.Errorf("%+v", entry)
	}
	_, _, err = d.sessions.Start(t.Context(), &accounts.Result{User: entry.User, Position: entry.Position}, accounts.Meta{})
	d.must(err)
	_, err = enter(proofID, code, here())
	wantErr(t, err, accounts.ErrProofVoid)

	proofID, code = ask()
	d.pass(10 * time.Minute)
	_, err = enter(proofID, code, here())
	wantErr(t, err, accounts.ErrProofVoid)

	// What happens to the account after the code was taken outlives it (L2).
	proofID, code = ask()
	entry, err = enter(proofID, code, here())
	d.must(err)
	d.must(d.users.SignOutEverywhere(t.Context(), operator(), u.Subject))
	_, _, err = d.sessions.Start(t.Context(), &accounts.Result{User: entry.User, Position: entry.Position}, accounts.Meta{})
	wantErr(t, err, accounts.ErrCredentials)
}

// Tries of codes empty the same buckets as tries of passwords.
func TestAttack_202_MailCodesCount(t *testing.T) {
	d := newDoors(t)
	d.member("ada")
	for range 8 {
		_, err := d.auth.Authenticate(t.Context(), accounts.Attempt{Login: "ada", Password: "wrong", Address: here().Address})
		wantErr(t, err, accounts.ErrCredentials)
	}
	proofID, err := d.codes.Ask(t.Context(), "ada@test.com", here())
	d.must(err)
	e := accounts.Evidence{ProofID: proofID, Code: "00000000", Asker: here()}
	for range 2 {
		if _, err := d.codes.Enter(t.Context(), e, ""); !errors.As(err, new(*accounts.WrongCode)) {
			t.Fatal(err)
		}
	}
	if _, err := d.codes.Enter(t.Context(), e, ""); !errors.As(err, new(*accounts.Throttled)) {
		t.Errorf("a code is tried past the limit: %v", err)
	}
	if _, err := d.auth.Authenticate(t.Context(), accounts.Attempt{Login: "ada", Password: goodPassword, Address: here().Address}); !errors.As(err, new(*accounts.Throttled)) {
		t.Errorf("a password is tried past the limit: %v", err)
	}
}

func TestSignInLink(t *testing.T) {
	d := newDoors(t)
	u := d.member("ada")
	_, _, err := d.codes.Link(t.Context(), operator(), "nobody")
	wantErr(t, err, accounts.ErrNotFound)
	mails := d.box.count()
	link, expires, err := d.codes.Link(t.Context(), operator(), u.Subject)
	d.must(err)
	if d.box.count() != mails || expires.Sub(d.now()) != 30*time.Minute {
		t.Errorf("%d mails, expires %s", d.box.count()-mails, expires)
	}
	e := accounts.Evidence{Token: tokenIn(t, link, accounts.PathMailCode), Asker: elsewhere()}
	for range 3 {
		found, err := d.codes.Look(t.Context(), e.Token)
		d.must(err)
		if found.ID != u.ID {
			t.Fatal("another account")
		}
	}
	entry, err := d.codes.Enter(t.Context(), e, "")
	d.must(err)
	if entry.User.ID != u.ID {
		t.Error("another account")
	}
	_, err = d.codes.Enter(t.Context(), e, "")
	wantErr(t, err, accounts.ErrProofVoid)
	if got := d.events(2); !slices.Equal(got, []string{"user.sign_in_link.use", "user.sign_in_link.make"}) {
		t.Errorf("events %v", got)
	}
	d.must(d.users.Ban(t.Context(), operator(), u.Subject))
	_, _, err = d.codes.Link(t.Context(), operator(), u.Subject)
	wantErr(t, err, accounts.ErrBanned)
}

// Whatever a mail has proven, the second factor is still to come, and a mail alone is
// never two factors.
func TestAttack_208_ProofsSpareNoFactor(t *testing.T) {
	d := newDoors(t)
	u := d.member("ada")
	enter := func() *accounts.Passage {
		t.Helper()
		proofID, err := d.codes.Ask(t.Context(), u.Email, here())
		d.must(err)
		code := d.box.last(t, accounts.MailCode, u.Email).Data[accounts.MailDataCode]
		entry, err := d.codes.Enter(t.Context(), accounts.Evidence{ProofID: proofID, Code: code, Asker: here()}, "")
		d.must(err)
		p, err := d.signIns.Proved(t.Context(), entry.User, entry.Position, []string{"otp"}, accounts.Meta{}, "")
		d.must(err)
		return p
	}
	if p := enter(); p.Session == nil || p.Session.ACR != accounts.ACRPassword {
		t.Errorf("without a factor: %+v", p)
	}
	d.totp(u, "app")
	if p := enter(); p.Token != "" || p.Session != nil || p.Pending == "" {
		t.Errorf("with a factor: %+v", p)
	}
	_, m := d.askReset(u, here())
	_, err := d.resets.Finish(t.Context(), tokenOf(t, m, accounts.PathResetPassword), otherPassword, here(), accounts.Meta{})
	d.must(err)
	r, err := d.auth.Authenticate(t.Context(), accounts.Attempt{Login: "ada", Password: otherPassword})
	d.must(err)
	p, err := d.signIns.Proceed(t.Context(), r, accounts.Meta{}, "")
	d.must(err)
	if p.Token != "" || p.Pending == "" {
		t.Errorf("after a reset: %+v", p)
	}
}
