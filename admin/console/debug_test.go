package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// visitOf is a visit of a person in a session in a browser.
func visitOf(t *testing.T, person, browser string, session id.ID) *visit {
	t.Helper()
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("s", secret.MinLength)))
	if err != nil {
		t.Fatal(err)
	}
	issuer := &url.URL{Scheme: "https", Host: "id.example.org"}
	desk := &hosted.Desk{Issuer: issuer, Cookies: web.Cookies{Issuer: issuer}, Keyring: keyring, Now: time.Now}
	r := httptest.NewRequest(http.MethodGet, "https://id.example.org/admin/clients/debug", nil)
	r.AddCookie(&http.Cookie{Name: desk.Cookies.Name(flow.BrowserCookie), Value: browser})
	return &visit{Handler: &Handler{Desk: desk}, r: r, session: &accounts.Session{ID: session}, user: &accounts.User{Subject: person}}
}

// TestSealedRun: what a page carries along opens in its own session alone.
func TestSealedRun(t *testing.T) {
	session := id.New()
	v := visitOf(t, "ada", "browser", session)
	want := run{Access: "token", Steps: []debugStep{{Kind: "push", Wire: admin.Wire{Method: "POST", Form: [][2]string{{"a", "b"}}}}}}
	if err := v.carry(want); err != nil {
		t.Fatal(err)
	}
	var got run
	if err := v.openedText(sealRun, v.carried, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, other := range map[string]*visit{
		"person": visitOf(t, "bob", "browser", session), "browser": visitOf(t, "ada", "other", session), "session": visitOf(t, "ada", "browser", id.New()),
	} {
		if err := other.openedText(sealRun, v.carried, &got); !errors.Is(err, errDebugState) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "x", "A", v.carried + "A", v.carried[:40], strings.ToUpper(v.carried), "\x00"} {
		if err := v.openedText(sealRun, bad, &got); !errors.Is(err, errDebugState) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := v.openedText(sealState, v.carried, &begun{}); !errors.Is(err, errDebugState) {
		t.Errorf("for another purpose: %v", err)
	}
}

// TestCarriedIsBounded: however many buttons are pressed, the forms stay small, and the
// way to the tokens is kept longest.
func TestCarriedIsBounded(t *testing.T) {
	v := visitOf(t, "ada", "browser", id.New())
	r := run{Access: "token"}
	for n := range 40 {
		r.Steps = append(r.Steps, debugStep{Kind: "step", Wire: admin.Wire{Status: n, Body: strings.Repeat(rand.Text(), 20)}})
		if err := v.carry(r); err != nil {
			t.Fatal(err)
		}
		var got run
		if err := v.openedText(sealRun, v.carried, &got); err != nil || len(v.carried) > carriedMost {
			t.Fatalf("%d characters, %v", len(v.carried), err)
		}
		for i := range min(coreSteps, n) {
			if got.Steps[i].Wire.Status != i {
				t.Fatalf("after %d: step %d is gone", n, i)
			}
		}
		r = got
	}
	if last := r.Steps[len(r.Steps)-1]; last.Wire.Status != 39 || len(r.Steps) <= coreSteps {
		t.Errorf("%d steps, the last one %d", len(r.Steps), last.Wire.Status)
	}
}

// TestWireTexts: what is shown can be sent by hand, whatever is in it.
func TestWireTexts(t *testing.T) {
	w := admin.Wire{
		Method: "POST", URL: "https://id.example.org/oauth2/token", Header: [][2]string{{"Content-Type", "x"}, {"Authorization", "Basic …"}},
		Form: [][2]string{{"scope", "a b"}, {"resource", "https://x.example/?it's&$(id)"}, {"client_assertion", "…"}}, User: "my%27app",
		Status: 400, AnswerHeader: [][2]string{{"Cache-Control", "no-store"}}, Body: `{"error":"invalid_grant"}`,
	}
	for name, pair := range map[string][2]string{
		"request": {requestText(w), "POST https://id.example.org/oauth2/token\nContent-Type: x\nAuthorization: Basic …\n\n" +
			"scope=a+b\n&resource=https%3A%2F%2Fx.example%2F%3Fit%27s%26%24%28id%29\n&client_assertion=…\n"},
		"answer": {answerText(w), "400 Bad Request\nCache-Control: no-store\n\n{\n  \"error\": \"invalid_grant\"\n}"},
		"curl": {curlText(w), "curl 'https://id.example.org/oauth2/token' \\\n  -u 'my%27app':\"$CLIENT_SECRET\" \\\n" +
			"  --data-urlencode 'scope=a b' \\\n  --data-urlencode 'resource=https://x.example/?it'\\''s&$(id)' \\\n  --data-urlencode 'client_assertion=…'\n"},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestLasting: durations are told in a unit that fits.
func TestLasting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 10*time.Minute - 100*time.Millisecond: "10 min", 26 * time.Hour: "26 h",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
