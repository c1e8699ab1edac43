package consent_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// signInAt signs somebody in by the page at a path, with further fields, and returns
// where that leads.
func (b *browser) signInAt(path, username string, pairs ...string) string {
	b.Helper()
	form := fill(b, b.get(path), append([]string{"username", username, "password", password, "action", "continue"}, pairs...)...)
	answer := b.post("/signin", form)
	if answer.Code != http.StatusSeeOther {
		b.Fatalf("status %d\n%s", answer.Code, answer.Body)
	}
	return strings.TrimPrefix(answer.Header().Get("Location"), "https://id.example.com")
}

// TestPasskeyOffer: once in 30 days, to whom it can be of use.
func TestPasskeyOffer(t *testing.T) {
	w := newWorld(t)
	able := []string{"passkeys", "1"}[:2:2]
	const offer = "/account/factors/passkey?offer=1"
	for name, tt := range map[string]struct {
		path, who string
		pairs     []string
		missing   string
		fault     error
		want      string
	}{
		"offered":                    {"/signin", "ada", able, "", nil, offer},
		"nothing the browser can":    {"/signin", "ada", nil, "", nil, "/"},
		"only what the script says":  {"/signin", "ada", []string{"passkeys", "yes"}, "", nil, "/"},
		"on the way to a page":       {"/signin?return=%2Faccount%2F", "ada", append(able, "return", "/account/"), "", nil, "/account/"},
		"to confirm who it is":       {"/signin?again=1", "ada", append(able, "again", "1"), "", nil, "/"},
		"something to do first":      {"/signin", "ada", able, flow.PathTerms, nil, "/"},
		"a fault costs only the try": {"/signin", "ada", able, "", errors.New("fault"), "/"},
	} {
		t.Run(name, func(t *testing.T) {
			w.handler.Missing = func(_ context.Context, s *accounts.Session, u *accounts.User) (string, error) {
				if s == nil || u.Username != tt.who {
					t.Errorf("asked about %+v, %+v", s, u)
				}
				return tt.missing, tt.fault
			}
			b := w.browser()
			if got := b.signInAt(tt.path, tt.who, tt.pairs...); got != tt.want {
				t.Errorf("leads to %s, want %s", got, tt.want)
			}
			if told := b.jar[w.cookies.Name(flow.OfferCookie)] != ""; told != (tt.want == offer) {
				t.Errorf("kept that it was offered: %t", told)
			}
			if b.jar[w.cookies.Name(flow.SessionCookie)] == "" {
				t.Error("not signed in")
			}
		})
	}
}

func TestPasskeyOffer_OnTheWayToAnApp(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	at := "flow=" + w.flow(b).ID.String()
	want := "/account/factors/passkey?" + url.Values{"flow": {at[5:]}, "offer": {"1"}}.Encode()
	if got := b.signInAt("/signin?"+at, "ada", "passkeys", "1"); got != want {
		t.Errorf("leads to %s, want %s", got, want)
	}
	// Not again in this browser, whoever signs in.
	at = "flow=" + w.flow(b, func(f *flow.Flow) { f.Reauthenticate = true }).ID.String()
	if got := b.signInAt("/signin?switch=1&"+at, "bob", "passkeys", "1"); got != "/oauth2/authorize?"+at {
		t.Errorf("the second time leads to %s", got)
	}
	// Who has a factor has made their choice; without passkeys there is none.
	w.phone(w.ada)
	if got := w.browser().signInAt("/signin", "ada", "passkeys", "1"); got != "/second-factor" {
		t.Errorf("who has one is led to %s", got)
	}
	w.handler.Passkeys = nil
	if got := w.browser().signInAt("/signin", "bob", "passkeys", "1"); got != "/" {
		t.Errorf("without passkeys it leads to %s", got)
	}
}
