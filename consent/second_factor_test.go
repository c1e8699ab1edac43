package consent_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// app is somebody's authenticator app.
type app struct {
	*world
	key      string
	recovery []string
}

// enrol gives somebody an authenticator app, a minute before now, by a session of
// its own that ends.
func (w *world) enrol(u *accounts.User) *app {
	w.Helper()
	ctx := w.Context()
	w.now = w.now.Add(-time.Minute)
	read, position, err := w.db.UserByLogin(ctx, u.UsernameKey)
	w.must(err)
	_, session, err := w.sessions.Start(ctx, &accounts.Result{User: read, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}, accounts.Meta{})
	w.must(err)
	a := &app{world: w}
	var sealed string
	a.key, _, sealed, err = w.factors.BeginTOTP(ctx, u)
	w.must(err)
	actor := audit.Actor{Kind: audit.Person, ID: u.Subject, Name: u.Username}
	a.recovery, err = w.factors.ConfirmTOTP(ctx, actor, session, "", sealed, a.code())
	w.must(err)
	w.must(w.sessions.SignOut(ctx, actor, u.Subject, session.ID))
	w.now = w.now.Add(time.Minute)
	return a
}

// code is what the app shows now.
func (a *app) code() string {
	a.Helper()
	code, err := totp.GenerateCode(a.key, a.now)
	a.must(err)
	return code
}

// other is a code that the app does not show.
func (a *app) other() string {
	if a.code() == "000000" {
		return "111111"
	}
	return "000000"
}

func (b *browser) cookie(name string) string { return b.jar[b.cookies.Name(name)] }

// factorPage signs in with the password and follows to the page for the second
// factor.
func (b *browser) factorPage(f *flow.Flow, u *accounts.User) *httptest.ResponseRecorder {
	b.Helper()
	wantRedirect(b, b.tryPassword(f, u.Username, password), b.secondFactor(f))
	return b.get("/second-factor?flow=" + f.ID.String())
}

func (w *world) secondFactor(f *flow.Flow) string {
	return w.handler.Issuer.String() + "/second-factor?flow=" + f.ID.String()
}

func TestSecondFactor_Code(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.factorPage(f, w.ada)
	wantPage(t, page, http.StatusOK, "Confirm that it is you", "You are almost in, <b><bdi>ada</bdi></b>", `autocomplete="one-time-code"`,
		"Cancel", `name="remember"`, "/second-factor/recovery?flow="+f.ID.String(), "&switch=1", "!data-passkey")
	if b.cookie("session") != "" || b.cookie("known") != "" || b.cookie("device") != "" {
		t.Fatal("a cookie came before the second factor")
	}
	answer := b.post("/second-factor", fill(t, page, "code", app.other(), "remember", "1", "action", "continue"))
	wantPage(t, answer, http.StatusUnprocessableEntity, "That code is not right", `href="#code"`, `aria-invalid="true"`, `value="1" checked`, "!"+`value="`+app.other())
	w.wantOutcome("refused")
	code := app.code()
	answer = b.post("/second-factor", fill(t, answer, "code", code[:3]+" "+code[3:]))
	wantRedirect(t, answer, w.authorize(f))
	w.wantOutcome("signed-in")
	if b.cookie("session") == "" || b.cookie("known") == "" || b.cookie("pending") != "" || b.cookie("device") != "" {
		t.Errorf("cookies %v", b.jar)
	}
	sessions, err := w.db.SessionsOf(t.Context(), w.ada.ID, w.now.UnixMilli())
	if err != nil || len(sessions) != 1 || sessions[0].ACR != accounts.ACRTwoFactors {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
}

func TestSecondFactor_MissingCode(t *testing.T) {
	w := newWorld(t)
	w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.factorPage(f, w.ada)
	wantPage(t, b.post("/second-factor", fill(t, page, "action", "continue")), http.StatusUnprocessableEntity, "Type the code.")
	page = b.get("/second-factor/recovery?flow=" + f.ID.String())
	wantPage(t, b.post("/second-factor/recovery", fill(t, page)), http.StatusUnprocessableEntity, "Type a recovery code.")
	wantPage(t, b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "action", "allow")), http.StatusBadRequest)
}

func TestSecondFactor_Remember(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	wantRedirect(t, b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "code", app.code(), "remember", "1")), w.authorize(f))
	if b.cookie("device") == "" {
		t.Fatal("the browser is not remembered")
	}
	delete(b.jar, w.cookies.Name("session"))
	wantRedirect(t, b.tryPassword(f, "ada", password), w.authorize(f))
	sessions, err := w.db.SessionsOf(t.Context(), w.ada.ID, w.now.UnixMilli())
	if err != nil || sessions[0].ACR != accounts.ACRPassword {
		t.Errorf("a remembered browser counts as a factor: %+v, %v", sessions, err)
	}
	// Another browser is not spared by a copy of the flow, nor is another person.
	other := w.browser()
	g := w.flow(other)
	other.jar[w.cookies.Name("device")] = "made-up"
	wantRedirect(t, other.tryPassword(g, "ada", password), w.secondFactor(g))
}

func TestSecondFactor_RecoveryCode(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	b.factorPage(f, w.ada)
	page := b.get("/second-factor/recovery?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, "Use a recovery code", `name="recovery_code"`, "!"+`name="code"`, "!"+`name="remember"`, `/second-factor?flow=`)
	answer := b.post("/second-factor/recovery", fill(t, page, "recovery_code", "nonsense"))
	wantPage(t, answer, http.StatusUnprocessableEntity, "That recovery code is not right", "!nonsense")
	wantRedirect(t, b.post("/second-factor/recovery", fill(t, answer, "recovery_code", " "+strings.ToUpper(app.recovery[0])+" ")), w.authorize(f))
	if b.cookie("device") != "" {
		t.Error("a recovery code must not be remembered")
	}
	again := w.browser()
	g := w.flow(again)
	again.factorPage(g, w.ada)
	page = again.get("/second-factor/recovery?flow=" + g.ID.String())
	wantPage(t, again.post("/second-factor/recovery", fill(t, page, "recovery_code", app.recovery[0])), http.StatusUnprocessableEntity)
}

func TestSecondFactor_WithoutFlow(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	page := b.get("/signin?return=" + url.QueryEscape("/account/factors?x=1"))
	wantPage(t, page, http.StatusOK, `name="return" value="/account/factors?x=1"`)
	answer := b.post("/signin", fill(t, page, "username", "ada", "password", password, "return", "/account/factors?x=1"))
	const at = "/second-factor?return=%2Faccount%2Ffactors%3Fx%3D1"
	wantRedirect(t, answer, "https://id.example.com"+at)
	page = b.get(at)
	wantPage(t, page, http.StatusOK, "!Cancel")
	wantPage(t, b.post("/second-factor", fill(t, page, "return", "/account/factors?x=1", "action", "deny")), http.StatusBadRequest)
	wantRedirect(t, b.post("/second-factor", fill(t, page, "return", "/account/factors?x=1", "code", app.code())), "https://id.example.com/account/factors?x=1")
	wantRedirect(t, b.get("/second-factor"), "https://id.example.com/")
	wantRedirect(t, b.get(at), "https://id.example.com/account/factors?x=1")
}

func TestSecondFactor_Deny(t *testing.T) {
	w := newWorld(t)
	w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	wantRedirect(t, b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "action", "deny")), w.authorize(f))
	if w.stored(f).DeniedAt == 0 || b.cookie("session") != "" {
		t.Error("not written down, or signed in")
	}
}

// Too many tries end the pending sign-in, and wait for the account as a whole.
func TestSecondFactor_TooManyTries(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.factorPage(f, w.ada)
	for range 10 {
		wantPage(t, b.post("/second-factor", fill(t, page, "code", app.other())), http.StatusUnprocessableEntity)
	}
	answer := b.post("/second-factor", fill(t, page, "code", app.code()))
	wantPage(t, answer, http.StatusGone, "This page has expired", "/second-factor?flow="+f.ID.String())
	w.wantOutcome("expired")
	answer = b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "code", app.code()))
	wantPage(t, answer, http.StatusTooManyRequests, "Too many attempts. You can try again in 5 minutes.")
	w.wantOutcome("throttled")
	if answer.Header().Get("Retry-After") != "300" || b.cookie("session") != "" {
		t.Errorf("Retry-After %q", answer.Header().Get("Retry-After"))
	}
}

// What happens to the account between the two factors ends the sign-in.
func TestSecondFactor_BetweenTheFactors(t *testing.T) {
	for name, tc := range map[string]struct {
		happen func(w *world)
		status int
	}{
		"time":       {func(w *world) { w.now = w.now.Add(11 * time.Minute) }, http.StatusGone},
		"ban":        {func(w *world) { w.must(w.users.Ban(w.Context(), operator(), w.ada.Subject)) }, http.StatusGone},
		"everywhere": {func(w *world) { w.must(w.users.SignOutEverywhere(w.Context(), operator(), w.ada.Subject)) }, http.StatusGone},
		"reset":      {func(w *world) { w.must(w.factors.Reset(w.Context(), operator(), w.ada.Subject)) }, http.StatusGone},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			app := w.enrol(w.ada)
			b := w.browser()
			f := w.flow(b)
			page := b.factorPage(f, w.ada)
			tc.happen(w)
			wantPage(t, b.post("/second-factor", fill(t, page, "code", app.code())), tc.status)
			if b.cookie("session") != "" || b.cookie("pending") != "" {
				t.Errorf("cookies %v", b.jar)
			}
			wantRedirect(t, b.get("/second-factor?flow="+f.ID.String()), w.authorize(f))
		})
	}
}

func TestStepUp(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	// Nobody is sent here without a factor; who comes all the same signs in again.
	wantRedirect(t, b.get("/second-factor?flow="+f.ID.String()), "https://id.example.com/signin?flow="+f.ID.String()+"&again=1")
	wantPage(t, b.get("/signin?again=1&flow="+f.ID.String()), http.StatusOK, "readonly", `value="ada"`)

	app := w.enrol(w.ada) // in another browser
	b.enter(w.bob)
	wantRedirect(t, b.get("/second-factor?flow="+f.ID.String()), "https://id.example.com/signin?flow="+f.ID.String()+"&again=1")
	// Ada is signed in by a remembered browser, which is one factor.
	f = w.flow(b)
	wantRedirect(t, b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "code", app.code(), "remember", "1")), w.authorize(f))
	w.now = w.now.Add(time.Minute)
	delete(b.jar, w.cookies.Name("session"))
	wantRedirect(t, b.tryPassword(f, "ada", password), w.authorize(f))
	before := b.cookie("session")

	page := b.get("/second-factor?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, "Post Board</bdi></b> asks for this extra step", "!"+`name="remember"`)
	if b.cookie("session") != before {
		t.Error("the session was touched before the factor was given")
	}
	wantRedirect(t, b.post("/second-factor", fill(t, page, "code", app.code())), w.authorize(f))
	sessions, err := w.db.SessionsOf(t.Context(), w.ada.ID, w.now.UnixMilli())
	if err != nil || b.cookie("session") == before {
		t.Fatalf("the token was kept, %v", err)
	}
	hash, _ := accounts.HashSessionToken(b.cookie("session"))
	raised, _, err := w.db.SessionByToken(t.Context(), hash)
	if err != nil || raised.ACR != accounts.ACRTwoFactors || len(sessions) == 0 {
		t.Errorf("raised to %+v, %v", raised, err)
	}
	// Done: there is nothing more to ask.
	wantRedirect(t, b.get("/second-factor?flow="+f.ID.String()), w.authorize(f))
}

// 162: no identifier of before the sign-in is good after it.
func TestAttack_162_FixedIdentifiers(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	planted := strings.Repeat("A", 43)
	b.jar[w.cookies.Name("session")], b.jar[w.cookies.Name("pending")] = planted, planted
	page := b.factorPage(f, w.ada)
	pending := b.cookie("pending")
	if pending == planted || b.cookie("session") != planted {
		t.Fatalf("cookies %v", b.jar)
	}
	wantRedirect(t, b.post("/second-factor", fill(t, page, "code", app.code())), w.authorize(f))
	if session := b.cookie("session"); session == planted || session == pending {
		t.Error("a planted value became a session")
	}
	// The value of between is spent.
	thief := w.browser()
	thief.jar[w.cookies.Name("pending")] = pending
	wantRedirect(t, thief.get("/second-factor"), "https://id.example.com/signin")
}

// 168: nothing that a browser sends says that a step is done.
func TestAttack_168_SkippedFactor(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.factorPage(f, w.ada)
	for name, form := range map[string]url.Values{
		"nothing":    {},
		"action":     {"action": {"continue"}},
		"no ticket":  {"code": {app.code()}},
		"broken":     {"code": {app.code()}, "flow": {"x.y"}},
		"two codes":  {"code": {app.other(), app.code()}, "flow": {ticket(t, page)}},
		"no code":    {"flow": {ticket(t, page)}, "remember": {"1"}},
		"other name": {"flow": {ticket(t, page)}, "recovery_code": {app.recovery[0]}},
		"done":       {"flow": {ticket(t, page)}, "code": {app.other()}, "amr": {"mfa"}, "acr": {"aal2"}, "ok": {"1"}},
		"response":   {"flow": {ticket(t, page)}, "response": {"{}"}, "ceremony": {"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			answer := b.post("/second-factor", form)
			if answer.Code < 400 || b.cookie("session") != "" {
				t.Errorf("status %d, cookies %v", answer.Code, b.jar)
			}
		})
	}
	// The pages behind it send back; so does the sign-in page to a second tab.
	for _, path := range []string{"/consent", "/select-account"} {
		wantRedirect(t, b.get(path+"?flow="+f.ID.String()), w.authorize(f))
	}
	wantPage(t, b.get("/signin?flow="+f.ID.String()), http.StatusOK)
	wantPage(t, b.get("/"), http.StatusOK, "!Hello")
	if w.stored(f).FinishedAt != 0 {
		t.Error("the flow is finished")
	}
}

// 169: forms that this browser was not shown, or another site sent, count nothing.
func TestAttack_169_ForgedFactor(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	victim, attacker := w.browser(), w.browser()
	mine, theirs := w.flow(victim), w.flow(attacker)
	page := victim.factorPage(mine, w.ada)
	foreign := attacker.factorPage(theirs, w.ada)
	refused := func(answer *httptest.ResponseRecorder) {
		t.Helper()
		wantPage(t, answer, http.StatusForbidden)
		if victim.cookie("session") != "" {
			t.Error("signed in by a forged form")
		}
	}
	// The attacker's ticket, for the attacker's or the victim's flow.
	refused(victim.post("/second-factor", fill(t, foreign, "code", app.code())))
	_, mac, _ := strings.Cut(ticket(t, foreign), ".")
	refused(victim.post("/second-factor", url.Values{"flow": {mine.ID.String() + "." + mac}, "code": {app.code()}}))
	// Of the other page, with another way back, for an earlier sign-in.
	refused(victim.post("/second-factor/recovery", fill(t, page, "recovery_code", app.recovery[0])))
	refused(victim.post("/second-factor", fill(t, page, "code", app.code(), "return", "/account/")))
	newer := victim.factorPage(mine, w.ada)
	refused(victim.post("/second-factor", fill(t, page, "code", app.code())))
	victim.site = "cross-site"
	refused(victim.post("/second-factor", fill(t, newer, "code", app.code())))
	victim.site = "same-origin"
	// A browser without the cookie of the pending sign-in.
	pending := victim.cookie("pending")
	delete(victim.jar, w.cookies.Name("pending"))
	wantPage(t, victim.post("/second-factor", fill(t, newer, "code", app.code())), http.StatusGone)
	victim.jar[w.cookies.Name("pending")] = pending
	wantRedirect(t, victim.post("/second-factor", fill(t, newer, "code", app.code())), w.authorize(mine))
}

// carriesBack reports whether a form beside that for the language has a way back.
func carriesBack(page *httptest.ResponseRecorder) bool {
	return strings.Count(page.Body.String(), `name="return"`) > 1
}

// 172: a way back leads nowhere else.
func TestAttack_172_WayBack(t *testing.T) {
	w := newWorld(t)
	w.must(w.users.Ban(t.Context(), operator(), w.bob.Subject))
	for _, to := range []string{
		"//evil.example", `/\evil.example`, "https://evil.example/", "javascript:alert(1)", "/a\r\nSet-Cookie: x=y", "/../x", "evil.example", "/\tevil", "/%2e%2e/x", "@evil.example", "/#x", strings.Repeat("/a", 5000),
	} {
		b := w.browser()
		answer := b.get("/signin?again=1&return=" + url.QueryEscape(to))
		if answer.Code == http.StatusBadRequest {
			continue // not even a query
		}
		wantPage(t, answer, http.StatusOK, "!evil")
		if carriesBack(answer) {
			t.Errorf("%q is carried on", to)
		}
		form := fill(t, answer, "username", "ada", "password", password, "return", to)
		if got := b.post("/signin", form); got.Code == http.StatusSeeOther && got.Header().Get("Location") != "https://id.example.com/" {
			t.Errorf("%q leads to %q", to, got.Header().Get("Location"))
		}
	}
	// What the page did not show is not taken either.
	b := w.browser()
	page := b.get("/signin?return=/account/")
	wantPage(t, b.post("/signin", fill(t, page, "username", "ada", "password", password, "return", "/account/data")), http.StatusForbidden)
	// Below the issuer's path only.
	w = newWorldAt(t, "https://example.com/id")
	b = w.browser()
	if carriesBack(b.get("/signin?return=/other/page")) {
		t.Error("a path of another application is carried on")
	}
	page = b.get("/signin?return=/id/account/")
	wantRedirect(t, b.post("/signin", fill(t, page, "username", "ada", "password", password, "return", "/id/account/")), "https://example.com/id/account/")
}

// 208: no way into the account goes past the second factor.
func TestAttack_208_FactorSkipped(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	f := &flow.Flow{}
	signedIn := func(b *browser) bool { return b.cookie("session") != "" }
	t.Run("reauthentication", func(t *testing.T) {
		b := w.browser()
		f = w.flow(b)
		wantRedirect(t, b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "code", app.code(), "remember", "1")), w.authorize(f))
		// A browser with a session of two factors is not spared by being remembered.
		g := w.flow(b, func(f *flow.Flow) { f.Reauthenticate = true; f.CreatedAt++ })
		wantRedirect(t, b.tryPassword(g, "ada", password), w.secondFactor(g))
	})
	t.Run("stolen cookies", func(t *testing.T) {
		b := w.browser()
		f = w.flow(b)
		b.jar[w.cookies.Name("known")], b.jar[w.cookies.Name("device")] = "x.y", id.New().String()
		wantRedirect(t, b.tryPassword(f, "ada", password), w.secondFactor(f))
		if signedIn(b) {
			t.Error("signed in")
		}
	})
	t.Run("policy of a group", func(t *testing.T) {
		b := w.browser()
		f = w.flow(b)
		w.now = w.now.Add(time.Minute)
		wantRedirect(t, b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "code", app.code(), "remember", "1")), w.authorize(f))
		w.must(w.groups.SetSecondFactor(t.Context(), operator(), "Editors", true))
		delete(b.jar, w.cookies.Name("session"))
		wantRedirect(t, b.tryPassword(f, "ada", password), w.secondFactor(f))
	})
}

func TestSignIn_Links(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	wantPage(t, b.get("/signin"), http.StatusOK, "!Forgot your password", "!Create an account", "!code by e-mail")
	w.handler.SignUpURL, w.handler.ResetURL, w.handler.CodeURL = "/signup", "/reset", "/signin/code"
	now := &accounts.Settings{SignUp: accounts.SignUpInvitation}
	w.handler.Settings = now
	wantPage(t, b.get("/signin"), http.StatusOK, `href="/reset"`, "!Create an account", "!code by e-mail")
	now.SignUp, now.SignInByMail = accounts.SignUpDomain, true
	wantPage(t, b.get("/signin"), http.StatusOK, `href="/signup"`, `href="/reset"`, `href="/signin/code"`)
	f := w.flow(b)
	wantPage(t, b.get("/signin?flow="+f.ID.String()), http.StatusOK, `href="/signup?flow=`+f.ID.String(), `href="/signin/code?flow=`)
	b.enter(w.ada)
	wantPage(t, b.get("/signin?again=1&return=/account/"), http.StatusOK, "!/signup", `href="/reset"`, "Confirm that it is you", `name="again" value="1"`)
}

func TestSignIn_Again(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	w.now = w.now.Add(time.Hour)
	const at = "/signin?again=1&return=%2Faccount%2Ffactors"
	page := b.get(at)
	wantPage(t, page, http.StatusOK, `value="ada"`, "readonly", "/signin?return=%2Faccount%2Ffactors&switch=1")
	answer := b.post("/signin", fill(t, page, "username", "ada", "password", "wrong", "again", "1", "return", "/account/factors"))
	wantPage(t, answer, http.StatusUnprocessableEntity, "The password is not right", "readonly", `name="again"`)
	answer = b.post("/signin", fill(t, answer, "username", "ada", "password", password, "again", "1", "return", "/account/factors"))
	wantRedirect(t, answer, "https://id.example.com/account/factors")
	sessions, err := w.db.SessionsOf(t.Context(), w.ada.ID, w.now.UnixMilli())
	if err != nil || len(sessions) != 1 || sessions[0].AuthTime != w.now.UnixMilli() {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
	// Without the wish, who is signed in goes straight on.
	wantRedirect(t, b.get("/signin?return=%2Faccount%2F"), "https://id.example.com/account/")
}
