package consent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Authenticator checks passwords.
type Authenticator interface {
	// Authenticate returns accounts.ErrCredentials, accounts.ErrBanned (the
	// password was right), *accounts.Throttled or accounts.ErrBusy.
	Authenticate(ctx context.Context, at accounts.Attempt) (*accounts.Result, error)
}

// Sessions begins and finds the sessions of browsers.
type Sessions interface {
	// Start returns the token for the cookie; errors as Authenticate has them.
	Start(ctx context.Context, r *accounts.Result, m accounts.Meta) (string, *accounts.Session, error)
	// Find returns the live session of a cookie's token, or accounts.ErrNotFound.
	Find(ctx context.Context, token string) (*accounts.Session, *accounts.User, error)
}

// Clients finds the app that a flow is for.
type Clients interface {
	ClientByID(ctx context.Context, clientID string, now int64) (*accounts.Client, accounts.Mark, error)
}

// APIs tells what permissions are called.
type APIs interface {
	ListAPIs(ctx context.Context) ([]accounts.API, error)
}

// Holdings tells what a signed-in person has now.
type Holdings interface {
	// HeldPermissions returns those of the names that the person of a session
	// holds at the given time, through groups or as a superuser, of enabled APIs.
	HeldPermissions(ctx context.Context, sessionTokenHash []byte, names []string, now int64) ([]string, error)
	// GroupsOf returns the names of the groups in which the user is, sorted.
	GroupsOf(ctx context.Context, userID id.ID, now int64) ([]string, error)
}

// Consents records what people allow.
type Consents interface {
	// Allow records that of the scopes asked, those allowed were.
	Allow(ctx context.Context, actor audit.Actor, user *accounts.User, client *accounts.Client, asked, allowed []string) error
}

// Remembered finds what was allowed before.
type Remembered interface {
	// ConsentOf returns accounts.ErrNotFound when the person was never asked.
	ConsentOf(ctx context.Context, userID, clientID id.ID) (*accounts.Consent, error)
}

// Handler serves the pages. Its fields are its dependencies; all of them must be
// set before Mount.
type Handler struct {
	Issuer        *url.URL // without a trailing slash
	Flows         flow.Store
	Clients       Clients
	APIs          APIs
	Holdings      Holdings
	Authenticator Authenticator
	Sessions      Sessions
	Consents      Consents
	Remembered    Remembered
	Cookies       web.Cookies
	Keyring       *secret.Keyring
	Pages         *templates.Renderer
	Now           func() time.Time
}

// Paths of the pages that belong to no flow, relative to the issuer.
const (
	pathHome        = "/"
	pathSignOut     = "/logout" // the protocol's
	pathPreferences = "/preferences"
)

// Mount adds the pages to r, whose root is the origin of the issuer. They go
// through pages, which sets the headers of HTML pages. Forms that another origin
// sent are refused here, whatever stands in front.
func (h *Handler) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	if h.Issuer == nil || h.Issuer.Host == "" {
		return errors.New("consent: no issuer")
	}
	for path, p := range map[string]page{
		pathHome:               {get: h.home},
		pathPreferences:        {post: h.setPreferences},
		flow.PathSignIn:        {get: h.showSignIn, post: h.signIn},
		flow.PathSelectAccount: {get: h.showAccounts, post: h.selectAccount},
		flow.PathConsent:       {get: h.showConsent, post: h.decideConsent},
	} {
		p.h = h
		guarded, err := web.CrossOrigin(h.Issuer, http.HandlerFunc(h.foreign), p)
		if err != nil {
			return fmt.Errorf("consent: %w", err)
		}
		r.Handle(h.Issuer.Path+path, pages(web.Recover(http.HandlerFunc(h.failed), guarded)))
	}
	return nil
}

// page answers one path.
type page struct {
	h         *Handler
	get, post http.HandlerFunc
}

// ServeHTTP implements http.Handler.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, allow := p.get, "GET, HEAD"
	if r.Method == http.MethodPost {
		answer = p.post
	} else if r.Method != http.MethodGet && r.Method != http.MethodHead {
		answer = nil
	}
	switch {
	case answer == nil && p.get == nil:
		allow = "POST"
	case answer == nil && p.post != nil:
		allow = "GET, HEAD, POST"
	}
	if answer == nil {
		w.Header().Set("Allow", allow)
		p.h.fail(w, r, http.StatusMethodNotAllowed, templates.Error{Kind: templates.MethodNotAllowed})
		return
	}
	answer(w, r)
}

// now is the time in Unix milliseconds.
func (h *Handler) now() int64 { return h.Now().UnixMilli() }

// path is a page's path on the issuer's origin, for links and forms.
func (h *Handler) path(page string) string { return h.Issuer.Path + page }

// pathOf is path for a step of a flow.
func (h *Handler) pathOf(page string, f *flow.Flow) string {
	if f == nil {
		return h.path(page)
	}
	return h.path(page) + "?flow=" + f.ID.String()
}

// toAuthorize hands the person back to the protocol, which decides what is next.
func (h *Handler) toAuthorize(w http.ResponseWriter, f *flow.Flow) {
	h.redirect(w, h.pathOf(flow.PathAuthorize, f))
}

// redirect sends the browser to a path of the issuer's origin, always with GET.
func (h *Handler) redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", web.Origin(h.Issuer)+path)
	w.WriteHeader(http.StatusSeeOther)
}
