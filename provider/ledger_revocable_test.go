package provider_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestL01_AbsoluteKindsIgnoreRev: a token with a rev far in the future is dead by
// the rows of token, session, grant and key, and by those alone.
func TestL01_AbsoluteKindsIgnoreRev(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		// A tail refuses a rev that the database does not know. The rows themselves
		// must do so too.
		s.provider.Tail = nil
		w := newWorld(t, s)
		kid := ledgerKid(t, w.tokens(w.web, w.user, "openid posts:add").str("access_token"))
		kinds := slices.DeleteFunc(revocation.Kinds(), func(k revocation.Kind) bool { return k == revocation.Key })
		for _, kind := range append(kinds, revocation.Key) { // last: its row ends all tokens of this test
			now := s.clock.now().Unix()
			a := token.Access{
				Issuer: issuer, Subject: w.user.Subject, Audience: posts, ClientID: w.web.ClientID,
				IssuedAt: now, ExpiresAt: now + 600, ID: id.New().String(), Scope: "openid posts:add",
				SessionID: id.New().String(), GrantID: id.New().String(), Rev: ledgerHead(t, s) + 1_000_000,
			}
			forged := ledgerForge(t, s, a)
			if !ledgerActive(t, s, w.resource, forged) {
				t.Fatalf("%s: the token was dead before", kind)
			}
			key := map[revocation.Kind]string{
				revocation.Token: a.ID, revocation.Session: a.SessionID, revocation.Grant: a.GrantID,
				revocation.User: a.Subject, revocation.Membership: a.Subject, revocation.Permission: "posts:add",
				revocation.Client: a.ClientID, revocation.Key: kid, revocation.All: "",
			}[kind]
			ledgerAppend(t, s, revocation.Entry{Kind: kind, Key: key, Reason: "test"})
			if got := ledgerActive(t, s, w.resource, forged); got == kind.Absolute() {
				t.Errorf("a row of kind %s: active = %v for a rev above it", kind, got)
			}
		}
	})
}

// TestL01_OfflineTokenDropsTheDeadSession: rows of sessions are absolute, so the
// tokens of a grant that outlives its session must not name it any more.
func TestL01_OfflineTokenDropsTheDeadSession(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		first := w.tokens(w.web, w.user, "openid offline_access posts:add")
		sid := ledgerSession(t, first.str("access_token"))
		ledgerMust(t, s.sessions.SignOut(t.Context(), tester, w.user.Subject, sid))
		if ledgerActive(t, s, w.resource, first.str("access_token")) {
			t.Error("the token outlived its session")
		}
		second := w.refresh(w.web, first.str("refresh_token"))
		if second.status != http.StatusOK {
			t.Fatalf("an offline grant ended with its session: %s", second.raw)
		}
		for _, name := range []string{"access_token", "id_token"} {
			if got, ok := claims(t, second.str(name))["sid"]; ok {
				t.Errorf("the %s names the dead session %v", name, got)
			}
		}
		if !ledgerActive(t, s, w.resource, second.str("access_token")) {
			t.Error("the token of a grant that outlives its session is dead on arrival")
		}
	})
}

// TestL01_CompromisedKey: what a stolen key signed is dead, whatever it says, and
// the next key signs.
func TestL01_CompromisedKey(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		first := w.tokens(w.web, w.user, "openid offline_access posts:add")
		kid, before := ledgerKid(t, first.str("access_token")), ledgerHead(t, s)
		if _, err := s.keeper().Compromise(t.Context(), tester, kid, "stolen"); err != nil {
			t.Fatal(err)
		}
		rows := ledgerRows(t, s, before)
		if len(rows) != 1 || rows[0].Kind != revocation.Key || rows[0].Key != kid {
			t.Errorf("rows %+v", rows)
		}
		if ledgerActive(t, s, w.resource, first.str("access_token")) {
			t.Error("the token outlived its key")
		}
		second := w.refresh(w.web, first.str("refresh_token"))
		if second.status != http.StatusOK || ledgerKid(t, second.str("access_token")) == kid {
			t.Fatalf("refresh: %d %s", second.status, second.raw)
		}
		if !ledgerActive(t, s, w.resource, second.str("access_token")) {
			t.Error("the next key's token is refused")
		}
	})
}

// TestL02_SessionWrittenLate: a session whose proof was read before a reset, and
// which was written after it, signs nobody in.
func TestL02_SessionWrittenLate(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		w.allow(w.user, w.web, "openid")
		late := s.browser()
		rev := ledgerHead(t, s)
		ledgerMust(t, s.users.SetPassword(t.Context(), tester, w.user.Subject, "a long enough passphrase"))
		raw := secret.Random(32)
		cookie := base64.RawURLEncoding.EncodeToString(raw)
		hash, ok := accounts.HashSessionToken(cookie)
		if !ok {
			t.Fatal("not a session token")
		}
		now := s.clock.now()
		session := &accounts.Session{
			ID: id.New(), TokenHash: hash, UserID: w.user.ID, Rev: rev, AuthTime: now.UnixMilli(), AMR: []string{"pwd"},
			ACR: accounts.ACRPassword, CreatedAt: now.UnixMilli(), LastSeenAt: now.UnixMilli(),
			IdleEndsAt: now.Add(time.Hour).UnixMilli(), ExpiresAt: now.Add(time.Hour).UnixMilli(),
		}
		ledgerMust(t, s.db.InsertSession(t.Context(), session))
		name := s.provider.Cookies.Name(flow.SessionCookie)
		late.cookies[name] = &http.Cookie{Name: name, Value: cookie}
		resp := late.authorize(w.web.request("openid"))
		if at := resp.Header.Get("Location"); !strings.HasPrefix(at, issuer+flow.PathSignIn) {
			t.Errorf("%d to %q, want the sign-in page", resp.StatusCode, at)
		}
	})
}

// lateCause ends what is being made while it is made, and then gives everything
// back, so that nothing but the positions tells that it was decided before.
type lateCause struct {
	name string
	do   func(ctx context.Context, w *world) error
}

func lateCauses() []lateCause {
	return []lateCause{
		{"ban and unban", func(ctx context.Context, w *world) error {
			if err := w.users.Ban(ctx, tester, w.user.Subject); err != nil {
				return err
			}
			return w.users.Unban(ctx, tester, w.user.Subject)
		}},
		{"password reset", func(ctx context.Context, w *world) error {
			return w.users.SetPassword(ctx, tester, w.user.Subject, "a long enough passphrase")
		}},
		{"disconnect and consent again", func(ctx context.Context, w *world) error {
			if err := w.consents.Disconnect(ctx, tester, w.user, w.web.Client); err != nil {
				return err
			}
			return w.consents.Allow(ctx, tester, w.user, w.web.Client, w.web.Scopes, []string{"openid", "offline_access", "posts:add"})
		}},
		{"client disabled and enabled", func(ctx context.Context, w *world) error {
			if err := w.clients.Disable(ctx, tester, w.web.ClientID); err != nil {
				return err
			}
			return w.clients.Enable(ctx, tester, w.web.ClientID)
		}},
		{"sign-out", func(ctx context.Context, w *world) error {
			sessions, err := w.db.SessionsOf(ctx, w.user.ID, w.clock.now().UnixMilli())
			if err != nil {
				return err
			}
			for _, session := range sessions {
				if err := w.sessions.SignOut(ctx, tester, w.user.Subject, session.ID); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// ledgerReload reads the person again, whose password a cause may have changed.
func ledgerReload(t *testing.T, w *world) {
	t.Helper()
	u, err := w.db.UserBySubject(t.Context(), w.user.Subject)
	ledgerMust(t, err)
	w.user = u
}

// TestL02_CodeWrittenLate: a code that was decided before a cause and written
// after it is refused by the gate.
func TestL02_CodeWrittenLate(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		for _, cause := range lateCauses() {
			ledgerReload(t, w)
			w.allow(w.user, w.web, "openid", "offline_access", "posts:add")
			b := w.signedIn(w.user)
			s.afterStanding(func() { ledgerMust(t, cause.do(t.Context(), w)) })
			code := b.code(w.web.request("openid offline_access posts:add"))
			wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
			if t.Failed() {
				t.Fatalf("after %s", cause.name)
			}
		}
	})
}

// TestL02_GrantWrittenLate: nor is a grant made of a code that was read before.
func TestL02_GrantWrittenLate(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		for _, cause := range lateCauses() {
			ledgerReload(t, w)
			w.allow(w.user, w.web, "openid", "offline_access", "posts:add")
			code := w.signedIn(w.user).code(w.web.request("openid offline_access posts:add"))
			s.afterStanding(func() { ledgerMust(t, cause.do(t.Context(), w)) })
			wantError(t, w.redeem(w.web, code), http.StatusBadRequest, "invalid_grant")
			if t.Failed() {
				t.Fatalf("after %s", cause.name)
			}
		}
	})
}

// TestL02_RefreshDecidedEarly: a refresh that was decided before a cause either
// fails or hands out what is dead on arrival, with and without rotation.
func TestL02_RefreshDecidedEarly(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		bound := w.register(accounts.Registration{
			Name: "Bound", Type: accounts.WebClient, RedirectURIs: []string{callback}, Scopes: w.web.Scopes, WithoutRotation: true,
		})
		for _, c := range []app{w.web, bound} {
			first := w.tokens(c, w.user, "openid offline_access posts:add")
			s.afterStanding(func() {
				ledgerMust(t, s.users.Ban(t.Context(), tester, w.user.Subject))
				ledgerMust(t, s.users.Unban(t.Context(), tester, w.user.Subject))
			})
			second := w.refresh(c, first.str("refresh_token"))
			switch {
			case second.status == http.StatusOK:
				if ledgerActive(t, s, w.resource, second.str("access_token")) {
					t.Errorf("%s: the token outlived the ban", c.Name)
				}
			default:
				wantError(t, second, http.StatusBadRequest, "invalid_grant")
			}
			wantError(t, w.refresh(c, first.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		}
	})
}
