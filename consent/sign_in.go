package consent

import (
	"errors"
	"net/http"
	"net/url"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	// knownCookie tells that an account has signed in with this browser before.
	knownCookie = "known"
	knownLife   = 365 * 24 * time.Hour

	// maxShownLogin is the longest name, in bytes, that is put back into its
	// field: no name or address that can sign in is longer.
	maxShownLogin = 320

	// switchParam asks for a sign-in page that is not about the person whose
	// session this browser has.
	switchParam = "switch"
)

// signInPage is what a sign-in page shows.
type signInPage struct {
	step     *step // nil when the person came without an app
	browser  string
	username string
	fixed    bool // the person of the session shall confirm that it is them
	problems []templates.SignInProblem
	wait     time.Duration
}

// showSignIn is the sign-in page of a flow, or without one that of the start page.
func (h *Handler) showSignIn(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	page := signInPage{}
	if text := query.Get("flow"); text != "" {
		if page.step = h.step(w, r, text); page.step == nil {
			return
		}
	}
	session, user, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	another := query.Has(switchParam)
	if user != nil && !another && h.signedInAlready(w, page.step, session) {
		return
	}
	page.browser = h.Browser(w, r)
	if page.step != nil {
		page.username = presentable(page.step.flow.LoginHint)
		page.fixed = user != nil && !another
	}
	if page.fixed || another {
		page.username = ""
	}
	if page.fixed {
		page.username = user.Username
	}
	h.writeSignIn(w, r, http.StatusOK, page)
}

// signedInAlready goes on for a person for whom there is nothing to do here, such
// as in a second tab, and reports whether it did. The protocol asks for the
// password again only of those whose last sign-in is older than the flow.
func (h *Handler) signedInAlready(w http.ResponseWriter, s *step, session *accounts.Session) bool {
	switch {
	case s == nil:
		h.Redirect(w, h.Path(hosted.PathHome))
	case !s.flow.Reauthenticate || session.AuthTime >= s.flow.CreatedAt:
		h.toAuthorize(w, s.flow)
	default:
		return false
	}
	return true
}

// signIn checks a posted name and password, or takes a "Cancel". A form without
// action is taken as "continue": password managers submit it without a button,
// and the password decides.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	form, text, token := h.Form(w, r)
	if form == nil {
		return
	}
	page := signInPage{browser: h.Cookies.Get(r, flow.BrowserCookie), username: form.Get("username")}
	if text != "" {
		if page.step = h.step(w, r, text); page.step == nil {
			return
		}
	}
	if !h.checkTicket(token, page.browser, flow.PathSignIn, page.flow()) {
		h.Unproven(w, r, h.pathOf(flow.PathSignIn, page.flow()))
		return
	}
	switch action := form.Get("action"); {
	case action == actionDeny && page.step != nil:
		h.deny(w, r, page.flow())
	case action == actionContinue || action == "":
		h.checkPassword(w, r, page, form)
	default:
		h.Malformed(w, r, &web.FormError{Status: http.StatusBadRequest, Param: "action", Reason: "unknown value"})
	}
}

func (h *Handler) checkPassword(w http.ResponseWriter, r *http.Request, page signInPage, form url.Values) {
	session, user, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	page.fixed = page.step != nil && page.flow().Reauthenticate && user != nil && page.username == user.Username
	password := secret.Text(form.Get("password"))
	if page.username == "" {
		page.problems = append(page.problems, templates.UsernameMissing)
	}
	if password == "" {
		page.problems = append(page.problems, templates.PasswordMissing)
	}
	if len(page.problems) > 0 {
		h.writeSignIn(w, r, http.StatusUnprocessableEntity, page)
		return
	}
	ctx := r.Context()
	address := web.ClientIP(ctx)
	result, err := h.Authenticator.Authenticate(ctx, accounts.Attempt{
		Login: page.username, Password: password, Address: web.Bucket(address), Known: h.Cookies.Get(r, knownCookie),
	})
	if err != nil {
		h.refuseSignIn(w, r, page, err)
		return
	}
	meta := accounts.Meta{UserAgent: r.UserAgent(), Address: address.String()}
	if session != nil {
		meta.Replaces = session.ID
	}
	sessionToken, started, err := h.Sessions.Start(ctx, result, meta)
	if err != nil {
		h.refuseSignIn(w, r, page, err)
		return
	}
	event := web.Event(ctx)
	event.Outcome, event.UserID = "signed-in", result.User.Subject
	h.Cookies.Set(w, flow.SessionCookie, sessionToken, time.Duration(started.ExpiresAt-h.now())*time.Millisecond)
	if result.Known != "" {
		h.Cookies.Set(w, knownCookie, result.Known, knownLife)
	}
	if page.step == nil {
		h.Redirect(w, h.Path(hosted.PathHome))
		return
	}
	h.toAuthorize(w, page.flow())
}

// refuseSignIn answers an attempt that failed. Only who knows the password of a
// blocked account learns that it is blocked.
func (h *Handler) refuseSignIn(w http.ResponseWriter, r *http.Request, page signInPage, err error) {
	event := web.Event(r.Context())
	event.UserID = "" // of the session that the browser has; the attempt is not its
	again := h.pathOf(flow.PathSignIn, page.flow())
	throttled := (*accounts.Throttled)(nil)
	switch {
	case errors.Is(err, accounts.ErrCredentials):
		event.Outcome = "refused"
		page.problems = []templates.SignInProblem{templates.WrongCredentials}
		h.writeSignIn(w, r, http.StatusUnprocessableEntity, page)
	case errors.As(err, &throttled):
		event.Outcome = "throttled"
		page.problems, page.wait = []templates.SignInProblem{templates.TooManyAttempts}, throttled.Wait
		h.RetryAfter(w, throttled.Wait)
		h.writeSignIn(w, r, http.StatusTooManyRequests, page)
	case errors.Is(err, accounts.ErrBanned):
		event.Outcome = "banned"
		h.Fail(w, r, http.StatusForbidden, templates.Error{Kind: templates.AccessDenied, RetryURL: again})
	case errors.Is(err, accounts.ErrBusy):
		h.Busy(w, r, again)
	default:
		h.Broken(w, r, err)
	}
}

func (h *Handler) writeSignIn(w http.ResponseWriter, r *http.Request, status int, page signInPage) {
	f := page.flow()
	here := h.pathOf(flow.PathSignIn, f)
	p := templates.SignIn{
		Page: h.Frame(r, here), Username: presentable(page.username), Problems: page.problems, RetryAfter: page.wait,
		Action: h.Path(flow.PathSignIn), Flow: h.ticket(page.browser, flow.PathSignIn, f), Reauthenticate: page.fixed,
	}
	locales := ""
	if page.step != nil {
		p.Client, locales = page.step.clientInfo(), f.UILocales
		h.allowReturn(w)
	}
	if page.fixed {
		p.SwitchURL = h.switchPath(f)
	}
	h.Rendered(w, r, h.Pages.SignIn(w, status, h.Language(r, locales), p))
}

// flow is the flow that the page is of, or nil.
func (p *signInPage) flow() *flow.Flow {
	if p.step == nil {
		return nil
	}
	return p.step.flow
}

// switchPath leads to a sign-in with another account. It ends nothing: until that
// sign-in succeeds, the browser's session stays as it is.
func (h *Handler) switchPath(f *flow.Flow) string {
	return h.pathOf(flow.PathSignIn, f) + "&" + switchParam + "=1"
}

// presentable returns a name that a stranger may have chosen if it can stand in
// the field, else nothing.
func presentable(login string) string {
	if len(login) > maxShownLogin || !utf8.ValidString(login) {
		return ""
	}
	for _, c := range login {
		if !unicode.IsPrint(c) {
			return ""
		}
	}
	return login
}
