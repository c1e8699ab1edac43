package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// preflightAge is how long a browser may keep the answer to a preflight. An origin
// that is taken from a client keeps it for that long, and gains nothing: the answer
// to the request itself is checked again.
const preflightAge = 10 * time.Minute

// CORS lets pages of other origins read what the handler behind it answers. It
// never allows credentials: what a page may read, it must have been given a token
// or code for. The origin "null", which any sandboxed frame has, is refused. The
// authorization endpoint and pages must never be behind it (RFC 9700 §2.6).
//
// Routes behind it must accept OPTIONS as well; mux otherwise answers 405 first.
type CORS struct {
	Methods []string // what a preflight is told
	Headers []string // request headers that a page may set
	Expose  []string // answer headers that a page may read
	// AllowOrigin decides on an origin, which it gets as the browser sent it:
	// scheme, "://", host and, if not the default, port. A preflight carries no
	// body and no credentials. Nil allows every origin.
	AllowOrigin func(ctx context.Context, origin string, r *http.Request) bool
}

// OpenCORS puts public documents (discovery, JWKS) in reach of every page.
// MCP clients send MCP-Protocol-Version when they ask for discovery.
func OpenCORS(next http.Handler) http.Handler {
	return (&CORS{Methods: []string{"GET", "HEAD"}, Headers: []string{"MCP-Protocol-Version"}}).Wrap(next)
}

// Wrap returns next behind c.
func (c *CORS) Wrap(next http.Handler) http.Handler {
	methods, headers, expose := strings.Join(c.Methods, ", "), strings.Join(c.Headers, ", "), strings.Join(c.Expose, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// Also without Origin in the request: a cache must not serve this answer to a page.
		h.Add("Vary", "Origin")
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		allowed := c.allow(r)
		if allowed != "" {
			h.Set("Access-Control-Allow-Origin", allowed)
		}
		if !preflight {
			if allowed != "" && expose != "" {
				h.Set("Access-Control-Expose-Headers", expose)
			}
			next.ServeHTTP(w, r)
			return
		}
		h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
		if allowed == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h.Set("Access-Control-Allow-Methods", methods)
		if headers != "" {
			h.Set("Access-Control-Allow-Headers", headers)
		}
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(preflightAge/time.Second)))
		w.WriteHeader(http.StatusNoContent)
	})
}

// allow returns the value of Access-Control-Allow-Origin, or "" for none.
func (c *CORS) allow(r *http.Request) string {
	origins := r.Header.Values("Origin")
	if len(origins) != 1 || !isOrigin(origins[0]) {
		return ""
	}
	switch {
	case c.AllowOrigin == nil:
		return "*"
	case c.AllowOrigin(r.Context(), origins[0], r):
		return origins[0]
	}
	return ""
}

// isOrigin reports whether s is a serialized tuple origin (RFC 6454 §6.1), exactly
// as a browser writes it; "null" is none.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && u.Host != "" && s == Origin(u)
}
