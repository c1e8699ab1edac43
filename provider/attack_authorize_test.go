package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestAttack_001_UnknownOrDisabledClient(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	wantPage(t, b.authorize(w.web.request("openid", "client_id", "nobody")), http.StatusBadRequest)
	wantPage(t, b.authorize(w.web.request("openid", "client_id", "")), http.StatusBadRequest)
	if err := w.clients.Disable(t.Context(), tester, w.web.ClientID); err != nil {
		t.Fatal(err)
	}
	wantPage(t, b.authorize(w.web.request("openid")), http.StatusBadRequest)
}

func TestAttack_002_RepeatedParameters(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	query := w.web.request("openid").Encode()
	for name := range w.web.request("openid") {
		twice := query + "&" + name + "=again"
		proven := name != "client_id" && name != "redirect_uri"
		if name == "state" {
			proven = false // which of the two would the client be told?
		}
		t.Run(name, func(t *testing.T) {
			resp := b.get(issuer + "/oauth2/authorize?" + twice)
			if !proven {
				wantPage(t, resp, http.StatusBadRequest)
			} else {
				wantRedirect(t, resp, callback, "invalid_request")
			}
			// The same, one of them in the body of a POST.
			r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/authorize?"+query, strings.NewReader(name+"=again"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp = b.do(r)
			if name == "client_id" || name == "redirect_uri" {
				wantPage(t, resp, http.StatusBadRequest)
			} else {
				wantRedirect(t, resp, callback, "invalid_request")
			}
		})
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/par"} {
		r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader("client_id=a&client_id=b"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		wantError(t, w.ask(r), http.StatusBadRequest, "invalid_request")
	}
}

func TestAttack_003_EmptyParametersAreAbsent(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	query := w.web.request("openid", "state", "", "nonce", "").Encode() + "&state=&nonce=&prompt=&max_age=&claims=&request="
	resp := w.signedIn(w.user).get(issuer + "/oauth2/authorize?" + query)
	q := location(t, resp, callback)
	if q.Get("code") == "" || q.Has("state") {
		t.Errorf("answer %v, want a code and no state", q)
	}
}

func TestAttack_004_ResponseTypes(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	for value, want := range map[string]string{
		"":      "invalid_request", // absent, RFC 6749 §4.1.2.1
		"token": "unsupported_response_type", "id_token": "unsupported_response_type", "none": "unsupported_response_type",
		"code id_token": "unsupported_response_type", "code code": "unsupported_response_type", "CODE": "unsupported_response_type",
	} {
		resp := b.authorize(w.web.request("openid", "response_type", value))
		wantRedirect(t, resp, callback, want)
		if q := location(t, resp, callback); q.Get("state") != "state-1" {
			t.Errorf("response_type %q: the state is lost", value)
		}
	}
	for _, mode := range []string{"fragment", "query.jwt", "web_message", "QUERY"} {
		wantRedirect(t, b.authorize(w.web.request("openid", "response_mode", mode)), callback, "invalid_request")
	}
}

func TestAttack_006_NoRedirectBeforeTheURIIsProven(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	for name, change := range map[string][]string{
		"response type": {"response_type", "token"},
		"scope":         {"scope", "\x01"},
		"resource":      {"resource", "not a uri"},
		"prompt":        {"prompt", "none"}, // attack 7
		"request":       {"request", "eyJ"},
		"challenge":     {"code_challenge", ""},
		"nothing":       {},
	} {
		t.Run(name, func(t *testing.T) {
			v := w.web.request("openid", append(change, "redirect_uri", "https://evil.example/")...)
			wantPage(t, b.authorize(v), http.StatusBadRequest)
			if resp := b.get(issuer + "/oauth2/authorize?" + v.Encode() + "&scope=twice"); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("a repeated parameter led to %d %s", resp.StatusCode, resp.Header.Get("Location"))
			}
		})
	}
}

func TestAttack_007_SilentRequestToUnregisteredURI(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	for _, b := range []*browser{w.browser(), w.signedIn(w.user)} {
		wantPage(t, b.authorize(w.web.request("openid", "prompt", "none", "redirect_uri", callback+"/")), http.StatusBadRequest)
	}
}

func TestAttack_008_SilentRequestShowsNothing(t *testing.T) {
	w := besieged(t)
	silent := w.web.request("openid", "prompt", "none")
	wantRedirect(t, w.browser().authorize(silent), callback, "login_required")
	b := w.signedIn(w.user)
	wantRedirect(t, b.authorize(silent), callback, "consent_required")
	w.allow(w.user, w.web, "openid")
	if b.code(silent) == "" {
		t.Error("no code")
	}
	w.clock.advance(2 * time.Hour)
	wantRedirect(t, b.authorize(changed(silent, "max_age", "3600")), callback, "login_required")
}

func TestAttack_009_PromptNoneStandsAlone(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	for _, prompt := range []string{"none login", "login none", "none none", "none consent", "none create", "signup", "NONE"} {
		wantRedirect(t, b.authorize(w.web.request("openid", "prompt", prompt)), callback, "invalid_request")
	}
}

func TestAttack_010_MaxAge(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	for _, value := range []string{"-1", "NaN", "1e9", "0x10", "99999999999999999999", "4294967297", "1.5", " 1"} {
		wantRedirect(t, b.authorize(w.web.request("openid", "max_age", value)), callback, "invalid_request")
	}
	w.clock.advance(time.Minute)
	for value, step := range map[string]string{"0": "/signin", "59": "/signin", "61": "", "2147483647": ""} {
		resp := b.authorize(w.web.request("openid", "max_age", value))
		if step != "" {
			location(t, resp, issuer+step)
		} else if q := location(t, resp, callback); q.Get("code") == "" {
			t.Errorf("max_age %s: %v", value, q)
		}
	}
	// Nothing but a sign-in moves auth_time.
	first := w.redeem(w.web, b.code(w.web.request("openid")))
	w.clock.advance(time.Minute)
	second := w.redeem(w.web, b.code(w.web.request("openid")))
	if claims(t, first.str("id_token"))["auth_time"] != claims(t, second.str("id_token"))["auth_time"] {
		t.Error("auth_time moved without a sign-in")
	}
}

func TestAttack_012_LoginHint(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	for _, hint := range []string{"<script>alert(1)</script>", "a\r\nSet-Cookie: x=y", strings.Repeat("a", 10<<10), "bob"} {
		resp := w.browser().authorize(w.web.request("openid", "login_hint", hint))
		if q := location(t, resp, issuer+"/signin"); len(q) != 1 {
			t.Errorf("the step got %v, want the flow's id alone", q)
		}
		// Whose session it is does not depend on the hint.
		a := w.redeem(w.web, w.signedIn(w.user).code(w.web.request("openid", "login_hint", hint)))
		if got := claims(t, a.str("id_token"))["sub"]; got != w.user.Subject {
			t.Errorf("hint %q changed the subject to %v", hint[:3], got)
		}
	}
}

func TestAttack_013_ClaimsParameter(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	for name, value := range map[string]string{
		"nested":     strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
		"deep array": strings.Repeat("[", 100000), "array": `[]`, "number": `5`, "null": `null`, "text": `"userinfo"`,
		"members": `{"userinfo":[]}`, "wish": `{"id_token":{"acr":7}}`, "cut": `{"userinfo":`, "two": `{}{}`,
		"many": manyClaims(51),
	} {
		t.Run(name, func(t *testing.T) {
			v := w.web.request("openid", "claims", value)
			r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/authorize?"+changed(v, "claims", "").Encode(),
				strings.NewReader(url.Values{"claims": {value}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp := b.do(r)
			wantRedirect(t, resp, callback, "invalid_request")
		})
	}
	// Asking by name does not get around the consent page.
	a := w.redeem(w.web, b.code(w.web.request("openid", "claims", `{"id_token":{"email":{"essential":true}},"userinfo":{"email":null}}`)))
	if claims(t, a.str("id_token"))["email"] != nil {
		t.Error("the claims parameter released a claim that nobody allowed")
	}
}

func TestAttack_014_HostileScopes(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	many := make([]string, 10000)
	for i := range many {
		many[i] = "s" + strings.Repeat("x", i%5) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	}
	for name, scope := range map[string]string{
		"many": strings.Join(many[:1200], " "), "control": "openid\x01", "quote": `openid "`, "backslash": `openid\`,
		"tab": "openid\tprofile", "two spaces": "openid  profile", "space": " ", "latin": "openid é", "unknown": "nothing.of.the.kind",
	} {
		t.Run(name, func(t *testing.T) {
			wantRedirect(t, b.authorize(w.web.request("x", "scope", scope)), callback, "invalid_scope")
			wantError(t, w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}),
				http.StatusBadRequest, "invalid_scope")
		})
	}
	wantPage(t, b.get(issuer+"/oauth2/authorize?client_id=a%00b"), http.StatusBadRequest)
	// Duplicates are one.
	w.allow(w.user, w.web, "openid")
	a := w.redeem(w.web, b.code(w.web.request("openid"+strings.Repeat(" openid", 500))))
	if a.str("scope") != "openid" {
		t.Errorf("scope %q", a.str("scope"))
	}
}

func TestAttack_015_UnmetAuthenticationContext(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	for _, change := range [][]string{
		{"acr_values", "urn:example:gold"},
		{"claims", `{"id_token":{"acr":{"essential":true,"values":["urn:example:gold"]}}}`},
		{"claims", `{"id_token":{"acr":{"essential":true,"value":"urn:example:gold"}}}`, "acr_values", accounts.ACRPassword},
	} {
		wantRedirect(t, b.authorize(w.web.request("openid", change...)), callback, "unmet_authentication_requirements")
	}
	if b.code(w.web.request("openid", "acr_values", accounts.ACRPassword)) == "" {
		t.Error("no code for what was reached")
	}
}

func TestAttack_016_Methods(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	target := issuer + "/oauth2/authorize?" + w.web.request("openid").Encode()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions, http.MethodPut, "TRACE"} {
		r := httptest.NewRequest(method, target, nil)
		r.Header.Set("Origin", "https://spa.example.com")
		r.Header.Set("Access-Control-Request-Method", "GET")
		resp := b.do(r)
		if method == http.MethodGet || method == http.MethodPost {
			location(t, resp, callback)
		} else if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s on the authorization endpoint", method, name)
			}
		}
	}
	long := b.authorize(w.web.request("openid", "state", strings.Repeat("s", 20<<10)))
	wantRedirect(t, long, callback, "invalid_request")
	if len(long.Header.Get("Location")) > 1000 {
		t.Error("a long state was sent back")
	}
}

func manyClaims(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = `"c` + strconv.Itoa(i) + `":null`
	}
	return `{"userinfo":{` + strings.Join(names, ",") + `}}`
}
