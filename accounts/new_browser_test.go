package accounts_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestSignIns_NewBrowserIsTold: whoever has signed in before hears of a sign-in with
// a browser that their account was not used with, and only then.
func TestSignIns_NewBrowserIsTold(t *testing.T) {
	w := newFactorWorld(t)
	u := w.user("alice")
	w.post.browsers = true
	signIn := func(known string) *accounts.Passage {
		t.Helper()
		u, position := w.proven(u)
		m := meta("192.0.2.1")
		m.Known, m.UserAgent = known, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
		p, err := w.signIns.Proved(t.Context(), u, position, []string{"otp"}, m, "")
		w.must(err)
		return p
	}
	first := signIn("")
	if told := w.post.kinds(); len(told) != 0 {
		t.Errorf("the first sign-in of all: %v", told)
	}
	signIn(first.Known)
	if told := w.post.kinds(); len(told) != 0 {
		t.Errorf("the same browser: %v", told)
	}
	for _, known := range []string{"", "made up", first.Known + "x"} {
		signIn(known)
		if told := w.post.kinds(); !slices.Equal(told, []string{"new_device to alice@test.com"}) {
			t.Errorf("a browser with %q: %v", known, told)
		}
	}
}

// proven is what one statement reads before a proof is checked.
func (w *factorWorld) proven(u *accounts.User) (*accounts.User, int64) {
	w.t.Helper()
	found, position, err := w.db.UserByLogin(w.t.Context(), u.UsernameKey)
	w.must(err)
	return found, position
}
