package provider_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

const goodbye = "https://app.example.com/bye"

// signedInNow reports whether the browser's session still gives codes.
func signedInNow(b *browser, c app) bool {
	resp := b.authorize(c.request("openid", "prompt", "none"))
	return strings.Contains(resp.Header.Get("Location"), "code=ghc_")
}

var confirmField = regexp.MustCompile(`name="confirm" value="([^"]+)"`)

func confirmation(t *testing.T, resp *http.Response) string {
	t.Helper()
	text := wantPage(t, resp, http.StatusOK)
	found := confirmField.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no confirmation on the page: %s", text)
	}
	return found[1]
}

func TestAttack_170_SignOutByAnImage(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	theirs := w.tokens(w.web, w.reader, "openid").str("id_token") // another person's session
	for name, query := range map[string]string{
		"nothing": "", "client": "?client_id=" + w.web.ClientID, "with a way back": "?client_id=" + w.web.ClientID + "&post_logout_redirect_uri=" + url.QueryEscape(goodbye),
		"another session's hint": "?id_token_hint=" + theirs, "a forged confirmation": "?confirm=AAAA&action=continue",
	} {
		t.Run(name, func(t *testing.T) {
			resp := b.get(issuer + "/logout" + query)
			if resp.Header.Get("Location") != "" {
				t.Errorf("redirect to %s", resp.Header.Get("Location"))
			}
			if !signedInNow(b, w.web) {
				t.Error("the session ended without a question")
			}
		})
	}
	// A confirmation is for the session that was asked, and by POST.
	seal := confirmation(t, b.get(issuer+"/logout"))
	b.get(issuer + "/logout?confirm=" + seal + "&action=continue")
	if !signedInNow(b, w.web) {
		t.Error("a GET confirmed")
	}
	w.allow(w.reader, w.web, "openid")
	other := w.signedIn(w.reader)
	wantPage(t, other.post("/logout", formOf("confirm", seal, "action", "continue")), http.StatusBadRequest)
	if !signedInNow(other, w.web) {
		t.Error("the confirmation of one person ended the session of another")
	}
	b.post("/logout", formOf("confirm", seal)) // declined
	if !signedInNow(b, w.web) {
		t.Error("declining signed out")
	}
	b.post("/logout", formOf("confirm", seal, "action", "continue"))
	if signedInNow(b, w.web) {
		t.Error("still signed in")
	}
}

func TestAttack_170_HintOfThisSession(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	got := w.redeem(w.web, b.code(w.web.request("openid posts:add")))
	token := b.cookies[w.provider.Cookies.Name(flow.SessionCookie)]
	resp := b.get(issuer + "/logout?" + formOf("id_token_hint", got.str("id_token"), "post_logout_redirect_uri", goodbye, "state", "a&b=c#d\r\nX: y").Encode())
	q := location(t, resp, goodbye+"?state=")
	if q.Get("state") != "a&b=c#d\r\nX: y" || len(q) != 1 {
		t.Errorf("state %v", q)
	}
	// The cookie is dead on the server, not only forgotten (attack 163).
	b.cookies[token.Name] = token
	if signedInNow(b, w.web) {
		t.Error("the old cookie still signs in")
	}
	if w.alive(got.str("access_token")) {
		t.Error("the access token outlived its session")
	}
	wantError(t, w.refresh(w.web, got.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_171_WhereSignOutLeads(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	hint := w.redeem(w.web, b.code(w.web.request("openid"))).str("id_token")
	other := w.register(accounts.Registration{
		Name: "Other", Type: accounts.WebClient, RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{"https://other.example/bye"},
	})
	for _, uri := range []string{
		"https://evil.example", "https://other.example/bye", callback, goodbye + "/", goodbye + "?x", goodbye + "#x", "//evil.example", "/\\evil.example", "/",
		"javascript:alert(1)", "https://app.example.com@evil.example/bye", "HTTPS://app.example.com/bye", "https://app.example.com/x/../bye",
	} {
		for _, form := range []url.Values{
			formOf("id_token_hint", hint, "post_logout_redirect_uri", uri), formOf("client_id", w.web.ClientID, "post_logout_redirect_uri", uri),
			formOf("post_logout_redirect_uri", uri), formOf("id_token_hint", hint, "client_id", other.ClientID, "post_logout_redirect_uri", uri),
		} {
			wantPage(t, b.get(issuer+"/logout?"+form.Encode()), http.StatusBadRequest)
		}
	}
	if !signedInNow(b, w.web) {
		t.Error("a refused request signed out")
	}
	wantPage(t, b.get(issuer+"/logout?client_id=nobody"), http.StatusBadRequest)
	wantPage(t, b.get(issuer+"/logout?client_id=a&client_id=b"), http.StatusBadRequest)
}

func TestAttack_163_NextPersonOnTheBrowser(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	w.allow(w.reader, w.web, "openid")
	b := w.signedIn(w.user)
	first := w.redeem(w.web, b.code(w.web.request("openid")))
	b.signIn(w.reader) // the first person never signed out
	second := w.redeem(w.web, b.code(w.web.request("openid")))
	x, y := claims(t, first.str("id_token")), claims(t, second.str("id_token"))
	if x["sid"] == y["sid"] || x["sub"] == y["sub"] || y["sub"] != w.reader.Subject {
		t.Errorf("sessions %v and %v", x["sid"], y["sid"])
	}
	wantRedirect(t, b.authorize(w.web.request("openid", "prompt", "none", "id_token_hint", first.str("id_token"))), callback, "login_required")
}
