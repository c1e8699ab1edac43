// Package webapp is the demo app of Gatehouse: an ordinary web app of somebody
// else's, which lets people sign in with OpenID Connect and calls an API for them.
// It knows of Gatehouse what discovery tells it, and nothing more.
//
// It keeps sessions in memory; the browser has a random id and never a token.
// Each sign-in is bound to its browser by state, nonce and PKCE (RFC 7636), an
// answer to its issuer by iss (RFC 9207). Access tokens are for one API (RFC 8707)
// and are refreshed when they have expired or the API refuses them; which
// permissions they carry is read anew each time.
//
// Nothing is asked of the issuer before a person needs it, so it does not matter
// which of the two starts first.
package webapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// The permissions of the posts API that the app can use.
const (
	permissionAdd    = "posts:add"
	permissionDelete = "posts:delete"
)

// maxForm bounds what a form may bring.
const maxForm = 64 << 10

// Config says who the app is and whom it talks to. All but the last three are
// required.
type Config struct {
	Issuer       string // of the OpenID provider
	ClientID     string
	ClientSecret string
	URL          string // where browsers reach this app, without a trailing slash
	API          string // of the posts, also the audience of tokens for it

	Client *http.Client // for issuer and API; default: one that gives up after ten seconds
	Log    *slog.Logger // default: none
	Now    func() time.Time
}

// CallbackPath and HomePath are what a client registration needs, behind
// Config.URL: the redirect URI, and the post-logout redirect URI.
const (
	CallbackPath = "/callback"
	HomePath     = "/"
)

// Scopes are what the app asks for.
func Scopes() []string {
	return []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess, permissionAdd, permissionDelete}
}

// app is the handlers and what they share.
type app struct {
	cfg      Config
	log      *slog.Logger
	client   *http.Client
	now      func() time.Time
	sessions *sessions
	views    *views
	op       relyingParty
}

// New returns the app. It contacts nobody.
func New(cfg Config) (http.Handler, error) {
	for name, raw := range map[string]string{"Issuer": cfg.Issuer, "URL": cfg.URL, "API": cfg.API} {
		if u, err := url.Parse(raw); err != nil || u.Host == "" {
			return nil, fmt.Errorf("webapp: %s is not an absolute URL", name)
		}
	}
	if cfg.ClientID == "" || cfg.ClientSecret == "" {
		return nil, errors.New("webapp: ClientID and ClientSecret are needed")
	}
	a := &app{cfg: cfg, log: cfg.Log, client: cfg.Client, now: cfg.Now}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.client == nil {
		a.client = &http.Client{Timeout: 10 * time.Second}
	}
	if a.now == nil {
		a.now = time.Now
	}
	var err error
	if a.views, err = newViews(); err != nil {
		return nil, fmt.Errorf("webapp: %w", err)
	}
	a.sessions = newSessions(a.now)
	a.op = relyingParty{cfg: cfg, client: a.client}
	return a.routes()
}

func (a *app) routes() (http.Handler, error) {
	issuer, err := url.Parse(a.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("webapp: issuer: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /style.css", a.views.style)
	mux.HandleFunc("GET /signin", a.signIn)
	mux.HandleFunc("GET "+CallbackPath, a.callback)
	mux.HandleFunc("POST /signout", a.signOut)
	mux.HandleFunc("GET /claims", a.signedIn(a.claims))
	mux.HandleFunc("POST /refresh", a.signedIn(a.refresh))
	mux.HandleFunc("GET /posts", a.signedIn(a.posts))
	mux.HandleFunc("GET /posts/new", a.signedIn(a.newPost))
	mux.HandleFunc("POST /posts/new", a.signedIn(a.addPost))
	mux.HandleFunc("POST /posts/{id}/delete", a.signedIn(a.deletePost))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, http.StatusNotFound, problem{Title: "Nothing here", Text: "This address leads nowhere."})
	})
	// Forms are accepted from our own pages alone (CSRF).
	safe := http.NewCrossOriginProtection().Handler(mux)
	policy := "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; " +
		"form-action 'self' " + issuer.Scheme + "://" + issuer.Host // where signing out leads
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		safe.ServeHTTP(w, r)
	}), nil
}

// signedIn lets only people with a session pass; others are sent to sign in and
// come back.
func (a *app) signedIn(next func(http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := a.sessions.of(r)
		if s == nil || !s.signedIn() {
			a.sendToSignIn(w, r)
			return
		}
		next(w, r, s)
	}
}

// sendToSignIn starts a sign-in that leads back to the page that was asked for.
func (a *app) sendToSignIn(w http.ResponseWriter, r *http.Request) {
	target := "/signin?return=" + url.QueryEscape(returnPath(r.URL.Path))
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// returnPath allows the pages that a person may come back to, and nothing that
// could lead out of the app.
func returnPath(path string) string {
	switch path {
	case "/claims", "/posts", "/posts/new":
		return path
	}
	return HomePath
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	a.views.write(w, a.log, http.StatusOK, "home", a.page(a.sessions.of(r), "Demo app"))
}

// background is the context of what outlives a request: keys that are fetched once
// and kept.
func (a *app) background(ctx context.Context) context.Context {
	return oidc.ClientContext(context.WithoutCancel(ctx), a.client)
}

// outgoing is the context of a request to the issuer on behalf of r.
func (a *app) outgoing(r *http.Request) context.Context {
	return context.WithValue(r.Context(), oauth2.HTTPClient, a.client)
}
