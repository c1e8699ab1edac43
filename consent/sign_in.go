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
	// maxShownLogin is the longest name, in bytes, that is put back into its
	// field: no name or address that can sign in is longer.
	maxShownLogin = 320

	// switchParam asks for a sign-in page that is not about the person whose
	// session this browser has.
	switchParam = "switch"
	// againParam asks somebody who is signed in to sign in again, for a page that
	// they may see only then; returnParam is the path of that page.
	againParam  = "again"
	returnParam = "return"
)

// signInPage is what a sign-in page shows.
type signInPage struct {
	step     *step  // nil when the person came without an app
	back     string // where to go on without an app; empty means to the start page
	again    bool   // also who is signed in shall sign in
	browser  string
	username string
	fixed    bool // the person of the session shall confirm that it is them
	problems []templates.SignInProblem
	wait     time.Duration
	unknown  *accounts.UnknownPasskey
}

// confirms reports whether a person who is signed in is asked to confirm it.
func (p *signInPage) confirms() bool {
	return p.again || p.step != nil && p.step.flow.Reauthenticate
}

// showSignIn is the sign-in page of a flow, or without one that of the start page
// or of a page to come back to.
func (h *Handler) showSignIn(w http.ResponseWriter, r *http.Request) {
	query := h.Query(w, r)
	if query == nil {
		return
	}
	page := signInPage{back: h.safeBack(query.Get(returnParam)), again: query.Has(againParam)}
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
	if user != nil && !another && !page.again && h.signedInAlready(w, page, session) {
		return
	}
	page.browser = h.Browser(w, r)
	page.fixed = user != nil && !another && page.confirms()
	switch {
	case page.fixed:
		page.username = user.Username
	case page.step != nil && !another:
		page.username = presentable(page.step.flow.LoginHint)
	}
	h.writeSignIn(w, r, http.StatusOK, page)
}

// signedInAlready goes on for a person for whom there is nothing to do here, such
// as in a second tab, and reports whether it did. The protocol asks for the
// password again only of those whose last sign-in is older than the flow.
func (h *Handler) signedInAlready(w http.ResponseWriter, page signInPage, session *accounts.Session) bool {
	f := page.flow()
	if f != nil && f.Reauthenticate && session.AuthTime < f.CreatedAt {
		return false
	}
	h.goOn(w, f, page.back, h.Path(hosted.PathHome))
	return true
}

// signIn checks a posted name and password or a passkey's answer, or takes a
// "Cancel". A form without action is taken as "continue": password managers submit
// it without a button, and the password decides.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	form, text, token := h.Form(w, r)
	if form == nil {
		return
	}
	page := signInPage{
		browser: h.Cookies.Get(r, flow.BrowserCookie), username: form.Get("username"),
		back: h.safeBack(form.Get(returnParam)), again: form.Has(againParam),
	}
	if text != "" {
		if page.step = h.step(w, r, text); page.step == nil {
			return
		}
	}
	if !h.checkTicket(token, page.browser, flow.PathSignIn, page.flow(), page.back) {
		h.Unproven(w, r, h.signInPath(page.flow(), page.back, page.wishes()...))
		return
	}
	switch action := form.Get("action"); {
	case action == actionDeny && page.step != nil:
		h.deny(w, r, page.flow())
	case action == actionContinue || action == "":
		h.checkPassword(w, r, page, form)
	case action == actionPasskey:
		h.checkPasskey(w, r, page, form)
	default:
		h.UnknownAction(w, r)
	}
}

func (h *Handler) checkPassword(w http.ResponseWriter, r *http.Request, page signInPage, form url.Values) {
	session, user, err := h.Person(r)
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	page.fixed = page.confirms() && user != nil && page.username == user.Username
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
	result, err := h.Authenticator.Authenticate(ctx, accounts.Attempt{
		Login: page.username, Password: password, Address: web.Bucket(web.ClientIP(ctx)), Known: h.Cookies.Get(r, flow.KnownCookie),
	})
	if err != nil {
		h.refuseSignIn(w, r, page, err)
		return
	}
	passage, err := h.SignIns.Proceed(ctx, result, h.meta(r, session), h.Cookies.Get(r, flow.DeviceCookie))
	if err != nil {
		h.refuseSignIn(w, r, page, err)
		return
	}
	if page.offers(form) && h.offersPasskey(r, passage) {
		h.Admit(w, r, passage)
		h.offerPasskey(w, page.flow())
		return
	}
	h.pass(w, r, passage, page.flow(), page.back)
}

// meta tells of the browser, whose session of now ends with the next one.
func (h *Handler) meta(r *http.Request, session *accounts.Session) accounts.Meta {
	m := accounts.Meta{UserAgent: r.UserAgent(), Address: web.ClientIP(r.Context()).String(), Known: h.Cookies.Get(r, flow.KnownCookie)}
	if session != nil {
		m.Replaces = session.ID
	}
	return m
}

// pass goes on with somebody who has proven who they are: to the second factor, or
// signed in to where they wanted to go.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request, p *accounts.Passage, f *flow.Flow, back string) {
	if !h.Admit(w, r, p) {
		h.Redirect(w, h.factorPath(flow.PathSecondFactor, f, back))
		return
	}
	h.goOn(w, f, back, h.Path(hosted.PathHome))
}

// refuseSignIn answers an attempt that failed. Only who knows the password of a
// blocked account learns that it is blocked.
func (h *Handler) refuseSignIn(w http.ResponseWriter, r *http.Request, page signInPage, err error) {
	event := web.Event(r.Context())
	event.UserID = "" // of the session that the browser has; the attempt is not its
	again := h.signInPath(page.flow(), page.back, page.wishes()...)
	throttled := (*accounts.Throttled)(nil)
	switch {
	case errors.Is(err, accounts.ErrCredentials), errors.Is(err, accounts.ErrPasskey):
		event.Outcome = "refused"
		page.problems = []templates.SignInProblem{page.problemOf(err)}
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

// problemOf is what the person is told of a refused proof. That a passkey is no
// account's tells nothing to who does not have it.
func (p *signInPage) problemOf(err error) templates.SignInProblem {
	switch {
	case errors.As(err, &p.unknown):
		return templates.PasskeyUnknown
	case errors.Is(err, accounts.ErrPasskey):
		return templates.PasskeyRefused
	}
	return templates.WrongCredentials
}

func (h *Handler) writeSignIn(w http.ResponseWriter, r *http.Request, status int, page signInPage) {
	f := page.flow()
	here := h.signInPath(f, page.back, page.wishes()...)
	p := templates.SignIn{
		Page: h.Frame(r, here), Username: presentable(page.username), Problems: page.problems, RetryAfter: page.wait,
		Action: h.Path(flow.PathSignIn), Flow: h.ticket(page.browser, flow.PathSignIn, f, page.back), Reauthenticate: page.fixed,
		Passkey: h.passkeyAsk(page), Hidden: page.hidden(),
		ResetURL: withFlow(h.ResetURL, f),
	}
	if now := accounts.CurrentSettings(r.Context(), h.Settings); !page.fixed && now.SignUp.Open() {
		p.SignUpURL = withFlow(h.SignUpURL, f)
	}
	if accounts.CurrentSettings(r.Context(), h.Settings).SignInByMail {
		p.CodeURL = withFlow(h.CodeURL, f)
	}
	lang := h.Language(r, "")
	if page.step != nil {
		lang = h.Language(r, f.UILocales)
		p.Client = page.step.clientInfo(lang)
		h.allowReturn(w)
	}
	if page.fixed {
		p.SwitchURL = h.signInPath(f, page.back, switchParam)
	}
	if p.Passkey != nil {
		allowAsking(w)
	}
	h.Rendered(w, r, h.Pages.SignIn(w, status, lang, p))
}

// hidden is what comes back with the forms of the page.
func (p *signInPage) hidden() []templates.Field {
	var fields []templates.Field
	if p.again {
		fields = append(fields, templates.Field{Name: againParam, Value: "1"})
	}
	if p.back != "" {
		fields = append(fields, templates.Field{Name: returnParam, Value: p.back})
	}
	return fields
}

// wishes are what the page's address says of how to sign in.
func (p *signInPage) wishes() []string {
	if p.again {
		return []string{againParam}
	}
	return nil
}

// withFlow lets a page carry the flow along.
func withFlow(at string, f *flow.Flow) string {
	if at == "" || f == nil {
		return at
	}
	return at + "?flow=" + f.ID.String()
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
func (h *Handler) switchPath(f *flow.Flow) string { return h.signInPath(f, "", switchParam) }

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
