package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// TestL14_OnceSurvivesTheCache: codes, assertions and pushed requests stay used
// when the short-lived store forgets everything, or comes back with what was used.
func TestL14_OnceSurvivesTheCache(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		w.allow(w.user, w.web, "openid", "posts:add")
		b := w.signedIn(w.user)
		kept := &keptRequests{pushed: pushed{s.cache}}
		s.provider.Pushed = kept
		request := url.Values{"client_id": {w.web.ClientID}, "request_uri": {racePush(t, w)}}
		signer := newAssertionSigner(t)
		c := w.register(accounts.Registration{
			Name: "Signing", Type: accounts.MachineClient, AuthMethod: accounts.AuthPrivateKeyJWT,
			JWKS: signer.jwks, Permissions: []string{"posts:add"},
		})
		assertion := signer.form(t, c, id.New().String())

		code := location(t, b.authorize(request), callback).Get("code")
		if a := w.redeem(w.web, code); a.status != http.StatusOK {
			t.Fatal(a.raw)
		}
		if a := w.call("/oauth2/token", c, assertion); a.status != http.StatusOK {
			t.Fatal(a.raw)
		}

		lost := cache.NewMemory(s.clock.now, 1<<20)
		s.provider.Limiter, s.provider.Pushed = limiter{lost}, pushed{lost}
		wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
		wantError(t, w.call("/oauth2/token", c, assertion), http.StatusUnauthorized, "invalid_client")
		ledgerMust(t, lost.Put(t.Context(), kept.key, kept.value, time.Minute))
		if resp := b.authorize(request); resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" {
			t.Errorf("a pushed request was used twice: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
		}
	})
}

// TestL14_TheLoserOfTheWrite: of two that read the same, one writes. For a code the
// other is a replay like any later one; for a refresh token it gets the same
// successor.
func TestL14_TheLoserOfTheWrite(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		w.allow(w.user, w.web, "openid", "posts:add")
		code := w.signedIn(w.user).code(w.web.request("openid posts:add"))
		var won answer
		s.afterStanding(func() { won = w.redeem(w.web, code) })
		wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
		if won.status != http.StatusOK || ledgerActive(t, s, w.resource, won.str("access_token")) {
			t.Errorf("the winner got %d, and its token must be dead", won.status)
		}
		wantError(t, w.refresh(w.web, won.str("refresh_token")), http.StatusBadRequest, "invalid_grant")

		first := w.tokens(w.web, w.user, "openid posts:add")
		s.afterStanding(func() { won = w.refresh(w.web, first.str("refresh_token")) })
		lost := w.refresh(w.web, first.str("refresh_token"))
		if won.str("refresh_token") == "" || lost.str("refresh_token") != won.str("refresh_token") {
			t.Errorf("two successors: %s and %s", won.raw, lost.raw)
		}
		if g := raceGrant(t, w, first); g.Refresh.Generation != 2 {
			t.Errorf("generation %d", g.Refresh.Generation)
		}
	})
}

// TestL14_EachConsentHasItsOwnGrant: what a disconnect ended does not come back
// with the next consent.
func TestL14_EachConsentHasItsOwnGrant(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		first := w.tokens(w.web, w.user, "openid offline_access posts:add")
		ledgerMust(t, s.consents.Disconnect(t.Context(), tester, w.user, w.web.Client))
		second := w.tokens(w.web, w.user, "openid offline_access posts:add")
		if claims(t, first.str("access_token"))["gid"] == claims(t, second.str("access_token"))["gid"] {
			t.Error("two consents, one grant")
		}
		wantError(t, w.refresh(w.web, first.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		if ledgerActive(t, s, w.resource, first.str("access_token")) || !ledgerActive(t, s, w.resource, second.str("access_token")) {
			t.Error("the first token must be dead and the second alive")
		}
	})
}

// TestL18_FreshTokensAreAccepted: a token that is minted right after a cause, on
// another node than the one that wrote it and asked about on a third, is good, and
// the one before it is not.
func TestL18_FreshTokensAreAccepted(t *testing.T) {
	database := sqldbtest.Postgres(t)
	var nodes []*server
	for range 3 {
		nodes = append(nodes, newNode(t, database, secret.Text(strings.Repeat("s", 40)), nil))
	}
	w := newWorld(t, nodes[0])
	a := w.tokens(w.web, w.user, "openid offline_access posts:add")
	for i := range 12 {
		causing, minting, asking := nodes[i%3], nodes[(i+1)%3], nodes[(i+2)%3]
		if i%2 == 0 {
			ledgerMust(t, causing.groups.RevokePermission(t.Context(), tester, "Editors", "posts:add"))
		} else {
			ledgerMust(t, causing.groups.GrantPermission(t.Context(), tester, "Editors", "posts:add"))
			ledgerAppend(t, causing, revocation.Entry{Kind: revocation.All, Reason: "test"})
		}
		if got := ledgerUserinfo(asking, a.str("access_token")); got != http.StatusUnauthorized {
			t.Errorf("round %d: the old token: userinfo %d", i, got)
		}
		a = minting.refresh(w.web, a.str("refresh_token"))
		if a.status != http.StatusOK {
			t.Fatalf("round %d: %s", i, a.raw)
		}
		if got := ledgerUserinfo(asking, a.str("access_token")); got != http.StatusOK {
			t.Errorf("round %d: the new token: userinfo %d", i, got)
		}
		if has := strings.Contains(a.str("scope"), "posts:add"); has != (i%2 == 1) {
			t.Errorf("round %d: scope %q", i, a.str("scope"))
		}
	}
}

// TestL26_NoRowForTheDead: a revocation writes one row while the token lives, and
// none for what is dead, expired, unknown or another client's.
func TestL26_NoRowForTheDead(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		revoke := func(c app, raw string, rows int64) {
			t.Helper()
			before := ledgerHead(t, s)
			if a := w.call("/oauth2/revoke", c, url.Values{"token": {raw}}); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.raw)
			}
			if got := ledgerHead(t, s) - before; got != rows {
				t.Errorf("%d rows, want %d", got, rows)
			}
		}
		access := w.tokens(w.web, w.user, "openid posts:add").str("access_token")
		revoke(w.machine, access, 0)
		if !ledgerActive(t, s, w.resource, access) {
			t.Error("another client revoked the token")
		}
		revoke(w.web, access, 1)
		revoke(w.web, access, 0)
		if ledgerActive(t, s, w.resource, access) {
			t.Error("the token outlived its revocation")
		}

		second := w.tokens(w.web, w.user, "openid posts:add")
		revoke(w.web, second.str("refresh_token"), 1)
		revoke(w.web, second.str("refresh_token"), 0)
		revoke(w.web, second.str("access_token"), 0) // died with its grant

		now := s.clock.now().Unix()
		expired := ledgerForge(t, s, token.Access{
			Issuer: issuer, Subject: w.user.Subject, Audience: posts, ClientID: w.web.ClientID,
			IssuedAt: now - 600, ExpiresAt: now - 1, ID: id.New().String(), Rev: ledgerHead(t, s),
		})
		revoke(w.web, expired, 0)
		revoke(w.web, "ghr_unknown", 0)
		revoke(w.web, "nonsense", 0)
	})
}

// TestL26_BudgetOfAClient: every row is read by every follower, so a client cannot
// write as many as it likes; others are not concerned.
func TestL26_BudgetOfAClient(t *testing.T) {
	s := newServer(t, sqliteURL(t))
	w := newWorld(t, s)
	stopped := time.Now()
	s.provider.Limiter = limiter{cache.NewMemory(func() time.Time { return stopped }, 1<<20)}
	form := url.Values{"token": {"unknown"}}
	machineToken := func() string {
		return w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"client_credentials"}}).str("access_token")
	}
	for range 100 { // only what writes a row is counted
		if a := w.call("/oauth2/revoke", w.machine, url.Values{"token": {machineToken()}}); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.raw)
		}
	}
	access := machineToken()
	before := ledgerHead(t, s)
	a := w.call("/oauth2/revoke", w.machine, url.Values{"token": {access}})
	wantError(t, a, http.StatusTooManyRequests, "temporarily_unavailable")
	if a.header.Get("Retry-After") == "" || ledgerHead(t, s) != before || !ledgerActive(t, s, w.resource, access) {
		t.Errorf("Retry-After %q, %d rows", a.header.Get("Retry-After"), ledgerHead(t, s)-before)
	}
	if a := w.call("/oauth2/revoke", w.web, form); a.status != http.StatusOK {
		t.Errorf("another client: %d %s", a.status, a.raw)
	}
}
