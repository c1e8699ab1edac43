package accounts_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func (d *doors) askSignUp(username, email string, a accounts.Asker) (proofID string, err error) {
	return d.signUps.Ask(d.t.Context(), accounts.SignUp{Username: username, Email: email, Name: "Ada L.", Password: goodPassword, Asker: a})
}

// signUp asks and returns the mail.
func (d *doors) signUp(username, email string, a accounts.Asker) (proofID string, m accounts.Mail) {
	d.t.Helper()
	proofID, err := d.askSignUp(username, email, a)
	d.must(err)
	return proofID, d.box.last(d.t, accounts.MailVerifyAddress, email)
}

func TestSignUp(t *testing.T) {
	for name, evidence := range map[string]func(proofID string, m accounts.Mail) accounts.Evidence{
		"code": func(proofID string, m accounts.Mail) accounts.Evidence {
			return accounts.Evidence{ProofID: proofID, Code: m.Data[accounts.MailDataCode], Asker: here()}
		},
		"link": func(_ string, m accounts.Mail) accounts.Evidence {
			return accounts.Evidence{Token: tokenOf(t, m, accounts.PathSignUpConfirm), Asker: here()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoors(t)
			proofID, m := d.signUp(" Ada ", "ada@test.com", here())
			if _, _, err := d.db.UserByLogin(t.Context(), "ada"); !errors.Is(err, accounts.ErrNotFound) {
				t.Fatalf("there is an account before the address is proven: %v", err)
			}
			entry, err := d.signUps.Confirm(t.Context(), evidence(proofID, m), accounts.SignUpChoice{})
			d.must(err)
			u := entry.User
			if u.Username != "Ada" || u.Email != "ada@test.com" || !u.EmailVerified || u.Name != "Ada L." || u.Staff || u.Superuser || entry.Flow != "a flow" {
				t.Errorf("entry %+v of %+v", entry, u)
			}
			if n := d.hashes.Load(); n != 1 {
				t.Errorf("%d hashes", n)
			}
			_, err = d.auth.Authenticate(t.Context(), accounts.Attempt{Login: "ada", Password: goodPassword})
			d.must(err)
			_, _, err = d.sessions.Start(t.Context(), &accounts.Result{User: u, Position: entry.Position}, accounts.Meta{})
			d.must(err)
			_, err = d.signUps.Confirm(t.Context(), evidence(proofID, m), accounts.SignUpChoice{})
			wantErr(t, err, accounts.ErrProofVoid)
		})
	}
}

// In another browser whoever opens the link has to know the password: else somebody
// could prepare an account with another person's address, and wait (pre-hijacking).
func TestSignUp_Elsewhere(t *testing.T) {
	d := newDoors(t)
	_, m := d.signUp("ada", "ada@test.com", here())
	token := tokenOf(t, m, accounts.PathSignUpConfirm)
	for _, a := range []accounts.Asker{here(), elsewhere(), {}} {
		p, err := d.signUps.Look(t.Context(), token, a)
		d.must(err)
		if p.Here != (a.Browser == here().Browser) || p.Username != "ada" || p.Email != "ada@test.com" {
			t.Errorf("%+v", p)
		}
	}
	confirm := func(password string) (*accounts.Entry, error) {
		return d.signUps.Confirm(t.Context(), accounts.Evidence{Token: token, Asker: elsewhere()}, accounts.SignUpChoice{Password: secret.Text(password)})
	}
	_, err := confirm("")
	wantErr(t, err, accounts.ErrCredentials)
	_, err = confirm(otherPassword)
	wantErr(t, err, accounts.ErrCredentials)
	entry, err := confirm(goodPassword)
	d.must(err)
	if entry.Flow != "" {
		t.Error("the flow of another browser goes on")
	}
	_, m = d.signUp("bob", "bob@test.com", here())
	token = tokenOf(t, m, accounts.PathSignUpConfirm)
	for range accounts.ProofTries {
		_, err = confirm(otherPassword)
		wantErr(t, err, accounts.ErrCredentials)
	}
	_, err = confirm(goodPassword)
	wantErr(t, err, accounts.ErrProofVoid)
}

// Who has an account is told by mail; whoever asks learns nothing, and cannot guess.
func TestAttack_201_SignUpKnownAddress(t *testing.T) {
	d := newDoors(t)
	d.member("ada")
	proofID, err := d.askSignUp("new", "ADA@test.com", here())
	d.must(err)
	m := d.box.last(t, accounts.MailAccountExists, "ada@test.com")
	if m.Data[accounts.MailDataCode] != "" || strings.Contains(m.Data[accounts.MailDataLink], "token") {
		t.Errorf("the mail holds a proof: %v", m.Data)
	}
	if m.Data[accounts.MailDataReset] != "https://id.example.com/sub/reset" {
		t.Errorf("no way to reset: %v", m.Data)
	}
	email, left, err := d.signUps.Waiting(t.Context(), accounts.ProofSignUp, accounts.Evidence{ProofID: proofID, Asker: here()})
	d.must(err)
	if email != "ADA@test.com" || left != accounts.ProofTries {
		t.Errorf("%s, %d", email, left)
	}
	// A username that is taken is not told either, until an address is proven.
	_, err = d.askSignUp("ada", "another@test.com", here())
	d.must(err)
}

func TestSignUp_Refused(t *testing.T) {
	d := newDoors(t)
	ask := func(n accounts.SignUp) error {
		n.Asker = here()
		_, err := d.signUps.Ask(t.Context(), n)
		return err
	}
	fine := accounts.SignUp{Username: "ada", Email: "ada@test.com", Password: goodPassword}
	for field, spoil := range map[string]func(n *accounts.SignUp){
		"username":     func(n *accounts.SignUp) { n.Username = "a@b" },
		"email":        func(n *accounts.SignUp) { n.Email = "ada@test.com\r\nBcc: x@y.org" },
		"name":         func(n *accounts.SignUp) { n.Name = "Ada\u202eevil" },
		"new_password": func(n *accounts.SignUp) { n.Password = "short" },
	} {
		n := fine
		spoil(&n)
		for range 30 { // none of these costs a mail
			wantField(t, ask(n), field, nil)
		}
	}
	if d.box.count() != 0 || d.hashes.Load() != 0 {
		t.Errorf("%d mails, %d hashes", d.box.count(), d.hashes.Load())
	}
	d.must(ask(fine))
}

// Every way in is shut that the mode does not open, also for what was begun before.
func TestAttack_211_SignUpModes(t *testing.T) {
	d := newDoors(t)
	d.settings.SignUpDomains = []string{"test.com"}
	_, m := d.signUp("ada", "ada@elsewhere.org", here())
	begun := accounts.Evidence{Token: tokenOf(t, m, accounts.PathSignUpConfirm), Asker: here()}
	link, err := d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "bob@elsewhere.org"})
	d.must(err)
	invitation := tokenIn(t, link, accounts.PathInvitation)
	for _, mode := range []accounts.SignUpMode{accounts.SignUpDomain, accounts.SignUpInvitation, accounts.SignUpClosed, ""} {
		d.settings.SignUp = mode
		if d.signUps.Open(t.Context()) != (mode == accounts.SignUpDomain) {
			t.Errorf("%s: open", mode)
		}
		_, err := d.signUps.Confirm(t.Context(), begun, accounts.SignUpChoice{})
		wantErr(t, err, accounts.ErrClosed)
		_, err = d.signUps.Look(t.Context(), begun.Token, here())
		wantErr(t, err, accounts.ErrClosed)
		for _, email := range []string{"x@elsewhere.org", "x@sub.test.com", "x@eviltest.com", "test.com@elsewhere.org"} {
			_, err = d.askSignUp("x", email, here())
			wantErr(t, err, accounts.ErrClosed)
		}
	}
	d.settings.SignUp = accounts.SignUpClosed
	_, err = d.invites.Accept(t.Context(), invitation, accounts.Invited{Username: "bob", Password: goodPassword, Asker: here()})
	wantErr(t, err, accounts.ErrClosed)
	_, err = d.invites.Look(t.Context(), invitation)
	wantErr(t, err, accounts.ErrClosed)
	_, err = d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "c@test.com"})
	wantErr(t, err, accounts.ErrClosed)
	d.settings.SignUp = accounts.SignUpDomain
	_, m = d.signUp("carol", "Carol@TEST.com", here())
	_, err = d.signUps.Confirm(t.Context(), accounts.Evidence{Token: tokenOf(t, m, accounts.PathSignUpConfirm), Asker: here()}, accounts.SignUpChoice{})
	d.must(err)
}

// Two have proven their addresses and want one username: one gets it, the other is
// told and chooses another.
func TestSignUp_UsernameRace(t *testing.T) {
	onBoth(t, func(t *testing.T, d *doors) {
		d.limiter.broken = errors.New("off")
		const n = 8
		tokens := make([]string, n)
		for i := range tokens {
			_, m := d.signUp("wanted", string(rune('a'+i))+"@test.com", here())
			tokens[i] = tokenOf(t, m, accounts.PathSignUpConfirm)
		}
		var won atomic.Int64
		var lost sync.Map
		race(n, func(i int) {
			_, err := d.signUps.Confirm(t.Context(), accounts.Evidence{Token: tokens[i], Asker: here()}, accounts.SignUpChoice{})
			bad := (*accounts.BadField)(nil)
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &bad) && bad.Field == "username" && errors.Is(err, accounts.ErrConflict):
				lost.Store(tokens[i], true)
			default:
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%d got the name", won.Load())
		}
		lost.Range(func(token, _ any) bool {
			e := accounts.Evidence{Token: token.(string), Asker: here()}
			_, err := d.signUps.Confirm(t.Context(), e, accounts.SignUpChoice{Username: "bad@name"})
			wantField(t, err, "username", accounts.ErrInvalid)
			entry, err := d.signUps.Confirm(t.Context(), e, accounts.SignUpChoice{Username: "another"})
			d.must(err)
			if entry.User.Username != "another" {
				t.Errorf("%+v", entry.User)
			}
			return false
		})
	})
}

// One address, several browsers and one account.
func TestSignUp_AddressRace(t *testing.T) {
	onBoth(t, func(t *testing.T, d *doors) {
		_, m := d.signUp("ada", "ada@test.com", here())
		e := accounts.Evidence{Token: tokenOf(t, m, accounts.PathSignUpConfirm), Asker: here()}
		link, err := d.invites.Invite(t.Context(), operator(), accounts.Invitation{Email: "ada@test.com"})
		d.must(err)
		invitation := tokenIn(t, link, accounts.PathInvitation)
		var won atomic.Int64
		race(8, func(i int) {
			var err error
			if i%2 == 0 {
				_, err = d.signUps.Confirm(t.Context(), e, accounts.SignUpChoice{})
			} else {
				_, err = d.invites.Accept(t.Context(), invitation, accounts.Invited{Username: "lovelace", Password: goodPassword, Asker: here()})
			}
			bad := (*accounts.BadField)(nil)
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, accounts.ErrProofVoid):
			case errors.As(err, &bad) && bad.Field == "email" && errors.Is(err, accounts.ErrConflict):
			default:
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%d accounts", won.Load())
		}
	})
}

// race calls f n times at once.
func race(n int, f func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wg.Wait()
}
