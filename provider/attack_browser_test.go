package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// native registers an app on people's devices.
func (w *world) native(uris ...string) app {
	w.t.Helper()
	return w.register(accounts.Registration{
		Name: "Native", Type: accounts.NativeClient, RedirectURIs: uris, Scopes: []string{"openid", "profile", "posts:add"},
	})
}

// begun returns the flow that b was sent on with.
func begun(t *testing.T, resp *http.Response) string {
	t.Helper()
	return location(t, resp, issuer+"/").Get("flow")
}

func TestAttack_018_FlowCannotBeEdited(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	flowID := begun(t, b.authorize(w.web.request("openid")))
	// Parameters beside the flow's id make another request, and that one is bad.
	for _, extra := range []string{"&scope=openid+posts:delete", "&client_id=nobody", "&redirect_uri=https://evil.example"} {
		resp := b.get(issuer + "/oauth2/authorize?flow=" + flowID + extra)
		wantPage(t, resp, http.StatusBadRequest)
	}
	// No step is skipped by returning early (attack 168).
	location(t, b.get(issuer+"/oauth2/authorize?flow="+flowID), issuer+"/consent")
	// A flow that gave a code gives another grant, never the same one again.
	w.allow(w.user, w.web, "openid")
	f := w.flow(flowID)
	f.ConsentedBy = w.user.Subject
	w.step(f)
	first := location(t, b.get(issuer+"/oauth2/authorize?flow="+flowID), callback).Get("code")
	second := location(t, b.get(issuer+"/oauth2/authorize?flow="+flowID), callback).Get("code")
	if first == "" || second == "" || first == second || first[:20] == second[:20] {
		t.Error("the flow was answered twice with one grant")
	}
}

func (w *world) flow(flowID string) *flow.Flow {
	w.t.Helper()
	parsed, err := id.Parse(flowID)
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := w.db.FlowByID(w.t.Context(), parsed)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) step(f *flow.Flow) {
	w.t.Helper()
	if err := w.db.UpdateFlow(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

func TestAttack_019_FlowOfAnotherBrowser(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	attacker := w.browser()
	flowID := begun(t, attacker.authorize(w.web.request("openid")))
	attacker.signIn(w.user)
	for name, b := range map[string]*browser{"a stranger": w.browser(), "signed in": w.signedIn(w.reader)} {
		t.Run(name, func(t *testing.T) {
			wantPage(t, b.get(issuer+"/oauth2/authorize?flow="+flowID), http.StatusForbidden)
			b.authorize(w.web.request("openid", "prompt", "login")) // gets a cookie of its own
			wantPage(t, b.get(issuer+"/oauth2/authorize?flow="+flowID), http.StatusForbidden)
		})
	}
	for _, made := range []string{id.New().String(), "x", strings.Repeat("A", 22), flowID + "A", flowID[:21]} {
		wantPage(t, attacker.get(issuer+"/oauth2/authorize?flow="+made), http.StatusNotFound)
	}
	if q := location(t, attacker.get(issuer+"/oauth2/authorize?flow="+flowID), callback); q.Get("code") == "" {
		t.Errorf("the browser that began got %v", q)
	}
}

func TestAttack_020_CodeLeftInTheURL(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	resp := b.authorize(w.web.request("openid"))
	if got := resp.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy %q", got)
	}
	code := location(t, resp, callback).Get("code")
	w.clock.advance(61 * time.Second)
	wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_021_PagesLoadNothingForeign(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	posted := b.authorize(w.web.request("openid", "response_mode", "form_post"))
	if posted.StatusCode != http.StatusOK || !strings.Contains(body(t, posted), `action="`+callback+`"`) {
		t.Error("no form for the app")
	}
	for name, resp := range map[string]*http.Response{
		"error": b.authorize(w.web.request("openid", "client_id", "nobody")), "form_post": posted, "sign-out": b.get(issuer + "/logout"),
	} {
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(policy, "unsafe") ||
			!strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", name, policy)
		}
		if resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", name, resp.Header)
		}
	}
}

// The oracle refuses every other redirect, in all tests; this is the one that
// follows a form of ours.
func TestAttack_022_RedirectsAre303(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	for _, b := range []*browser{w.browser(), w.signedIn(w.user)} {
		if resp := b.post("/oauth2/authorize", w.web.request("openid")); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
}

func TestAttack_024_ImpersonableClientsAlwaysAsk(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	for name, uri := range map[string]string{"custom": "com.example.app:/cb", "loopback": "http://127.0.0.1:7777/cb", "localhost": "http://localhost:7777/cb"} {
		t.Run(name, func(t *testing.T) {
			c := w.native(uri)
			w.allow(w.user, c, "openid")
			location(t, b.authorize(c.request("openid")), issuer+"/consent")
			wantRedirect(t, b.authorize(c.request("openid", "prompt", "none")), uri, "consent_required")
			if err := w.clients.Update(t.Context(), tester, c.ClientID, func(c *accounts.Client) error { c.FirstParty = true; return nil }); err != nil {
				t.Fatal(err)
			}
			location(t, b.authorize(c.request("openid")), issuer+"/consent")
		})
	}
	own := w.register(accounts.Registration{
		Name: "Own", Type: accounts.WebClient, RedirectURIs: []string{callback}, FirstParty: true,
	})
	if b.code(own.request("openid")) == "" {
		t.Error("the operator's own app asks")
	}
}

func TestAttack_127_RequestURIOfOthers(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	for _, uri := range []string{"https://evil.example/request.jwt", "http://169.254.169.254/", "urn:ietf:params:oauth:request_uri", "file:///etc/passwd"} {
		wantRedirect(t, b.authorize(w.web.request("openid", "request_uri", uri)), callback, "request_uri_not_supported")
		wantRedirect(t, b.authorize(url.Values{"client_id": {w.web.ClientID}, "response_type": {"code"}, "request_uri": {uri}}),
			callback, "request_uri_not_supported")
	}
}

func TestAttack_165_HostileCookies(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	name := w.provider.Cookies.Name(flow.SessionCookie)
	live := b.cookies[name].Value
	for what, header := range map[string]string{
		"invented": name + "=deadbeef", "empty": name + "=", "admin": name + "=" + strings.Repeat("A", 43), "padded": name + "=" + live + "=",
		"extended": name + "=" + live + "A", "cut": name + "=" + live[:len(live)-1], "twice": name + "=" + live + "; " + name + "=" + live,
		"long": name + "=" + strings.Repeat("a", 5000), "another name": "session=" + live, "hundred": strings.Repeat("x=y; ", 100) + name + "=x",
		"quoted": name + `="` + live + `"`,
	} {
		t.Run(what, func(t *testing.T) {
			r := newGet("/oauth2/authorize?" + w.web.request("openid", "prompt", "none").Encode())
			r.Header.Set("Cookie", header)
			wantRedirect(t, w.browser().do(r), callback, "login_required")
		})
	}
	if b.code(w.web.request("openid", "prompt", "none")) == "" {
		t.Error("the right cookie is not enough")
	}
}

func TestAttack_192_ForgedHost(t *testing.T) {
	w := besieged(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		r := newGet(path)
		r.Host = "evil.example"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("Forwarded", "host=evil.example;proto=http")
		a := w.ask(r)
		if a.str("issuer") != issuer || strings.Contains(a.raw, "evil.example") {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	r := newGet("/oauth2/authorize?" + w.web.request("openid").Encode())
	r.Host = "evil.example"
	location(t, w.browser().do(r), issuer+"/signin")
}
