package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/outbound"
)

// signOut ends all sessions of the world's person.
func (w *logoutWorld) signOut() {
	w.t.Helper()
	if err := w.users.SignOutEverywhere(w.t.Context(), tester, w.user.Subject); err != nil {
		w.t.Fatal(err)
	}
}

// An app that is down is told when it is up again, by tokens that are fresh but for
// their jti, also by another process than the one that began.
func TestAttack_174_AppThatFails(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		l := newListener(t)
		other := "https://127.0.0.1:1/" // where a redirect leads
		l.answer = func(rw http.ResponseWriter, r *http.Request, n int) {
			switch n {
			case 1:
				rw.WriteHeader(http.StatusBadRequest) // the logout failed (§2.8)
			case 2:
				http.Redirect(rw, r, other, http.StatusTemporaryRedirect)
			case 3:
				panic(http.ErrAbortHandler) // the connection breaks
			case 4:
				rw.WriteHeader(http.StatusNoContent)
			default:
				t.Error("told again")
			}
		}
		c := w.told("app", l)
		w.enter(w.signedIn(w.user), w.user, c, "openid")
		w.signOut()
		for tries := 1; tries <= 4; tries++ {
			w.work(func() bool { return len(l.tokens()) == tries && w.idle() })
			w.clock.advance(3 * time.Hour / 2)
			if tries > 3 {
				break
			}
			if due := w.pending(w.clock.now()); due != 1 {
				t.Fatalf("after %d tries %d jobs wait", tries, due)
			}
		}
		w.work(nil)
		jti := map[any]bool{}
		issued := map[any]bool{}
		for _, raw := range l.tokens() {
			is := claims(t, raw)
			jti[is["jti"]], issued[is["iat"]] = true, true
		}
		if len(jti) != 1 || len(issued) != 4 {
			t.Errorf("%d jti, %d iat in 4 tokens", len(jti), len(issued))
		}
	})
}

// An app that refuses, and one that never answers, are given up, and that is noted.
func TestAttack_174_AppThatIsGivenUp(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		refuses, broken := newListener(t), newListener(t)
		refuses.answer = func(rw http.ResponseWriter, _ *http.Request, _ int) {
			http.Error(rw, `{"error":"invalid_request","error_description":"do not log me"}`, http.StatusBadRequest)
		}
		broken.answer = func(rw http.ResponseWriter, _ *http.Request, _ int) { rw.WriteHeader(http.StatusBadGateway) }
		a, b := w.told("refuses", refuses), w.told("broken", broken)
		browser := w.signedIn(w.user)
		w.enter(browser, w.user, a, "openid")
		w.enter(browser, w.user, b, "openid")
		w.signOut()
		for range 7 {
			w.work(nil)
			w.clock.advance(time.Hour)
		}
		w.clock.advance(13 * time.Hour)
		w.work(nil)
		if len(refuses.tokens()) != 6 || len(broken.tokens()) != 6 {
			t.Errorf("%d and %d tries", len(refuses.tokens()), len(broken.tokens()))
		}
		events, err := w.db.AuditTail(t.Context(), 50)
		if err != nil {
			t.Fatal(err)
		}
		given := map[string]bool{}
		for _, e := range events {
			if e.Action == "job.give_up" {
				given[e.TargetID] = true
			}
		}
		if !given[a.ClientID] || !given[b.ClientID] || len(given) != 2 {
			t.Errorf("given up %v", given)
		}
		for _, text := range []string{"do not log me", "app=refuses", refuses.tokens()[0]} {
			if strings.Contains(w.log.String(), text) {
				t.Errorf("the log holds %q", text)
			}
		}
	})
}

// An app that hangs keeps nobody waiting: not the person, and no other app.
func TestAttack_174_AppThatHangs(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		hangs, well := newListener(t), newListener(t)
		release := make(chan struct{})
		var hanging atomic.Int32
		hangs.answer = func(http.ResponseWriter, *http.Request, int) { hanging.Add(1); <-release }
		w.http = outbound.NewClient(outbound.Options{AllowPrivate: true, Timeout: time.Minute})
		a, b := w.told("hangs", hangs), w.told("well", well)
		const sessions = 5
		for range sessions {
			w.enter(w.signedIn(w.user), w.user, a, "openid")
		}
		w.enter(w.signedIn(w.user), w.user, b, "openid")
		w.signOut() // returns, although nobody works
		w.work(func() bool {
			if len(well.tokens()) < 1 || hanging.Load() < 2 {
				return false
			}
			if n := hanging.Swap(-1000); n > 2 {
				t.Errorf("%d calls at once to one app", n)
			}
			close(release)
			return true
		})
	})
}

// Whoever registers an app does not get to call what this machine can reach.
func TestAttack_174_NoRequestsToTheInside(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		l := newListener(t)
		secure := httptest.NewTLSServer(l)
		defer secure.Close()
		w.http = outbound.NewClient(outbound.Options{})
		b := w.signedIn(w.user)
		for i, uri := range []string{
			l.URL, secure.URL, strings.Replace(secure.URL, "127.0.0.1", "localhost", 1),
			"https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "https://[fd00::1]/",
		} {
			c := w.told(string(rune('a'+i)), l, func(r *accounts.Registration) { r.BackchannelLogoutURI = uri })
			w.enter(b, w.user, c, "openid")
		}
		w.signOut()
		w.work(nil)
		if n := len(l.tokens()); n != 0 {
			t.Errorf("%d requests came through", n)
		}
		if refused := strings.Count(w.log.String(), "the address is refused"); refused != 6 {
			t.Errorf("%d refused, want 6; the log:\n%s", refused, &w.log)
		}
	})
}

// What counts is what is registered at the time of the try: nobody vouches for the
// address of an app that is gone.
func TestAttack_174_AppsThatChange(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		old, moved := newListener(t), newListener(t)
		apps := map[string]app{}
		b := w.signedIn(w.user)
		for _, name := range []string{"moved", "deaf", "disabled", "deleted"} {
			apps[name] = w.told(name, old)
			w.enter(b, w.user, apps[name], "openid")
		}
		w.signOut()
		update := func(name, uri string) {
			err := w.clients.Update(t.Context(), tester, apps[name].ClientID, func(c *accounts.Client) error {
				c.BackchannelLogoutURI = uri
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		old.answer = func(rw http.ResponseWriter, _ *http.Request, _ int) { rw.WriteHeader(http.StatusInternalServerError) }
		w.work(nil)
		tries := len(old.tokens())
		update("moved", moved.URL)
		update("deaf", "")
		if err := w.clients.Disable(t.Context(), tester, apps["disabled"].ClientID); err != nil {
			t.Fatal(err)
		}
		if err := w.clients.Delete(t.Context(), tester, apps["deleted"].ClientID); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Minute)
		w.work(nil)
		if tries != 4 || len(old.tokens()) != 4 || len(moved.tokens()) != 1 {
			t.Errorf("%d and %d tries at the old address, %d at the new", tries, len(old.tokens()), len(moved.tokens()))
		}
		w.clock.advance(24 * time.Hour)
		if n := w.pending(w.clock.now()); n != 0 {
			t.Errorf("%d jobs left", n)
		}
	})
}

// A logout token is good for nothing else (RFC 8725 §3.11).
func TestAttack_69_LogoutTokenElsewhere(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		l := newListener(t)
		c := w.told("app", l)
		w.enter(w.signedIn(w.user), w.user, c, "openid")
		w.signOut()
		w.work(nil)
		if len(l.tokens()) != 1 {
			t.Fatal(&w.log)
		}
		token := l.tokens()[0]
		b := w.signedIn(w.user)
		wantPage(t, b.get(issuer+"/logout?"+url.Values{"id_token_hint": {token}}.Encode()), http.StatusBadRequest)
		if !signedInNow(b, c) {
			t.Error("it ended a session")
		}
		r := httptest.NewRequest(http.MethodGet, issuer+"/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		if a := w.ask(r); a.status != http.StatusUnauthorized {
			t.Errorf("userinfo answered %d", a.status)
		}
		if a := w.introspect(w.resource, token); a.json["active"] != false {
			t.Errorf("introspection: %s", a.raw)
		}
	})
}
