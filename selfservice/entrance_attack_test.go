package selfservice_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// Known and unknown are answered alike to the byte, but for what is random.
func TestAttack_200_SameAnswer(t *testing.T) {
	for path, fields := range map[string][]string{
		"/signup": {"username", "somebody", "new_password", entrancePassword}, "/reset": nil, "/signin/code": nil,
	} {
		t.Run(path, func(t *testing.T) {
			w := newEntrance(t)
			w.member("ada", true)
			w.must(w.users.Ban(t.Context(), entranceOperator(), w.member("bob", true).Subject))
			w.member("eve", false)
			var pages, wrong []string
			for _, name := range []string{"ada", "nobody", "bob", "eve"} {
				b := w.browser()
				mails := len(w.mails)
				page := b.follow(b.send(b.get(path), append(fields, "email", name+"@example.org")...))
				w.wantPage(page, http.StatusOK)
				pages = append(pages, entrancePlain(page, name))
				again := b.send(page, "code", "00000000")
				w.wantPage(again, http.StatusUnprocessableEntity)
				wrong = append(wrong, entrancePlain(again, name))
				if len(w.mails) != mails+1 {
					t.Errorf("%s: %d mails", name, len(w.mails)-mails)
				}
			}
			for i := range pages {
				if diff := cmp.Diff(pages[0], pages[i]); diff != "" {
					t.Errorf("page %d:\n%s", i, diff)
				}
				if diff := cmp.Diff(wrong[0], wrong[i]); diff != "" {
					t.Errorf("page %d after a wrong code:\n%s", i, diff)
				}
			}
		})
	}
}

// entrancePlain takes out of a page what is random, and the name.
func entrancePlain(page *httptest.ResponseRecorder, name string) string {
	body := strings.ReplaceAll(page.Body.String(), name, "NAME")
	return regexp.MustCompile(`[A-Za-z0-9_.-]{20,}`).ReplaceAllString(body, "RANDOM")
}

// A reset ends at the sign-in page, whoever has a second factor or not.
func TestAttack_208_ResetSignsNobodyIn(t *testing.T) {
	w := newEntrance(t)
	u := w.member("ada", true)
	b := w.browser()
	page := b.follow(b.send(b.get("/reset?flow="+entranceFlow), "email", "ada@example.org"))
	w.wantPage(page, http.StatusOK, "If there is an account with the address", "ada@example.org")
	m := w.mail(accounts.MailResetPassword, "ada@example.org")
	page = b.follow(b.send(page, "code", m.Data[accounts.MailDataCode]))
	w.wantPage(page, http.StatusOK, `value="ada"`, "readonly", `autocomplete="username"`, `autocomplete="new-password"`)
	again := b.send(page, "new_password", "x")
	w.wantPage(again, http.StatusUnprocessableEntity, `<a href="#new_password">`)
	done := b.follow(b.send(again, "new_password", entranceOther))
	w.wantPage(done, http.StatusOK, "Your password is changed", "/signin?flow="+entranceFlow)
	if b.has(flow.SessionCookie) || b.has(flow.PendingCookie) || len(w.passed) != 0 {
		t.Error("signed in")
	}
	if w.stored(u).PasswordHash == u.PasswordHash {
		t.Error("the password is the old one")
	}
	w.wantPage(b.send(page, "new_password", entranceOther), http.StatusGone, "no longer good")
}

// No address, no empty form and no step of another proof leads to the new password.
func TestAttack_168_and_199_NoStepIsSkipped(t *testing.T) {
	w := newEntrance(t)
	u := w.member("ada", true)
	b := w.browser()
	code := b.follow(b.send(b.get("/reset"), "email", "ada@example.org"))
	_, form := b.form(code)
	proof := form.Get("proof")
	for _, path := range []string{
		"/reset/password", "/reset/password?token=", "/reset/password?token=" + proof, "/reset/password?token=gh_mail_" + proof,
		"/reset/password?proof=" + proof, "/reset/confirm", "/reset/confirm?proof=nonsense", "/signup/confirm", "/signup/confirm?proof=" + proof,
		"/signin/code?proof=" + proof, "/signin/code?token=x", "/invitation", "/invitation?token=x", "/email/undo", "/email/undo?token=x",
	} {
		if page := b.get(path); page.Code != http.StatusGone {
			t.Errorf("%s: status %d", path, page.Code)
		}
	}
	// The form of one step is none of another, and an empty one is none at all.
	for _, path := range []string{"/reset/password", "/signup/confirm", "/signin/code", "/invitation", "/email/undo", "/setup"} {
		if answer := b.post(path, form); answer.Code != http.StatusForbidden {
			t.Errorf("%s takes the form of another page: %d", path, answer.Code)
		}
		if answer := b.post(path, url.Values{}); answer.Code != http.StatusForbidden {
			t.Errorf("%s takes an empty form: %d", path, answer.Code)
		}
	}
	form.Set("proof", "AZBx3f2ycAC4xQmHq0bT3w")
	if answer := b.post("/reset/confirm", form); answer.Code != http.StatusForbidden {
		t.Errorf("the form of another proof: %d", answer.Code)
	}
	if w.stored(u).PasswordHash != u.PasswordHash || b.has(flow.SessionCookie) {
		t.Error("something was skipped")
	}
}

// Forms of other sites, other browsers and other people are not taken.
func TestAttack_169_ForgedForms(t *testing.T) {
	w := newEntrance(t)
	ada, bob := w.member("ada", true), w.member("bob", true)
	w.settings.Policy.TermsVersion = "1"
	for _, path := range []string{"/signup", "/reset", "/signin/code"} {
		b, victim := w.browser(), w.browser()
		action, form := b.form(b.get(path), "email", "new@example.org", "username", "new", "new_password", entrancePassword)
		victim.get(path)
		if answer := victim.post(action, form); answer.Code != http.StatusForbidden {
			t.Errorf("%s: the form of another browser: %d", path, answer.Code)
		}
		b.site = "cross-site"
		if answer := b.post(action, form); answer.Code != http.StatusForbidden {
			t.Errorf("%s: the form of another site: %d", path, answer.Code)
		}
	}
	for _, path := range []string{"/account/password", "/account/email", "/terms"} {
		b := w.as(ada)
		action, form := b.form(b.get(path), "new_password", entranceOther, "new_email", "new@example.org", "terms", "1")
		// Somebody else signs in, in another tab.
		b.jar[w.handler.Cookies.Name(flow.SessionCookie)] = w.as(bob).jar[w.handler.Cookies.Name(flow.SessionCookie)]
		if answer := b.post(action, form); answer.Code != http.StatusForbidden {
			t.Errorf("%s: the form about another person: %d", path, answer.Code)
		}
	}
	if len(w.mails) != 0 || w.stored(bob).PasswordHash != bob.PasswordHash || w.stored(bob).TermsVersion != "" {
		t.Error("something was done")
	}
}

// What a page carries along is a flow's id or nothing.
func TestAttack_172_CarriedFlow(t *testing.T) {
	w := newEntrance(t)
	b := w.browser()
	for _, evil := range []string{"//evil.example", "https://evil.example", `/\evil`, "x%0d%0aSet-Cookie:a=b", entranceFlow + "&x=y"} {
		page := b.get("/reset?flow=" + url.QueryEscape(evil))
		w.wantPage(page, http.StatusOK, "!flow=", "!evil.example")
		_, form := b.form(page, "email", "x@example.org")
		form.Set("flow", evil+form.Get("flow"))
		if answer := b.post("/reset", form); answer.Code != http.StatusForbidden {
			t.Errorf("%s: %d to %q", evil, answer.Code, answer.Header().Get("Location"))
		}
	}
}

// Sensitive changes need a fresh sign-in, at the form and when it is sent.
func TestEntrance_Fresh(t *testing.T) {
	w := newEntrance(t)
	b := w.as(w.member("ada", true))
	for _, path := range []string{"/account/password", "/account/email"} {
		page := b.get(path)
		w.wantPage(page, http.StatusOK)
		w.now = w.now.Add(11 * time.Minute)
		to := "/signin?again=1&return=" + url.QueryEscape(path)
		w.wantRedirect(b.get(path), to)
		w.wantRedirect(b.send(page, "new_password", entranceOther, "new_email", "x@example.org"), to)
		w.now = w.now.Add(-11 * time.Minute)
		w.wantRedirect(w.browser().get(path), "/signin?return="+url.QueryEscape(path))
	}
}

// A person with something to do first sees no other page of theirs.
func TestAttack_168_RequiredAction(t *testing.T) {
	w := newEntrance(t)
	b := w.as(w.member("ada", true))
	w.settings.Policy.TermsVersion = "1"
	for missing, open := range map[string]string{
		flow.PathVerifyEmail: "/account/email", flow.PathNewPassword: "/account/password", flow.PathTerms: "/terms", flow.PathEnrolFactor: "",
	} {
		w.missing = missing
		for _, path := range []string{"/account/email", "/account/password", "/terms"} {
			if path == open {
				w.wantPage(b.get(path), http.StatusOK)
				continue
			}
			w.wantRedirect(b.get(path), missing)
			w.wantRedirect(b.post(path, url.Values{}), missing)
		}
	}
}

// No secret of a mail or a form reaches the log.
func TestEntrance_LogHoldsNoSecret(t *testing.T) {
	w := newEntrance(t)
	b := w.browser()
	page := b.askSignUp("ada", "ada@example.org", "")
	m := w.mail(accounts.MailVerifyAddress, "ada@example.org")
	b.get(w.link(m))
	b.send(page, "code", m.Data[accounts.MailDataCode])
	for _, hidden := range []string{"gh_mail_", m.Data[accounts.MailDataCode], entrancePassword, "ada@example.org"} {
		if strings.Contains(w.log.String(), hidden) {
			t.Errorf("the log holds %q", hidden)
		}
	}
	if !strings.Contains(w.log.String(), `"outcome":"signed-in"`) {
		t.Error("the log does not tell of the sign-in")
	}
}
