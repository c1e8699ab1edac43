package selfservice_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// askSignUp sends the form of sign-up and returns the page that asks for the code.
func (b *entranceBrowser) askSignUp(username, email, query string) *httptest.ResponseRecorder {
	b.Helper()
	page := b.get("/signup" + query)
	b.wantPage(page, http.StatusOK, "Create your Gatehouse account", `autocomplete="new-password"`, `minlength="8"`)
	return b.follow(b.send(page, "username", username, "email", email, "new_password", entrancePassword))
}

func TestEntrance_SignUp(t *testing.T) {
	w := newEntrance(t)
	b := w.browser()
	page := b.askSignUp("ada", "ada@example.org", "?flow="+entranceFlow)
	w.wantPage(page, http.StatusOK, "Check your e-mail", "ada@example.org", `autocomplete="one-time-code"`)
	m := w.mail(accounts.MailVerifyAddress, "ada@example.org")
	page = b.send(page, "code", "00000000")
	w.wantPage(page, http.StatusUnprocessableEntity, "You have 4 more tries.")
	w.wantRedirect(b.send(page, "code", m.Data[accounts.MailDataCode]), "/oauth2/authorize?flow="+entranceFlow)
	if !b.has(flow.SessionCookie) || !b.has("known") {
		t.Error("not signed in")
	}
	if diff := cmp.Diff([]string{"otp"}, w.passed); diff != "" {
		t.Error(diff)
	}
}

// By the link: opening it does nothing, the button does.
func TestEntrance_SignUpLink(t *testing.T) {
	w := newEntrance(t)
	b, other := w.browser(), w.browser()
	b.askSignUp("ada", "ada@example.org", "?flow="+entranceFlow)
	link := w.link(w.mail(accounts.MailVerifyAddress, "ada@example.org"))
	for range 3 {
		w.wantPage(b.get(link), http.StatusOK, "Create my account", `value="ada"`)
		w.wantPage(other.get(link), http.StatusOK, "in another browser", `autocomplete="current-password"`)
	}
	w.wantPage(other.send(other.get(link), "password", entranceOther), http.StatusUnprocessableEntity, "not the password that you chose")
	w.wantRedirect(other.send(other.get(link), "password", entrancePassword), "/account/")
	w.wantPage(b.get(link), http.StatusGone, "no longer good", "/signup", "/signin")
}

func TestEntrance_SignUpUsernameTaken(t *testing.T) {
	w := newEntrance(t)
	w.member("ada", true)
	for _, byLink := range []bool{false, true} {
		b := w.browser()
		email := map[bool]string{true: "one@example.org", false: "two@example.org"}[byLink]
		page := b.askSignUp("ada", email, "")
		m := w.mail(accounts.MailVerifyAddress, email)
		if byLink {
			page = b.get(w.link(m))
		}
		page = b.send(page, "code", m.Data[accounts.MailDataCode])
		w.wantPage(page, http.StatusUnprocessableEntity, "Choose another username", "Somebody has that username")
		page = b.send(page, "username", "a@b")
		w.wantPage(page, http.StatusUnprocessableEntity, "That username cannot be used")
		w.wantRedirect(b.send(page, "username", "countess "+strings.Split(email, "@")[0]), "/account/")
	}
}

func TestEntrance_SignUpRefused(t *testing.T) {
	w := newEntrance(t)
	b := w.browser()
	send := func(pairs ...string) *httptest.ResponseRecorder { return b.send(b.get("/signup"), pairs...) }
	fine := []string{"username", "ada", "email", "ada@example.org", "new_password", entrancePassword}
	for text, pairs := range map[string][]string{
		"That username cannot be used":    append(fine, "username", "a@b"),
		"That is not an e-mail address":   append(fine, "email", "nonsense"),
		`<a href="#new_password">`:        append(fine, "new_password", "x"),
		"Choose a shorter one, in plain ": append(fine, "name", strings.Repeat("x", 201)),
	} {
		page := send(pairs...)
		w.wantPage(page, http.StatusUnprocessableEntity, text, `id="problems" role="alert"`, "!"+entrancePassword)
	}
	w.settings.SignUp, w.settings.SignUpDomains = accounts.SignUpDomain, []string{"example.com"}
	w.wantPage(send(fine...), http.StatusUnprocessableEntity, "addresses of that domain")
	page := b.get("/signup")
	w.settings.SignUp = accounts.SignUpInvitation
	w.wantPage(b.send(page, fine...), http.StatusForbidden, "Sign-up is closed")
	w.wantPage(b.get("/signup"), http.StatusForbidden, "Sign-up is closed", "/signin")
	if len(w.mails) != 0 {
		t.Errorf("%d mails", len(w.mails))
	}
}

func TestEntrance_Throttled(t *testing.T) {
	w := newEntrance(t)
	for i, name := range []string{"/reset", "/signin/code"} {
		b := w.browser()
		email := string(rune('a'+i)) + "@example.org"
		for range 5 {
			b.follow(b.send(b.get(name), "email", email))
		}
		page := b.send(b.get(name), "email", email)
		w.wantPage(page, http.StatusTooManyRequests, "You can try again in 10 minutes.")
		if got := page.Header().Get("Retry-After"); got != "600" {
			t.Errorf("Retry-After %q", got)
		}
	}
}

// Opening the link many times, in any browser, uses nothing up.
func TestEntrance_ResetLink(t *testing.T) {
	w := newEntrance(t)
	w.member("ada", true)
	b, other := w.browser(), w.browser()
	b.send(b.get("/reset"), "email", "ada@example.org")
	link := w.link(w.mail(accounts.MailResetPassword, "ada@example.org"))
	for range 5 {
		w.wantPage(other.get(link), http.StatusOK, "Choose a new password")
		w.wantPage(b.do(httptest.NewRequest(http.MethodHead, entranceIssuer+link, nil)), http.StatusOK)
	}
	w.wantRedirect(other.send(other.get(link), "new_password", entranceOther), "/reset?done=1")
}

func TestEntrance_MailCode(t *testing.T) {
	w := newEntrance(t)
	u := w.member("ada", true)
	for _, factor := range []bool{false, true} {
		w.factor[u.Subject] = factor
		b := w.browser()
		page := b.follow(b.send(b.get("/signin/code?flow="+entranceFlow), "email", "ada@example.org"))
		m := w.mail(accounts.MailCode, "ada@example.org")
		answer := b.send(page, "code", m.Data[accounts.MailDataCode])
		if factor {
			w.wantRedirect(answer, "/second-factor?flow="+entranceFlow)
		} else {
			w.wantRedirect(answer, "/oauth2/authorize?flow="+entranceFlow)
		}
		if b.has(flow.SessionCookie) == factor || b.has(flow.PendingCookie) != factor {
			t.Errorf("factor %v, cookies %v", factor, b.jar)
		}
		w.wantPage(b.send(page, "code", m.Data[accounts.MailDataCode]), http.StatusGone)
	}
	w.settings.SignInByMail = false
	w.wantPage(w.browser().get("/signin/code"), http.StatusNotFound)
}

func TestEntrance_SignInLink(t *testing.T) {
	w := newEntrance(t)
	w.settings.SignInByMail, w.handler.Mails = false, false // the operator's link needs neither
	link, _, err := w.handler.Codes.Link(t.Context(), entranceOperator(), w.member("ada", true).Subject)
	w.must(err)
	path := strings.TrimPrefix(link, entranceIssuer)
	b := w.browser()
	for range 3 {
		w.wantPage(b.get(path), http.StatusOK, "With this link you sign in as", "ada")
	}
	page := b.get(path)
	w.wantRedirect(b.send(page), "/account/")
	w.wantPage(b.send(page), http.StatusGone)
}

func TestEntrance_Verify(t *testing.T) {
	w := newEntrance(t)
	ada, bob := w.member("ada", false), w.member("bob", true)
	w.missing = flow.PathVerifyEmail
	b := w.as(ada)
	page := b.get("/verify-email?flow=" + entranceFlow)
	w.wantPage(page, http.StatusOK, "ada@example.org", "Send me an e-mail")
	page = b.follow(b.send(page))
	m := w.mail(accounts.MailVerifyAddress, "ada@example.org")
	w.wantPage(page, http.StatusOK, `autocomplete="one-time-code"`)
	link := w.link(m)
	w.wantRedirect(w.browser().get(link), "/signin?return="+url.QueryEscape(link))
	w.wantPage(w.as(ada).get(link), http.StatusOK, "Confirm")
	w.wantRedirect(w.as(bob).get(link), "/account/") // bob's is proven; nothing happens
	if w.stored(ada).EmailVerified {
		t.Fatal("opening the link proved it")
	}
	w.wantPage(b.send(page, "code", "00000000"), http.StatusUnprocessableEntity, "4 more tries")
	w.wantRedirect(b.send(page, "code", m.Data[accounts.MailDataCode]), "/oauth2/authorize?flow="+entranceFlow)
	if !w.stored(ada).EmailVerified {
		t.Error("not proven")
	}
	w.wantRedirect(b.get(link), "/account/")
}

func TestEntrance_Email(t *testing.T) {
	w := newEntrance(t)
	u := w.member("ada", true)
	b := w.as(u)
	page := b.send(b.get("/account/email"), "new_email", "ADA@example.org")
	w.wantPage(page, http.StatusUnprocessableEntity, "the address of your account already")
	page = b.follow(b.send(page, "new_email", "new@example.org"))
	m := w.mail(accounts.MailVerifyAddress, "new@example.org")
	w.wantPage(page, http.StatusOK, "new@example.org")
	w.wantPage(b.get(w.link(m)), http.StatusOK, "Change my address")
	w.wantRedirect(b.send(page, "code", m.Data[accounts.MailDataCode]), "/account/")
	if got := w.stored(u).Email; got != "new@example.org" {
		t.Fatalf("address %q", got)
	}
	undo := w.link(w.mail(accounts.MailAddressChanged, "ada@example.org"))
	owner := w.browser()
	for range 3 {
		w.wantPage(owner.get(undo), http.StatusOK, "ada@example.org", "Take the change back")
	}
	w.wantPage(owner.follow(owner.send(owner.get(undo))), http.StatusOK, "The change is taken back", `href="/reset"`)
	if got := w.stored(u); got.Email != "ada@example.org" || got.PasswordHash != "" {
		t.Errorf("%+v", got)
	}
	w.wantRedirect(b.get("/account/email"), "/signin?return=%2Faccount%2Femail") // signed out
}

func TestEntrance_Password(t *testing.T) {
	w := newEntrance(t)
	u := w.member("ada", true)
	b, other := w.as(u), w.as(u)
	w.wantRedirect(b.get("/.well-known/change-password"), "/account/password")
	page := b.get("/account/password")
	w.wantPage(page, http.StatusOK, `value="ada"`, `autocomplete="new-password"`)
	page = b.send(page, "new_password", "aaaaaaaaaaaa")
	w.wantPage(page, http.StatusUnprocessableEntity, `<a href="#new_password">`)
	w.wantPage(b.follow(b.send(page, "new_password", entranceOther)), http.StatusOK, "Your password is changed")
	w.wantRedirect(other.get("/account/password"), "/signin?return=%2Faccount%2Fpassword")
	w.wantPage(b.get("/account/password"), http.StatusOK)
	if w.stored(u).PasswordHash == u.PasswordHash {
		t.Error("the password is the old one")
	}
	// As a required action, it goes on with the flow.
	w.missing = flow.PathNewPassword
	page = b.get("/account/password?flow=" + entranceFlow)
	w.wantRedirect(b.send(page, "new_password", entrancePassword), "/oauth2/authorize?flow="+entranceFlow)
}

func TestEntrance_Terms(t *testing.T) {
	w := newEntrance(t)
	u := w.member("ada", true)
	b := w.as(u)
	w.wantRedirect(b.get("/terms?flow="+entranceFlow), "/oauth2/authorize?flow="+entranceFlow) // there are none
	w.settings.Policy.TermsVersion, w.settings.TermsURL, w.missing = "2026", "https://example.com/terms", flow.PathTerms
	page := b.get("/terms?flow=" + entranceFlow)
	w.wantPage(page, http.StatusOK, "https://example.com/terms", "/logout", `type="checkbox"`)
	again := b.send(page)
	w.wantPage(again, http.StatusUnprocessableEntity, "Tick the box")
	w.settings.Policy.TermsVersion = "2027" // accepted is what was shown
	w.wantPage(b.send(again, "terms", "1"), http.StatusForbidden)
	w.wantRedirect(b.send(b.get("/terms?flow="+entranceFlow), "terms", "1"), "/oauth2/authorize?flow="+entranceFlow)
	if got := w.stored(u); got.TermsVersion != "2027" || got.TermsAcceptedAt == 0 {
		t.Errorf("%+v", got)
	}
	w.wantRedirect(b.get("/terms"), "/account/")
}

func TestEntrance_Invitation(t *testing.T) {
	w := newEntrance(t)
	w.member("taken", true)
	link, err := w.handler.Invites.Invite(t.Context(), entranceOperator(), accounts.Invitation{Email: "ada@example.org"})
	w.must(err)
	path := strings.TrimPrefix(link, entranceIssuer)
	b := w.browser()
	for range 3 {
		w.wantPage(b.get(path), http.StatusOK, "ada@example.org", "You have been invited")
	}
	page := b.send(b.get(path), "username", "taken", "new_password", entrancePassword)
	w.wantPage(page, http.StatusUnprocessableEntity, "Somebody has that username")
	w.wantRedirect(b.send(page, "username", "ada", "new_password", entrancePassword), "/account/")
	w.wantPage(b.get(path), http.StatusGone)
	w.settings.SignUp = accounts.SignUpClosed
	link, _, _ = strings.Cut(path, "?")
	if page := b.get(link + "?token=x"); page.Code != http.StatusGone {
		t.Errorf("status %d", page.Code)
	}
}

func TestEntrance_Setup(t *testing.T) {
	w := newEntrance(t)
	token, err := w.handler.Setup.Token(t.Context())
	w.must(err)
	b := w.browser()
	page := b.send(b.get("/setup"), "token", "gh_setup_wrong", "username", "ada", "new_password", entrancePassword)
	w.wantPage(page, http.StatusUnprocessableEntity, "not the token in the log", `<a href="#token">`, "!gh_setup_wrong")
	w.wantRedirect(b.send(page, "token", token.Reveal(), "username", "ada", "new_password", entrancePassword), "/account/")
	if diff := cmp.Diff([]string{"pwd"}, w.passed); diff != "" {
		t.Error(diff)
	}
	w.wantRedirect(b.get("/setup"), "/")
	w.wantPage(b.send(page, "token", token.Reveal(), "username", "eve", "new_password", entrancePassword), http.StatusForbidden)
}

// Without mail nothing that needs one is there.
func TestEntrance_NoMail(t *testing.T) {
	w := newEntrance(t)
	w.handler.Mails = false
	b := w.as(w.member("ada", true))
	for path, status := range map[string]int{"/reset": 404, "/signin/code": 404, "/account/email": 404, "/signup": 403, "/account/password": 200} {
		if page := b.get(path); page.Code != status {
			t.Errorf("%s: %d", path, page.Code)
		}
	}
}

// Every reason for which the domain refuses a password has a text here.
func TestEntrance_PasswordReasons(t *testing.T) {
	w := newEntrance(t)
	b := w.as(w.member("ada", true))
	for _, reason := range accounts.PasswordReasons() {
		w.handler.Passwords = weakEntrance(reason)
		w.wantPage(b.send(b.get("/account/password"), "new_password", "x"), http.StatusUnprocessableEntity, `<a href="#new_password">`)
	}
}

// weakEntrance refuses every password for its reason.
type weakEntrance string

func (r weakEntrance) ChangePassword(context.Context, audit.Actor, *accounts.Result, secret.Text, id.ID) error {
	return &accounts.WeakPassword{Reason: string(r), MinLength: 8}
}
