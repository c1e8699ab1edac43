package provider_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestClaimsByName: a claim asked for by name is released where it was asked for,
// if the person allowed what covers it; its scope stays out of the token.
func TestClaimsByName(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	const wish = `{"userinfo":{"name":{"essential":true}},"id_token":{"email":null}}`
	request := w.web.request("openid", "claims", wish)

	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	first := w.redeem(w.web, b.code(request))
	if c := claims(t, first.str("id_token")); c["email"] != nil {
		t.Error("a claim that the person did not allow is in the ID token")
	}
	if got := w.userinfo(first.str("access_token")); got.json["name"] != nil {
		t.Error("a claim that the person did not allow is in userinfo")
	}

	w.allow(w.user, w.web, "openid", "profile", "email")
	a := w.redeem(w.web, b.code(request))
	if a.str("scope") != "openid" {
		t.Errorf("scope %q", a.str("scope"))
	}
	if c := claims(t, a.str("id_token")); c["email"] != "ada@example.com" || c["name"] != nil {
		t.Errorf("ID token: %v", c)
	}
	if got := w.userinfo(a.str("access_token")); got.str("name") != "Name of ada" || got.json["email"] != nil || got.json["nickname"] != nil {
		t.Errorf("userinfo: %s", got.raw)
	}
}

// TestClaimsByName_AreConsentedTo: what covers them is on the consent page.
func TestClaimsByName_AreConsentedTo(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	if err := w.consents.Allow(t.Context(), tester, w.user, w.web.Client, []string{"openid"}, []string{"openid"}); err != nil {
		t.Fatal(err)
	}
	resp := w.signedIn(w.user).authorize(w.web.request("openid", "claims", `{"userinfo":{"name":null}}`))
	location(t, resp, issuer+"/consent?flow=")
}

func (s *server) userinfo(token string) answer {
	r := httptest.NewRequest(http.MethodGet, issuer+"/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return s.ask(r)
}
