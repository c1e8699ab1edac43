package guard

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/resource"
)

// watchAfter is how long a request runs before it is ended with its token: the
// verifier keeps every token that it was asked to watch, and most requests are
// over sooner.
const watchAfter = time.Second

// errEnded is the cause when a token ends before its request does.
var errEnded = errors.New("guard: the token has ended")

// gateway returns the proxy to Upstream.
func (g *Guard) gateway() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite:      g.rewrite,
		Transport:    transport(),
		ErrorHandler: g.failed,
		// What it says is about connections that were cut, also by us.
		ErrorLog: slog.NewLogLogger(g.Log.Handler(), slog.LevelDebug),
	}
	return g.admit(g.Need, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Trim(g.Upstream.Path, "/") != "" && climbs(r.URL.Path) {
			refuse(w, http.StatusBadRequest, "invalid_request", "the path leaves the server's part of its host")
			return
		}
		token, ok := resource.FromContext(r.Context())
		if !ok {
			proxy.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		watch := time.AfterFunc(watchAfter, func() {
			select {
			case <-g.Verifier.Done(token):
				cancel(errEnded)
			case <-ctx.Done():
			}
		})
		defer watch.Stop()
		// Who has shown a token may take the token's time; who has not is bound by
		// the server's limits.
		control := http.NewResponseController(w)
		for _, lift := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
			if err := lift(time.Time{}); err != nil {
				g.Log.DebugContext(ctx, "guard: limits stay", slog.Any("error", err))
			}
		}
		proxy.ServeHTTP(w, r.WithContext(ctx))
	}))
}

// transport never goes through a proxy of the environment: the upstream is ours.
func transport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // what the client accepts is passed on
	}
}

// climbs reports whether a server may read the path, which is decoded, as one that
// goes up: then it could leave the path under which it was put.
func climbs(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); name == ".." { // "..;" is that for servlets
			return true
		}
	}
	return false
}

// rewrite makes the request to Upstream. When it is called, the headers that
// Connection names are gone already, so that a client cannot have ours removed.
func (g *Guard) rewrite(p *httputil.ProxyRequest) {
	p.SetURL(g.Upstream)
	p.SetXForwarded()
	strip(p.Out.Header)
	// What follows a switch of protocols is not looked at. In a WebSocket that can
	// be no other request; with h2c it could, with any X-Auth-Subject in it.
	if !strings.EqualFold(p.Out.Header.Get("Upgrade"), "websocket") {
		p.Out.Header.Del("Upgrade")
		p.Out.Header.Del("Connection")
	}
	p.Out.Trailer = nil // some servers merge them with the headers
	token, _ := resource.FromContext(p.In.Context())
	setClaims(p.Out.Header, token)
	if !g.KeepToken {
		p.Out.Header.Del("Authorization")
	}
}

// failed answers when Upstream does not, or when the token ended before it did.
func (g *Guard) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(context.Cause(r.Context()), errEnded):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token", error_description="the access token has ended"`)
		refuse(w, http.StatusUnauthorized, "invalid_token", "the access token has ended")
	case r.Context().Err() != nil:
		// The client has left. The status is for nobody.
		w.WriteHeader(http.StatusBadGateway)
	default:
		g.Log.WarnContext(r.Context(), "guard: the upstream does not answer", slog.Any("error", err))
		refuse(w, http.StatusBadGateway, "bad_gateway", "the server behind the gateway does not answer")
	}
}
