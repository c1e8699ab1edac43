package consent

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const preferencesLast = 365 * 24 * time.Hour

// setPreferences keeps the choice of language and theme and returns to the page
// where it was made. It needs no token: nobody gains by it.
func (h *Handler) setPreferences(w http.ResponseWriter, r *http.Request) {
	form, _, _ := h.Form(w, r)
	if form == nil {
		return
	}
	switch t := templates.Theme(form.Get("theme")); t {
	case templates.ThemeLight, templates.ThemeDark:
		h.Cookies.Set(w, flow.ThemeCookie, string(t), preferencesLast)
	default:
		h.Cookies.Clear(w, flow.ThemeCookie)
	}
	if chosen, found := h.Pages.Match(form.Get("lang")); found {
		h.Cookies.Set(w, flow.LanguageCookie, chosen.Tag(), preferencesLast)
		if err := h.keepLanguage(r, chosen); err != nil {
			h.Broken(w, r, err)
			return
		}
	}
	back, safe := web.SafePath(form.Get("return"))
	if !safe || !strings.HasPrefix(back, h.Path("/")) {
		back = h.Path(hosted.PathHome)
	}
	h.Redirect(w, back)
}

// keepLanguage remembers with the account of a signed-in person which language they
// chose, for the account's goes before the browser's. A locale that leads there
// already ("de-AT" to "de") stays.
func (h *Handler) keepLanguage(r *http.Request, chosen templates.Language) error {
	if h.SetLocale == nil {
		return nil
	}
	_, user, err := h.Person(r)
	if err != nil || user == nil || user.Profile.Locale == "" {
		return err
	}
	if l, found := h.Pages.Match(user.Profile.Locale); found && l.Tag() == chosen.Tag() {
		return nil
	}
	actor := audit.Actor{Kind: audit.Person, ID: user.Subject, Name: user.Username}
	return h.SetLocale(r.Context(), actor, user.Subject, chosen.Tag())
}

// home is the start page.
func (h *Handler) home(w http.ResponseWriter, r *http.Request) {
	_, user, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	if user == nil && h.FirstRun != nil {
		first, err := h.FirstRun(r.Context())
		if err != nil {
			h.Broken(w, r, err)
			return
		}
		if first {
			h.Redirect(w, h.SetupURL)
			return
		}
	}
	p := templates.Home{
		Page:      h.Frame(r, h.Path(hosted.PathHome)),
		SignInURL: h.Path(flow.PathSignIn), SignOutURL: h.Path(pathSignOut), AccountURL: h.Path(hosted.PathAccount),
	}
	if user != nil {
		p.SignedIn, p.UserName, p.Email, p.IsStaff = true, user.Username, user.Email, user.Staff
		if user.Name != "" {
			p.UserName = user.Name
		}
		if user.Staff || user.Superuser {
			p.ConsoleURL = h.Path(hosted.PathConsole)
		}
	}
	h.Rendered(w, r, h.Pages.Home(w, http.StatusOK, h.Language(r, ""), p))
}

// allowReturn lets the form of the page end wherever the app leads: Chromium
// applies form-action to every redirect that follows a form, also to those after
// the app's callback, and many callbacks lead on to another origin.
func (h *Handler) allowReturn(w http.ResponseWriter) { web.AllowAnyFormTarget(w) }
