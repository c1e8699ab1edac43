package consent

import (
	"context"
	"errors"
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

// SignIns leads from the first proof to the session (accounts.SignIns).
type SignIns interface {
	// Proceed goes on after Authenticate. It returns accounts.ErrCredentials if the
	// proof no longer holds, or accounts.ErrBanned.
	Proceed(ctx context.Context, r *accounts.Result, m accounts.Meta, device string) (*accounts.Passage, error)
	// Raise begins the second factor of somebody who is signed in. It returns
	// accounts.ErrNotFound or accounts.ErrNoFactor.
	Raise(ctx context.Context, session *accounts.Session, user *accounts.User, m accounts.Meta) (*accounts.Passage, error)
	// Pending returns accounts.ErrNotFound for a sign-in that is over.
	Pending(ctx context.Context, pending string) (*accounts.PendingSignIn, error)
	// Code and RecoveryCode return accounts.ErrCode, *accounts.Throttled,
	// accounts.ErrNotFound or accounts.ErrBanned.
	Code(ctx context.Context, pending, code string, m accounts.Meta, remember bool) (*accounts.Passage, error)
	RecoveryCode(ctx context.Context, pending, code string, m accounts.Meta) (*accounts.Passage, error)
}

// Passkeys asks for passkeys, of a pending sign-in or without one of anybody
// (accounts.SignIns).
type Passkeys interface {
	PasskeyOptions(ctx context.Context, pending string) (options []byte, ceremony string, err error)
	// Passkey returns accounts.ErrPasskey, *accounts.UnknownPasskey or what Code
	// returns.
	Passkey(ctx context.Context, pending, ceremony string, response []byte, m accounts.Meta, remember bool) (*accounts.Passage, error)
	// Factorless reports whether somebody has no second factor of any kind.
	Factorless(ctx context.Context, user *accounts.User) (bool, error)
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
// set before Mount, but for Passkeys and the URLs.
type Handler struct {
	*hosted.Desk
	Flows         flow.Store
	Clients       Clients
	APIs          APIs
	Holdings      Holdings
	Authenticator Authenticator
	SignIns       SignIns
	Passkeys      Passkeys // nil where there are none
	Consents      Consents
	Remembered    Remembered

	// The ways to sign-up, to another password and to a sign-in by a code that is
	// sent by mail, without a query; what is empty is off, and so is what Settings do
	// not allow.
	SignUpURL, ResetURL, CodeURL string
	// Settings may be nil only where there are none of these ways.
	Settings accounts.SettingsSource
	// FirstRun reports whether nobody has an account yet: then the start page leads
	// to SetupURL. Nil means that somebody has.
	FirstRun func(ctx context.Context) (bool, error)
	SetupURL string
	// SetLocale keeps the language that a signed-in person chooses with their
	// account, as a BCP 47 tag (accounts.Profiles). Nil leaves it to their browser.
	SetLocale func(ctx context.Context, actor audit.Actor, subject, locale string) error
}

const pathSignOut = "/logout" // the protocol's

// Mount adds the pages to r, whose root is the origin of the issuer. They go
// through pages, which sets the headers of HTML pages. Forms that another origin
// sent are refused here, whatever stands in front.
func (h *Handler) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	if h.SignIns == nil {
		return errors.New("consent: nobody to ask for a second factor")
	}
	err := h.Routes(r, pages, map[string]hosted.Page{
		hosted.PathHome:        {Get: h.home},
		hosted.PathPreferences: {Post: h.setPreferences},
		flow.PathSignIn:        {Get: h.showSignIn, Post: h.signIn},
		pathPasskey:            {Post: h.askDevice},
		flow.PathSecondFactor:  {Get: h.showSecondFactor(flow.PathSecondFactor), Post: h.takeSecondFactor(flow.PathSecondFactor)},
		pathRecovery:           {Get: h.showSecondFactor(pathRecovery), Post: h.takeSecondFactor(pathRecovery)},
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
