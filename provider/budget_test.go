package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A client that is only claimed does not send anybody away whom nobody asked.
func TestLogout_ClaimedClientGetsALink(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	const bye = "https://app.example.com/bye"
	params := url.Values{"client_id": {w.web.ClientID}, "post_logout_redirect_uri": {bye}}
	resp := w.browser().get(issuer + "/logout?" + params.Encode())
	if page := body(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(page, bye) {
		t.Errorf("status %d, page %s", resp.StatusCode, page)
	}
}

// What anybody can make the server keep has a budget by network.
func TestWaitingRequestsHaveABudget(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	for range 1000 {
		resp := w.browser().authorize(w.web.request("openid"))
		if resp.StatusCode == http.StatusTooManyRequests {
			if resp.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			// Who is signed in and has consented leaves nothing behind, and pays nothing.
			w.allow(w.user, w.web, "openid")
			w.signedIn(w.user).code(w.web.request("openid"))
			return
		}
	}
	t.Error("1000 requests are waiting")
}

func TestPushedRequestsHaveABudget(t *testing.T) {
	w := newWorld(t, newServer(t, sqliteURL(t)))
	for range 1000 {
		if a := w.call("/oauth2/par", w.spa, w.spa.request("openid")); a.status == http.StatusTooManyRequests {
			if a.str("error") != "temporarily_unavailable" || a.header.Get("Retry-After") == "" {
				t.Error(a.raw, a.header)
			}
			return
		}
	}
	t.Error("1000 requests were pushed")
}
