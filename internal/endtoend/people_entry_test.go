package endtoend_test

import (
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// walkInvitation: who is invited needs no open sign-up and gets the groups. Then
// somebody who sits at their browser gives the account another address, and the old
// one undoes that.
func (w *town) walkInvitation(t *testing.T) {
	const address, stolen = "ivy@example.org", "thief@example.net"
	w.command(t, "user", "invite", "--email", address, "--group", "Editors")
	link := w.mail(t, address, "invited").Link()
	v := w.visitor(t)
	v.open(w.issuer + "/signup")
	v.sees(w.issuer+"/signup", 403, "Sign-up is closed")
	v.open(link)
	v.sees(w.issuer+"/invitation", 200, address)
	v.fill("#username", "ivy")
	v.fill("#name", "Ivy Invited")
	v.fill("#new_password", firstPass)
	v.press(submit)
	v.sees(w.issuer+"/account/", 200, "Hello, Ivy Invited")
	v.open(link)
	v.sees(w.issuer+"/invitation", 410, "no longer good")
	v.comeBack()
	v.press(buttonAllow)
	v.sees(w.app+"/", 200, "Hello, Ivy Invited", "You hold the permission posts:add")

	v.change("/account/email", "#new_email", stolen)
	v.sees(w.issuer+"/email/confirm", 200, stolen)
	v.fill("#code", w.mail(t, stolen, "Confirm your mail address").Code())
	v.press(submit)
	v.sees(w.issuer+"/account/", 200, stolen)

	undo := w.mail(t, address, "was changed").Link()
	owner := w.visitor(t)
	for range 2 { // once by a scanner
		owner.open(undo)
		owner.sees(w.issuer+"/email/undo", 200, address, "Everybody is signed out")
	}
	v.open(w.issuer + "/account/")
	v.sees(w.issuer+"/account/", 200, stolen)
	owner.press(submit)
	owner.sees(w.issuer+"/email/undo", 200, "The change is taken back")
	v.shut()
	v.signIn("ivy", firstPass)
	v.sees(w.issuer+"/signin", 422, wrongCredentials)

	owner.press(`main a[href*="/reset"]`)
	owner.fill("#email", address)
	owner.press(submit)
	owner.sees(w.issuer+"/reset/confirm", 200, address)
	owner.fill("#code", w.mail(t, address, "Choose a new password").Code())
	owner.press(submit)
	owner.sees(w.issuer+"/reset/password", 200)
	owner.fill("#new_password", nextPass)
	owner.press(submit)
	owner.arrive("ivy", nextPass)
}

// walkMailCode: a code by mail in place of the password; and for somebody who gets no
// mail any more, a link of the operator's, good once.
func (w *town) walkMailCode(t *testing.T) {
	v := w.visitor(t)
	v.begin()
	v.press(`main a[href*="/signin/code"]`)
	v.fill("#email", "admin@test.com")
	v.press(submit)
	v.sees(w.issuer+"/signin/code", 200, "a code is on its way")
	code := w.mail(t, "admin@test.com", "Your code").Code()
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	v.fill("#code", wrong)
	v.press(submit)
	v.sees(w.issuer+"/signin/code", 422, "That code is not right")
	v.fill("#code", code)
	v.press(submit)
	v.sees(w.issuer+"/consent", 200, "Demo app asks for access")
	v.press(buttonAllow)
	v.sees(w.app+"/", 200, "Hello, Ada Admin")

	link, _ := w.ask(t, "user", "sign-in-link", "--user", "staff_user")["link"].(string)
	v.leave()
	for range 2 { // once by whatever the operator sent it with
		v.open(link)
		v.sees(w.issuer+"/signin/code", 200, "you sign in as staff_user")
	}
	v.press(submit)
	v.sees(w.issuer+"/account/", 200, "Hello, Stella Staff")
	v.open(link)
	v.sees(w.issuer+"/signin/code", 410, "no longer good")
}

// walkTerms: under other settings only a domain may sign up, and there are terms,
// which nobody gets past, at first or when they are new.
func (w *town) walkTerms(t *testing.T) {
	const address = "dora@example.org"
	w.again(t, "GATEHOUSE_SIGN_UP=domain", "GATEHOUSE_SIGN_UP_DOMAINS=example.org", "GATEHOUSE_TERMS_VERSION=1", "GATEHOUSE_TERMS_URL=https://example.org/terms")
	v := w.visitor(t)
	v.begin()
	v.press(`main a[href*="/signup"]`)
	v.fill("#email", "dora@elsewhere.example")
	v.fill("#username", "dora")
	v.fill("#new_password", firstPass)
	v.press(submit)
	v.sees(w.issuer+"/signup", 422, "addresses of that domain cannot be created here")
	v.fill("#email", address)
	v.fill("#new_password", firstPass)
	v.press(submit)
	v.sees(w.issuer+"/signup/confirm", 200, address)
	link := w.mail(t, address, "Confirm").Link()
	for range 2 {
		v.open(link)
		v.sees(w.issuer+"/signup/confirm", 200, "dora")
	}
	v.press(submit)
	v.sees(w.issuer+"/terms", 200, "Terms of use", "Read the terms")
	v.accept()
	v.sees(w.app+"/", 200, "Hello, dora")

	w.again(t, "GATEHOUSE_TERMS_VERSION=2")
	v.open(w.app + "/")
	v.press(`main a[href="/signin"]`)
	v.sees(w.issuer+"/terms", 200, "Terms of use")
	terms := v.where()
	_, flow, _ := strings.Cut(terms, "flow=")
	for _, around := range []string{"/account/", "/account/profile", "/account/factors", "/oauth2/authorize?flow=" + flow} {
		v.open(w.issuer + around)
		v.sees(w.issuer+"/terms", 200, "Terms of use")
	}
	// To allow the app what it asks for is another step, which does not stand for this
	// one, nor does going back to it.
	v.open(w.issuer + "/consent?flow=" + flow)
	v.press(buttonAllow)
	v.sees(w.issuer+"/terms", 200, "Terms of use")
	// The browser still has that page: it asks nobody for it.
	v.do("go back", chromedp.Evaluate(`history.back()`, nil))
	v.until("the page before is shown", func() bool { return strings.Contains(v.text(), "asks for access") })
	v.travel("allow again", chromedp.Evaluate(call(t, `(s => document.querySelector(s).click())`, buttonAllow), nil))
	v.sees(w.issuer+"/terms", 200, "Terms of use")
	v.open(w.app + "/")
	v.sees(w.app+"/", 200, "!Hello")
	v.open(terms)
	v.press(submit) // without the tick
	v.sees(w.issuer+"/terms", 422, "Tick the box")
	v.accept()
	v.sees(w.app+"/", 200, "Hello, dora")
}

// accept accepts the terms and allows the app what it asks for.
func (v *visitor) accept() {
	v.t.Helper()
	v.toggle("1")
	v.press(submit)
	v.allow()
}

// TestFirstRun: a server that nobody has an account at makes its first superuser for
// whoever reads its log, and nobody else.
func TestFirstRun(t *testing.T) {
	s := place(t, embedded)
	s.hide(firstPass)
	s.printed, s.logged = newTail(), newTail()
	cmd := exec.Command(program, "serve", "--log-format", "json")
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, s.printed, s.logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd, s.ended = cmd, make(chan error, 1)
	go func() { s.ended <- cmd.Wait() }()
	t.Cleanup(func() { s.stop(t) })
	soon(t, "the server answers", func() bool {
		answer, err := http.Get(s.issuer + "/readyz")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	token := regexp.MustCompile(`gh_setup_[\w-]+`).FindString(s.logged.lineWith(`"with_token"`))

	v := s.visitor(t)
	v.open(s.issuer + "/")
	v.sees(s.issuer+"/setup", 200, "Nobody has an account here yet")
	try := func(token string) {
		v.fill("#token", token)
		v.fill("#username", "root")
		v.fill("#name", "Ruth Root")
		v.fill("#new_password", firstPass)
		v.press(submit)
	}
	try("gh_setup_" + strings.Repeat("A", 43))
	v.sees(s.issuer+"/setup", 422, "That is not the token in the log")
	try(token)
	v.sees(s.issuer+"/account/", 200, "Hello, Ruth Root")
	if made := s.ask(t, "user", "show", "--user", "root"); made["superuser"] != true {
		t.Errorf("made %v", made)
	}
	stranger := s.visitor(t)
	stranger.open(s.issuer + "/setup")
	stranger.sees(s.issuer+"/", 200, "Welcome", "!Nobody has an account")
}
