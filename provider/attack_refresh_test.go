package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func TestAttack_060_ReplayAfterGrace(t *testing.T) {
	w := besieged(t)
	first := w.tokens(w.web, w.user, postsScope)
	second := w.refresh(w.web, first.str("refresh_token"))
	w.clock.advance(31 * time.Second)
	wantError(t, w.refresh(w.web, first.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	for _, a := range []answer{first, second} {
		if w.alive(a.str("access_token")) {
			t.Error("an access token of the grant lives")
		}
		if w.introspect(w.web, a.str("refresh_token")).json["active"] != false {
			t.Error("a refresh token of the grant lives")
		}
	}
	wantError(t, w.refresh(w.web, second.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_061_GraceDoesNotChain(t *testing.T) {
	w := besieged(t)
	first := w.tokens(w.web, w.user, "openid").str("refresh_token")
	second := w.refresh(w.web, first).str("refresh_token")
	for range 50 {
		if got := w.refresh(w.web, first).str("refresh_token"); got != second {
			t.Fatalf("another successor: %q", got)
		}
	}
	// Answers of the grace period do not prolong it.
	w.clock.advance(29 * time.Second)
	w.refresh(w.web, first)
	w.clock.advance(2 * time.Second)
	wantError(t, w.refresh(w.web, first), http.StatusBadRequest, "invalid_grant")
	wantError(t, w.refresh(w.web, second), http.StatusBadRequest, "invalid_grant")
}

// More rotations than are remembered: the oldest tokens lose their grace, never
// the detection.
func TestAttack_061_ManyRotationsInTheGracePeriod(t *testing.T) {
	w := besieged(t)
	first := w.tokens(w.web, w.user, "openid").str("refresh_token")
	last := first
	for range 40 {
		if last = w.refresh(w.web, last).str("refresh_token"); last == "" {
			t.Fatal("no successor")
		}
	}
	wantError(t, w.refresh(w.web, first), http.StatusBadRequest, "invalid_grant")
	wantError(t, w.refresh(w.web, last), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_062_RestartBetweenRotationAndReplay(t *testing.T) {
	at := keyedURL(t)
	w, _ := besiegedOn(t, at)
	first := w.tokens(w.web, w.user, postsScope).str("refresh_token")
	second := w.refresh(w.web, first).str("refresh_token")
	again := newNode(t, at, secret.Text(strings.Repeat("s", 40)), nil)
	watch(again)
	if got := again.refresh(w.web, first).str("refresh_token"); got != second {
		t.Error("the restarted server does not know the grace period")
	}
	again.clock.advance(31 * time.Second)
	wantError(t, again.refresh(w.web, first), http.StatusBadRequest, "invalid_grant")
	wantError(t, again.refresh(w.web, second), http.StatusBadRequest, "invalid_grant")
}

func TestAttack_063_EndedSinceIssue(t *testing.T) {
	w := besieged(t)
	for name, end := range w.causes() {
		t.Run(name, func(t *testing.T) {
			u := w.person("refresh" + strings.ReplaceAll(name, " ", ""))
			c := w.register(accounts.Registration{Name: name, Type: accounts.SPAClient, RedirectURIs: []string{callback}})
			got := w.tokens(c, u, "openid offline_access")
			if err := end(u, c, nil); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				a := w.refresh(c, got.str("refresh_token"))
				if a.status == http.StatusOK || a.str("error") != "invalid_grant" && a.str("error") != "invalid_client" {
					t.Errorf("%d %s", a.status, a.raw)
				}
			}
			wantUserinfo(t, w, got.str("access_token"), http.StatusUnauthorized)
		})
	}
}

// Whoever leaves a group loses its permissions at the next refresh, and the token
// that carried them at once.
func TestAttack_063_RemovedFromGroup(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope)
	if err := w.groups.RemoveMember(t.Context(), tester, "Editors", w.user.Subject); err != nil {
		t.Fatal(err)
	}
	if w.alive(got.str("access_token")) {
		t.Error("the token with the old permissions lives")
	}
	a := w.refresh(w.web, got.str("refresh_token"))
	if a.status != http.StatusOK || strings.Contains(a.str("scope"), "posts:add") {
		t.Errorf("refresh: %s", a.raw)
	}
}

func TestAttack_064_APIDisabledSinceIssue(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope, "resource", posts)
	if err := w.apis.Disable(t.Context(), tester, posts); err != nil {
		t.Fatal(err)
	}
	wantError(t, w.refresh(w.web, got.str("refresh_token")), http.StatusBadRequest, "invalid_target")
	if a := w.introspect(w.web, got.str("access_token")); a.json["active"] != false {
		t.Errorf("the token of a disabled API lives: %s", a.raw)
	}
}

func TestAttack_066_MoreThanWasGranted(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope, "resource", posts)
	token := got.str("refresh_token")
	for _, scope := range []string{"openid posts:delete", "openid profile", "admin:all", "OPENID"} {
		wantError(t, w.refresh(w.web, token, "scope", scope), http.StatusBadRequest, "invalid_scope")
	}
	for _, resource := range []string{photos, issuer, "https://unknown.example", posts + "/deeper"} {
		wantError(t, w.refresh(w.web, token, "resource", resource), http.StatusBadRequest, "invalid_target")
	}
	narrow := w.refresh(w.web, token, "scope", "openid")
	if narrow.str("scope") != "openid" {
		t.Errorf("narrowed: %s", narrow.raw)
	}
	// The narrowing is for one token; the grant keeps what it has.
	if wide := w.refresh(w.web, narrow.str("refresh_token")); wide.str("scope") != postsScope {
		t.Errorf("scope %q", wide.str("scope"))
	}
}

func TestAttack_067_RefreshTokenOfAnotherClient(t *testing.T) {
	w := besieged(t)
	got := w.tokens(w.web, w.user, postsScope)
	other := w.register(accounts.Registration{Name: "Other", Type: accounts.WebClient, RedirectURIs: []string{callback}})
	w.untouched(func() {
		for _, thief := range []app{other, w.spa} {
			wantError(t, w.refresh(thief, got.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
			if a := w.introspect(other, got.str("refresh_token")); a.json["active"] != false || len(a.json) != 1 {
				t.Errorf("introspection: %s", a.raw)
			}
		}
		// The client's own name with another's secret.
		wantError(t, w.refresh(app{w.web.Client, other.secret}, got.str("refresh_token")), http.StatusUnauthorized, "invalid_client")
		wantError(t, w.refresh(app{w.web.Client, ""}, got.str("refresh_token")), http.StatusUnauthorized, "invalid_client")
	})
	second := w.refresh(w.web, got.str("refresh_token"))
	w.clock.advance(time.Hour)
	w.untouched(func() {
		// Rotated long ago, but a replay by others ends nothing.
		wantError(t, w.refresh(other, got.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	})
	if a := w.refresh(w.web, second.str("refresh_token")); a.status != http.StatusOK {
		t.Errorf("the owner: %s", a.raw)
	}
}

func TestAttack_046_and_048_SpoiledRefreshTokens(t *testing.T) {
	w := besieged(t)
	token := w.tokens(w.web, w.user, postsScope).str("refresh_token")
	w.untouched(func() {
		for name, other := range spoiled(token) {
			if a := w.refresh(w.web, other); a.status != http.StatusBadRequest || a.str("error") != "invalid_grant" {
				t.Errorf("%s: %d %s", name, a.status, a.raw)
			}
			if a := w.introspect(w.web, other); a.json["active"] != false || len(a.json) != 1 {
				t.Errorf("%s: %s", name, a.raw)
			}
			if a := w.call("/oauth2/revoke", w.web, formOf("token", other)); a.status != http.StatusOK {
				t.Errorf("%s: revocation %d %s", name, a.status, a.raw)
			}
		}
	})
	if a := w.refresh(w.web, token); a.status != http.StatusOK {
		t.Errorf("the token itself: %s", a.raw)
	}
}

func TestAttack_069_TokensOfAnotherKind(t *testing.T) {
	w := besieged(t)
	code := w.fresh(w.web)
	got := w.tokens(w.web, w.user, postsScope)
	kinds := map[string]string{
		"code": code, "refresh_token": got.str("refresh_token"), "access_token": got.str("access_token"), "id_token": got.str("id_token"), "nothing": "x",
	}
	w.untouched(func() {
		for kind, value := range kinds {
			t.Run(kind, func(t *testing.T) {
				if kind != "code" {
					wantError(t, w.redeem(w.web, value), http.StatusBadRequest, "invalid_grant")
				}
				if kind != "refresh_token" {
					wantError(t, w.refresh(w.web, value), http.StatusBadRequest, "invalid_grant")
				}
				if kind != "access_token" {
					wantUserinfo(t, w, value, http.StatusUnauthorized)
				}
				if kind != "access_token" && kind != "refresh_token" && w.introspect(w.web, value).json["active"] != false {
					t.Error("introspection says active")
				}
				if kind != "id_token" {
					wantRedirect(t, w.browser().authorize(w.web.request("openid", "id_token_hint", value)), callback, "invalid_request")
					wantPage(t, w.browser().get(issuer+"/logout?"+formOf("id_token_hint", value).Encode()), http.StatusBadRequest)
				}
				wantError(t, w.call("/oauth2/token", app{}, formOf("grant_type", "client_credentials", "client_assertion", value,
					"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")), http.StatusUnauthorized, "invalid_client")
			})
		}
	})
}

func TestAttack_070_AnswerLostAfterRotation(t *testing.T) {
	w := besieged(t)
	first := w.tokens(w.web, w.user, postsScope).str("refresh_token")
	lost := w.refresh(w.web, first)
	again := w.refresh(w.web, first)
	if again.status != http.StatusOK || again.str("refresh_token") != lost.str("refresh_token") {
		t.Errorf("the repeated request: %s", again.raw)
	}
}

func TestAttack_073_RefreshTokensEnd(t *testing.T) {
	w := besieged(t)
	idle := w.tokens(w.web, w.user, postsScope).str("refresh_token")
	w.clock.advance(30 * 24 * time.Hour)
	wantError(t, w.refresh(w.web, idle), http.StatusBadRequest, "invalid_grant")
	used := w.tokens(w.web, w.user, postsScope).str("refresh_token")
	for range 12 {
		w.clock.advance(29 * 24 * time.Hour)
		next := w.refresh(w.web, used)
		if next.status != http.StatusOK {
			t.Fatalf("in use: %s", next.raw)
		}
		used = next.str("refresh_token")
	}
	w.clock.advance(18 * 24 * time.Hour) // 366 days in all
	wantError(t, w.refresh(w.web, used), http.StatusBadRequest, "invalid_grant")
	if a := w.introspect(w.web, used); a.json["active"] != false {
		t.Errorf("introspection: %s", a.raw)
	}
}
