package consent

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const preferencesLast = 365 * 24 * time.Hour

// frame is what every page needs. The choice of language and theme comes back to
// here, a path with or without a query.
func (h *Handler) frame(r *http.Request, here string) templates.Page {
	p := templates.Page{
		RequestID:   web.RequestID(r.Context()),
		Preferences: templates.Preferences{Action: h.path(pathPreferences), Return: here},
	}
	switch t := templates.Theme(h.Cookies.Get(r, flow.ThemeCookie)); t {
	case templates.ThemeLight, templates.ThemeDark:
		p.Theme = t
	}
	return p
}

// language picks the language of a page: what the app asked for, what the person
// chose here before, what their browser says.
func (h *Handler) language(r *http.Request, uiLocales string) templates.Language {
	return h.Pages.Language(uiLocales, h.Cookies.Get(r, flow.LanguageCookie), r.Header.Get("Accept-Language"))
}

// setPreferences keeps the choice of language and theme and returns to the page
// where it was made. It needs no token: nobody gains by it.
func (h *Handler) setPreferences(w http.ResponseWriter, r *http.Request) {
	form, _, _ := h.form(w, r)
	if form == nil {
		return
	}
	switch t := templates.Theme(form.Get("theme")); t {
	case templates.ThemeLight, templates.ThemeDark:
		h.Cookies.Set(w, flow.ThemeCookie, string(t), preferencesLast)
	default:
		h.Cookies.Clear(w, flow.ThemeCookie)
	}
	if chosen := form.Get("lang"); chosen != "" {
		h.Cookies.Set(w, flow.LanguageCookie, h.Pages.Language(chosen).Tag(), preferencesLast)
	}
	back, safe := web.SafePath(form.Get("return"))
	if !safe || !strings.HasPrefix(back, h.path("/")) {
		back = h.path(pathHome)
	}
	h.redirect(w, back)
}

// home is the start page.
func (h *Handler) home(w http.ResponseWriter, r *http.Request) {
	_, user, err := h.person(r)
	if err != nil {
		h.broken(w, r, err)
		return
	}
	p := templates.Home{
		Page:      h.frame(r, h.path(pathHome)),
		SignInURL: h.path(flow.PathSignIn), SignOutURL: h.path(pathSignOut),
	}
	if user != nil {
		p.SignedIn, p.UserName, p.Email, p.IsStaff = true, user.Username, user.Email, user.Staff
		if user.Name != "" {
			p.UserName = user.Name
		}
	}
	h.rendered(w, r, h.Pages.Home(w, http.StatusOK, h.language(r, ""), p))
}

// NotFound answers for an address where nothing is. The caller mounts it behind
// the headers of HTML pages.
func (h *Handler) NotFound(w http.ResponseWriter, r *http.Request) {
	h.fail(w, r, http.StatusNotFound, templates.Error{Kind: templates.NotFound})
}

// foreign answers a form that another origin sent.
func (h *Handler) foreign(w http.ResponseWriter, r *http.Request) {
	web.Event(r.Context()).Outcome = "cross-origin"
	h.fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.Forbidden})
}

// failed answers after a panic.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request) {
	h.fail(w, r, http.StatusInternalServerError, templates.Error{Kind: templates.ServerError})
}

// broken answers for a fault of ours; its cause goes to the log alone.
func (h *Handler) broken(w http.ResponseWriter, r *http.Request, err error) {
	web.Event(r.Context()).Cause = err
	h.failed(w, r)
}

// fail writes an error page.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, status int, e templates.Error) {
	e.Page = h.frame(r, h.path(pathHome))
	h.rendered(w, r, h.Pages.Error(w, status, h.language(r, ""), e))
}

// rendered notes that a page could not be made or sent; if it could not be made,
// nothing was written yet.
func (h *Handler) rendered(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		return
	}
	web.Event(r.Context()).Cause = err
	http.Error(w, "Something went wrong here. Request id: "+web.RequestID(r.Context()), http.StatusInternalServerError)
}

// allowReturn lets the form of the page end wherever the app leads: Chromium
// applies form-action to every redirect that follows a form, also to those after
// the app's callback, and many callbacks lead on to another origin.
func (h *Handler) allowReturn(w http.ResponseWriter) { web.AllowAnyFormTarget(w) }
