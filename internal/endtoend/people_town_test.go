package endtoend_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// town is a deployment that sends its mails to a server of the test.
type town struct {
	*server
	mails *testenv.SMTPServer
}

// newTown starts one with settings in the form of variables.
func newTown(t *testing.T, storage string, settings ...string) *town {
	t.Helper()
	w := &town{server: place(t, storage), mails: testenv.SMTP(t, testenv.SMTPOptions{})}
	w.env = append(w.env, "GATEHOUSE_SMTP_URL="+w.mails.URL(), "GATEHOUSE_MAIL_FROM=Gatehouse <id@example.org>")
	w.env = append(w.env, settings...)
	w.hide(firstPass)
	w.hide(nextPass)
	w.open(t)
	t.Cleanup(func() { w.stop(t) })
	return w
}

func (w *town) open(t *testing.T) {
	t.Helper()
	if !w.run(t) {
		t.Fatalf("the server did not become ready:\n%s%s", w.printed, w.logged)
	}
}

// again starts the server anew with other settings. Its people stay signed in, but
// the demo app has forgotten them.
func (w *town) again(t *testing.T, settings ...string) {
	t.Helper()
	w.stop(t)
	w.env = append(slices.Clone(w.env), settings...)
	w.open(t)
}

// person makes an account whose password is firstPass.
func (w *town) person(t *testing.T, username, name string) {
	t.Helper()
	w.commandWith(t, firstPass, "user", "create", "--username", username, "--name", name,
		"--email", username+"@example.org", "--email-verified", "--password-stdin")
}

// mail waits for a mail with these words in its subject, past others.
func (w *town) mail(t *testing.T, address, subject string) *testenv.ReceivedMail {
	t.Helper()
	for {
		mail := w.mails.Next(t, address)
		if strings.Contains(mail.Subject, subject) {
			link, err := url.Parse(mail.Link())
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{mail.Code(), link.Query().Get("token")} {
				if secret != "" {
					w.hide(secret)
				}
			}
			return mail
		}
	}
}

// arrive goes from the app through sign-in, and consent if it is asked, back to it.
func (v *visitor) arrive(username, secret string) {
	v.t.Helper()
	v.begin()
	v.signIn(username, secret)
	v.allow()
	v.sees(v.app+"/", 200, "Hello, ")
}

// allow answers the question of consent, if it is asked.
func (v *visitor) allow() {
	v.t.Helper()
	if v.has(buttonAllow) {
		v.press(buttonAllow)
	}
}

// comeBack goes from the app to sign in once more, whatever the app remembers.
func (v *visitor) comeBack() {
	v.t.Helper()
	v.open(v.app + "/signin")
}

// visit signs in without an app.
func (v *visitor) visit(username, secret string) {
	v.t.Helper()
	v.open(v.issuer + "/signin")
	v.signIn(username, secret)
	v.sees(v.issuer+"/", 200, "Hello, ")
}

// change fills in the one field of a page and sends it.
func (v *visitor) change(page, field, text string) {
	v.t.Helper()
	v.open(v.issuer + page)
	v.sees(v.issuer+page, 200)
	v.fill(field, text)
	v.press(submit)
}

// leave signs out at Gatehouse itself.
func (v *visitor) leave() {
	v.t.Helper()
	v.open(v.issuer + "/logout")
	v.press(buttonContinue)
	v.sees(v.issuer+"/logout", 200, "You are signed out")
}

// shut checks that the visitor is not signed in at Gatehouse (any more).
func (v *visitor) shut() {
	v.t.Helper()
	v.open(v.issuer + "/account/")
	v.sees(v.issuer+"/signin", 200, "Password")
}

// attribute reads one of an element of the page.
func (v *visitor) attribute(selector, name string) string {
	v.t.Helper()
	var value string
	v.do("read "+name+" of "+selector, chromedp.Evaluate(call(v.t, `((s, n) => document.querySelector(s).getAttribute(n))`, selector, name), &value))
	return value
}

// TestPeoplePaths walks each way in which people come in and look after their
// account, in a browser with scripts (TestPeople has none) and with real mails. All of
// them live in one deployment.
func TestPeoplePaths(t *testing.T) {
	w := newTown(t, embedded, "GATEHOUSE_SIGN_UP=invitation")
	for _, path := range []struct {
		name string
		walk func(*town, *testing.T)
	}{
		{"invitation, and a change of address that is undone", (*town).walkInvitation},
		{"sign-in by a code", (*town).walkMailCode},
		{"another password", (*town).walkPassword},
		{"profile, picture, and what apps see of them", (*town).walkProfile},
		{"sessions, apps, and what was not me", (*town).walkSecurity},
		{"data, and a deletion that is undone", (*town).walkData},
		{"authenticator app, remembered browser, recovery codes", (*town).walkApp},
		{"passkeys", (*town).walkPasskeys},
		{"languages", (*town).walkLanguages},
		{"sign-up of a domain, and terms", (*town).walkTerms}, // under other settings
	} {
		t.Run(path.name, func(t *testing.T) { path.walk(w, t) })
	}
}
