package endtoend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

const (
	submit    = `main form button[name="action"][value="continue"]`
	newcomer  = "nina@example.org"
	firstPass = "violet anchor thirteen meadows"
	nextPass  = "copper lantern seven orchards"
)

// TestPeople is the whole way of somebody who comes without an account, with real
// mails and without a script: sign-up on the way to an app, a second factor, the
// sign-in with both, a forgotten password, and the end.
func TestPeople(t *testing.T) {
	s := newTown(t, external)
	mails := s.mails
	v := s.visitor(t).withoutJavaScript()

	v.signUp(mails)
	app := v.enrolApp()
	v.signOutHere()

	v.begin()
	v.signIn("nina", firstPass)
	v.sees(s.issuer+"/second-factor", 200)
	v.fill("#code", "000000")
	v.press(submit)
	v.sees(s.issuer+"/second-factor", 422)
	v.secondFactor(app)
	v.sees(s.app+"/", 200, "Hello, Nina Newcomer")
	v.signOutHere()

	v.forget(mails)
	v.begin()
	v.signIn("nina", nextPass)
	v.sees(s.issuer+"/second-factor", 200)
	v.secondFactor(app)
	v.sees(s.app+"/", 200, "Hello, Nina Newcomer")

	v.open(s.issuer + "/account/security")
	v.sees(s.issuer+"/account/security", 200, "Chrome")
	v.open(s.issuer + "/account/delete")
	v.sees(s.issuer+"/account/delete", 200)
	v.fill("#confirmation", "nina")
	v.press(submit)
	if told := mails.Next(t, newcomer); !strings.Contains(told.Subject, "delete") {
		t.Errorf("told of the deletion: %q", told.Subject)
	}
	v.open(s.issuer + "/account/")
	v.sees(s.issuer+"/signin", 200, "Password")
}

// signUp goes from the app to an account, over the mail's code, and back.
func (v *visitor) signUp(mails *testenv.SMTPServer) {
	v.t.Helper()
	v.begin()
	v.press(`main a[href*="/signup"]`)
	v.fill("#email", newcomer)
	v.fill("#username", "nina")
	v.fill("#name", "Nina Newcomer")
	v.fill("#new_password", "password1")
	v.press(submit)
	v.sees(v.issuer+"/signup", 422, "attackers")
	v.fill("#new_password", firstPass)
	v.press(submit)
	v.sees(v.issuer+"/signup/confirm", 200, newcomer)
	mail := mails.Next(v.t, newcomer)
	v.hide(mail.Code())
	v.fill("#code", mail.Code())
	v.press(submit)
	v.sees(v.issuer+"/consent", 200, "asks for access")
	v.press(buttonAllow)
	v.sees(v.app+"/", 200, "Hello, Nina Newcomer")
}

// An authenticator is an app that makes codes, each for 30 seconds (RFC 6238).
type authenticator struct {
	key  string
	last time.Time // the step of the last code
}

// code returns a code that was not used yet: codes of one step more than now are
// taken, so it waits only when that one was used too.
func (a *authenticator) code(t *testing.T) string {
	t.Helper()
	const step = 30 * time.Second
	next := time.Now().Truncate(step)
	if !next.After(a.last) {
		next = a.last.Add(step)
	}
	time.Sleep(time.Until(next.Add(-step)))
	a.last = next
	code, err := totp.GenerateCode(a.key, next)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// enrolApp adds an authenticator app.
func (v *visitor) enrolApp() *authenticator {
	v.t.Helper()
	v.open(v.issuer + "/account/factors/app")
	var key string
	v.do("read the key", chromedp.Text("#key", &key, chromedp.ByQuery))
	key = strings.ReplaceAll(strings.TrimSpace(key), " ", "")
	v.hide(key)
	app := &authenticator{key: key}
	v.fill("#code", app.code(v.t))
	v.press(submit)
	v.sees(v.issuer+"/account/factors/app", 200, "codes")
	return app
}

// secondFactor types a code that was not used yet.
func (v *visitor) secondFactor(app *authenticator) {
	v.t.Helper()
	v.fill("#code", app.code(v.t))
	v.press(submit)
}

// signOutHere signs out in the app, and with that at Gatehouse.
func (v *visitor) signOutHere() {
	v.t.Helper()
	v.open(v.app + "/")
	v.press(`header form[action="/signout"] button`)
	v.sees(v.app+"/", 200, "!Hello", "Sign in")
}

// forget gets another password by mail: opening the link does nothing yet.
func (v *visitor) forget(mails *testenv.SMTPServer) {
	v.t.Helper()
	v.open(v.issuer + "/reset")
	v.fill("#email", newcomer)
	v.press(submit)
	var link string
	for link == "" {
		if mail := mails.Next(v.t, newcomer); strings.Contains(mail.Link(), "/reset/") {
			link = mail.Link()
		}
	}
	for range 2 { // once by a scanner
		v.open(link)
		v.sees(v.issuer+"/reset/password", 200)
	}
	v.fill("#new_password", nextPass)
	v.press(submit)
	v.sees(v.issuer+"/reset", 200)
	if told := mails.Next(v.t, newcomer); !strings.Contains(told.Subject, "password") {
		v.t.Errorf("told of the reset: %q", told.Subject)
	}
}
