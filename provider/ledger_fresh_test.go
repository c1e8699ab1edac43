package provider_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// giveBack is a right that is taken and given again.
type giveBack struct {
	name string
	take func(s *shrinkStage) error
	give func(s *shrinkStage) error
	left string // scope in between
}

func givesBack() []giveBack {
	return []giveBack{
		{"permission of a group", func(s *shrinkStage) error {
			return s.groups.RevokePermission(s.t.Context(), tester, s.group, s.write)
		}, func(s *shrinkStage) error {
			return s.groups.GrantPermission(s.t.Context(), tester, s.group, s.write)
		}, "openid offline read"},
		{"membership", func(s *shrinkStage) error {
			return s.groups.RemoveMember(s.t.Context(), tester, s.group, s.user.Subject)
		}, func(s *shrinkStage) error {
			return s.groups.AddMember(s.t.Context(), tester, s.group, s.user.Subject, 0)
		}, "openid offline"},
		{"membership without end", func(s *shrinkStage) error {
			return s.groups.AddMember(s.t.Context(), tester, s.group, s.user.Subject, s.clock.now().Add(time.Minute).UnixMilli())
		}, func(s *shrinkStage) error {
			return s.groups.AddMember(s.t.Context(), tester, s.group, s.user.Subject, 0)
		}, allShort},
		{"superuser", func(s *shrinkStage) error {
			return s.groups.RemoveMember(s.t.Context(), tester, s.group, s.user.Subject)
		}, func(s *shrinkStage) error {
			return s.users.SetSuperuser(s.t.Context(), tester, s.user.Subject, true)
		}, "openid offline"},
		{"consent", func(s *shrinkStage) error {
			return s.consents.Allow(s.t.Context(), tester, s.user, s.app.Client, []string{s.write}, nil)
		}, func(s *shrinkStage) error {
			return s.consents.Allow(s.t.Context(), tester, s.user, s.app.Client, []string{s.write}, []string{s.write})
		}, "openid offline read"},
		{"API", func(s *shrinkStage) error {
			return s.apis.Disable(s.t.Context(), tester, s.audience)
		}, func(s *shrinkStage) error {
			return s.apis.Enable(s.t.Context(), tester, s.audience)
		}, "openid offline"},
		{"client's scopes", func(s *shrinkStage) error {
			return s.clients.Update(s.t.Context(), tester, s.app.ClientID, func(c *accounts.Client) error {
				c.Scopes = []string{"openid", "offline_access", s.read}
				return nil
			})
		}, func(s *shrinkStage) error {
			return s.clients.Update(s.t.Context(), tester, s.app.ClientID, func(c *accounts.Client) error {
				c.Scopes = append(c.Scopes, s.write)
				return nil
			})
		}, "openid offline read"},
	}
}

// TestFresh_TakenAndGivenBack: what is taken makes the old token invalid and is
// absent from the next; what is given back writes no row, disturbs no token, and
// is in the next one again (L10, and the promise "fresh").
func TestFresh_TakenAndGivenBack(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		for n, c := range givesBack() {
			t.Run(c.name, func(t *testing.T) {
				st := newShrinkStage(t, w, n)
				first := st.first()
				st.must(c.take(st))
				if got := ledgerUserinfo(s, first.str("access_token")); got != http.StatusUnauthorized {
					t.Errorf("the old token: %d", got)
				}
				second := w.refresh(st.app, first.str("refresh_token"))
				if got, want := second.str("scope"), st.scope(c.left); got != want {
					t.Fatalf("scope %q, want %q", got, want)
				}
				before := ledgerHead(t, s)
				st.must(c.give(st))
				if rows := ledgerRows(t, s, before); len(rows) != 0 {
					t.Errorf("what only gives wrote %+v", rows)
				}
				if got := ledgerUserinfo(s, second.str("access_token")); got != http.StatusOK {
					t.Errorf("what only gives ended a token: %d", got)
				}
				third := w.refresh(st.app, second.str("refresh_token"))
				if got, want := third.str("scope"), st.scope(allShort); got != want {
					t.Errorf("scope %q, want %q", got, want)
				}
				if !ledgerActive(t, s, st.resource, third.str("access_token")) {
					t.Error("the token with everything is refused")
				}
			})
		}
	})
}
