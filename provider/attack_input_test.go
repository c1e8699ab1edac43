package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// What is legal text to a parser may be none to a database: no request is our
// fault because of its letters.
func TestAttack_100_OddTextIsStoredOrRefused(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		w.allow(w.user, w.web, "openid")
		b := w.signedIn(w.user)
		odd := []string{"a\x01b", "\u2028", "\U0001F600", "\ufeff", "a\x7f", "''\"`--;$1", "\\u0000", "%00", "é" + strings.Repeat("ß", 100)}
		for _, text := range odd {
			for _, name := range []string{"state", "nonce", "login_hint", "ui_locales", "unknown_parameter"} {
				v := w.web.request("openid", name, text)
				a := w.redeem(w.web, b.code(v))
				if a.status != http.StatusOK || name == "nonce" && claims(t, a.str("id_token"))["nonce"] != text {
					t.Errorf("%s %q: %s", name, text, a.raw)
				}
				location(t, w.browser().authorize(v), issuer+"/signin") // the flow is stored
			}
		}
		for _, text := range []string{`{"userinfo":{"a\u0000b":null}}`, `{"id_token":{"x":{"value":"\ud800"}}}`, `{"userinfo":{"email":{"value":"\u0000"}}}`} {
			a := w.redeem(w.web, b.code(w.web.request("openid", "claims", text)))
			if a.status != http.StatusOK || w.refresh(w.web, a.str("refresh_token")).status != http.StatusOK {
				t.Errorf("claims %s: %s", text, a.raw)
			}
			wantUserinfo(t, w, a.str("access_token"), http.StatusOK)
		}
		for _, name := range []string{"client_id", "code", "refresh_token", "token", "grant_type", "redirect_uri", "resource", "scope"} {
			for _, text := range append(odd, "\x00", "a\x00b", "\xff") {
				v := w.web.request("openid", name, text)
				v.Set("grant_type", "authorization_code")
				v.Set(name, text)
				for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/par"} {
					w.call(path, w.web, v)
				}
				b.authorize(v)
				b.get(issuer + "/logout?" + v.Encode())
			}
		}
	})
}

func TestAttack_186_LargeRequests(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		b := w.browser()
		large := w.web.request("openid", "ui_locales", strings.Repeat("en ", 12000))
		post := func(path string, v url.Values) *http.Response {
			r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader(v.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return b.do(r)
		}
		if resp := post("/oauth2/authorize", large); resp.StatusCode >= 500 {
			t.Errorf("authorize: %d", resp.StatusCode)
		}
		for _, n := range []int{2000, 5000, 12000, 20000} {
			a := w.call("/oauth2/par", w.web, w.web.request("openid", "ui_locales", strings.Repeat("en ", n)))
			if a.status != http.StatusCreated && (a.status >= 500 || a.str("error") != "invalid_request") {
				t.Errorf("par with %d locales: %d %s", n, a.status, a.raw)
			}
		}
		many := w.web.request("openid")
		for i := range 80 {
			many.Set("x"+strings.Repeat("y", i), "z")
		}
		wantRedirect(t, b.authorize(many), callback, "invalid_request")
		wantPage(t, post("/oauth2/authorize", w.web.request("openid", "state", strings.Repeat("s", 70<<10))), http.StatusBadRequest)
	})
}

// A client that was not allowed the profile does not learn the name by asking
// about its own token.
func TestAttack_114_NamesAreOfTheProfile(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, "openid posts:add")
	for _, token := range []string{"access_token", "refresh_token"} {
		if a := w.introspect(w.web, got.str(token)); a.json["active"] != true || a.str("username") != "" {
			t.Errorf("%s without profile: %s", token, a.raw)
		}
	}
	got = w.tokens(w.web, w.user, "openid profile posts:add")
	if a := w.introspect(w.web, got.str("refresh_token")); a.str("username") != "ada" {
		t.Errorf("with profile: %s", a.raw)
	}
	// An access token is answered from memory, which knows no names.
	for _, asking := range []app{w.web, w.resource} {
		if a := w.introspect(asking, got.str("access_token")); a.json["active"] != true || a.str("username") != "" {
			t.Errorf("an access token: %s", a.raw)
		}
	}
}

func TestAttack_090_NoRefreshTokenWithoutTheGrant(t *testing.T) {
	w := besieged(t)
	c := w.register(accounts.Registration{
		Name: "Short", Type: accounts.WebClient, RedirectURIs: []string{callback}, GrantTypes: []string{"authorization_code"},
	})
	got := w.tokens(c, w.user, "openid offline_access")
	if got.str("refresh_token") != "" || slices.Contains(strings.Fields(got.str("scope")), "offline_access") {
		t.Errorf("%s", got.raw)
	}
	// A client that loses the grant type cannot use what it has.
	held := w.tokens(w.web, w.user, postsScope)
	err := w.clients.Update(t.Context(), tester, w.web.ClientID, func(c *accounts.Client) error {
		c.GrantTypes = []string{"authorization_code"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, w.refresh(w.web, held.str("refresh_token")), http.StatusBadRequest, "unauthorized_client")
}
