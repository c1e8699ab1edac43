package provider_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// benchWorld is a world with a client of its own whose person has consented and is
// signed in, for benchmarks and fuzzing.
type benchWorld struct {
	*world
	app     app // ES256 ID tokens
	browser *browser
}

const benchScope = "openid profile email offline_access posts:add"

func newBenchWorld(tb testing.TB, databaseURL string, trace func(sql string)) *benchWorld {
	tb.Helper()
	s := newTracedNode(tb, databaseURL, secret.Text(strings.Repeat("s", 40)), nil, trace)
	s.follow()
	return benchWorldOn(tb, s)
}

func benchWorldOn(tb testing.TB, s *server) *benchWorld {
	tb.Helper()
	w := &benchWorld{world: newWorld(tb, s)}
	w.app = w.register(accounts.Registration{
		Name: "Bench", Type: accounts.WebClient, RedirectURIs: []string{callback}, Scopes: strings.Fields(benchScope), IDTokenAlgorithm: "ES256",
	})
	w.allow(w.user, w.app, w.app.Scopes...)
	w.browser = w.signedIn(w.user)
	return w
}

// newCode is the code of an authorization by the person who is signed in.
func (w *benchWorld) newCode() string {
	at, err := url.Parse(w.browser.authorize(w.app.request(benchScope)).Header.Get("Location"))
	if err != nil {
		return ""
	}
	return at.Query().Get("code")
}

func (w *benchWorld) exchange(code string) answer { return w.redeem(w.app, code) }
