package provider_test

import (
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// What the library beneath gets wrong, as our study of it numbers it: each test
// says that the defect does not show here.

// Code exchange reads the code twice, the second time into a session that holds
// the expiries already.
func TestFosite_P01_DoubleHydration(t *testing.T) {
	w := besieged(t)
	a := w.tokens(w.web, w.user, postsScope)
	access := claims(t, a.str("access_token"))
	if now := w.clock.now().Unix(); access["exp"].(float64)-access["iat"].(float64) != 600 || access["exp"].(float64) < float64(now) {
		t.Errorf("exp %v, iat %v, now %d", access["exp"], access["iat"], now)
	}
	if claims(t, a.str("id_token"))["nonce"] != "nonce-1" {
		t.Error("the nonce is lost")
	}
}

// An expiry that is missing counts as fresh.
func TestFosite_P02_CodeExpiry(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	w.clock.advance(time.Minute)
	wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
}

// A wrong verifier uses up the challenge, and a second try needs none.
func TestFosite_P03_ChallengeIsNotBurned(t *testing.T) {
	w := besieged(t)
	for _, c := range []app{w.web, w.spa, w.withoutPKCE()} {
		code := w.fresh(c)
		for _, v := range []string{strings.Repeat("x", 43), "", strings.Repeat("x", 43), ""} {
			wantError(t, w.redeem(c, code, "code_verifier", v), http.StatusBadRequest, "invalid_grant")
		}
		if a := w.redeem(c, code); a.status != http.StatusOK {
			t.Errorf("the honest client: %s", a.raw)
		}
	}
}

// Parameters of the browser survive beside the pushed ones; the URI is used up by
// anybody and at once; its lifetime is not checked; credentials are kept. The
// other halves are TestAttack_138.
func TestFosite_P04_PushedRequestsStandAlone(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	uri := w.push(w.web, w.web.request("openid", "nonce", "", "state", "pushed"))
	q := location(t, b.authorize(byReference(w.web, uri, "nonce", "injected", "state", "injected", "prompt", "login", "redirect_uri", "https://evil.example",
		"scope", "openid email", "code_challenge", challengeOf("evil"), "response_mode", "form_post", "login_hint", "bob")), callback)
	if q.Get("code") == "" || q.Get("state") != "pushed" {
		t.Fatalf("answer %v", q)
	}
	a := w.redeem(w.web, q.Get("code"))
	if a.status != http.StatusOK || claims(t, a.str("id_token"))["nonce"] != nil || a.str("scope") != "openid" {
		t.Errorf("the browser's parameters took effect: %s", a.raw)
	}
}

// Request objects are accepted unsigned, or ignored in silence.
func TestFosite_P05_RequestObjects(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	none := "eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCBlbWFpbCJ9."
	for _, scope := range []string{"openid", "posts:add"} { // with and without OpenID Connect
		wantRedirect(t, b.authorize(w.web.request(scope, "request", none)), callback, "request_not_supported")
		wantRedirect(t, b.authorize(w.web.request(scope, "request_uri", "https://evil.example/r")), callback, "request_uri_not_supported")
		wantRedirect(t, b.authorize(w.web.request(scope, "registration", "{}")), callback, "registration_not_supported")
	}
}

// Any access token may introspect any token; the answer mixes up the expiries.
func TestFosite_P06_Introspection(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope)
	access := w.introspect(w.web, got.str("access_token"))
	want := claims(t, got.str("access_token"))
	for _, name := range []string{"exp", "iat", "iss", "sub", "aud", "client_id", "jti", "scope"} {
		if access.json[name] == nil || access.json[name] != want[name] {
			t.Errorf("%s = %v, the token says %v", name, access.json[name], want[name])
		}
	}
	refresh := w.introspect(w.web, got.str("refresh_token"))
	days := (refresh.json["exp"].(float64) - float64(w.clock.now().Unix())) / 86400
	if days < 29 || days > 31 || refresh.str("token_type") != "refresh_token" || access.str("token_type") != "Bearer" {
		t.Errorf("refresh token: %s", refresh.raw)
	}
}

// P7, a revocation that failed is answered with 200, is
// TestAttack_115_StorageFailureIsNotHidden; that an inactive refresh token revokes
// nothing, TestAttack_117_WhatARevocationTakesAlong.

// Who loses a race gets server_error or invalid_request.
func TestFosite_P08_LosersGetInvalidGrant(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	answers := make([]answer, 16)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = w.redeem(w.web, code) })
	}
	group.Wait()
	won := 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			won++
		} else if a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
			t.Errorf("a loser got %d %s", a.status, a.raw)
		}
	}
	if won != 1 {
		t.Errorf("%d winners", won)
	}
}

// A second tab loses everything, and a refresh token slides for ever.
func TestFosite_P09_SecondTab(t *testing.T) {
	w := besieged(t)
	token := w.tokens(w.web, w.user, postsScope).str("refresh_token")
	one, two := w.refresh(w.web, token), w.refresh(w.web, token)
	if one.status != http.StatusOK || two.status != http.StatusOK || one.str("refresh_token") != two.str("refresh_token") {
		t.Errorf("%s and %s", one.raw, two.raw)
	}
}

// max_age=0 and garbage are ignored, and so is "login" beside another prompt.
func TestFosite_P10_FreshSignIns(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	w.clock.advance(time.Second)
	location(t, b.authorize(w.web.request("openid", "max_age", "0")), issuer+"/signin")
	location(t, b.authorize(w.web.request("openid", "prompt", "consent login")), issuer+"/signin")
	wantRedirect(t, b.authorize(w.web.request("openid", "max_age", "x")), callback, "invalid_request")
	// A sign-in in the meantime answers the wish, also in the same second.
	flowID := begun(t, b.authorize(w.web.request("openid", "prompt", "login")))
	b.signIn(w.user)
	if q := location(t, b.get(issuer+"/oauth2/authorize?flow="+flowID), callback); q.Get("code") == "" {
		t.Errorf("answer %v", q)
	}
}

// An empty hash matches.
func TestFosite_P11_EmptySecret(t *testing.T) {
	w := besieged(t)
	for i, c := range []app{w.spa, w.signer().app, w.machine} {
		header := "Basic " + basicOf(c.ClientID, "")
		if a := w.basic(i, header, formOf("grant_type", "client_credentials")); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", c.Name, a.status, a.raw)
		}
	}
}

// Duplicates, multipart bodies and unknown grants are accepted or misnamed.
func TestFosite_P12_TokenEndpoint(t *testing.T) {
	w := besieged(t)
	send := func(contentType, body string) answer {
		r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/token", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.SetBasicAuth(w.machine.ClientID, w.machine.secret)
		return w.ask(r)
	}
	const form = "application/x-www-form-urlencoded"
	var b strings.Builder
	m := multipart.NewWriter(&b)
	_ = m.WriteField("grant_type", "client_credentials")
	_ = m.Close()
	wantError(t, send(m.FormDataContentType(), b.String()), http.StatusUnsupportedMediaType, "invalid_request")
	wantError(t, send("application/json", `{"grant_type":"client_credentials"}`), http.StatusUnsupportedMediaType, "invalid_request")
	wantError(t, send(form, "grant_type=client_credentials&grant_type=client_credentials"), http.StatusBadRequest, "invalid_request")
	wantError(t, send(form, "grant_type=magic"), http.StatusBadRequest, "unsupported_grant_type")
	wantError(t, send(form, "grant_type=client_credentials&x=%zz"), http.StatusBadRequest, "invalid_request")
	wantError(t, send(form, "grant_type=client_credentials"+strings.Repeat("&a", 64)), http.StatusBadRequest, "invalid_request")
	wantError(t, send(form, "grant_type=client_credentials&a="+strings.Repeat("a", 64<<10)), http.StatusRequestEntityTooLarge, "invalid_request")
	wantError(t, w.ask(newGet("/oauth2/token?grant_type=client_credentials")), http.StatusMethodNotAllowed, "invalid_request")
	a := w.call("/oauth2/token", app{w.machine.Client, "wrong-wrong-wrong-wrong"}, formOf("grant_type", "client_credentials"))
	wantError(t, a, http.StatusUnauthorized, "invalid_client")
	if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
		t.Error("a 401 without a challenge")
	}
}

// P13, a replay by anybody ends the grant, is TestAttack_043_CodeOfAnotherClient.

// The writers send an empty state, raw JSON to people, and lose the schemes of
// native apps in the form_post page.
func TestFosite_P14_Writers(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	w.allow(w.user, w.web, "openid")
	for _, prompt := range []string{"", "none login"} { // an answer and an error
		q := location(t, b.authorize(w.web.request("openid", "state", "", "prompt", prompt)), callback)
		if q.Has("state") {
			t.Errorf("answer %v with a state that nobody sent", q)
		}
	}
	c := w.native("com.example.app:/cb")
	text := body(t, b.authorize(c.request("openid", "response_mode", "form_post", "prompt", "none")))
	if !strings.Contains(text, `action="com.example.app:/cb"`) || strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "onload") {
		t.Errorf("page: %s", text)
	}
	wantPage(t, b.get(issuer+"/oauth2/authorize"), http.StatusBadRequest)
}

// Loopback comparison decodes paths, ignores user information and schemes.
func TestFosite_P15_RedirectURIs(t *testing.T) {
	w := besieged(t)
	b := w.browser()
	c := w.native("http://127.0.0.1/a/b", "https://127.0.0.1/s")
	for _, uri := range []string{"http://127.0.0.1:1/a%2Fb", "http://u@127.0.0.1:1/a/b", "http://127.0.0.1:1/s", "http://127.0.0.1:1/s?x"} {
		wantPage(t, b.authorize(c.request("openid", "redirect_uri", uri)), http.StatusBadRequest)
	}
}

// Scopes match wildcards, audiences match prefixes, names match in any case.
func TestFosite_P16_ExactNames(t *testing.T) {
	w := besieged(t)
	b := w.signedIn(w.user)
	star := w.register(accounts.Registration{
		Name: "Star", Type: accounts.WebClient, RedirectURIs: []string{callback}, Scopes: []string{"openid", "posts:*", "posts"},
	})
	for _, scope := range []string{"posts:add", "POSTS", "posts:x"} {
		wantRedirect(t, b.authorize(star.request(scope)), callback, "invalid_scope")
	}
	w.allow(w.user, w.web, "openid", "posts:add")
	a := w.redeem(w.web, b.code(w.web.request("OPENID posts:add")))
	if a.str("id_token") != "" || a.str("scope") != "posts:add" {
		t.Errorf("OPENID counts as openid: %s", a.raw)
	}
}

// Its configuration is filled in on first use, without a lock: with -race.
func TestFosite_P17_FirstRequestsTogether(t *testing.T) {
	w := besieged(t)
	w.allow(w.user, w.web, "openid")
	b := w.signedIn(w.user)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			r := newGet("/oauth2/authorize?" + w.web.request("openid").Encode())
			for _, c := range b.cookies {
				r.AddCookie(c)
			}
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			to, _ := url.Parse(rec.Header().Get("Location"))
			if a := w.redeem(w.web, to.Query().Get("code")); a.status != http.StatusOK {
				t.Errorf("%d: %s", i, a.raw)
			}
			if a := w.call("/oauth2/token", w.machine, formOf("grant_type", "client_credentials")); a.status != http.StatusOK {
				t.Errorf("%d: %s", i, a.raw)
			}
		})
	}
	group.Wait()
}

// The audience of an assertion becomes that of the access token.
func TestFosite_P18_AudienceOfAssertions(t *testing.T) {
	w := besieged(t)
	s := w.signer()
	a := s.machine(s.assertion(nil))
	if got := claims(t, a.str("access_token"))["aud"]; got != posts {
		t.Errorf("aud %v", got)
	}
	wantError(t, w.call("/oauth2/token", w.web, formOf("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", s.assertion(nil))),
		http.StatusBadRequest, "unsupported_grant_type")
}

// P19, a signature that fails burns the code, is TestAttack_109_KeysAway.

// An access token is taken from the query.
func TestFosite_P20_TokenInTheQuery(t *testing.T) {
	w := besieged(t)
	token := w.tokens(w.web, w.user, "openid").str("access_token")
	if a := w.ask(newGet("/userinfo?access_token=" + token)); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// What a handler said is hidden behind server_error.
func TestFosite_P21_ErrorsKeepTheirName(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	wantError(t, w.redeem(w.web, code, "resource", "https://unknown.example"), http.StatusBadRequest, "invalid_target")
	wantError(t, w.redeem(w.web, "ghc_x"), http.StatusBadRequest, "invalid_grant")
	wantError(t, w.refresh(w.web, "ghr_x"), http.StatusBadRequest, "invalid_grant")
	if err := w.users.Ban(t.Context(), tester, w.user.Subject); err != nil {
		t.Fatal(err)
	}
	a := w.redeem(w.web, code)
	wantError(t, a, http.StatusBadRequest, "invalid_grant")
	if strings.Contains(strings.ToLower(a.raw), "ban") {
		t.Errorf("the client learns why: %s", a.raw)
	}
}

func TestAttack_190_CrossOriginReads(t *testing.T) {
	w := besieged(t)
	ask := func(method, path, origin string) http.Header {
		r := httptest.NewRequest(method, issuer+path, io.NopCloser(strings.NewReader("")))
		r.Header.Set("Origin", origin)
		if method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		return w.ask(r).header
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/userinfo"} {
		for _, method := range []string{http.MethodPost, http.MethodOptions} {
			if got := ask(method, path, "https://spa.example.com").Get("Access-Control-Allow-Origin"); got != "https://spa.example.com" {
				t.Errorf("%s %s: %q", method, path, got)
			}
			for _, origin := range []string{
				"null", "https://evilspa.example.com", "https://spa.example.com.evil.example", "http://spa.example.com", "https://spa.example.com:444",
				"https://app.example.com", "https://SPA.example.com", "*", "https://x@spa.example.com", "https://spa.example.com/",
			} {
				h := ask(method, path, origin)
				if h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s %s from %s: %v", method, path, origin, h)
				}
			}
		}
	}
	for _, path := range []string{"/oauth2/introspect", "/oauth2/par", "/oauth2/authorize", "/logout"} {
		if h := ask(http.MethodPost, path, "https://spa.example.com"); h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be read by pages", path)
		}
	}
	if h := ask(http.MethodGet, "/.well-known/jwks.json", "https://anybody.example"); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("jwks: %v", h)
	}
}
