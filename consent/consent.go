package consent

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showConsent asks whether the app may have what it asks for.
func (h *Handler) showConsent(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	s, user := h.personOf(w, r, query.Get("flow"))
	if s == nil {
		return
	}
	lang := h.Language(r, s.flow.UILocales)
	groups, err := h.describe(r, s, user, lang)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	h.allowReturn(w)
	p := templates.Consent{
		Page: h.Frame(r, h.pathOf(flow.PathConsent, s.flow)), Client: *s.clientInfo(lang),
		UserName: user.Username, SwitchURL: h.switchPath(s.flow),
		Warnings: warnings(s.client, s.flow.RedirectURI), Groups: groups, Action: h.Path(flow.PathConsent),
		Flow: h.ticket(h.Cookies.Get(r, flow.BrowserCookie), flow.PathConsent, s.flow, s.offer(user)...),
	}
	if user.EmailVerified {
		p.UserName = user.Email
	}
	h.Rendered(w, r, h.Pages.Consent(w, http.StatusOK, lang, p))
}

// decideConsent takes the answer. What was asked stands in the flow, and what may
// be left out in the client's record; of the form only the ticks of optional
// scopes count, and only if it is about the person and the offer of now.
func (h *Handler) decideConsent(w http.ResponseWriter, r *http.Request) {
	form, text, token := h.Form(w, r, "scope")
	if form == nil {
		return
	}
	s, user := h.personOf(w, r, text)
	if s == nil {
		return
	}
	browser := h.Cookies.Get(r, flow.BrowserCookie)
	if !h.checkTicket(token, browser, flow.PathConsent, s.flow, s.offer(user)...) {
		h.Unproven(w, r, h.pathOf(flow.PathAuthorize, s.flow))
		return
	}
	switch form.Get("action") {
	case actionAllow:
		h.allow(w, r, s, user, form["scope"])
	case actionDeny:
		h.deny(w, r, s.flow)
	default:
		h.Malformed(w, r, &web.FormError{Status: http.StatusBadRequest, Param: "action", Reason: "unknown value"})
	}
}

func (h *Handler) allow(w http.ResponseWriter, r *http.Request, s *step, user *accounts.User, ticked []string) {
	var allowed []string
	for _, scope := range s.flow.Scopes {
		if !s.client.Optional(scope) || slices.Contains(ticked, scope) {
			allowed = append(allowed, scope)
		}
	}
	actor := audit.Actor{Kind: audit.Person, ID: user.Subject, Name: user.Username}
	err := h.Consents.Allow(r.Context(), actor, user, s.client, s.flow.Scopes, allowed)
	if errors.Is(err, accounts.ErrBanned) || errors.Is(err, accounts.ErrNotFound) {
		h.toAuthorize(w, s.flow) // their session has ended with them, as it will find
		return
	}
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	s.flow.ConsentedBy = user.Subject
	web.Event(r.Context()).Outcome = "consented"
	h.keep(w, r, s.flow)
}

// offer is what a consent form is about: the person, and each scope with whether
// it may be left out. If an operator changes the latter while the page is open,
// a box left unticked must not turn into a yes.
func (s *step) offer(user *accounts.User) []string {
	parts := []string{user.Subject}
	for _, scope := range s.flow.Scopes {
		if s.client.Optional(scope) {
			parts = append(parts, "optional", scope)
		} else {
			parts = append(parts, "required", scope)
		}
	}
	return parts
}
