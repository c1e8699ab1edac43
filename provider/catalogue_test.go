package provider_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Whatever is remembered of APIs and permissions, a change of them counts at the
// next request, also one that another node made (L10).
func TestL10_Catalogue(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		a := w.tokens(w.web, w.user, "openid offline_access posts:add")
		next := func(want string) answer {
			t.Helper()
			a = w.refresh(w.web, a.str("refresh_token"))
			if a.status != http.StatusOK || a.str("scope") != want {
				t.Fatalf("scope %q, want %q: %s", a.str("scope"), want, a.raw)
			}
			return a
		}
		next("openid offline_access posts:add")
		api, err := s.db.APIByAudience(t.Context(), posts)
		ledgerMust(t, err)
		api.TokenLifetime = 7000
		ledgerMust(t, s.db.UpdateAPI(t.Context(), api))
		if got := next("openid offline_access posts:add").json["expires_in"]; got != 7.0 {
			t.Errorf("expires_in %v after a shorter lifetime", got)
		}
		ledgerMust(t, s.apis.Disable(t.Context(), tester, posts))
		next("openid offline_access")
		ledgerMust(t, s.apis.Enable(t.Context(), tester, posts))
		next("openid offline_access posts:add")
	})
}

// TestL9_CatalogueIsReadLater: what is read after the standing does not raise rev.
func TestL9_CatalogueIsReadLater(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		refresh := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
		s.provider.ForgetPermissions()
		s.afterStanding(func() {
			ledgerMust(t, s.groups.RemoveMember(t.Context(), tester, "Editors", w.user.Subject))
			// And the counter moves, so that the catalogue is of a later change.
			ledgerMust(t, s.apis.AddPermission(t.Context(), tester, posts, accounts.NewPermission{Name: "posts:more", Description: "More"}))
		})
		a := w.refresh(w.web, refresh)
		if a.status != http.StatusOK || a.str("scope") != "openid offline_access posts:add" {
			t.Fatalf("the test wants a token decided before: %s", a.raw)
		}
		if ledgerActive(t, s, w.resource, a.str("access_token")) {
			t.Error("the token outlived the membership")
		}
	})
}

// TestSuperuserHoldsWhatIsAsked, of enabled APIs, and nothing that does not exist.
func TestSuperuserHoldsWhatIsAsked(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		ledgerMust(t, s.groups.RemoveMember(t.Context(), tester, "Editors", w.user.Subject))
		ledgerMust(t, s.users.SetSuperuser(t.Context(), tester, w.user.Subject, true))
		a := w.tokens(w.web, w.user, "openid offline_access posts:add posts:delete")
		if got := a.str("scope"); got != "openid offline_access posts:add posts:delete" {
			t.Errorf("scope %q", got)
		}
		ledgerMust(t, s.apis.Disable(t.Context(), tester, posts))
		if got := w.refresh(w.web, a.str("refresh_token")).str("scope"); got != "openid offline_access" {
			t.Errorf("scope %q of a disabled API", got)
		}
	})
}
