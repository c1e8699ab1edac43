package provider_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)

// FuzzAuthorizeParams: whatever the parameters, in the query or the body, the
// authorization endpoint neither fails nor sends anybody to a URI that the client
// has not registered.
func FuzzAuthorizeParams(f *testing.F) {
	w := newBenchWorld(f, sqliteURL(f), nil)
	request := func(changes ...string) string {
		return w.app.request("openid offline_access posts:add", changes...).Encode()
	}
	for _, seed := range []string{
		request(), request("response_mode", "form_post"), request("redirect_uri", "https://evil.example"), request("redirect_uri", ""),
		request("redirect_uri", callback+"?x=1"), request("redirect_uri", callback+"@evil.example"), request("scope", "nothing"),
		request("client_id", "unknown"), request("state", "\r\nLocation: https://evil.example"), request("prompt", "none"),
		request("prompt", "none login"), request("prompt", "select_account"), request("max_age", "-1"), request("max_age", "0"),
		request("claims", `{"id_token":{"sub":{"value":"x"}}}`), request("resource", posts), request("resource", "relative"),
		request("id_token_hint", "e30.e30.e30"), request("request", "e30.e30."), request("request_uri", "https://evil.example/r"),
		request("code_challenge_method", "plain"), request("response_type", "token"), request("ui_locales", "de \xff"),
		request() + "&state=2", request() + "&redirect_uri=https%3A%2F%2Fevil.example", request() + "&%zz", "flow=x", "flow=AAAAAAAAAAAAAAAAAAAAAA",
		"", "client_id=" + w.app.ClientID, "a;b", strings.Repeat("a=1&", 200), request("nonce", strings.Repeat("n", 3000)),
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, params string, post bool) {
		r := httptest.NewRequest(http.MethodGet, issuer+"/oauth2/authorize", nil)
		if post {
			r = httptest.NewRequest(http.MethodPost, issuer+"/oauth2/authorize", strings.NewReader(params))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		} else {
			r.URL.RawQuery = params
		}
		resp := raceTab(w.browser, w.server).do(r)
		if resp.StatusCode >= http.StatusInternalServerError {
			t.Fatalf("%d for %q", resp.StatusCode, params)
		}
		if at := resp.Header.Get("Location"); at != "" && !ours(at) {
			t.Fatalf("%q leads to %q", params, at)
		}
		for _, action := range formAction.FindAllStringSubmatch(body(t, resp), -1) {
			if to := html.UnescapeString(action[1]); !ours(to) && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
				t.Fatalf("%q shows a form to %q", params, to)
			}
		}
	})
}

// ours reports whether a URI is the registered one, or a page of this server.
func ours(to string) bool {
	u, err := url.Parse(to)
	if err != nil || u.Fragment != "" || u.User != nil {
		return false
	}
	target, _, _ := strings.Cut(to, "?")
	return target == callback || strings.HasPrefix(target, issuer+"/")
}
