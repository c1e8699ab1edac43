package consent

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// showAccounts asks with which account to go on. Without a session there is
// nothing to choose from, and the protocol knows what is next.
func (h *Handler) showAccounts(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	s, user := h.personOf(w, r, query.Get("flow"))
	if s == nil {
		return
	}
	browser, lang := h.Cookies.Get(r, flow.BrowserCookie), h.Language(r, s.flow.UILocales)
	h.allowReturn(w)
	p := templates.SelectAccount{
		Page: h.Frame(r, h.pathOf(flow.PathSelectAccount, s.flow)), Client: s.clientInfo(lang),
		UserName: user.Username, Email: user.Email, Action: h.Path(flow.PathSelectAccount),
		Flow: h.ticket(browser, flow.PathSelectAccount, s.flow, user.Subject),
	}
	h.Rendered(w, r, h.Pages.SelectAccount(w, http.StatusOK, lang, p))
}

// selectAccount takes the choice. The form is bound to the person whom it
// offered: in another tab somebody else may have signed in since.
func (h *Handler) selectAccount(w http.ResponseWriter, r *http.Request) {
	form, text, token := h.Form(w, r)
	if form == nil {
		return
	}
	s, user := h.personOf(w, r, text)
	if s == nil {
		return
	}
	browser := h.Cookies.Get(r, flow.BrowserCookie)
	if !h.checkTicket(token, browser, flow.PathSelectAccount, s.flow, user.Subject) {
		h.Unproven(w, r, h.pathOf(flow.PathAuthorize, s.flow))
		return
	}
	switch form.Get("action") {
	case actionContinue:
		s.flow.AccountChosenAt = h.now()
		web.Event(r.Context()).Outcome = "account-chosen"
		h.keep(w, r, s.flow)
	case actionSwitch:
		// The one way from page to page: the protocol would find the session and
		// ask for the same choice again. Nothing is decided by it.
		h.Redirect(w, h.switchPath(s.flow))
	case actionDeny:
		h.deny(w, r, s.flow)
	default:
		h.Malformed(w, r, &web.FormError{Status: http.StatusBadRequest, Param: "action", Reason: "unknown value"})
	}
}

// personOf is step for pages that need somebody signed in. Without a live session
// it returns to the protocol, which asks for a sign-in.
func (h *Handler) personOf(w http.ResponseWriter, r *http.Request, text string) (*step, *accounts.User) {
	s := h.step(w, r, text)
	if s == nil {
		return nil, nil
	}
	_, user, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return nil, nil
	}
	if user == nil {
		h.toAuthorize(w, s.flow)
		return nil, nil
	}
	return s, user
}
