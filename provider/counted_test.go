package provider_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// tally is a Counter that a test looks into.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

// Count implements provider.Counter.
func (c *tally) Count(w counts.What, client id.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := "somebody"
	if !client.IsZero() {
		who = "client"
	}
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[string(w.Kind)+" "+w.Place+" "+w.Name+" "+w.Reason+" "+who]++
}

// taken returns what was counted since it was called last.
func (c *tally) taken() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = nil
	return n
}

// TestCounted: each request is counted once, as what it was to its client, with the
// reason that only operators are told.
func TestCounted(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	seen := &tally{}
	w.provider.Counter = seen
	nobody := app{Client: &accounts.Client{ClientID: "nobody", RedirectURIs: []string{callback}}}
	w.allow(w.user, w.web, "openid", "offline_access", "posts:add")
	b := w.signedIn(w.user)
	code := func() string { return b.code(w.web.request("openid offline_access")) }
	tokens := w.redeem(w.web, code())
	seen.taken()
	used := code()
	for _, step := range []struct {
		name string
		do   func()
		want map[string]int
	}{
		{"code", func() { w.redeem(w.web, used) }, map[string]int{"token  authorization_code  client": 1}},
		{"code again", func() { w.redeem(w.web, used) }, map[string]int{"refusal token invalid_grant reused client": 1}},
		{"verifier", func() { w.redeem(w.web, code(), "code_verifier", "") }, map[string]int{"refusal token invalid_grant  client": 1}},
		{"expired code", func() {
			late := code()
			w.clock.advance(2 * time.Minute)
			w.redeem(w.web, late)
		}, map[string]int{"refusal token invalid_grant expired client": 1}},
		{"unknown code", func() { w.redeem(w.web, "x") }, map[string]int{"refusal token invalid_grant unknown client": 1}},
		{"refresh", func() { w.refresh(w.web, tokens.str("refresh_token")) }, map[string]int{"token  refresh_token  client": 1}},
		{"machine", func() { w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"client_credentials"}}) }, map[string]int{"token  client_credentials  client": 1}},
		{"grant type", func() { w.call("/oauth2/token", w.web, url.Values{"grant_type": {"magic"}}) }, map[string]int{"refusal token unsupported_grant_type  client": 1}},
		{"method", func() {
			r, _ := http.NewRequest(http.MethodGet, issuer+"/oauth2/token", nil)
			w.ask(r)
		}, map[string]int{"refusal token invalid_request  somebody": 1}},
		{"wrong secret", func() { w.redeem(app{w.web.Client, "wrong"}, "x") }, map[string]int{"refusal token invalid_client  client": 1}},
		{"unknown client", func() { w.redeem(nobody, "x") }, map[string]int{"refusal token invalid_client unknown_client somebody": 1}},
		{"active", func() { w.introspect(w.web, tokens.str("refresh_token")); w.introspect(w.web, "x") }, map[string]int{"introspection  inactive  client": 2}},
		{"refresh again", func() {
			w.clock.advance(31 * time.Second) // the grace period
			w.refresh(w.web, tokens.str("refresh_token"))
		}, map[string]int{"refusal token invalid_grant reused client": 1}},
		{"refresh of what has ended", func() { w.refresh(w.web, tokens.str("refresh_token")) }, map[string]int{"refusal token invalid_grant revoked client": 1}},
		{"revoke", func() { w.call("/oauth2/revoke", w.web, url.Values{}) }, map[string]int{"refusal revoke invalid_request  client": 1}},
		{"push", func() { w.call("/oauth2/par", w.web, w.web.request("openid", "redirect_uri", "https://evil.example")) }, map[string]int{"refusal par invalid_request redirect_uri client": 1}},
		{"redirect URI", func() { b.authorize(w.web.request("openid", "redirect_uri", "https://evil.example")) }, map[string]int{"refusal authorize invalid_request redirect_uri client": 1}},
		{"no client", func() { b.authorize(nobody.request("openid")) }, map[string]int{"refusal authorize invalid_client unknown_client somebody": 1}},
		{"silent", func() { w.browser().authorize(w.web.request("openid", "prompt", "none")) }, map[string]int{"refusal authorize login_required  client": 1}},
		{"old push", func() {
			b.authorize(url.Values{"client_id": {w.web.ClientID}, "request_uri": {"urn:ietf:params:oauth:request_uri:x"}})
		}, map[string]int{"refusal authorize invalid_request_uri unknown somebody": 1}},
	} {
		step.do()
		if diff := cmp.Diff(step.want, seen.taken()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	live := w.tokens(w.web, w.user, "openid")
	if got := w.introspect(w.web, live.str("access_token")); got.json["active"] != true || seen.taken()["introspection  active  client"] != 1 {
		t.Errorf("an active token was not counted: %d %s", got.status, got.raw)
	}
}
