package consent

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Authenticator checks passwords.
type Authenticator interface {
	// Authenticate returns accounts.ErrCredentials, accounts.ErrBanned (the
	// password was right), *accounts.Throttled or accounts.ErrBusy.
	Authenticate(ctx context.Context, at accounts.Attempt) (*accounts.Result, error)
}

// Sessions begins the sessions of browsers.
type Sessions interface {
	// Start returns the token for the cookie; errors as Authenticate has them.
	Start(ctx context.Context, r *accounts.Result, m accounts.Meta) (string, *accounts.Session, error)
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
	*hosted.Desk
	Flows         flow.Store
	Clients       Clients
	APIs          APIs
	Holdings      Holdings
	Authenticator Authenticator
	Sessions      Sessions
	Consents      Consents
	Remembered    Remembered
}

const pathSignOut = "/logout" // the protocol's

// Mount adds the pages to r, whose root is the origin of the issuer. They go
// through pages, which sets the headers of HTML pages. Forms that another origin
// sent are refused here, whatever stands in front.
func (h *Handler) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	err := h.Routes(r, pages, map[string]hosted.Page{
		hosted.PathHome:        {Get: h.home},
		hosted.PathPreferences: {Post: h.setPreferences},
		flow.PathSignIn:        {Get: h.showSignIn, Post: h.signIn},
		flow.PathSelectAccount: {Get: h.showAccounts, Post: h.selectAccount},
		flow.PathConsent:       {Get: h.showConsent, Post: h.decideConsent},
	})
	if err != nil {
		return fmt.Errorf("consent: %w", err)
	}
	return nil
}

// now is the time in Unix milliseconds.
func (h *Handler) now() int64 { return h.Now().UnixMilli() }

// pathOf is path for a step of a flow.
func (h *Handler) pathOf(page string, f *flow.Flow) string {
	if f == nil {
		return h.Path(page)
	}
	return h.Path(page) + "?flow=" + f.ID.String()
}

// toAuthorize hands the person back to the protocol, which decides what is next.
func (h *Handler) toAuthorize(w http.ResponseWriter, f *flow.Flow) {
	h.Redirect(w, h.pathOf(flow.PathAuthorize, f))
}
