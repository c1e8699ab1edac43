package hosted

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// PathHome is the start page, PathAccount the first page about the signed-in person,
// PathConsole that of the console.
const (
	PathHome    = "/"
	PathAccount = "/account/"
	PathConsole = "/admin/"
)

// FreshFor is how long ago somebody may have signed in who changes how they sign
// in, or takes their data with them.
const FreshFor = 10 * time.Minute

// Finder finds the sessions of browsers.
type Finder interface {
	// Find returns the live session of a cookie's token, or accounts.ErrNotFound.
	Find(ctx context.Context, token string) (*accounts.Session, *accounts.User, error)
}

// Desk is what all hosted pages share. Its fields are its dependencies and do not
// change once it serves.
type Desk struct {
	Issuer   *url.URL // without a trailing slash
	Cookies  web.Cookies
	Keyring  *secret.Keyring
	Pages    *templates.Renderer
	Sessions Finder
	Now      func() time.Time
	// Missing returns the path of what a signed-in person has to do in this session
	// before anything else, empty when there is nothing. Nil means that there never
	// is. A second factor (flow.PathSecondFactor) is given on the way to a page: the
	// way back goes along.
	Missing func(ctx context.Context, session *accounts.Session, user *accounts.User) (path string, err error)
}

// Path is a page's path on the issuer's origin, for links and forms.
func (d *Desk) Path(page string) string { return d.Issuer.Path + page }

// Redirect sends the browser to a path of the issuer's origin, always with GET.
func (d *Desk) Redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", web.Origin(d.Issuer)+path)
	w.WriteHeader(http.StatusSeeOther)
}

// Continue goes back to the protocol with the flow that a page was carrying along,
// or, where it carries none, to otherwise. The text may come from anybody: what is
// next is decided from what is stored.
func (d *Desk) Continue(w http.ResponseWriter, flowText, otherwise string) {
	if flowID, err := id.Parse(flowText); err == nil {
		d.Redirect(w, d.Path(flow.PathAuthorize)+"?flow="+flowID.String())
		return
	}
	d.Redirect(w, d.Path(otherwise))
}

// Person returns the live session of this browser and its user, or nils.
func (d *Desk) Person(r *http.Request) (*accounts.Session, *accounts.User, error) {
	token := d.Cookies.Get(r, flow.SessionCookie)
	if token == "" {
		return nil, nil, nil
	}
	session, user, err := d.Sessions.Find(r.Context(), token)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	web.Event(r.Context()).UserID = user.Subject
	audit.SignedIn(r.Context(), session.ID.String())
	return session, user, nil
}

// Member is Person for pages that need somebody signed in who has nothing else to
// do first. Otherwise it sends the browser to where that is done, with the way back
// to the page, and returns nils. The page at which somebody does what is missing
// names itself in open.
func (d *Desk) Member(w http.ResponseWriter, r *http.Request, open ...string) (*accounts.Session, *accounts.User) {
	session, user, err := d.Person(r)
	if err != nil {
		d.Broken(w, r, err)
		return nil, nil
	}
	if user == nil {
		d.Redirect(w, d.Path(flow.PathSignIn)+"?"+url.Values{"return": {d.here(r)}}.Encode())
		return nil, nil
	}
	if d.Missing == nil {
		return session, user
	}
	missing, err := d.Missing(r.Context(), session, user)
	switch {
	case err != nil:
		d.Broken(w, r, err)
	case missing == "" || slices.Contains(open, missing):
		return session, user
	case missing == flow.PathSecondFactor:
		d.Redirect(w, d.Path(missing)+"?"+url.Values{"return": {d.here(r)}}.Encode())
	default:
		d.Redirect(w, d.Path(missing))
	}
	return nil, nil
}

// here is the page to come back to: a form is sent to the address of the page that
// shows it, whose query says what the page is about.
func (d *Desk) here(r *http.Request) string {
	back := r.URL.Path
	if r.URL.RawQuery != "" {
		back = r.URL.RequestURI()
	}
	if _, safe := web.SafePath(back); !safe {
		return d.Path(PathAccount)
	}
	return back
}

// Fresh reports whether somebody has signed in within the given time; if not, it
// asks them to, with the way back to the page, and returns false. A session that
// was left open in a library is not enough to take an account over.
func (d *Desk) Fresh(w http.ResponseWriter, r *http.Request, session *accounts.Session, within time.Duration) bool {
	if d.IsFresh(session, within) {
		return true
	}
	d.Confirm(w, r, d.here(r))
	return false
}

// IsFresh reports whether somebody has signed in within the given time.
func (d *Desk) IsFresh(session *accounts.Session, within time.Duration) bool {
	return d.Now().UnixMilli()-session.AuthTime <= within.Milliseconds()
}

// Confirm asks somebody who is signed in to sign in again, and then to go on to a path
// of this origin.
func (d *Desk) Confirm(w http.ResponseWriter, r *http.Request, back string) {
	web.Event(r.Context()).Outcome = "not-fresh"
	d.Redirect(w, d.Path(flow.PathSignIn)+"?"+url.Values{"again": {"1"}, "return": {back}}.Encode())
}
