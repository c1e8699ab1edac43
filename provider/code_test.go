package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestCodeGrant(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		a := w.tokens(w.web, w.user, "openid profile email offline_access posts:add", "resource", posts)
		if a.str("token_type") != "Bearer" || a.json["expires_in"].(float64) != 600 {
			t.Errorf("answer: %s", a.raw)
		}
		if got := a.str("scope"); got != "openid profile email offline_access posts:add" {
			t.Errorf("scope %q", got)
		}
		if a.header.Get("Cache-Control") != "no-store" {
			t.Error("the answer may be cached")
		}
		access := claims(t, a.str("access_token"))
		for name, want := range map[string]any{
			"iss": issuer, "aud": posts, "sub": w.user.Subject, "client_id": w.web.ClientID,
			"scope": "openid profile email offline_access posts:add",
		} {
			if access[name] != want {
				t.Errorf("access token: %s = %v, want %v", name, access[name], want)
			}
		}
		for _, name := range []string{"jti", "sid", "gid", "rev", "exp", "iat"} {
			if _, ok := access[name]; !ok {
				t.Errorf("access token lacks %s", name)
			}
		}
		header := decodePart(t, strings.Split(a.str("access_token"), ".")[0])
		if header["typ"] != "at+jwt" || header["alg"] != "ES256" {
			t.Errorf("header %v", header)
		}
		idToken := claims(t, a.str("id_token"))
		if idToken["nonce"] != "nonce-1" || idToken["aud"] != w.web.ClientID || idToken["at_hash"] == nil || idToken["sid"] != access["sid"] {
			t.Errorf("id token %v", idToken)
		}
		if idToken["name"] != nil {
			t.Error("profile claims belong to userinfo")
		}

		b := w.refresh(w.web, a.str("refresh_token"))
		if b.status != http.StatusOK {
			t.Fatalf("refresh: %d %s", b.status, b.raw)
		}
		again := claims(t, b.str("id_token"))
		if again["nonce"] != nil || again["auth_time"] != idToken["auth_time"] || again["sub"] != idToken["sub"] {
			t.Errorf("id token of a refresh: %v", again)
		}
		if got := w.introspect(w.resource, b.str("access_token")); got.json["active"] != true || got.str("sub") != w.user.Subject {
			t.Errorf("introspection by the resource server: %s", got.raw)
		}
	})
}

func TestRefreshGrace(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		first := w.tokens(w.web, w.user, "openid").str("refresh_token")
		second := w.refresh(w.web, first).str("refresh_token")
		third := w.refresh(w.web, second).str("refresh_token")
		if second == first || third == second || third == "" {
			t.Fatal("the token does not rotate")
		}
		s.clock.advance(20 * time.Second)
		if got := w.refresh(w.web, first).str("refresh_token"); got != second {
			t.Errorf("within the grace period a token is answered with its own successor, got %q", got)
		}
		if got := w.refresh(w.web, second).str("refresh_token"); got != third {
			t.Error("the one before last changed its successor")
		}
		s.clock.advance(11 * time.Second)
		wantError(t, w.refresh(w.web, first), http.StatusBadRequest, "invalid_grant")
		wantError(t, w.refresh(w.web, third), http.StatusBadRequest, "invalid_grant")
	})
}

func TestCodeReplayEndsTheGrant(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		w.allow(w.user, w.web, "openid", "posts:add")
		code := w.signedIn(w.user).code(w.web.request("openid posts:add"))
		won := w.redeem(w.web, code)
		if won.status != http.StatusOK {
			t.Fatal(won.raw)
		}
		// Who cannot prove to be the client ends nothing (attacks 43, 45).
		wantError(t, w.redeem(w.web, code, "code_verifier", strings.Repeat("x", 43)), http.StatusBadRequest, "invalid_grant")
		if got := w.introspect(w.resource, won.str("access_token")); got.json["active"] != true {
			t.Fatal("a replay without the verifier ended the grant")
		}
		wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
		if got := w.introspect(w.resource, won.str("access_token")); got.json["active"] != false {
			t.Error("the access token outlived a replay of its code")
		}
		wantError(t, w.refresh(w.web, won.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	})
}
