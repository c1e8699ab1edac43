package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// asReceiver asks as package signals does, with a form in which a token is not looked
// for.
func asReceiver(s *server, authorization []string) (string, *httptest.ResponseRecorder) {
	r := httptest.NewRequest(http.MethodPost, issuer+"/signals/status", strings.NewReader("access_token=x"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Authorization"] = authorization
	a := httptest.NewRecorder()
	if by, ok := s.provider.Receiver(a, r); ok {
		return by.ClientID, a
	}
	return "", a
}

func TestReceiver(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		manage := accounts.PermissionSignalsManage
		ledgerMust(t, s.clients.Update(t.Context(), tester, w.machine.ClientID, func(c *accounts.Client) error {
			c.Permissions = append(c.Permissions, manage, "revocations:read")
			return nil
		}))
		ask := func(authorization ...string) (string, *httptest.ResponseRecorder) {
			return asReceiver(s, authorization)
		}
		machine := func(scope string) string {
			a := w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "resource": {issuer}})
			if a.status != http.StatusOK {
				t.Fatalf("no token: %s", a.raw)
			}
			return a.str("access_token")
		}
		token := machine(manage)
		if by, a := ask("Bearer " + token); by != w.machine.ClientID {
			t.Fatalf("refused: %d %s", a.Code, a.Body)
		}
		// The person holds the permission, and allows the app to use it.
		ledgerMust(t, s.groups.GrantPermission(t.Context(), tester, "Editors", manage))
		w.web.Scopes = append(w.web.Scopes, manage)
		ledgerMust(t, s.clients.Update(t.Context(), tester, w.web.ClientID, func(c *accounts.Client) error {
			c.Scopes = w.web.Scopes
			return nil
		}))
		elsewhere := w.tokens(w.web, w.user, "openid posts:add").str("access_token")
		person := w.tokens(w.web, w.user, "openid "+manage).str("access_token")
		if !strings.Contains(claims(t, person)["scope"].(string), manage) {
			t.Fatalf("claims %v", claims(t, person))
		}
		for name, c := range map[string]struct {
			headers []string
			status  int
			code    string
		}{
			"no token":         {nil, http.StatusUnauthorized, "invalid_token"},
			"another scheme":   {[]string{"Basic " + token}, http.StatusUnauthorized, "invalid_token"},
			"two tokens":       {[]string{"Bearer " + token, "Bearer " + token}, http.StatusBadRequest, "invalid_request"},
			"garbage":          {[]string{"Bearer x"}, http.StatusUnauthorized, "invalid_token"},
			"another audience": {[]string{"Bearer " + elsewhere}, http.StatusUnauthorized, "invalid_token"},
			"another scope":    {[]string{"Bearer " + machine("revocations:read")}, http.StatusForbidden, "insufficient_scope"},
			"a person's":       {[]string{"Bearer " + person}, http.StatusForbidden, "insufficient_scope"},
		} {
			by, a := ask(c.headers...)
			if by != "" || a.Code != c.status || !strings.Contains(a.Body.String(), c.code) || a.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %q, %d %s %v", name, by, a.Code, a.Body, a.Header())
			}
		}
		ledgerAppend(t, s, revocation.Entry{Kind: revocation.Client, Key: w.machine.ClientID, Reason: "test"})
		if by, a := ask("Bearer " + token); by != "" || a.Code != http.StatusUnauthorized {
			t.Errorf("a revoked token receives: %d", a.Code)
		}
	})
}
