package provider_test

import (
	"errors"
	"net/http"
	"strings"
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

// staleGroups are what another node may change of what a group's members hold, while
// nobody tells this one, and what is then granted.
func staleGroups(here, there *world, user *accounts.User) []struct {
	name string
	do   func(t *testing.T) error
	want string
} {
	const all, none = "openid offline_access posts:add", "openid offline_access"
	sub := user.Subject
	return []struct {
		name string
		do   func(t *testing.T) error
		want string
	}{
		{"nothing", func(*testing.T) error { return nil }, all},
		{"permission taken", func(t *testing.T) error {
			return there.groups.RevokePermission(t.Context(), tester, "Editors", "posts:add")
		}, none},
		{"permission given back", func(t *testing.T) error {
			return there.groups.GrantPermission(t.Context(), tester, "Editors", "posts:add")
		}, all},
		{"membership taken", func(t *testing.T) error {
			return there.groups.RemoveMember(t.Context(), tester, "Editors", sub)
		}, none},
		{"membership of a new group that gets it", func(t *testing.T) error {
			_, err := there.groups.Create(t.Context(), tester, "Guests", "")
			return errors.Join(err, there.groups.AddMember(t.Context(), tester, "Guests", sub, 0),
				there.groups.GrantPermission(t.Context(), tester, "Guests", "posts:add"))
		}, all},
		{"group deleted", func(t *testing.T) error {
			return there.groups.Delete(t.Context(), tester, "Guests")
		}, none},
		{"a group of the same name that holds nothing", func(t *testing.T) error {
			_, err := there.groups.Create(t.Context(), tester, "Guests", "")
			return errors.Join(err, there.groups.AddMember(t.Context(), tester, "Guests", sub, 0))
		}, none},
		{"permission given here", func(t *testing.T) error {
			return here.groups.GrantPermission(t.Context(), tester, "Guests", "posts:add")
		}, all},
		{"permission taken here", func(t *testing.T) error {
			return here.groups.RevokePermission(t.Context(), tester, "Guests", "posts:add")
		}, none},
		{"membership given back", func(t *testing.T) error {
			return there.groups.AddMember(t.Context(), tester, "Editors", sub, 0)
		}, all},
		{"permission deleted", func(t *testing.T) error {
			return there.apis.DeletePermission(t.Context(), tester, posts, "posts:add")
		}, none},
		{"a permission of the same name that nobody holds", func(t *testing.T) error {
			return there.apis.AddPermission(t.Context(), tester, posts, accounts.NewPermission{Name: "posts:add", Description: "Add"})
		}, none},
	}
}

// TestL10_RememberedGroups: which groups hold a permission is remembered, and what
// this node or another one changes of it counts at the very next token, by refresh and
// by code, although nobody tells this node. A token from before does not outlive what
// it said.
func TestL10_RememberedGroups(t *testing.T) {
	here, there := twoNodes(t)
	app, browser := here.web, here.signedIn(here.user)
	a := here.tokens(app, here.user, "openid offline_access posts:add")
	for _, c := range staleGroups(here, there, here.user) {
		before := a.str("access_token")
		held := a.str("scope") == "openid offline_access posts:add"
		if err := c.do(t); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		a = here.refresh(app, a.str("refresh_token"))
		if a.status != http.StatusOK || a.str("scope") != c.want {
			t.Errorf("%s: refresh: scope %q, want %q: %s", c.name, a.str("scope"), c.want, a.raw)
		}
		if lost := held && a.str("scope") == "openid offline_access"; lost && ledgerActive(t, here.server, here.resource, before) {
			t.Errorf("%s: a token with the permission lives on", c.name)
		}
		got := here.redeem(app, browser.code(app.request("openid offline_access posts:add")))
		if got.status != http.StatusOK || got.str("scope") != c.want {
			t.Errorf("%s: code: scope %q, want %q: %s", c.name, got.str("scope"), c.want, got.raw)
		}
	}
}

// TestL9_GroupsAreReadLater: a person leaves a group that holds nothing yet, and then
// the group gets the permission, all between the standing and what is read after it.
// Nobody ever held it: the token that says so is dead on arrival.
func TestL9_GroupsAreReadLater(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		refresh := w.tokens(w.web, w.user, "openid offline_access posts:add").str("refresh_token")
		ledgerMust(t, s.groups.RevokePermission(t.Context(), tester, "Editors", "posts:add"))
		s.afterStanding(func() {
			ledgerMust(t, s.groups.RemoveMember(t.Context(), tester, "Editors", w.user.Subject))
			ledgerMust(t, s.groups.GrantPermission(t.Context(), tester, "Editors", "posts:add"))
		})
		a := w.refresh(w.web, refresh)
		if a.status != http.StatusOK || a.str("scope") != "openid offline_access posts:add" {
			t.Fatalf("the test wants a token decided before: %s", a.raw)
		}
		if ledgerActive(t, s, w.resource, a.str("access_token")) {
			t.Error("the token says what nobody ever held, and lives")
		}
	})
}

// TestL10_RememberedGroupsRace: while one node takes a permission from a group, the
// other mints for its members, from what it remembers or not. When the taking is
// answered no token says what was taken.
func TestL10_RememberedGroupsRace(t *testing.T) {
	here, there := twoNodes(t)
	app := here.web
	refresh := make([]string, racers/4)
	for i := range refresh {
		refresh[i] = here.tokens(app, here.user, "openid offline_access posts:add").str("refresh_token")
	}
	for range rounds() {
		answers := race(1+len(refresh), func(i int) answer {
			if i == len(refresh) {
				ledgerMust(t, there.groups.RevokePermission(t.Context(), tester, "Editors", "posts:add"))
				return answer{}
			}
			return here.refresh(app, refresh[i])
		})
		for i, a := range answers[:len(refresh)] {
			if a.status != http.StatusOK {
				t.Fatal(a.raw)
			}
			if strings.Contains(a.str("scope"), "posts:add") && ledgerActive(t, here.server, here.resource, a.str("access_token")) {
				t.Error("a token with the permission lives on")
			}
			after := here.refresh(app, a.str("refresh_token"))
			if refresh[i] = after.str("refresh_token"); after.str("scope") != "openid offline_access" {
				t.Errorf("the next one: %s", after.raw)
			}
		}
		ledgerMust(t, there.groups.GrantPermission(t.Context(), tester, "Editors", "posts:add"))
	}
}
