package guard

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/resource"
)

// Verifier decides about tokens; *resource.Verifier is one.
type Verifier interface {
	RequireLogin(next http.Handler) http.Handler
	RequireScope(scopes ...string) func(http.Handler) http.Handler
	// Done is closed when the token has ended.
	Done(t *resource.Token) <-chan struct{}
}

// Guard answers proxies, or is one. Its fields are its settings; they must not
// change once Handler was called.
type Guard struct {
	Verifier Verifier
	// Ready reports whether what is known of revocations is fresh.
	Ready func() bool
	// Upstream is the server that the guard stands before, a URL without query;
	// nil if other proxies ask the guard.
	Upstream *url.URL
	// Need is what every request to Upstream must show.
	Need Need
	// KeepToken passes the Authorization header on to Upstream.
	KeepToken bool
	Log       *slog.Logger
}

// Paths that the guard answers itself, also before an upstream.
const (
	pathHealth = "/healthz"
	pathReady  = "/readyz"
)

// Handler returns the guard's whole surface. It compares paths as they were sent:
// a router that cleans them would let a client climb out of the prefix that a
// proxy put before its path.
func (g *Guard) Handler() http.Handler {
	rest := http.HandlerFunc(g.answer)
	if g.Upstream != nil {
		rest = g.gateway().ServeHTTP
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.EscapedPath() {
		case pathHealth:
			probe(w, r, true)
		case pathReady:
			probe(w, r, g.Ready())
		default:
			rest(w, r)
		}
	})
}

func probe(w http.ResponseWriter, r *http.Request, well bool) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	status, text := http.StatusOK, "ok\n"
	if !well {
		status, text = http.StatusServiceUnavailable, "not fresh\n"
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(text)) // a client that went away has nobody to be told
	}
}

// admit lets requests reach next that show what is needed.
func (g *Guard) admit(need Need, next http.Handler) http.Handler {
	checked := g.Verifier.RequireLogin(next)
	if len(need.Permissions) > 0 {
		checked = g.Verifier.RequireScope(need.Permissions...)(next)
	}
	if !need.Optional {
		return checked
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Whoever shows something is held to it: an expired token is not nobody's.
		if len(r.Header.Values("Authorization")) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		checked.ServeHTTP(w, r)
	})
}

// refuse answers what no token is to blame for.
func refuse(w http.ResponseWriter, status int, code, description string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := `{"error":"` + code + `","error_description":"` + strings.ReplaceAll(description, `"`, `'`) + `"}` + "\n"
	_, _ = w.Write([]byte(body)) // a client that went away has nobody to be told
}
