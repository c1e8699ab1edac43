package templates

import "net/http"

// AccountOverview is the first page of somebody's account.
type AccountOverview struct {
	Page
	Name          string // how they want to be called
	Username      string
	Email         string // empty for none
	EmailVerified bool
	PictureURL    string // a path of this server, empty for none
	Sessions      int    // in which they are signed in
	Apps          int
	HasFactor     bool
	Staff         bool
	// The ways to what has no page of its own in the navigation. Empty ones are left
	// out.
	PictureEditURL, EmailURL, PasswordURL, ConsoleURL, SignOutURL string
}

// AccountOverview writes the first page of somebody's account.
func (r *Renderer) AccountOverview(w http.ResponseWriter, status int, lang Language, p AccountOverview) error {
	return r.render(w, status, "account_overview", &view{Lang: lang, Page: p.Page, P: p})
}
