package accounts_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// spoiled are the ways in which a token becomes worth nothing; each returns the
// token to try.
func spoiled(finish func(d *doors, token string) error) map[string]func(d *doors, u *accounts.User, token string) string {
	return map[string]func(d *doors, u *accounts.User, token string) string{
		"used before": func(d *doors, _ *accounts.User, token string) string {
			d.must(finish(d, token))
			return token
		},
		"expired": func(d *doors, _ *accounts.User, token string) string {
			d.pass(time.Hour)
			return token
		},
		"a newer one": func(d *doors, u *accounts.User, token string) string {
			d.askReset(u, here())
			return token
		},
		"password changed": func(d *doors, u *accounts.User, token string) string {
			d.must(d.users.ChangePassword(d.t.Context(), operator(), d.proof(u), otherPassword, [16]byte{}))
			return token
		},
		"address changed": func(d *doors, u *accounts.User, token string) string {
			stored := d.stored(u)
			stored.Email, stored.EmailKey = "new@test.com", "new@test.com"
			d.must(d.db.UpdateUser(d.t.Context(), stored))
			return token
		},
		"signed out everywhere": func(d *doors, u *accounts.User, token string) string {
			d.must(d.users.SignOutEverywhere(d.t.Context(), operator(), u.Subject))
			return token
		},
		"banned": func(d *doors, u *accounts.User, token string) string {
			d.must(d.users.Ban(d.t.Context(), operator(), u.Subject))
			return token
		},
		"deleted": func(d *doors, u *accounts.User, token string) string {
			d.must(d.users.Delete(d.t.Context(), operator(), u.Subject))
			return token
		},
		"another purpose": func(d *doors, u *accounts.User, _ string) string {
			link, _, err := d.codes.Link(d.t.Context(), operator(), u.Subject)
			d.must(err)
			return tokenIn(d.t, link, accounts.PathMailCode)
		},
		"cut":       func(_ *doors, _ *accounts.User, token string) string { return token[:len(token)-1] },
		"longer":    func(_ *doors, _ *accounts.User, token string) string { return token + "A" },
		"line end":  func(_ *doors, _ *accounts.User, token string) string { return token[:20] + "\n" + token[20:] },
		"no prefix": func(_ *doors, _ *accounts.User, token string) string { return strings.TrimPrefix(token, "gh_mail_") },
		"another secret": func(_ *doors, _ *accounts.User, token string) string {
			end := "AAAA"
			if strings.HasSuffix(token, end) {
				end = "BBBB"
			}
			return token[:len(token)-4] + end
		},
		"empty": func(*doors, *accounts.User, string) string { return "" },
	}
}

// A proof is worth something once, for its purpose, for a while, and until what it is
// about changes.
func TestAttack_198_Proofs(t *testing.T) {
	finish := func(d *doors, token string) error {
		_, err := d.resets.Finish(d.t.Context(), token, otherPassword, elsewhere(), accounts.Meta{})
		return err
	}
	for name, spoil := range spoiled(finish) {
		t.Run(name, func(t *testing.T) {
			d := newDoors(t)
			u := d.member("ada")
			_, m := d.askReset(u, here())
			token := spoil(d, u, tokenOf(t, m, accounts.PathResetPassword))
			before, _ := d.db.UserBySubject(t.Context(), u.Subject)
			wantErr(t, finish(d, token), accounts.ErrProofVoid)
			if after, _ := d.db.UserBySubject(t.Context(), u.Subject); before != nil && after.PasswordHash != before.PasswordHash {
				t.Error("the password was changed")
			}
		})
	}
}

// Of many who use a link at the same time, one wins.
func TestAttack_198_ConcurrentUse(t *testing.T) {
	onBoth(t, func(t *testing.T, d *doors) {
		u := d.member("ada")
		_, m := d.askReset(u, here())
		token := tokenOf(t, m, accounts.PathResetPassword)
		var won atomic.Int64
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 12 {
			wg.Go(func() {
				<-begin
				_, err := d.resets.Finish(t.Context(), token, otherPassword, here(), accounts.Meta{})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, accounts.ErrProofVoid):
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d won", won.Load())
		}
	})
}

// A code is good in the browser in which it was asked for, for five tries, however
// many are made at once.
func TestAttack_198_Codes(t *testing.T) {
	d := newDoors(t)
	u := d.member("ada")
	proofID, m := d.askReset(u, here())
	code := m.Data[accounts.MailDataCode]
	if len(code) != 8 {
		t.Fatalf("code %q", code)
	}
	try := func(id, code string, a accounts.Asker) error {
		_, err := d.resets.Exchange(t.Context(), accounts.Evidence{ProofID: id, Code: code, Asker: a})
		return err
	}
	for range 20 { // costs the owner no try
		wantErr(t, try(proofID, code, elsewhere()), accounts.ErrProofVoid)
		wantErr(t, try(proofID, code, accounts.Asker{}), accounts.ErrProofVoid)
		wantErr(t, try("nonsense", code, here()), accounts.ErrProofVoid)
	}
	wrong := (*accounts.WrongCode)(nil)
	for _, typo := range []string{"", "1234567", code + "1", "１２３４５６７８", "1234567a"} {
		if err := try(proofID, typo, here()); !errors.As(err, &wrong) || wrong.Left != accounts.ProofTries {
			t.Errorf("%q: %v", typo, err)
		}
	}
	other := string('0'+(code[0]-'0'+1)%10) + code[1:]
	for left := accounts.ProofTries - 1; left > 0; left-- {
		if err := try(proofID, other, here()); !errors.As(err, &wrong) || wrong.Left != left {
			t.Fatalf("%v, want %d left", err, left)
		}
	}
	d.must(try(proofID, " "+code[:4]+" "+code[4:], here())) // the last one, as people type it

	proofID, m = d.askReset(u, here())
	var guessed atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := try(proofID, "00000000", here()); errors.As(err, new(*accounts.WrongCode)) {
				guessed.Add(1)
			}
		})
	}
	wg.Wait()
	if guessed.Load() != accounts.ProofTries {
		t.Errorf("%d guesses were compared", guessed.Load())
	}
	wantErr(t, try(proofID, m.Data[accounts.MailDataCode], here()), accounts.ErrProofVoid)
}

// What is kept tells nobody what the mail held.
func TestAttack_198_KeptHashed(t *testing.T) {
	d := newDoors(t)
	proofID, m := d.askReset(d.member("ada"), here())
	token := tokenOf(t, m, accounts.PathResetPassword)
	dump := d.dump()
	for _, secret := range []string{token, token[8:], m.Data[accounts.MailDataCode], "this browser", "a flow"} {
		if strings.Contains(dump, secret) {
			t.Errorf("the database holds %q", secret)
		}
	}
	if !strings.Contains(dump, "ada@test.com") || proofID == "" {
		t.Error("the dump is no dump")
	}
}

// Mails are limited by address, by network and in total, alike for known and unknown
// addresses.
func TestProofs_Limits(t *testing.T) {
	for _, email := range []string{"ada@test.com", "nobody@test.com"} {
		d := newDoors(t)
		d.member("ada")
		for range 5 {
			_, err := d.resets.Ask(t.Context(), email, here())
			d.must(err)
		}
		throttled := (*accounts.Throttled)(nil)
		_, err := d.codes.Ask(t.Context(), email, elsewhere())
		if !errors.As(err, &throttled) || throttled.Wait != 10*time.Minute {
			t.Fatalf("%s: %v", email, err)
		}
		if n := d.box.count(); n != 5 {
			t.Errorf("%d mails", n)
		}
		d.pass(throttled.Wait)
		_, err = d.codes.Ask(t.Context(), email, elsewhere())
		d.must(err)
		for i := 0; ; i++ {
			_, err = d.resets.Ask(t.Context(), string(rune('a'+i))+"@x.org", elsewhere())
			if errors.As(err, &throttled) {
				if i != 19 {
					t.Errorf("the network is stopped after %d", i)
				}
				break
			}
			d.must(err)
		}
	}
}

// Asked about somebody or nobody, each door does the same work: hashes, statements
// and mails.
func TestAttack_200_and_201_EqualWork(t *testing.T) {
	d := newDoors(t)
	d.member("ada")
	d.member("bob")
	d.must(d.users.Ban(t.Context(), operator(), d.named("bob").Subject))
	ask := map[string]func(name string) (string, error){
		"sign-up": func(name string) (string, error) {
			return d.signUps.Ask(t.Context(), accounts.SignUp{Username: name, Email: name + "@test.com", Password: goodPassword, Asker: here()})
		},
		"reset": func(name string) (string, error) { return d.resets.Ask(t.Context(), name+"@test.com", here()) },
		"code":  func(name string) (string, error) { return d.codes.Ask(t.Context(), name+"@test.com", here()) },
	}
	answer := map[string]func(proofID string) error{
		"sign-up": func(proofID string) error {
			_, err := d.signUps.Confirm(t.Context(), accounts.Evidence{ProofID: proofID, Code: "00000000", Asker: here()}, accounts.SignUpChoice{})
			return err
		},
		"reset": func(proofID string) error {
			_, err := d.resets.Exchange(t.Context(), accounts.Evidence{ProofID: proofID, Code: "00000000", Asker: here()})
			return err
		},
		"code": func(proofID string) error {
			_, err := d.codes.Enter(t.Context(), accounts.Evidence{ProofID: proofID, Code: "00000000", Asker: here()}, "")
			return err
		},
	}
	for door := range ask {
		t.Run(door, func(t *testing.T) {
			var asked, answered []work
			for _, name := range []string{"ada", "nobody", "bob"} {
				var proofID string
				asked = append(asked, d.measure(func() {
					var err error
					proofID, err = ask[door](name)
					d.must(err)
				}))
				answered = append(answered, d.measure(func() {
					wrong := (*accounts.WrongCode)(nil)
					if err := answer[door](proofID); !errors.As(err, &wrong) || wrong.Left != accounts.ProofTries-1 {
						t.Errorf("%s: %v", name, err)
					}
				}))
			}
			for i := 1; i < len(asked); i++ {
				if diff := cmp.Diff(asked[0], asked[i]); diff != "" {
					t.Errorf("asking costs otherwise:\n%s", diff)
				}
				if diff := cmp.Diff(answered[0], answered[i]); diff != "" {
					t.Errorf("a wrong code costs otherwise:\n%s", diff)
				}
			}
			hashes := map[string]int{"sign-up": 1}[door]
			if asked[0].Hashes != hashes || asked[0].Mails != 1 || len(asked[0].Trips) < 3 {
				t.Errorf("work %+v", asked[0])
			}
		})
	}
}
