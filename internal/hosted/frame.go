package hosted

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// PathPreferences is where the choice of language and theme is posted.
const PathPreferences = "/preferences"

// Frame is what every page needs. The choice of language and theme comes back to
// here, a path with or without a query.
func (d *Desk) Frame(r *http.Request, here string) templates.Page {
	p := templates.Page{
		RequestID:   web.RequestID(r.Context()),
		Preferences: templates.Preferences{Action: d.Path(PathPreferences), Return: here},
	}
	switch t := templates.Theme(d.Cookies.Get(r, flow.ThemeCookie)); t {
	case templates.ThemeLight, templates.ThemeDark:
		p.Theme = t
	}
	return p
}

// languageLasts is how long a browser remembers a language.
const languageLasts = 365 * 24 * time.Hour

// KeepLanguage has this browser write pages in the language of the account that
// has just signed in, also on those that are asked for before the account is known.
// It does nothing for an account without a language, or with one that the pages
// do not have.
func (d *Desk) KeepLanguage(w http.ResponseWriter, user *accounts.User) {
	if l, found := d.Pages.Match(user.Profile.Locale); found {
		d.Cookies.Set(w, flow.LanguageCookie, l.Tag(), languageLasts)
	}
}

// Language picks the language of a page: what the app asked for, what the person
// chose here before (see KeepLanguage), what their browser says.
func (d *Desk) Language(r *http.Request, uiLocales string) templates.Language {
	return d.Pages.Language(uiLocales, d.Cookies.Get(r, flow.LanguageCookie), r.Header.Get("Accept-Language"))
}

// NotFound answers for an address where nothing is.
func (d *Desk) NotFound(w http.ResponseWriter, r *http.Request) {
	d.Fail(w, r, http.StatusNotFound, templates.Error{Kind: templates.NotFound})
}

// foreign answers a form that another origin sent.
func (d *Desk) foreign(w http.ResponseWriter, r *http.Request) {
	web.Event(r.Context()).Outcome = "cross-origin"
	d.Fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.Forbidden})
}

// failed answers after a panic.
func (d *Desk) failed(w http.ResponseWriter, r *http.Request) {
	d.Fail(w, r, http.StatusInternalServerError, templates.Error{Kind: templates.ServerError})
}

// Broken answers for a fault of ours; its cause goes to the log alone.
func (d *Desk) Broken(w http.ResponseWriter, r *http.Request, err error) {
	web.Event(r.Context()).Cause = err
	d.failed(w, r)
}

// Busy answers when too many passwords are being hashed; again is where to try.
func (d *Desk) Busy(w http.ResponseWriter, r *http.Request, again string) {
	web.Event(r.Context()).Outcome = "busy"
	d.RetryAfter(w, busyWait)
	d.Fail(w, r, http.StatusServiceUnavailable, templates.Error{Kind: templates.TemporarilyUnavailable, RetryURL: again})
}

const busyWait = 5 * time.Second

// RetryAfter says when to come back, rounded up, so that whoever waits that long
// is let in.
func (d *Desk) RetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.FormatInt(int64(max(wait, 0)+time.Second-1)/int64(time.Second), 10))
}

// Fail writes an error page.
func (d *Desk) Fail(w http.ResponseWriter, r *http.Request, status int, e templates.Error) {
	e.Page = d.Frame(r, d.Path(PathHome))
	d.Rendered(w, r, d.Pages.Error(w, status, d.Language(r, ""), e))
}

// Rendered notes that a page could not be made or sent; if it could not be made,
// nothing was written yet.
func (d *Desk) Rendered(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		return
	}
	web.Event(r.Context()).Cause = err
	http.Error(w, "Something went wrong here. Request id: "+web.RequestID(r.Context()), http.StatusInternalServerError)
}
