// Package flow holds a request for a sign-in while its person is on the way
// through the pages. The protocol stores it and decides the next step; every step
// writes down what was done and returns to the protocol; steps never send to one
// another. So reload, the back button, a second tab and an expired page are safe:
// each request starts from what is stored.
//
// A flow belongs to the browser that began it: its BrowserHash must match that
// browser's cookie, or somebody could finish a flow that another began (login
// CSRF, RFC 9700 §4.7).
package flow

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Paths of the pages, relative to the issuer. Each takes the flow's id in the
// parameter "flow".
const (
	PathAuthorize     = "/oauth2/authorize"
	PathSignIn        = "/signin"
	PathSignUp        = "/signup"
	PathSecondFactor  = "/second-factor" // also raises the session of somebody signed in
	PathSelectAccount = "/select-account"
	PathConsent       = "/consent"

	// What a person may have to do before anything else.
	PathVerifyEmail = "/verify-email"
	PathNewPassword = "/account/password"
	PathEnrolFactor = "/account/factors"
	PathTerms       = "/terms"
)

// PathOf is the page on which somebody does what is required of them.
func PathOf(a accounts.Action) string {
	switch a {
	case accounts.ActionKeepAccount:
		return accounts.PathKeepAccount
	case accounts.ActionVerifyEmail:
		return PathVerifyEmail
	case accounts.ActionChangePassword:
		return PathNewPassword
	case accounts.ActionEnrolFactor:
		return PathEnrolFactor
	case accounts.ActionAcceptTerms:
		return PathTerms
	}
	return "" // of an action that nobody knows, as a database that was written by a newer release may hold
}

// Logical names of the cookies that the protocol and the pages share.
const (
	SessionCookie  = "session" // the token of the browser's session
	PendingCookie  = "pending" // the token of a sign-in that waits for a second factor
	DeviceCookie   = "device"  // the token of a browser that needs no second factor for a while
	KnownCookie    = "known"   // tells that an account has signed in with this browser before
	BrowserCookie  = "browser" // ties flows to the browser that began them
	LanguageCookie = "lang"    // a BCP 47 tag of a language that the pages have
	ThemeCookie    = "theme"   // "light" or "dark"; absent means as the device
	OfferCookie    = "offered" // tells that a passkey was offered in this browser a while ago
)

// PathNewPasskey is the page that adds a passkey. With OfferParam it is one that
// nobody asked for: it says what a passkey is good for, and how to go on without.
const (
	PathNewPasskey = PathEnrolFactor + "/passkey"
	OfferParam     = "offer"
)

// ErrNotFound is returned for a flow that is unknown or was thrown away.
var ErrNotFound = errors.New("flow: not found")

// Flow is one stored request.
type Flow struct {
	ID          id.ID
	BrowserHash []byte // SHA-256 of the browser's cookie
	ClientID    string // client_id, for the pages to show whose request this is
	Params      string // the validated request, encoded by the protocol; no page reads it
	GrantID     id.ID  // id of the grant that will come of it: one flow, one grant (L14)
	Pushed      bool   // came by a pushed request, which cannot begin again

	// What the pages need to know, in their words.
	RedirectURI    string   // proven; where the person will be sent
	Scopes         []string // asked, of those that the client may ask
	LoginHint      string   // never trusted, only shown in the field
	UILocales      string
	Reauthenticate bool // the person must sign in again although a session exists

	// What was done, in Unix milliseconds; zero means not yet.
	AccountChosenAt int64
	DeniedAt        int64
	FinishedAt      int64
	// ConsentedBy is the sub of the person who was shown the consent page; another
	// one who signs in meanwhile has not been.
	ConsentedBy string

	CreatedAt int64
	ExpiresAt int64 // the row is kept a while longer, so that an old page can begin again
}

// Store keeps flows. Losing one means that somebody clicks again, so writes need
// not be durable.
type Store interface {
	InsertFlow(ctx context.Context, f *Flow) error
	// FlowByID returns a flow, expired or not.
	FlowByID(ctx context.Context, flowID id.ID) (*Flow, error)
	// UpdateFlow writes Reauthenticate and the times of what was done.
	UpdateFlow(ctx context.Context, f *Flow) error
}
