package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// What the conformance suite of the OpenID Foundation does in its basic plan about
// fresh sign-ins, silent requests and acr, with the names of its modules.

func TestConformance_SignIns(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	w.allow(w.user, w.web, "openid")
	idToken := func(code string) map[string]any {
		t.Helper()
		return claims(t, w.redeem(w.web, code).str("id_token"))
	}
	again := func(b *browser, pairs ...string) map[string]any {
		t.Helper()
		flowID := flowAt(t, b.authorize(w.web.request("openid", pairs...)), flow.PathSignIn)
		w.clock.advance(time.Second)
		b.signIn(w.user)
		return idToken(location(t, b.resume(flowID), callback).Get("code"))
	}
	seconds := func(c map[string]any) float64 {
		at, _ := c["auth_time"].(float64)
		return at
	}
	t.Run("oidcc-prompt-login", func(t *testing.T) {
		b := w.signedIn(w.user)
		first := idToken(b.code(w.web.request("openid")))
		w.clock.advance(time.Second)
		if second := again(b, "prompt", "login"); seconds(second) <= seconds(first) {
			t.Errorf("auth_time %v, then %v", first["auth_time"], second["auth_time"])
		}
	})
	t.Run("oidcc-max-age-1", func(t *testing.T) {
		b := w.signedIn(w.user)
		first := idToken(b.code(w.web.request("openid")))
		w.clock.advance(2 * time.Second)
		second := again(b, "max_age", "1")
		if at := seconds(second); at <= seconds(first) || float64(w.clock.now().Unix())-at > 5 {
			t.Errorf("auth_time %v, then %v", first["auth_time"], second["auth_time"])
		}
	})
	t.Run("oidcc-max-age-10000", func(t *testing.T) {
		b := w.signedIn(w.user)
		first := idToken(b.code(w.web.request("openid", "max_age", "15000")))
		w.clock.advance(2 * time.Second)
		second := idToken(b.code(w.web.request("openid", "max_age", "10000")))
		if seconds(first) == 0 || seconds(first) != seconds(second) {
			t.Errorf("auth_time %v, then %v", first["auth_time"], second["auth_time"])
		}
	})
	t.Run("oidcc-prompt-none-logged-in", func(t *testing.T) {
		b := w.signedIn(w.user)
		first := w.redeem(w.web, b.code(w.web.request("openid")))
		was := claims(t, first.str("id_token"))
		w.clock.advance(2 * time.Second)
		for _, hint := range []string{"", first.str("id_token")} {
			is := idToken(b.code(w.web.request("openid", "prompt", "none", "id_token_hint", hint)))
			if is["sub"] != was["sub"] || is["auth_time"] != was["auth_time"] {
				t.Errorf("ID tokens %v, then %v", was, is)
			}
		}
	})
	t.Run("oidcc-prompt-none-not-logged-in", func(t *testing.T) {
		state := strings.Repeat("s", 128)
		q := location(t, w.browser().authorize(w.web.request("openid", "prompt", "none", "state", state)), callback)
		for name := range q {
			if !strings.Contains(" error error_description error_uri state iss session_state ", " "+name+" ") {
				t.Errorf("parameter %s", name)
			}
		}
		if q.Get("error") != "login_required" || q.Get("state") != state {
			t.Errorf("redirect with %v", q)
		}
	})
	t.Run("oidcc-ensure-request-with-acr-values-succeeds", func(t *testing.T) {
		metadata := w.ask(newGet("/.well-known/openid-configuration"))
		supported, _ := metadata.json["acr_values_supported"].([]any)
		var values []string
		for _, v := range supported {
			values = append(values, v.(string))
		}
		c := idToken(w.signedIn(w.user).code(w.web.request("openid", "acr_values", strings.Join(values, " "))))
		if metadata.status != http.StatusOK || len(values) == 0 || c["acr"] != values[0] {
			t.Errorf("acr %v of %v", c["acr"], values)
		}
	})
}
