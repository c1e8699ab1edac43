package templates

import "net/http"

// SelectAccount asks a signed-in person which account to go on with. Its form
// posts "flow" and "action" ("continue", "switch" or "deny").
type SelectAccount struct {
	Page
	Client   *ClientInfo // nil when the person came without an app
	UserName string
	Email    string // may be empty
	Flow     string
	Action   string
}

// SelectAccount writes the page that offers the accounts.
func (r *Renderer) SelectAccount(w http.ResponseWriter, status int, lang Language, p SelectAccount) error {
	return r.render(w, status, "select_account", &view{Lang: lang, Page: p.Page, P: p})
}

// SignOut asks for confirmation, for a link from elsewhere must not sign anybody
// out (RP-Initiated Logout §6). Its form posts Fields and "action" ("continue" or
// "deny").
type SignOut struct {
	Page
	UserName   string
	ClientName string // the app that sent the person here, empty for none
	Action     string
	Fields     []Field
}

// SignOut writes the confirmation of a sign-out.
func (r *Renderer) SignOut(w http.ResponseWriter, status int, lang Language, p SignOut) error {
	return r.render(w, status, "sign_out", &view{Lang: lang, Page: p.Page, P: p})
}

// SignedOut says that the session is over.
type SignedOut struct {
	Page
	ReturnURL  string // back to the app, checked against its registration; empty for none
	ClientName string
	SignInURL  string // to sign in again; empty for none
}

// SignedOut writes the page after a sign-out.
func (r *Renderer) SignedOut(w http.ResponseWriter, status int, lang Language, p SignedOut) error {
	return r.render(w, status, "signed_out", &view{Lang: lang, Page: p.Page, P: p})
}

// Home is the start page of the server.
type Home struct {
	Page
	SignedIn   bool
	UserName   string
	Email      string // may be empty
	IsStaff    bool
	SignInURL  string
	SignOutURL string
	AccountURL string // the pages of the signed-in person's account; empty without
	ConsoleURL string // empty for those who may not enter it
}

// Home writes the start page.
func (r *Renderer) Home(w http.ResponseWriter, status int, lang Language, p Home) error {
	return r.render(w, status, "home", &view{Lang: lang, Page: p.Page, P: p})
}
