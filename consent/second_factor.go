package consent

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// pathRecovery asks for a recovery code in place of the second factor.
const pathRecovery = flow.PathSecondFactor + "/recovery"

// factorPage is what a page that asks for a second factor shows.
type factorPage struct {
	*waiting
	path     string // of the page
	browser  string
	remember bool
	problem  templates.SecondFactorProblem
	throttle *accounts.Throttled
	unknown  *accounts.UnknownPasskey
}

func (h *Handler) showSecondFactor(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := h.Query(w, r)
		if query == nil {
			return
		}
		wt := h.waiting(w, r, query.Get("flow"), query.Get(returnParam))
		if wt == nil {
			return
		}
		if path == pathRecovery && wt.RecoveryCodes == 0 {
			h.Redirect(w, h.factorPath(flow.PathSecondFactor, wt.flow(), wt.back))
			return
		}
		h.writeSecondFactor(w, r, http.StatusOK, factorPage{waiting: wt, path: path, browser: h.Browser(w, r)})
	}
}

// takeSecondFactor takes a code or a passkey's answer, or a "Cancel". The form is
// bound to the pending sign-in that it was about: in another tab somebody else may
// have begun one since.
func (h *Handler) takeSecondFactor(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, text, token := h.Form(w, r)
		if form == nil {
			return
		}
		wt := h.waiting(w, r, text, form.Get(returnParam))
		if wt == nil {
			return
		}
		browser := h.BrowserOf(r)
		if !h.checkTicket(token, browser, path, wt.flow(), wt.token, wt.back) {
			h.Unproven(w, r, h.factorPath(path, wt.flow(), wt.back))
			return
		}
		switch action := form.Get("action"); {
		case action == actionDeny && wt.step != nil:
			h.deny(w, r, wt.flow())
		case action == actionContinue || action == "":
			h.checkSecondFactor(w, r, factorPage{waiting: wt, path: path, browser: browser, remember: form.Has("remember")}, form)
		default:
			h.UnknownAction(w, r)
		}
	}
}

func (h *Handler) checkSecondFactor(w http.ResponseWriter, r *http.Request, page factorPage, form url.Values) {
	session, _, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	web.Event(r.Context()).UserID = page.User.Subject
	var passage *accounts.Passage
	ctx, m := r.Context(), h.meta(r, session)
	code, recovery := form.Get("code"), form.Get("recovery_code")
	switch {
	case page.path == pathRecovery && recovery == "":
		page.problem = templates.RecoveryCodeMissing
	case page.path == pathRecovery:
		page.problem = templates.RecoveryCodeWrong
		passage, err = h.SignIns.RecoveryCode(ctx, page.token, recovery, m)
	case form.Has("response") && h.Passkeys != nil:
		page.problem = templates.PasskeyWrong
		passage, err = h.Passkeys.Passkey(ctx, page.token, form.Get("ceremony"), []byte(form.Get("response")), m, page.remember)
	case code == "":
		page.problem = templates.CodeMissing
	default:
		page.problem = templates.CodeWrong
		passage, err = h.SignIns.Code(ctx, page.token, code, m, page.remember)
	}
	switch {
	case err != nil:
		h.refuseSecondFactor(w, r, page, err)
	case passage == nil:
		h.writeSecondFactor(w, r, http.StatusUnprocessableEntity, page)
	default:
		h.pass(w, r, passage, page.flow(), page.back)
	}
}

// refuseSecondFactor answers a factor that was not taken.
func (h *Handler) refuseSecondFactor(w http.ResponseWriter, r *http.Request, page factorPage, err error) {
	event := web.Event(r.Context())
	switch {
	case errors.As(err, &page.throttle):
		event.Outcome, page.problem = "throttled", templates.FactorWait
		h.RetryAfter(w, page.throttle.Wait)
		h.writeSecondFactor(w, r, http.StatusTooManyRequests, page)
	case errors.Is(err, accounts.ErrCode), errors.Is(err, accounts.ErrPasskey):
		_ = errors.As(err, &page.unknown)
		event.Outcome = "refused"
		h.writeSecondFactor(w, r, http.StatusUnprocessableEntity, page)
	case errors.Is(err, accounts.ErrNotFound), errors.Is(err, accounts.ErrCredentials):
		h.overdue(w, r, page.waiting)
	case errors.Is(err, accounts.ErrBanned):
		event.Outcome = "banned"
		h.Cookies.Clear(w, flow.PendingCookie)
		h.Fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.AccessDenied, RetryURL: h.signInPath(page.flow(), page.back)})
	default:
		h.Broken(w, r, err)
	}
}

func (h *Handler) writeSecondFactor(w http.ResponseWriter, r *http.Request, status int, page factorPage) {
	f := page.flow()
	at := func(path string) string { return h.factorPath(path, f, page.back) }
	p := templates.SecondFactor{
		Page: h.Frame(r, at(page.path)), UserName: page.User.Username, Recovery: page.path == pathRecovery, Code: page.TOTP,
		Problem: page.problem, StepUp: page.StepUp, Remember: page.remember, Action: h.Path(page.path), Return: page.back,
		Flow:      h.ticket(page.browser, page.path, f, page.token, page.back),
		SwitchURL: h.signInPath(f, page.back, switchParam),
	}
	if page.throttle != nil {
		p.RetryAfter = page.throttle.Wait
	}
	switch {
	case p.Recovery:
		p.Code, p.CodeURL = false, at(flow.PathSecondFactor)
	case page.PendingSignIn.Passkeys && h.Passkeys != nil:
		var answered bool
		if p.Passkey, answered = h.askPasskey(w, r, page); answered {
			return
		}
	}
	if !p.Recovery && page.RecoveryCodes > 0 {
		p.RecoveryURL = at(pathRecovery)
	}
	lang := h.Language(r, "")
	if page.step != nil {
		lang = h.Language(r, f.UILocales)
		p.Client = page.step.clientInfo(lang)
		h.allowReturn(w)
	}
	h.Rendered(w, r, h.Pages.SecondFactor(w, status, lang, p))
}

// askPasskey makes the question of a page to the passkeys of its person. It reports
// whether it had to answer the request instead.
func (h *Handler) askPasskey(w http.ResponseWriter, r *http.Request, page factorPage) (ask *templates.PasskeyAsk, answered bool) {
	options, ceremony, err := h.Passkeys.PasskeyOptions(r.Context(), page.token)
	switch {
	case errors.Is(err, accounts.ErrNoFactor), errors.Is(err, accounts.ErrNoPasskeys):
		return nil, false
	case errors.Is(err, accounts.ErrNotFound):
		h.overdue(w, r, page.waiting)
		return nil, true
	case err != nil:
		h.Broken(w, r, err)
		return nil, true
	}
	ask = &templates.PasskeyAsk{Options: string(options), Ceremony: ceremony}
	if page.unknown != nil {
		ask.Unknown, ask.RelyingParty = page.unknown.CredentialID, page.unknown.RelyingParty
	}
	return ask, false
}
