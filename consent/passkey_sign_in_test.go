package consent_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// phone is a device with one passkey.
type phone struct {
	*world
	virtual.Authenticator
	rp  virtual.RelyingParty
	key virtual.Credential
}

// phone makes a passkey for somebody, by a session of its own that ends.
func (w *world) phone(u *accounts.User) *phone {
	w.Helper()
	ctx := w.Context()
	host := w.handler.Issuer
	p := &phone{
		world: w, Authenticator: virtual.NewAuthenticatorWithOptions(virtual.AuthenticatorOptions{UserHandle: u.ID[:]}),
		rp:  virtual.RelyingParty{ID: host.Hostname(), Name: "Gatehouse", Origin: host.Scheme + "://" + host.Host},
		key: virtual.NewCredential(virtual.KeyTypeEC2),
	}
	for len(p.key.Key.AttestationData()) != 77 { // it writes coordinates that begin with a zero too short
		p.key = virtual.NewCredential(virtual.KeyTypeEC2)
	}
	read, position, err := w.db.UserByLogin(ctx, u.UsernameKey)
	w.must(err)
	_, session, err := w.sessions.Start(ctx, &accounts.Result{User: read, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}, accounts.Meta{})
	w.must(err)
	options, ceremony, err := w.factors.BeginPasskey(ctx, u)
	w.must(err)
	parsed, err := virtual.ParseAttestationOptions(string(options))
	w.must(err)
	made := virtual.CreateAttestationResponse(p.rp, p.Authenticator, p.key, *parsed)
	actor := audit.Actor{Kind: audit.Person, ID: u.Subject, Name: u.Username}
	_, err = w.factors.FinishPasskey(ctx, actor, session, ceremony, "", []byte(made))
	w.must(err)
	w.must(w.sessions.SignOut(ctx, actor, u.Subject, session.ID))
	return p
}

func (p *phone) answer(options string) string {
	p.Helper()
	parsed, err := virtual.ParseAssertionOptions(options)
	p.must(err)
	return virtual.CreateAssertionResponse(p.rp, p.Authenticator, p.key, *parsed)
}

// question is what the script of a sign-in page gets.
func (b *browser) question(page *httptest.ResponseRecorder, pairs ...string) (options, ceremony string) {
	b.Helper()
	answer := b.post("/signin/passkey", fill(b, page, pairs...))
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "application/json" {
		b.Fatalf("status %d, %s", answer.Code, answer.Body)
	}
	var q struct {
		Options  json.RawMessage
		Ceremony string
	}
	b.must(json.Unmarshal(answer.Body.Bytes(), &q))
	return string(q.Options), q.Ceremony
}

// touch signs in with a phone as the script of the page does.
func (b *browser) touch(page *httptest.ResponseRecorder, p *phone, pairs ...string) *httptest.ResponseRecorder {
	b.Helper()
	options, ceremony := b.question(page, pairs...)
	return b.post("/signin", fill(b, page, append(pairs, "action", "passkey", "ceremony", ceremony, "response", p.answer(options))...))
}

// attribute is the value of an attribute in the page.
func attribute(t testing.TB, page *httptest.ResponseRecorder, name string) string {
	t.Helper()
	found := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(page.Body.String())
	if found == nil {
		t.Fatalf("no %s in\n%s", name, page.Body)
	}
	return html.UnescapeString(found[1])
}

func TestPasskey_SignIn(t *testing.T) {
	w := newWorld(t)
	phone := w.phone(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.get("/signin?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, "Sign in with a passkey", `data-ask="/signin/passkey"`, `autocomplete="username webauthn"`, "/static/passkey.")
	wantRedirect(t, b.touch(page, phone), w.authorize(f))
	w.wantOutcome("signed-in")
	sessions, err := w.db.SessionsOf(t.Context(), w.ada.ID, w.now.UnixMilli())
	if err != nil || len(sessions) != 1 || sessions[0].ACR != accounts.ACRTwoFactors {
		t.Fatalf("sessions %+v, %v", sessions, err)
	}
	if b.cookie("known") == "" || b.cookie("pending") != "" {
		t.Errorf("cookies %v", b.jar)
	}
	for _, s := range []string{"clientDataJSON", phone.rp.ID + `"`, ticket(t, page)} {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("the log holds %q", s)
		}
	}
}

func TestPasskey_WayBack(t *testing.T) {
	w := newWorld(t)
	phone := w.phone(w.ada)
	b := w.browser()
	page := b.get("/signin?again=1&return=/account/factors")
	answer := b.touch(page, phone, "again", "1", "return", "/account/factors")
	wantRedirect(t, answer, "https://id.example.com/account/factors")
	// Confirming: the answer of a wrong device leaves the page as it was.
	w.now = w.now.Add(time.Minute)
	page = b.get("/signin?again=1&return=/account/factors")
	_, ceremony := b.question(page, "again", "1", "return", "/account/factors")
	answer = b.post("/signin", fill(t, page, "again", "1", "return", "/account/factors", "action", "passkey", "ceremony", ceremony, "response", "{}"))
	wantPage(t, answer, http.StatusUnprocessableEntity, "That passkey did not sign you in", `value="ada"`, "readonly", `value="/account/factors"`)
}

func TestPasskey_Unknown(t *testing.T) {
	w := newWorld(t)
	phone := w.phone(w.ada)
	w.must(w.factors.Reset(t.Context(), operator(), w.ada.Subject))
	b := w.browser()
	answer := b.touch(b.get("/signin"), phone)
	wantPage(t, answer, http.StatusUnprocessableEntity, "No account here has that passkey any more", `data-rp="id.example.com"`)
	var said struct{ ID string }
	w.must(json.Unmarshal([]byte(phone.answer(`{"challenge":"Zm9v"}`)), &said))
	if got := attribute(t, answer, "data-unknown"); got != said.ID {
		t.Errorf("the page tells of %q, want %q", got, said.ID)
	}
	w.wantOutcome("refused")
}

func TestPasskey_Banned(t *testing.T) {
	w := newWorld(t)
	phone := w.phone(w.ada)
	w.must(w.users.Ban(t.Context(), operator(), w.ada.Subject))
	b := w.browser()
	wantPage(t, b.touch(b.get("/signin"), phone), http.StatusForbidden, "You do not have access")
	w.wantOutcome("banned")
}

func TestPasskey_None(t *testing.T) {
	w := newWorld(t)
	w.handler.Passkeys = nil
	b := w.browser()
	page := b.get("/signin")
	wantPage(t, page, http.StatusOK, "!Sign in with a passkey", "!/static/passkey.")
	if strings.Contains(page.Header().Get("Content-Security-Policy"), "connect-src") {
		t.Error("the page may connect")
	}
	wantPage(t, b.post("/signin/passkey", fill(t, page)), http.StatusNotFound)
	wantPage(t, b.post("/signin", fill(t, page, "action", "passkey", "response", "{}")), http.StatusBadRequest)
	wantPage(t, b.get("/signin/passkey"), http.StatusMethodNotAllowed)
}

func TestPasskey_SecondFactor(t *testing.T) {
	w := newWorld(t)
	phone := w.phone(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.factorPage(f, w.ada)
	wantPage(t, page, http.StatusOK, "Confirm with your passkey", "Use a passkey", "!"+`name="code"`, `data-passkey="get"`, "!connect-src")
	bad := b.post("/second-factor", fill(t, page, "ceremony", attribute(t, page, `name="ceremony" value`), "response", `{"id":"x"}`))
	wantPage(t, bad, http.StatusUnprocessableEntity, "That passkey did not confirm it")
	w.wantOutcome("refused")
	ceremony := attribute(t, bad, `name="ceremony" value`)
	good := phone.answer(attribute(t, bad, "data-options"))
	wantRedirect(t, b.post("/second-factor", fill(t, bad, "ceremony", ceremony, "response", good, "remember", "1")), w.authorize(f))
	if b.cookie("session") == "" || b.cookie("device") == "" {
		t.Errorf("cookies %v", b.jar)
	}
}

// 199: a sign-in by what the person has does not go round by "another way".
func TestAttack_199_AnotherWay(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.factorPage(f, w.ada)
	// Another account, back, restart, the recovery page, the start page: all of them
	// leave the browser without a session.
	for _, path := range []string{
		"/signin?switch=1&flow=" + f.ID.String(), "/second-factor/recovery?flow=" + f.ID.String(), "/second-factor?flow=" + f.ID.String(),
		"/signin?again=1&flow=" + f.ID.String(), "/second-factor?return=/account/", "/consent?flow=" + f.ID.String(), "/", "/signin",
	} {
		b.get(path)
		if b.cookie("session") != "" {
			t.Fatalf("%s signs in", path)
		}
	}
	// Bob's own sign-in in between does not carry Ada's first factor further.
	wantRedirect(t, b.tryPassword(f, "bob", password), w.authorize(f))
	if b.cookie("pending") != "" {
		t.Error("Ada's sign-in still waits beside Bob's session")
	}
	wantPage(t, b.post("/second-factor", fill(t, page, "code", app.code())), http.StatusGone)
	wantPage(t, b.get("/"), http.StatusOK, "Hello, bob Example")
}

// 216: a question is answered once, in time, in the browser that was asked, and for
// what it was asked.
func TestAttack_216_Challenge(t *testing.T) {
	w := newWorld(t)
	phone := w.phone(w.ada)
	b := w.browser()
	f := w.flow(b)
	page := b.get("/signin?flow=" + f.ID.String())
	send := func(b *browser, page *httptest.ResponseRecorder, ceremony, response string) *httptest.ResponseRecorder {
		return b.post("/signin", fill(t, page, "action", "passkey", "ceremony", ceremony, "response", response))
	}
	refused := func(answer *httptest.ResponseRecorder) {
		t.Helper()
		wantPage(t, answer, http.StatusUnprocessableEntity, "That passkey did not sign you in")
	}
	t.Run("other browser", func(t *testing.T) {
		// Whoever has lured somebody to a form with an answer of their own.
		options, ceremony := b.question(page)
		victim := w.browser()
		refused(send(victim, victim.get("/signin"), ceremony, phone.answer(options)))
		bare, _, _ := strings.Cut(ceremony, ".")
		for _, c := range []string{bare, bare + ".", "", "." + ceremony, "x"} {
			refused(send(victim, victim.get("/signin"), c, phone.answer(options)))
		}
		if victim.cookie("session") != "" {
			t.Error("signed in")
		}
	})
	t.Run("once", func(t *testing.T) {
		b := w.browser()
		page := b.get("/signin")
		options, ceremony := b.question(page)
		refused(send(b, page, ceremony, "{}")) // spent by a wrong answer as well
		refused(send(b, page, ceremony, phone.answer(options)))
		options, ceremony = b.question(page)
		wantRedirect(t, send(b, page, ceremony, phone.answer(options)), "https://id.example.com/")
		delete(b.jar, w.cookies.Name("session"))
		refused(send(b, page, ceremony, phone.answer(options)))
	})
	t.Run("late", func(t *testing.T) {
		options, ceremony := b.question(page)
		w.now = w.now.Add(5*time.Minute + time.Second)
		refused(send(b, page, ceremony, phone.answer(options)))
	})
	t.Run("other question", func(t *testing.T) {
		options, _ := b.question(page)
		_, ceremony := b.question(page)
		refused(send(b, page, ceremony, phone.answer(options)))
	})
	t.Run("of a second factor", func(t *testing.T) {
		other := w.browser()
		g := w.flow(other)
		asked := other.factorPage(g, w.ada)
		options, ceremony := attribute(t, asked, "data-options"), attribute(t, asked, `name="ceremony" value`)
		refused(send(other, other.get("/signin"), ceremony, phone.answer(options)))
		options, ceremony = other.question(other.get("/signin"))
		answer := other.post("/second-factor", fill(t, asked, "ceremony", ceremony, "response", phone.answer(options)))
		wantPage(t, answer, http.StatusUnprocessableEntity)
	})
	t.Run("of a new passkey", func(t *testing.T) {
		options, ceremony, err := w.factors.BeginPasskey(t.Context(), w.ada)
		w.must(err)
		refused(send(b, page, ceremony, phone.answer(string(options))))
		refused(send(b, page, w.handler.Ticket(b.cookie("browser"), "/signin/passkey", ceremony), phone.answer(string(options))))
	})
	t.Run("without a page", func(t *testing.T) {
		stranger := w.browser()
		wantPage(t, stranger.post("/signin/passkey", nil), http.StatusForbidden)
		wantPage(t, stranger.post("/signin/passkey", fill(t, page)), http.StatusForbidden)
		stranger.site = "cross-site"
		wantPage(t, stranger.post("/signin/passkey", fill(t, page)), http.StatusForbidden)
	})
	if b.cookie("session") != "" {
		t.Error("signed in")
	}
}

// An answer is foreign input of any size and form.
func TestPasskey_StrangeAnswers(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b, func(f *flow.Flow) { f.LoginHint = "ada" })
	page := b.get("/signin?flow=" + f.ID.String())
	for name, response := range map[string]string{
		"empty": "", "text": "x", "array": "[]", "null": "null", "deep": strings.Repeat("[", 20000), "long": `{"id":"` + strings.Repeat("A", 60000) + `"}`,
		"half": `{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`,
	} {
		_, ceremony := b.question(page)
		answer := b.post("/signin", url.Values{"flow": {ticket(t, page)}, "action": {"passkey"}, "ceremony": {ceremony}, "response": {response}})
		if answer.Code < 400 || answer.Code >= 500 {
			t.Errorf("%s: status %d", name, answer.Code)
		}
	}
}
