package provider_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/provider"
)

// push returns the request_uri of a pushed request.
func (w *world) push(c app, v url.Values) string {
	w.t.Helper()
	a := w.call("/oauth2/par", c, v)
	uri := a.str("request_uri")
	if a.status != http.StatusCreated || a.json["expires_in"] != 90.0 || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		w.t.Fatalf("%d %s", a.status, a.raw)
	}
	return uri
}

func byReference(c app, uri string, changes ...string) url.Values {
	return changed(url.Values{"client_id": {c.ClientID}, "request_uri": {uri}}, changes...)
}

func TestAttack_138_PushedRequests(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	other := w.register(accounts.Registration{Name: "Other", Type: accounts.WebClient, RedirectURIs: []string{callback}})
	uri := w.push(w.web, w.web.request("openid"))
	if n := len(strings.TrimPrefix(uri, "urn:ietf:params:oauth:request_uri:")); n != 43 {
		t.Errorf("%d characters, want 256 bits", n)
	}
	// Nobody else uses it, or uses it up.
	for name, v := range map[string]url.Values{
		"another client": byReference(other, uri), "no client": byReference(w.web, uri, "client_id", ""),
		"guessed": byReference(w.web, uri[:len(uri)-43]+base64.RawURLEncoding.EncodeToString(secret.Random(32))),
		"cut":     byReference(w.web, uri[:len(uri)-1]), "extended": byReference(w.web, uri+"A"), "empty": byReference(w.web, uri[:len(uri)-43]),
		"case": byReference(w.web, uri[:len(uri)-43]+strings.ToUpper(uri[len(uri)-43:])),
	} {
		t.Run(name, func(t *testing.T) { wantPage(t, b.authorize(v), http.StatusBadRequest) })
	}
	// The page may be loaded twice before it is answered, and then no more.
	stranger := w.browser()
	first, second := begun(t, stranger.authorize(byReference(w.web, uri))), begun(t, stranger.authorize(byReference(w.web, uri)))
	stranger.signIn(w.user)
	if q := location(t, stranger.get(issuer+"/oauth2/authorize?flow="+first), callback); q.Get("code") == "" {
		t.Errorf("answer %v", q)
	}
	wantPage(t, stranger.get(issuer+"/oauth2/authorize?flow="+first), http.StatusBadRequest)
	wantPage(t, stranger.get(issuer+"/oauth2/authorize?flow="+second), http.StatusBadRequest)
	wantPage(t, b.authorize(byReference(w.web, uri)), http.StatusBadRequest)
	// Nor after it has expired.
	late := w.push(w.web, w.web.request("openid"))
	w.clock.advance(91 * time.Second)
	wantPage(t, b.authorize(byReference(w.web, late)), http.StatusBadRequest)
}

// lasting is a store that does not forget in time.
type lasting struct{ provider.Pushed }

func (l lasting) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return l.Pushed.Put(ctx, key, value, 10*ttl)
}

func TestAttack_138_ExpiryIsNotTheStores(t *testing.T) {
	w := besieged(t)
	w.provider.Pushed = lasting{w.provider.Pushed}
	uri := w.push(w.web, w.web.request("openid"))
	w.clock.advance(90 * time.Second)
	wantPage(t, w.browser().authorize(byReference(w.web, uri)), http.StatusBadRequest)
}

func TestAttack_139_HostilePushes(t *testing.T) {
	w := besieged(t)
	good := w.web.request("openid")
	wantError(t, w.call("/oauth2/par", app{}, good), http.StatusUnauthorized, "invalid_client")
	wantError(t, w.call("/oauth2/par", app{w.web.Client, "wrong-wrong-wrong-wrong"}, good), http.StatusUnauthorized, "invalid_client")
	for name, change := range map[string][]string{
		"request_uri": {"request_uri", "urn:ietf:params:oauth:request_uri:x"}, "another client": {"client_id", "nobody"},
		"unregistered": {"redirect_uri", "https://evil.example/"}, "prompt": {"prompt", "none login"}, "challenge": {"code_challenge", ""},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, w.call("/oauth2/par", w.web, changed(cloneValues(good), change...)), http.StatusBadRequest, "invalid_request")
		})
	}
	wantError(t, w.call("/oauth2/par", w.web, changed(cloneValues(good), "request", "eyJ")), http.StatusBadRequest, "request_not_supported")
	wantError(t, w.call("/oauth2/par", w.web, changed(cloneValues(good), "state", strings.Repeat("s", 70<<10))), http.StatusRequestEntityTooLarge, "invalid_request")
	wantError(t, w.call("/oauth2/par", w.web, changed(cloneValues(good), "resource", "https://unknown.example")), http.StatusBadRequest, "invalid_target")
	// Credentials count in the body alone.
	query := formOf("client_id", w.web.ClientID, "client_secret", w.web.secret).Encode()
	anonymous := changed(cloneValues(good), "client_id", "").Encode()
	r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/par?"+query, strings.NewReader(anonymous))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	wantError(t, w.ask(r), http.StatusUnauthorized, "invalid_client")
}

func TestAttack_140_PushRequired(t *testing.T) {
	w := besieged(t)
	c := w.register(accounts.Registration{Name: "PAR", Type: accounts.WebClient, RedirectURIs: []string{callback}, RequirePAR: true})
	w.allow(w.user, c, "openid")
	b := w.signedIn(w.user)
	wantRedirect(t, b.authorize(c.request("openid")), callback, "invalid_request")
	wantRedirect(t, b.authorize(c.request("openid", "request_uri", "https://evil.example/r")), callback, "request_uri_not_supported")
	if q := location(t, b.authorize(byReference(c, w.push(c, c.request("openid")))), callback); q.Get("code") == "" {
		t.Errorf("answer %v", q)
	}
}

func TestAttack_146_Resources(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, strings.Fields(postsScope)...)
	b := w.signedIn(w.user)
	for name, resource := range map[string]string{
		"relative": "/posts", "fragment": posts + "#x", "unknown": "https://unknown.example", "prefix": posts + ".evil.example", "path": posts + "/x",
		"user": "https://a@posts.example.com", "script": "javascript:alert(1)", "scheme": "http://posts.example.com", "words": "posts", "percent": "https://%70osts.example.com",
	} {
		t.Run(name, func(t *testing.T) {
			wantRedirect(t, b.authorize(w.web.request(postsScope, "resource", resource)), callback, "invalid_target")
			wantError(t, w.call("/oauth2/token", w.machine, formOf("grant_type", "client_credentials", "resource", resource)), http.StatusBadRequest, "invalid_target")
		})
	}
	many := w.web.request(postsScope)
	for range 60 {
		many.Add("resource", posts)
	}
	wantRedirect(t, b.authorize(many), callback, "invalid_request") // too many parameters
	many["resource"] = many["resource"][:11]
	wantRedirect(t, b.authorize(many), callback, "invalid_target")
	// A slash for an empty path is the same resource.
	for _, same := range []string{posts + "/", "HTTPS://Posts.Example.Com", posts + ":443"} {
		a := w.redeem(w.web, b.code(w.web.request(postsScope, "resource", same)))
		if got := claims(t, a.str("access_token"))["aud"]; got != posts {
			t.Errorf("resource %s: aud %v", same, got)
		}
	}
}

// A token is for one API, and tells it nothing of another.
func TestAttack_147_OneAudience(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid", "posts:add", "photos:add")
	b := w.signedIn(w.user)
	both := "openid posts:add photos:add"
	wantError(t, w.redeem(w.web, b.code(w.web.request(both))), http.StatusBadRequest, "invalid_target")
	code := b.code(w.web.request(both))
	a := w.redeem(w.web, code, "resource", photos)
	access := claims(t, a.str("access_token"))
	if access["aud"] != photos || access["scope"] != "openid photos:add" {
		t.Errorf("access token %v", access)
	}
	two := formOf("grant_type", "refresh_token", "refresh_token", a.str("refresh_token"))
	two["resource"] = []string{posts, photos}
	wantError(t, w.call("/oauth2/token", w.web, two), http.StatusBadRequest, "invalid_target")
}
