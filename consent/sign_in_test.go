package consent_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

func TestSignIn_RightPassword(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	page := b.get("/signin?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, "Post Board", "board.example.com", `autocomplete="current-password"`, "Cancel")
	answer := b.post("/signin", fill(t, page, "username", " ADA ", "password", password, "action", "continue"))
	wantRedirect(t, answer, w.authorize(f))
	w.wantOutcome("signed-in")
	for _, name := range []string{"session", "known"} {
		found := false
		for _, c := range answer.Result().Cookies() {
			if c.Name != w.cookies.Name(name) {
				continue
			}
			found = true
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
				t.Errorf("cookie %s: %+v", name, c)
			}
		}
		if !found {
			t.Errorf("no cookie %s", name)
		}
	}
	sessions, err := w.db.SessionsOf(t.Context(), w.ada.ID, w.now.UnixMilli())
	if err != nil || len(sessions) != 1 || sessions[0].Address != "192.0.2.1" {
		t.Fatalf("sessions %+v, %v", sessions, err)
	}
	wantPage(t, b.get("/"), http.StatusOK, "Hello, ada Example", `href="/logout"`, `!href="/admin/"`)
	w.must(w.users.SetStaff(t.Context(), operator(), w.ada.Subject, true))
	wantPage(t, b.get("/"), http.StatusOK, `href="/admin/"`)
}

func TestSignIn_ByMailAddress(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	wantRedirect(t, b.tryPassword(f, "Ada@Example.ORG", password), w.authorize(f))
}

// Unknown, wrong, and banned with a wrong password look alike.
func TestSignIn_Refused(t *testing.T) {
	w := newWorld(t)
	w.must(w.users.Ban(t.Context(), operator(), w.bob.Subject))
	for _, name := range []string{"ada", "nobody", "bob", "ada@example.org"} {
		b := w.browser()
		f := w.flow(b)
		answer := b.tryPassword(f, name, "wrong password")
		wantPage(t, answer, http.StatusUnprocessableEntity, "Username or password is not right", `value="`+name+`"`, `id="problems" role="alert" tabindex="-1"`, "!wrong password")
		if answer.Header().Get("WWW-Authenticate") != "" {
			t.Error("a page asks for HTTP authentication")
		}
		w.wantOutcome("refused")
		if b.jar[w.cookies.Name("session")] != "" || b.jar[w.cookies.Name("known")] != "" {
			t.Errorf("%s: a cookie was set", name)
		}
		// The page can be sent again as it is.
		if name == "ada" {
			again := b.post("/signin", fill(t, answer, "username", name, "password", password, "action", "continue"))
			wantRedirect(t, again, w.authorize(f))
		}
	}
}

// An attempt is not the doing of whoever this browser's session belongs to.
func TestSignIn_RefusedBesideSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	b.tryPassword(w.flow(b), "bob", "wrong password")
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	if last := lines[len(lines)-1]; strings.Contains(last, "user_id") {
		t.Errorf("logged %s", last)
	}
	wantPage(t, b.get("/"), http.StatusOK, "Hello, ada Example")
}

func TestSignIn_Banned(t *testing.T) {
	w := newWorld(t)
	w.must(w.users.Ban(t.Context(), operator(), w.bob.Subject))
	b := w.browser()
	f := w.flow(b)
	answer := b.tryPassword(f, "bob", password)
	wantPage(t, answer, http.StatusForbidden, "You do not have access", "/signin?flow="+f.ID.String())
	w.wantOutcome("banned")
	if b.jar[w.cookies.Name("session")] != "" {
		t.Error("a blocked account got a session")
	}
}

func TestSignIn_Throttled(t *testing.T) {
	w := newWorld(t)
	owner, stranger := w.browser(), w.browser()
	owner.enter(w.ada)
	f := w.flow(stranger)
	for range 10 {
		wantPage(t, stranger.tryPassword(f, "ada", "wrong"), http.StatusUnprocessableEntity)
	}
	answer := stranger.tryPassword(f, "ADA@example.org", password)
	wantPage(t, answer, http.StatusTooManyRequests, "You can try again in 60 seconds", "!Username or password is not right")
	if got := answer.Header().Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After %q", got)
	}
	w.wantOutcome("throttled")
	// The owner's own browser is known, and so not locked out.
	owner.enter(w.ada)
	w.now = w.now.Add(time.Minute)
	wantRedirect(t, stranger.tryPassword(f, "ada", password), w.authorize(f))
}

type busy struct{}

func (busy) Authenticate(context.Context, accounts.Attempt) (*accounts.Result, error) {
	return nil, accounts.ErrBusy
}

func TestSignIn_Busy(t *testing.T) {
	w := newWorld(t)
	w.handler.Authenticator = busy{}
	b := w.browser()
	f := w.flow(b)
	answer := b.tryPassword(f, "ada", password)
	wantPage(t, answer, http.StatusServiceUnavailable, "/signin?flow="+f.ID.String())
	if answer.Header().Get("Retry-After") != "5" {
		t.Error("no Retry-After")
	}
}

func TestSignIn_MissingFields(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	page := b.get("/signin?flow=" + f.ID.String())
	wantPage(t, b.post("/signin", fill(t, page, "action", "continue")), http.StatusUnprocessableEntity, "Enter your username", "Enter your password")
	wantPage(t, b.post("/signin", fill(t, page, "username", "ada", "password", "")), http.StatusUnprocessableEntity, "!Enter your username", "Enter your password", `value="ada"`)
	wantPage(t, b.post("/signin", fill(t, page, "username", "ada", "password", password, "action", "allow")), http.StatusBadRequest)
	if b.jar[w.cookies.Name("session")] != "" {
		t.Error("signed in")
	}
}

func TestSignIn_Deny(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	page := b.get("/signin?flow=" + f.ID.String())
	wantRedirect(t, b.post("/signin", fill(t, page, "action", "deny")), w.authorize(f))
	w.wantOutcome("denied")
	if w.stored(f).DeniedAt == 0 {
		t.Error("not written down")
	}
}

// A second sign-in in one browser ends its first session, whoever's it was.
func TestSignIn_NewSessionEachTime(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	first := b.jar[w.cookies.Name("session")]
	b.enter(w.bob)
	if second := b.jar[w.cookies.Name("session")]; second == first {
		t.Fatal("the session's token was kept")
	}
	b.jar[w.cookies.Name("session")] = first
	wantPage(t, b.get("/"), http.StatusOK, "!Hello")
}

// The password form can be sent again by the back button; every time it counts
// as a sign-in of its own.
func TestSignIn_BackButton(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	form := fill(t, b.get("/signin?flow="+f.ID.String()), "username", "ada", "password", password)
	wantRedirect(t, b.post("/signin", form), w.authorize(f))
	wantRedirect(t, b.post("/signin", form), w.authorize(f))
	sessions, err := w.db.SessionsOf(t.Context(), w.ada.ID, w.now.UnixMilli())
	if err != nil || len(sessions) != 1 {
		t.Errorf("%d sessions, %v", len(sessions), err)
	}
}

// Who is signed in has nothing to do on the page, such as in a second tab.
func TestSignIn_SecondTab(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	one, two := w.flow(b), w.flow(b)
	page := b.get("/signin?flow=" + two.ID.String())
	wantRedirect(t, b.tryPassword(one, "ada", password), w.authorize(one))
	wantRedirect(t, b.get("/signin?flow="+two.ID.String()), w.authorize(two))
	w.now = w.now.Add(time.Minute)
	three := w.flow(b)
	wantRedirect(t, b.get("/signin?flow="+three.ID.String()), w.authorize(three))
	wantRedirect(t, b.post("/signin", fill(t, page, "username", "ada", "password", password)), w.authorize(two))
}

func TestSignIn_Reauthenticate(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	w.now = w.now.Add(time.Minute)
	f := w.flow(b, func(f *flow.Flow) { f.Reauthenticate = true })
	page := b.get("/signin?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, "Confirm that it is you", `value="ada"`, "readonly", "/signin?flow="+f.ID.String()+"&switch=1")
	answer := b.post("/signin", fill(t, page, "username", "ada", "password", "wrong"))
	wantPage(t, answer, http.StatusUnprocessableEntity, "The password is not right", "readonly")
	wantPage(t, b.get("/signin?flow="+f.ID.String()+"&switch=1"), http.StatusOK, "!readonly", `value=""`)
	wantRedirect(t, b.post("/signin", fill(t, answer, "username", "ada", "password", password)), w.authorize(f))
	// Done: the page is not shown again.
	wantRedirect(t, b.get("/signin?flow="+f.ID.String()), w.authorize(f))
}

func TestSignIn_LoginHint(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ name, hint, want string }{
		{"plain", "ada@example.org", `value="ada@example.org"`},
		{"markup", `"><script>alert(1)</script>`, `value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"`},
		{"line end", "ada\r\nSet-Cookie: a=b", `value=""`},
		{"direction", "\u202eada", `value=""`},
		{"long", strings.Repeat("a", 10<<10), `value=""`},
		{"not text", "\xff\xfe", `value=""`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := w.browser()
			f := w.flow(b, func(f *flow.Flow) { f.LoginHint = tc.hint })
			body := b.get("/signin?flow=" + f.ID.String()).Body.String()
			if !strings.Contains(body, `name="username" `+tc.want) {
				t.Errorf("want %s in\n%s", tc.want, body)
			}
		})
	}
}

func TestSignIn_WithoutFlow(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	wantPage(t, b.get("/"), http.StatusOK, `href="/signin"`)
	page := b.get("/signin")
	wantPage(t, page, http.StatusOK, "!Cancel")
	form := fill(t, page, "username", "ada", "password", password, "action", "continue")
	wantPage(t, w.browser().post("/signin", form), http.StatusForbidden)
	wantRedirect(t, b.post("/signin", form), "https://id.example.com/")
	wantRedirect(t, b.get("/signin"), "https://id.example.com/")
	wantPage(t, b.post("/signin", fill(t, page, "action", "deny")), http.StatusBadRequest)
}

func TestSignIn_NothingSecretInLog(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b, func(f *flow.Flow) { f.LoginHint = "hint-of-the-app" })
	page := b.get("/signin?flow=" + f.ID.String())
	b.tryPassword(f, "typed-secret-as-name", "typed-wrong-password")
	b.tryPassword(f, "ada", password)
	for _, s := range []string{password, "typed-", "hint-of-the-app", "ada@", "ada Example", ticket(t, page), b.jar[w.cookies.Name("session")], b.jar[w.cookies.Name("browser")], f.ID.String()} {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("the log holds %q", s)
		}
	}
}
