package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestL09_RevIsTheSmallestPosition: a client and a standing are two reads. What
// happens between them is above the token's rev, so a client that was reduced
// there takes the token with it.
func TestL09_RevIsTheSmallestPosition(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		refreshToken := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
		machine := url.Values{"grant_type": {"client_credentials"}}
		// A row, and a change without which the client would be known to be the same.
		unrelated := func() {
			ledgerMust(t, s.db.InTx(t.Context(), func(ctx context.Context) error {
				return errors.Join(
					s.db.BumpChange(ctx),
					s.db.Append(ctx, revocation.Entry{Kind: revocation.Membership, Key: "somebody", Reason: "test"}),
				)
			}))
		}
		for name, get := range map[string]func() answer{
			"code": func() answer {
				code := w.signedIn(w.user).code(w.web.request("openid posts:add"))
				s.afterClient(unrelated)
				return w.redeem(w.web, code)
			},
			"refresh": func() answer { s.afterClient(unrelated); return w.refresh(w.web, refreshToken) },
			"machine": func() answer { s.afterClient(unrelated); return w.call("/oauth2/token", w.machine, machine) },
		} {
			before := ledgerHead(t, s)
			a := get()
			if a.status != http.StatusOK {
				t.Fatalf("%s: %s", name, a.raw)
			}
			if got := ledgerRev(t, a.str("access_token")); got != before || ledgerHead(t, s) != before+1 {
				t.Errorf("%s: rev %d, the first read saw %d and the second %d", name, got, before, ledgerHead(t, s))
			}
		}
		reduce := func(c app, f func(c *accounts.Client)) func() {
			return func() {
				ledgerMust(t, s.clients.Update(t.Context(), tester, c.ClientID, func(c *accounts.Client) error { f(c); return nil }))
			}
		}
		s.afterClient(reduce(w.web, func(c *accounts.Client) { c.Scopes = []string{"openid", "offline_access"} }))
		a := w.refresh(w.web, refreshToken)
		if a.status == http.StatusOK && ledgerActive(t, s, w.resource, a.str("access_token")) {
			t.Errorf("the client may not ask for it any more, and its token lives: %s", a.raw)
		}
		s.afterClient(reduce(w.machine, func(c *accounts.Client) { c.Permissions = []string{"posts:delete"} }))
		a = w.call("/oauth2/token", w.machine, machine)
		if a.status == http.StatusOK && a.str("scope") != "posts:delete" && ledgerActive(t, s, w.resource, a.str("access_token")) {
			t.Errorf("the machine does not hold it any more, and its token lives: %s", a.raw)
		}
	})
}

// TestL09_ShrinkAfterTheRead: what shrinks between the reads and the signature is
// above rev, and the token is dead on arrival.
func TestL09_ShrinkAfterTheRead(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		refreshToken := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
		s.afterStanding(func() { ledgerMust(t, s.groups.RevokePermission(t.Context(), tester, "Editors", "posts:add")) })
		a := w.refresh(w.web, refreshToken)
		if a.status != http.StatusOK || a.str("scope") != "openid offline_access posts:add" {
			t.Fatalf("the test wants a token decided before: %s", a.raw)
		}
		if ledgerActive(t, s, w.resource, a.str("access_token")) {
			t.Error("the token outlived the permission")
		}
		if got := ledgerUserinfo(s, a.str("access_token")); got != http.StatusUnauthorized {
			t.Errorf("userinfo answers %d", got)
		}
		again := w.refresh(w.web, a.str("refresh_token"))
		if got := again.str("scope"); got != "openid offline_access" {
			t.Errorf("scope %q", got)
		}
	})
}

// TestL11_TokensEndWithWhatTheyStandOn: what ends by time writes nothing, so no
// token may live longer.
func TestL11_TokensEndWithWhatTheyStandOn(t *testing.T) {
	const short = 3 * time.Minute
	type standsOn struct {
		name string
		// end makes it end in a short while, and returns when, in milliseconds.
		end func(t *testing.T, w *world, b *browser) int64
	}
	cases := []standsOn{
		{"membership", func(t *testing.T, w *world, _ *browser) int64 {
			at := w.clock.now().Add(short).UnixMilli()
			ledgerMust(t, w.groups.AddMember(t.Context(), tester, "Editors", w.user.Subject, at))
			return at
		}},
		{"consent", func(t *testing.T, w *world, _ *browser) int64 {
			k, err := w.db.ConsentOf(t.Context(), w.user.ID, w.web.ID)
			ledgerMust(t, err)
			k.ExpiresAt = w.clock.now().Add(short).UnixMilli()
			ledgerMust(t, w.db.PutConsent(t.Context(), k))
			return k.ExpiresAt
		}},
		{"session", func(t *testing.T, w *world, b *browser) int64 {
			w.sessions.Absolute = short // however much it is used
			return b.signIn(w.user).ExpiresAt
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t, sqliteURL(t))
			w := newWorld(t, s)
			w.allow(w.user, w.web, "openid", "posts:add")
			b := w.signedIn(w.user)
			end := time.UnixMilli(c.end(t, w, b))
			a := w.redeem(w.web, b.code(w.web.request("openid posts:add")))
			if a.status != http.StatusOK {
				t.Fatal(a.raw)
			}
			if got := int64(claims(t, a.str("access_token"))["exp"].(float64)); got != end.Unix() {
				t.Errorf("exp %d, it stands on what ends at %d", got, end.Unix())
			}
			before := ledgerHead(t, s)
			s.clock.advance(short)
			if ledgerActive(t, s, w.resource, a.str("access_token")) {
				t.Error("the token outlived it")
			}
			again := w.refresh(w.web, a.str("refresh_token"))
			if got := again.str("scope"); got == "openid posts:add" {
				t.Errorf("a refresh brings it back: %s", got)
			}
			if ledgerHead(t, s) != before {
				t.Error("its end wrote a row")
			}
		})
	}
}

// TestL11_TheLatestMembershipCounts: two groups give the same permission, and an
// offline grant does not end with its session.
func TestL11_TheLatestMembershipCounts(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		now := s.clock.now()
		if _, err := s.groups.Create(t.Context(), tester, "Guests", ""); err != nil {
			t.Fatal(err)
		}
		ledgerMust(t, s.groups.GrantPermission(t.Context(), tester, "Guests", "posts:add"))
		ledgerMust(t, s.groups.AddMember(t.Context(), tester, "Editors", w.user.Subject, now.Add(time.Minute).UnixMilli()))
		ledgerMust(t, s.groups.AddMember(t.Context(), tester, "Guests", w.user.Subject, now.Add(4*time.Minute).UnixMilli()))
		a := w.tokens(w.web, w.user, "openid offline_access posts:add")
		if got := int64(claims(t, a.str("access_token"))["exp"].(float64)); got != now.Add(4*time.Minute).Unix() {
			t.Errorf("exp is %d s away, want 240", got-now.Unix())
		}
		if got := a.json["expires_in"].(float64); got > 240 {
			t.Errorf("expires_in %v", got)
		}
	})
}

// TestL12_ExpiryCountsFromTheRead: a stall between the read and the signature does
// not lengthen a token's life.
func TestL12_ExpiryCountsFromTheRead(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		first := w.tokens(w.web, w.user, "openid posts:add")
		s.afterStanding(func() { s.clock.advance(20 * time.Second) })
		before := s.clock.now()
		a := w.refresh(w.web, first.str("refresh_token"))
		if a.status != http.StatusOK {
			t.Fatal(a.raw)
		}
		c := claims(t, a.str("access_token"))
		if exp := int64(c["exp"].(float64)); exp > before.Add(610*time.Second).Unix() {
			t.Errorf("exp lies %d s after the read, want 600", exp-before.Unix())
		}
	})
}

// TestL12_Floor: once rows were dropped, a token from before them is refused, even
// one whose exp was moved; what is minted afterwards is good.
func TestL12_Floor(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		first := w.tokens(w.web, w.user, "openid offline_access posts:add")
		ledgerAppend(t, s, revocation.Entry{Kind: revocation.Membership, Key: "somebody", Reason: "test"})
		if !ledgerActive(t, s, w.resource, first.str("access_token")) {
			t.Fatal("the token was dead before")
		}
		// As if its time had come: TokenLife of the harness is one hour.
		n, err := s.db.Purge(t.Context(), s.clock.now().Add(2*time.Hour).UnixMilli(), 100)
		if err != nil || n == 0 {
			t.Fatalf("%d rows dropped, %v", n, err)
		}
		// In memory the row is still there; the floor rises with the next look.
		ledgerMust(t, s.tail.Look(t.Context()))
		if ledgerActive(t, s, w.resource, first.str("access_token")) {
			t.Error("a token is accepted that a dropped row may have killed")
		}
		second := w.refresh(w.web, first.str("refresh_token"))
		if !ledgerActive(t, s, w.resource, second.str("access_token")) {
			t.Error("one refresh did not mend it")
		}
	})
}

// TestL25_TheGateRunsOnTheGracePath: between a rotation and a repeat of the old
// token things can change; the repeat is decided anew.
func TestL25_TheGateRunsOnTheGracePath(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		first := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
		second := w.refresh(w.web, first)

		ledgerMust(t, s.groups.RevokePermission(t.Context(), tester, "Editors", "posts:add"))
		repeat := w.refresh(w.web, first)
		if repeat.status != http.StatusOK || repeat.str("refresh_token") != second.str("refresh_token") {
			t.Fatalf("repeat: %d %s", repeat.status, repeat.raw)
		}
		if got := repeat.str("scope"); got != "openid offline_access" {
			t.Errorf("scope %q", got)
		}

		// Decided before the ban, answered after it: dead on arrival.
		s.afterStanding(func() { ledgerMust(t, s.users.Ban(t.Context(), tester, w.user.Subject)) })
		late := w.refresh(w.web, first)
		if late.status == http.StatusOK && ledgerUserinfo(s, late.str("access_token")) == http.StatusOK {
			t.Error("a repeat that was decided before the ban lives")
		}
		wantError(t, w.refresh(w.web, first), http.StatusBadRequest, "invalid_grant")
		wantError(t, w.refresh(w.web, second.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
	})
}
