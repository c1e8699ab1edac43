package accounts_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func (d *doors) makeFirst(token secret.Text, username string) (*accounts.Entry, error) {
	return d.setup.Make(d.t.Context(), token, accounts.FirstUser{Username: username, Password: goodPassword})
}

func TestSetup(t *testing.T) {
	d := newDoors(t)
	open, err := d.setup.Open(t.Context())
	d.must(err)
	if !open {
		t.Fatal("closed without a user")
	}
	_, err = d.makeFirst("gh_setup_", "ada")
	wantErr(t, err, accounts.ErrClosed) // nobody has begun
	token, err := d.setup.Token(t.Context())
	d.must(err)
	again, err := (&accounts.Setup{Users: d.users, Store: d.db, Keys: d.auth.Keys}).Token(t.Context())
	d.must(err)
	if again.Reveal() != token.Reveal() || !strings.HasPrefix(token.Reveal(), "gh_setup_") {
		t.Error("another node prints another token")
	}
	if strings.Contains(d.dump(), token.Reveal()[len("gh_setup_"):]) {
		t.Error("the database holds the token")
	}
	for _, wrong := range []secret.Text{"", token[1:], token + "A", "gh_setup_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		_, err = d.makeFirst(wrong, "ada")
		wantErr(t, err, accounts.ErrCredentials)
	}
	_, err = d.setup.Make(t.Context(), token, accounts.FirstUser{Username: "ada", Password: "short"})
	wantField(t, err, "new_password", nil)
	entry, err := d.setup.Make(t.Context(), " "+token+"\n", accounts.FirstUser{Username: "ada", Email: "ada@test.com", Password: goodPassword})
	d.must(err)
	if u := entry.User; !u.Superuser || !u.Staff || u.Email != "ada@test.com" || u.EmailVerified {
		t.Errorf("%+v", u)
	}
	_, err = d.makeFirst(token, "eve")
	wantErr(t, err, accounts.ErrClosed)
	token, err = d.setup.Token(t.Context())
	d.must(err)
	if token != "" {
		t.Error("a token although there is a user")
	}
}

// Of all who set up at once, one does; and nobody once there is a user, however it
// was made.
func TestAttack_212_SetupRace(t *testing.T) {
	onBoth(t, func(t *testing.T, d *doors) {
		token, err := d.setup.Token(t.Context())
		d.must(err)
		var won atomic.Int64
		race(10, func(i int) {
			// Each on a node of its own.
			node := &accounts.Setup{Users: d.users, Store: d.db, Keys: d.auth.Keys}
			_, err := node.Make(t.Context(), token, accounts.FirstUser{Username: fmt.Sprintf("first%d", i), Password: goodPassword})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, accounts.ErrClosed):
				t.Error(err)
			}
		})
		if ready, err := d.db.ReadySuperusers(t.Context()); won.Load() != 1 || len(ready) != 1 || err != nil {
			t.Fatalf("%d won, %d superusers, %v", won.Load(), len(ready), err)
		}
	})
	t.Run("a user by command", func(t *testing.T) {
		d := newDoors(t)
		token, err := d.setup.Token(t.Context())
		d.must(err)
		d.user("ada")
		_, err = d.makeFirst(token, "eve")
		wantErr(t, err, accounts.ErrClosed)
		d.must(d.users.Delete(t.Context(), operator(), d.named("ada").Subject))
		_, err = d.makeFirst(token, "eve") // this node remembers that there was one
		wantErr(t, err, accounts.ErrClosed)
	})
}
