package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
)

func TestAttack_114_IntrospectionByTheWrongCaller(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope, "resource", posts)
	access := got.str("access_token")
	wantError(t, w.call("/oauth2/introspect", app{}, formOf("token", access)), http.StatusUnauthorized, "invalid_client")
	wantError(t, w.introspect(w.spa, access), http.StatusUnauthorized, "invalid_client")
	// A bearer token is no client's credential (P6).
	r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/introspect", strings.NewReader(formOf("token", access).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+access)
	wantError(t, w.ask(r), http.StatusUnauthorized, "invalid_client")
	elsewhere := w.api("https://other.example.com", "other:do")
	for name, c := range map[string]app{"another API": elsewhere, "a machine": w.machine} {
		if a := w.introspect(c, access); a.status != http.StatusOK || a.json["active"] != false || len(a.json) != 1 {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	for name, c := range map[string]app{"its API": w.resource, "its client": w.web} {
		if a := w.introspect(c, access); a.json["active"] != true {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	// The resource server may ask for its own tokens, not for refresh tokens.
	if a := w.introspect(w.resource, got.str("refresh_token")); a.json["active"] != false || len(a.json) != 1 {
		t.Errorf("a refresh token at the API: %s", a.raw)
	}
	plain := w.tokens(w.web, w.user, "openid")
	if w.alive(plain.str("access_token")) {
		t.Error("a token for the issuer is active for an API")
	}
}

func TestAttack_115_RevokingTheTokenOfAnother(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope)
	other := w.register(accounts.Registration{Name: "Other", Type: accounts.WebClient, RedirectURIs: []string{callback}})
	w.untouched(func() {
		for _, thief := range []app{other, w.spa, w.machine, w.resource} {
			for _, token := range []string{got.str("access_token"), got.str("refresh_token"), got.str("id_token")} {
				if a := w.call("/oauth2/revoke", thief, formOf("token", token)); a.status != http.StatusOK || a.raw != "" {
					t.Errorf("%d %s", a.status, a.raw)
				}
			}
		}
		wantError(t, w.call("/oauth2/revoke", app{}, formOf("token", got.str("access_token"))), http.StatusUnauthorized, "invalid_client")
	})
	if !w.alive(got.str("access_token")) || w.refresh(w.web, got.str("refresh_token")).status != http.StatusOK {
		t.Error("another client's revocation took effect")
	}
}

// away is storage that does not answer.
var errAway = errors.New("storage is away")

type awayLedger struct{ revocation.Reader }

func (awayLedger) Revoked(context.Context, revocation.Keys) (bool, error) { return false, errAway }

type awayConsents struct{ provider.Consents }

func (awayConsents) RevokeGrant(context.Context, audit.Actor, id.ID, string) error { return errAway }

type awayTokens struct{}

func (awayTokens) Revoke(context.Context, audit.Actor, revocation.Keys, string, int64) error {
	return errAway
}

type awayKeys struct{}

func (awayKeys) Keys(context.Context) ([]keys.Record, int64, error) { return nil, 0, errAway }
func (awayKeys) Change(context.Context) (int64, error)              { return 0, errAway }

func TestAttack_115_StorageFailureIsNotHidden(t *testing.T) {
	w, o := besiegedOn(t, keyedURL(t))
	o.faults = true
	got := w.tokens(w.web, w.user, postsScope)
	revoke := func(token string) answer { return w.call("/oauth2/revoke", w.web, formOf("token", got.str(token))) }
	check := func(what string, a answer) {
		t.Helper()
		if a.status != http.StatusServiceUnavailable || a.str("error") != "temporarily_unavailable" || a.header.Get("Retry-After") == "" || strings.Contains(a.raw, "away") {
			t.Errorf("%s: %d %s", what, a.status, a.raw)
		}
	}
	ledger, consents, tokens := w.provider.Ledger, w.provider.Consents, w.provider.Tokens
	w.provider.Ledger = awayLedger{ledger}
	check("ledger", revoke("access_token"))
	check("introspection", w.introspect(w.resource, got.str("access_token")))
	r := newGet("/userinfo")
	r.Header.Set("Authorization", "Bearer "+got.str("access_token"))
	check("userinfo", w.ask(r))
	w.provider.Ledger, w.provider.Consents, w.provider.Tokens = ledger, awayConsents{consents}, awayTokens{}
	check("access token", revoke("access_token"))
	check("refresh token", revoke("refresh_token"))
	w.provider.Consents, w.provider.Tokens = consents, tokens
	if !w.alive(got.str("access_token")) {
		t.Error("something was revoked")
	}
	if a := revoke("refresh_token"); a.status != http.StatusOK || w.alive(got.str("access_token")) {
		t.Errorf("the second try: %s", a.raw)
	}
}

func TestAttack_116_HintsAndGarbage(t *testing.T) {
	w := besieged(t)
	for _, hint := range []string{"access_token", "refresh_token", "id_token", "nonsense", ""} {
		got := w.tokens(w.web, w.user, postsScope)
		for _, token := range []string{"access_token", "refresh_token"} {
			if a := w.call("/oauth2/introspect", w.web, formOf("token", got.str(token), "token_type_hint", hint)); a.json["active"] != true {
				t.Errorf("hint %q: %s", hint, a.raw)
			}
			if a := w.call("/oauth2/revoke", w.web, formOf("token", got.str(token), "token_type_hint", hint)); a.status != http.StatusOK {
				t.Errorf("hint %q: %s", hint, a.raw)
			}
			if a := w.introspect(w.web, got.str(token)); a.json["active"] != false {
				t.Errorf("hint %q: the %s is not revoked", hint, token)
			}
		}
	}
	w.untouched(func() {
		for _, token := range []string{"x", "....", "a.b.c", "ghr_", "ghc_", "eyJhbGciOiJub25lIn0.e30.", strings.Repeat(".", 60000), "é", strings.Repeat("eyJ", 20000)} {
			if a := w.call("/oauth2/revoke", w.web, formOf("token", token)); a.status != http.StatusOK {
				t.Errorf("revocation: %d %s", a.status, a.raw)
			}
			if a := w.introspect(w.web, token); a.status != http.StatusOK || a.json["active"] != false {
				t.Errorf("introspection: %d %s", a.status, a.raw)
			}
		}
		for _, path := range []string{"/oauth2/revoke", "/oauth2/introspect", "/oauth2/token", "/oauth2/par"} {
			wantError(t, w.call(path, w.web, formOf("token", strings.Repeat("a", 1<<20))), http.StatusRequestEntityTooLarge, "invalid_request")
		}
		wantError(t, w.call("/oauth2/revoke", w.web, url.Values{}), http.StatusBadRequest, "invalid_request")
		wantError(t, w.call("/oauth2/introspect", w.web, url.Values{}), http.StatusBadRequest, "invalid_request")
	})
}

func TestAttack_117_WhatARevocationTakesAlong(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope)
	next := w.refresh(w.web, got.str("refresh_token"))
	// An access token dies alone.
	w.call("/oauth2/revoke", w.web, formOf("token", got.str("access_token")))
	if w.alive(got.str("access_token")) || !w.alive(next.str("access_token")) {
		t.Error("not this access token alone")
	}
	// A refresh token, an earlier one too, takes the grant with it.
	w.call("/oauth2/revoke", w.web, formOf("token", got.str("refresh_token")))
	if w.alive(next.str("access_token")) {
		t.Error("an access token outlived its grant")
	}
	wantError(t, w.refresh(w.web, next.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	wantUserinfo(t, w, next.str("access_token"), http.StatusUnauthorized)
}

// Revocations are budgeted by client (L26), but a public client's name is known to
// everybody: what revokes nothing must cost its people nothing.
func TestAttack_117_GarbageSpendsNoRevocations(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.spa, w.user, postsScope)
	for range 150 {
		if a := w.call("/oauth2/revoke", w.spa, formOf("token", "garbage")); a.status != http.StatusOK {
			t.Fatalf("garbage: %d %s", a.status, a.raw)
		}
	}
	if a := w.call("/oauth2/revoke", w.spa, formOf("token", got.str("access_token"))); a.status != http.StatusOK {
		t.Errorf("a person's own revocation: %d %s", a.status, a.raw)
	}
}

func TestAttack_120_Userinfo(t *testing.T) {
	w := besieged(t)
	bare := w.tokens(w.web, w.user, "posts:add").str("access_token")
	if a := wantUserinfo(t, w, bare, http.StatusForbidden); !strings.Contains(a.header.Get("WWW-Authenticate"), "insufficient_scope") {
		t.Errorf("without openid: %v", a.header)
	}
	token := w.tokens(w.web, w.user, postsScope).str("access_token")
	wantUserinfo(t, w, token, http.StatusOK)
	do := func(method, query, body string, headers ...string) answer {
		r := httptest.NewRequest(method, issuer+"/userinfo"+query, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for _, h := range headers {
			r.Header.Add("Authorization", h)
		}
		return w.ask(r)
	}
	form := "access_token=" + token
	for name, c := range map[string]struct {
		got  answer
		want int
	}{
		"query":             {do("GET", "?"+form, ""), 401},
		"query of a POST":   {do("POST", "?"+form, ""), 401},
		"body of a GET":     {do("GET", "", form), 401},
		"body":              {do("POST", "", form), 200},
		"header and body":   {do("POST", "", form, "Bearer "+token), 400},
		"two headers":       {do("GET", "", "", "Bearer "+token, "Bearer "+token), 400},
		"DPoP":              {do("GET", "", "", "DPoP "+token), 401},
		"Basic":             {do("GET", "", "", "Basic "+token), 401},
		"no scheme":         {do("GET", "", "", token), 401},
		"nothing":           {do("GET", "", ""), 401},
		"empty":             {do("GET", "", "", "Bearer "), 401},
		"spoiled signature": {do("GET", "", "", "Bearer "+token[:len(token)-2]+"xx"), 401},
		"two tokens":        {do("GET", "", "", "Bearer "+token+", "+token), 401},
		"put":               {do("PUT", "", ""), 405},
	} {
		if c.got.status != c.want || c.want == 401 && !strings.HasPrefix(c.got.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: %d %v %s, want %d", name, c.got.status, c.got.header.Values("WWW-Authenticate"), c.got.raw, c.want)
		}
	}
	w.clock.advance(10 * time.Minute)
	wantUserinfo(t, w, token, http.StatusUnauthorized)
}

func TestAttack_189_NothingIsCached(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, "openid")
	r := newGet("/userinfo")
	r.Header.Set("Authorization", "Bearer "+got.str("access_token"))
	for name, header := range map[string]http.Header{
		"token": got.header, "introspection": w.introspect(w.web, "x").header, "revocation": w.call("/oauth2/revoke", w.web, formOf("token", "x")).header,
		"userinfo": w.ask(r).header, "par": w.call("/oauth2/par", w.web, w.web.request("openid")).header,
		"authorize": w.signedIn(w.user).authorize(w.web.request("openid")).Header, "sign-out": w.browser().get(issuer + "/logout").Header,
	} {
		if header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", name, header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/jwks.json"} {
		if a := w.ask(newGet(path)); a.header.Get("Cache-Control") != "public, max-age=300" || a.header.Get("Vary") == "" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
}

func TestAttack_108_PublishedKeysArePublic(t *testing.T) {
	w := besieged(t)
	a := w.ask(newGet("/.well-known/jwks.json"))
	list, _ := a.json["keys"].([]any)
	if len(list) == 0 {
		t.Fatal(a.raw)
	}
	for _, k := range list {
		for name := range k.(map[string]any) {
			if strings.Contains(" d p q dp dq qi oth k ", " "+name+" ") {
				t.Errorf("the key has the member %q", name)
			}
		}
	}
}

func TestAttack_109_KeysAway(t *testing.T) {
	w, o := besiegedOn(t, keyedURL(t))
	o.faults = true
	code := w.fresh(w.web)
	ring := w.provider.Keys
	w.provider.Keys = keys.NewRing(awayKeys{}, w.keyring)
	for name, a := range map[string]answer{
		"token": w.redeem(w.web, code), "machine": w.call("/oauth2/token", w.machine, formOf("grant_type", "client_credentials")),
		"jwks": w.ask(newGet("/.well-known/jwks.json")), "introspection": w.introspect(w.web, "x"),
	} {
		if a.status != http.StatusServiceUnavailable || a.str("error") != "temporarily_unavailable" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	w.provider.Keys = ring
	if a := w.redeem(w.web, code); a.status != http.StatusOK {
		t.Errorf("the code was burned (P19): %s", a.raw)
	}
}

func TestAttack_111_KeyCompromised(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope)
	kid, _ := decodePart(t, strings.Split(got.str("access_token"), ".")[0])["kid"].(string)
	keeper := &keys.Keeper{Store: w.db, Keyring: w.keyring, Now: w.clock.now, Revoke: func(ctx context.Context, kid, reason string) error {
		return w.db.Append(ctx, revocation.Entry{Kind: revocation.Key, Key: kid, Reason: reason})
	}}
	if _, err := keeper.Compromise(t.Context(), tester, kid, "stolen"); err != nil {
		t.Fatal(err)
	}
	if w.alive(got.str("access_token")) {
		t.Error("a token under the stolen key lives")
	}
	wantUserinfo(t, w, got.str("access_token"), http.StatusUnauthorized)
	if strings.Contains(w.ask(newGet("/.well-known/jwks.json")).raw, kid) {
		t.Error("the stolen key is still published")
	}
	if a := w.refresh(w.web, got.str("refresh_token")); a.status != http.StatusOK || !w.alive(a.str("access_token")) {
		t.Errorf("under the next key: %s", a.raw)
	}
}
