package provider_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// The matcher has its own tests and its fuzzing in package accounts; here the
// endpoint itself must refuse, with a page.
func TestAttack_025_to_039_RedirectURIs(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	w.allow(w.user, w.web, "openid")
	for row, uris := range map[string][]string{
		"025 prefix": {callback + ".evil.example", callback + "2", "https://app.example.com.evil.example/callback", "https://app.example.com", callback + "/"},
		"026 regex":  {"https://appxexample.com/callback", "https://app-example.com/callback"},
		"027 user":   {"https://good@app.example.com/callback", "https://app.example.com:x@evil.example/callback", "https://app.example.com@evil.example/callback"},
		"028 path": {
			"https://app.example.com/x/../callback", "https://app.example.com/..;/callback", "https://app.example.com/./callback", "https://app.example.com//callback",
			"https://app.example.com/%63allback", "https://app.example.com\\callback", "https://app.example.com/call\tback", "https://app.example.com/call\nback",
			callback + "?x=1", callback + "#x", callback + "?", " " + callback, callback + " ", "HTTPS://app.example.com/callback",
			"https://APP.example.com/callback", "https://app.example.com:443/callback", "//app.example.com/callback", "/callback", "/\\evil.example",
		},
		"030 scheme":   {"JaVaScRiPt:alert(1)", "javascript:alert(1)//" + callback, "data:text/html,x", "vbscript:x", "file:///x", "blob:" + callback, "about:blank"},
		"031 loopback": {"http://127.0.0.1/callback", "http://localhost/callback", "http://[::1]/callback"},
		"033 http":     {"http://app.example.com/callback"},
		"034 wildcard": {"https://*.example.com/callback", "https://evilexample.com/callback", "https://x.app.example.com/callback"},
		"036 decoding": {"%68ttps://app.example.com/callback", "https%3A%2F%2Fapp.example.com%2Fcallback", "https://app%2eexample.com/callback"},
		"039 names":    {"https://äpp.example.com/callback", "https://app.example.com\u3002/callback", "https://аpp.example.com/callback"},
	} {
		t.Run(row, func(t *testing.T) {
			for _, uri := range uris {
				wantPage(t, b.authorize(w.web.request("openid", "redirect_uri", uri)), http.StatusBadRequest)
				wantError(t, w.call("/oauth2/par", w.web, w.web.request("openid", "redirect_uri", uri)), http.StatusBadRequest, "invalid_request")
			}
		})
	}
}

func TestAttack_031_LoopbackPorts(t *testing.T) {
	w := besieged(t)
	b := w.browser()
	c := w.native("http://127.0.0.1/cb?x=1", "http://localhost:8000/cb", "http://[::1]/cb")
	for _, uri := range []string{"http://127.0.0.1:5123/cb?x=1", "http://localhost:1/cb", "http://localhost/cb", "http://[::1]:65535/cb"} {
		location(t, b.authorize(c.request("openid", "redirect_uri", uri)), issuer+"/signin")
	}
	for _, uri := range []string{
		"http://127.0.0.1:5123/cb", "http://127.0.0.1:5123/cb?x=2", "http://localhost:1/other", "https://localhost:1/cb", "http://localhost:65536/cb",
		"http://localhost:0/cb", "http://localhost:/cb", "http://localhost.evil/cb", "http://localhost.:1/cb", "http://127.0.0.1.nip.io/cb?x=1",
		"http://2130706433/cb?x=1", "http://0/cb?x=1", "http://127.1/cb?x=1", "http://127.0.0.2/cb?x=1", "http://LOCALHOST:1/cb",
		"http://localhost:1@evil.example/cb", "http://evil.example#@localhost:1/cb", "http://[::1%25lo]:1/cb", "http://[0:0:0:0:0:0:0:1]/cb",
		"http://localhost:1/c%62", "http://localhost:+1/cb", "http://localhost:1;/cb",
	} {
		wantPage(t, b.authorize(c.request("openid", "redirect_uri", uri)), http.StatusBadRequest)
	}
}

func TestAttack_037_CustomSchemeNeedsPKCE(t *testing.T) {
	w := besieged(t)
	uri := "com.example.app:/cb"
	c := w.native(uri)
	b := w.signedIn(w.user)
	wantRedirect(t, b.authorize(c.request("openid", "code_challenge", "", "code_challenge_method", "")), uri, "invalid_request")
	if err := w.clients.Update(t.Context(), tester, c.ClientID, func(c *accounts.Client) error { c.RequirePKCE = false; return nil }); err == nil {
		t.Error("a public client may do without PKCE")
	}
}

func TestAttack_038_RedirectURIOmitted(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	// OpenID Connect demands it always.
	wantPage(t, b.authorize(w.web.request("openid", "redirect_uri", "")), http.StatusBadRequest)
	two := w.register(accounts.Registration{
		Name: "Two", Type: accounts.WebClient, RedirectURIs: []string{callback, callback + "2"}, Scopes: []string{"posts:add"},
	})
	wantPage(t, b.authorize(two.request("posts:add", "redirect_uri", "")), http.StatusBadRequest)
	// With one alone it may be left out, at both ends.
	w.allow(w.user, w.web, "posts:add")
	code := location(t, b.authorize(w.web.request("posts:add", "redirect_uri", "")), callback).Get("code")
	if a := w.redeem(w.web, code, "redirect_uri", ""); a.status != http.StatusOK {
		t.Errorf("redemption: %s", a.raw)
	}
	// What was sent must be sent again.
	code = b.code(w.web.request("posts:add"))
	wantError(t, w.redeem(w.web, code, "redirect_uri", ""), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_055_OtherRedirectURIAtTheTokenEndpoint(t *testing.T) {
	w := besieged(t)
	c := w.native("http://127.0.0.1:7000/cb")
	w.allow(w.user, c, "openid")
	b := w.signedIn(w.user)
	flowID := begun(t, b.authorize(c.request("openid", "redirect_uri", "http://127.0.0.1:7001/cb")))
	f := w.flow(flowID)
	f.ConsentedBy = w.user.Subject
	w.step(f)
	code := location(t, b.get(issuer+"/oauth2/authorize?flow="+flowID), "http://127.0.0.1:7001/cb").Get("code")
	for _, uri := range []string{"http://127.0.0.1:7000/cb", "http://127.0.0.1:7002/cb", "http://127.0.0.1:7001/cb/", "", "http://127.0.0.1:7001/cb?x"} {
		wantError(t, w.redeem(c, code, "redirect_uri", uri), http.StatusBadRequest, "invalid_grant")
	}
	if a := w.redeem(c, code, "redirect_uri", "http://127.0.0.1:7001/cb"); a.status != http.StatusOK {
		t.Errorf("the honest client: %s", a.raw)
	}
}
