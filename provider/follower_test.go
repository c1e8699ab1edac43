package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// asFollower asks as the feed does, with a body that is no form.
func asFollower(s *server, authorization ...string) (*feed.Follower, bool, *httptest.ResponseRecorder) {
	r := httptest.NewRequest(http.MethodPost, issuer+"/revocations/position", strings.NewReader(`{"position":1}`))
	r.Header.Set("Content-Type", "application/json")
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	w := httptest.NewRecorder()
	f, ok := s.provider.Follower(w, r)
	return f, ok, w
}

// followerToken is a token with which the resource server of posts may follow.
func (w *world) followerToken(c app, scope string) string {
	w.t.Helper()
	a := w.call("/oauth2/token", c, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	if a.status != http.StatusOK {
		w.t.Fatalf("no token: %s", a.raw)
	}
	return a.str("access_token")
}

func TestFollower(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		ledgerMust(t, s.clients.Update(t.Context(), tester, w.machine.ClientID, func(c *accounts.Client) error {
			c.Permissions = append(c.Permissions, "revocations:read")
			return nil
		}))
		token := w.followerToken(w.resource, "revocations:read")
		f, ok, _ := asFollower(s, "Bearer "+token)
		if !ok || f.ClientID != w.resource.ClientID || f.Audience != posts || f.ExpiresAt.Unix() != int64(claims(t, token)["exp"].(float64)) {
			t.Fatalf("follower %+v, %v", f, ok)
		}
		if k := f.Keys(); k.ID != claims(t, token)["jti"] || k.ClientID != w.resource.ClientID {
			t.Errorf("keys %+v", k)
		}
		person := w.tokens(w.web, w.user, "openid posts:add").str("access_token")
		for name, c := range map[string]struct {
			headers []string
			status  int
			code    string
		}{
			"no token":                 {nil, http.StatusUnauthorized, "invalid_token"},
			"another scheme":           {[]string{"Basic " + token}, http.StatusUnauthorized, "invalid_token"},
			"two tokens":               {[]string{"Bearer " + token, "Bearer " + token}, http.StatusBadRequest, "invalid_request"},
			"garbage":                  {[]string{"Bearer x"}, http.StatusUnauthorized, "invalid_token"},
			"another audience":         {[]string{"Bearer " + person}, http.StatusUnauthorized, "invalid_token"},
			"not of a resource server": {[]string{"Bearer " + w.followerToken(w.machine, "revocations:read")}, http.StatusForbidden, "insufficient_scope"},
		} {
			_, ok, answer := asFollower(s, c.headers...)
			if ok || answer.Code != c.status || !strings.Contains(answer.Body.String(), c.code) || answer.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %v, %d %s %v", name, ok, answer.Code, answer.Body, answer.Header())
			}
		}
		// What ends the token ends the follower, at the next question.
		ledgerAppend(t, s, revocation.Entry{Kind: revocation.Client, Key: w.resource.ClientID, Reason: "test"})
		if _, ok, answer := asFollower(s, "Bearer "+token); ok || answer.Code != http.StatusUnauthorized {
			t.Errorf("a revoked token follows: %d", answer.Code)
		}
	})
}
