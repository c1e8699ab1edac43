package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// TestNestedGroups: what a group around the one in which somebody is holds, is called
// and demands concerns them as if they were in it.
func TestNestedGroups(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		ctx := t.Context()
		w.allow(w.reader, w.web, "openid", "offline_access", "groups", "posts:delete")
		scope := "openid offline_access groups posts:delete"
		for _, name := range []string{"Juniors", "Staff"} {
			if _, err := w.groups.Create(ctx, tester, name, ""); err != nil {
				t.Fatal(err)
			}
		}
		ledgerMust(t, w.groups.GrantPermission(ctx, tester, "Staff", "posts:delete"))
		ledgerMust(t, w.groups.AddMember(ctx, tester, "Juniors", w.reader.Subject, 0))

		before := w.tokens(w.web, w.reader, scope)
		if slices.Contains(strings.Fields(before.str("scope")), "posts:delete") {
			t.Fatalf("granted before the edge: %s", before.raw)
		}
		ledgerMust(t, w.groups.AddChild(ctx, tester, "Staff", "Juniors"))
		a := w.refresh(w.web, before.str("refresh_token"))
		if !slices.Contains(strings.Fields(a.str("scope")), "posts:delete") {
			t.Fatalf("not granted through the edge: %s", a.raw)
		}
		want := []any{"Juniors", "Staff"}
		if diff := cmp.Diff(want, claims(t, a.str("id_token"))["groups"]); diff != "" {
			t.Errorf("ID token (-want +got):\n%s", diff)
		}
		// The access token is for the API: userinfo is asked with another.
		mine := w.tokens(w.web, w.reader, "openid groups")
		if diff := cmp.Diff(want, w.userinfo(mine.str("access_token")).json["groups"]); diff != "" {
			t.Errorf("userinfo (-want +got):\n%s", diff)
		}

		b := w.signedIn(w.reader)
		request := w.web.request(scope)
		b.code(request)
		ledgerMust(t, w.groups.SetSecondFactor(ctx, tester, "Staff", true))
		flowAt(t, b.authorize(request), flow.PathEnrolFactor)
		ledgerMust(t, w.groups.RemoveChild(ctx, tester, "Staff", "Juniors"))
		b.code(request)
		if ledgerActive(t, s, w.resource, a.str("access_token")) {
			t.Error("the token outlives the edge")
		}
		if after := w.refresh(w.web, a.str("refresh_token")); slices.Contains(strings.Fields(after.str("scope")), "posts:delete") {
			t.Errorf("granted after the edge: %s", after.raw)
		}
	})
}

// TestPermissionSetsOfMachines: a machine gets what was asked of its own permissions
// and those of its sets, and loses what is taken from either (L10, L19).
func TestPermissionSetsOfMachines(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		ctx := t.Context()
		sets := &accounts.PermissionSets{Journal: s.consents.Journal, Store: s.db, Holdings: s.db, Permissions: s.db, Clients: s.db}
		for _, name := range []string{"Robots", "Others"} {
			if _, err := sets.Create(ctx, tester, name, ""); err != nil {
				t.Fatal(err)
			}
			ledgerMust(t, sets.Grant(ctx, tester, name, "posts:delete"))
		}
		robot := s.register(accounts.Registration{Name: "Robot", Type: accounts.MachineClient, Permissions: []string{"posts:add"}})
		ask := func(scope string) answer {
			form := url.Values{"grant_type": {"client_credentials"}}
			if scope != "" {
				form.Set("scope", scope)
			}
			return w.call("/oauth2/token", robot, form)
		}
		if a := ask("posts:delete"); a.status != http.StatusBadRequest {
			t.Fatalf("without the set: %s", a.raw)
		}
		for _, name := range []string{"Robots", "Others"} {
			ledgerMust(t, sets.Assign(ctx, tester, name, robot.ClientID))
		}
		for _, tt := range []struct{ scope, want string }{
			{"", "posts:add posts:delete"}, {"posts:delete", "posts:delete"}, {"posts:add photos:add", "posts:add"},
		} {
			if a := ask(tt.scope); a.str("scope") != tt.want {
				t.Errorf("asked %q: %s", tt.scope, a.raw)
			}
		}
		access := ask("").str("access_token")
		ledgerMust(t, sets.Unassign(ctx, tester, "Robots", robot.ClientID))
		if !ledgerActive(t, s, w.resource, access) {
			t.Error("dead although another set holds the same")
		}
		ledgerMust(t, sets.Revoke(ctx, tester, "Others", "posts:delete"))
		if ledgerActive(t, s, w.resource, access) {
			t.Error("the token outlives the permission")
		}
		if a := ask(""); a.str("scope") != "posts:add" {
			t.Errorf("left: %s", a.raw)
		}
	})
}
