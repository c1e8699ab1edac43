package guard

import (
	"log/slog"
	"net/http"

	"github.com/gatehouse-id/gatehouse/resource"
)

// answer tells a proxy whether a request may pass: 200 with headers, or 401, 403
// or 503, which are the answers that all of them understand.
func (g *Guard) answer(w http.ResponseWriter, r *http.Request) {
	need, err := needOf(r.URL)
	if err != nil {
		// Not 5xx: Envoy can be told to let requests pass on those.
		g.Log.ErrorContext(r.Context(), "guard: refused, see docs/guard.md for the URLs that proxies may ask", slog.Any("error", err))
		refuse(w, http.StatusForbidden, "misconfigured", "the guard does not know what to ask for")
		return
	}
	if name := imitation(r.Header); name != "" {
		g.Log.WarnContext(r.Context(), "guard: refused a header that imitates another", slog.String("name", encoded(name)))
		refuse(w, http.StatusForbidden, "invalid_request", "the request has a header whose name imitates another")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	g.admit(need, http.HandlerFunc(allow)).ServeHTTP(&plainStatus{ResponseWriter: w}, r)
}

// allow lets a request pass and says whose it is.
func allow(w http.ResponseWriter, r *http.Request) {
	token, _ := resource.FromContext(r.Context()) // nil for nobody
	setClaims(w.Header(), token)
	w.WriteHeader(http.StatusOK)
}

// plainStatus answers 401 instead of 400 (RFC 6750 §3.1: invalid_request): nginx
// makes a 500 of what it does not expect.
type plainStatus struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (p *plainStatus) WriteHeader(status int) {
	if status == http.StatusBadRequest {
		status = http.StatusUnauthorized
	}
	p.ResponseWriter.WriteHeader(status)
}
