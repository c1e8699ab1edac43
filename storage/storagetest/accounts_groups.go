package storagetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func newGroup(t testing.TB, s Identity, name string) *accounts.Group {
	t.Helper()
	g := &accounts.Group{ID: id.New(), Name: "The " + name, NameKey: name, Description: "People", CreatedAt: 5}
	must(t, s.InsertGroup(t.Context(), g))
	return g
}

func newUser(t testing.TB, s Identity, name string) *accounts.User {
	t.Helper()
	u := plainUser(name)
	must(t, s.InsertUser(t.Context(), u))
	return u
}

// newPermissions inserts an API with permissions of the given names.
func newPermissions(t testing.TB, s Identity, audience string, names ...string) map[string]accounts.Permission {
	t.Helper()
	a := &accounts.API{ID: id.New(), Audience: audience, Name: audience}
	must(t, s.InsertAPI(t.Context(), a))
	made := make(map[string]accounts.Permission)
	for _, n := range names {
		p := accounts.Permission{ID: id.New(), APIID: a.ID, Name: n, Description: "Can " + n, CreatedAt: 3}
		must(t, s.InsertPermission(t.Context(), &p))
		made[n] = p
	}
	return made
}

func groupKept(t *testing.T, s Identity) {
	ctx := t.Context()
	g := newGroup(t, s, "editors")
	got, err := s.GroupByName(ctx, "editors")
	must(t, err)
	if diff := cmp.Diff(g, got); diff != "" {
		t.Error(diff)
	}
	again := *g
	again.ID = id.New()
	wantError(t, s.InsertGroup(ctx, &again), accounts.ErrConflict)
	must(t, s.DemandFactor(ctx, g.ID, true))
	g.Name, g.NameKey, g.Description = "Writers", "writers", "They write" // and knows nothing of the factor
	must(t, s.UpdateGroup(ctx, g))
	_, err = s.GroupByName(ctx, "editors")
	wantError(t, err, accounts.ErrNotFound)
	newGroup(t, s, "a")
	list, err := s.ListGroups(ctx)
	must(t, err)
	if len(list) != 2 || list[0].NameKey != "a" || list[1].Name != "Writers" || !list[1].SecondFactor {
		t.Errorf("groups %+v", list)
	}
	must(t, s.DeleteGroup(ctx, g.ID))
	wantError(t, s.DeleteGroup(ctx, g.ID), accounts.ErrNotFound)
	wantError(t, s.UpdateGroup(ctx, g), accounts.ErrNotFound)
	wantError(t, s.DemandFactor(ctx, g.ID, true), accounts.ErrNotFound)
}

func membership(t *testing.T, s Identity) {
	ctx := t.Context()
	g := newGroup(t, s, "editors")
	for _, name := range []string{"c", "a", "b"} {
		u := newUser(t, s, name)
		got, err := s.AddMember(ctx, g.ID, u.ID, 0, 100)
		if diff := cmp.Diff(&accounts.MemberChange{UserID: u.ID}, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	}
	page, err := s.Members(ctx, g.ID, "", 2)
	must(t, err)
	rest, err := s.Members(ctx, g.ID, "sub-b", 2)
	must(t, err)
	if diff := cmp.Diff([]string{"sub-a", "sub-b", "sub-c"}, append(page, rest...)); diff != "" {
		t.Error(diff)
	}
	u, err := s.UserBySubject(ctx, "sub-a")
	must(t, err)
	for i, want := range []bool{true, false} {
		if was, err := s.RemoveMember(ctx, g.ID, u.ID, 100); was != want || err != nil {
			t.Errorf("removal %d: %v, %v", i, was, err)
		}
	}
	_, err = s.AddMember(ctx, id.New(), u.ID, 0, 100)
	wantError(t, err, accounts.ErrNotFound)
	_, err = s.AddMember(ctx, g.ID, id.New(), 0, 100)
	wantError(t, err, accounts.ErrNotFound)
	list, err := s.ListGroups(ctx)
	must(t, err)
	if len(list) != 1 || list[0].Members != 2 {
		t.Errorf("groups %+v", list)
	}
	must(t, s.DeleteGroup(ctx, g.ID))
	if left, err := s.Members(ctx, g.ID, "", 9); len(left) != 0 || err != nil {
		t.Errorf("members of a deleted group: %v, %v", left, err)
	}
}

// membershipEnds: a membership that has ended is none, and to end one earlier is
// to take something away.
func membershipEnds(t *testing.T, s Identity) {
	ctx := t.Context()
	g, u := newGroup(t, s, "editors"), newUser(t, s, "a")
	const now = 1000
	var was int64
	for i, step := range []struct {
		endsAt             int64
		changed, shortened bool
		member             bool
	}{
		{endsAt: 2000, changed: true, member: true},
		{endsAt: 2000, member: true},
		{endsAt: 3000, changed: true, member: true},
		{endsAt: 0, changed: true, member: true},
		{endsAt: 0, member: true},
		{endsAt: 2000, changed: true, shortened: true, member: true},
		{endsAt: 1500, changed: true, shortened: true, member: true},
		{endsAt: 1000, changed: true, shortened: true},
		{endsAt: 900, changed: true}, // had ended already
		{endsAt: 1001, changed: true, member: true},
	} {
		got, err := s.AddMember(ctx, g.ID, u.ID, step.endsAt, now)
		must(t, err)
		var want *accounts.MemberChange
		if step.changed {
			want = &accounts.MemberChange{UserID: u.ID, Moved: i > 0, EndedAt: was, Shortened: step.shortened}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("to %d: %s", step.endsAt, diff)
		}
		was = step.endsAt
		names, err := s.GroupsOf(ctx, u.ID, now)
		must(t, err)
		if (len(names) == 1) != step.member {
			t.Errorf("to %d: in the groups %v", step.endsAt, names)
		}
	}
	if was, err := s.RemoveMember(ctx, g.ID, u.ID, 1001); was || err != nil {
		t.Errorf("removed who was no member any more: %v, %v", was, err)
	}
}

func groupPermissions(t *testing.T, s Identity) {
	ctx := t.Context()
	g := newGroup(t, s, "editors")
	p := newPermissions(t, s, "https://a.example", "posts:delete", "posts:add")
	for _, name := range []string{"posts:delete", "posts:add"} {
		for i, want := range []bool{true, false} {
			if got, err := s.GrantPermission(ctx, g.ID, p[name].ID); got != want || err != nil {
				t.Errorf("grant %d of %s: %v, %v", i, name, got, err)
			}
		}
	}
	got, err := s.GroupByName(ctx, "editors")
	must(t, err)
	if diff := cmp.Diff([]string{"posts:add", "posts:delete"}, got.Permissions); diff != "" {
		t.Error(diff)
	}
	for i, want := range []bool{true, false} {
		if got, err := s.RevokePermission(ctx, g.ID, p["posts:add"].ID); got != want || err != nil {
			t.Errorf("revocation %d: %v, %v", i, got, err)
		}
	}
	_, err = s.GrantPermission(ctx, g.ID, id.New())
	wantError(t, err, accounts.ErrNotFound)
	_, err = s.GrantPermission(ctx, id.New(), p["posts:add"].ID)
	wantError(t, err, accounts.ErrNotFound)
	must(t, s.DeletePermission(ctx, p["posts:delete"].ID))
	list, err := s.ListGroups(ctx)
	must(t, err)
	if len(list) != 1 || len(list[0].Permissions) != 0 {
		t.Errorf("groups %+v", list)
	}
}

func apiKept(t *testing.T, s Identity) {
	ctx := t.Context()
	a := &accounts.API{
		ID: id.New(), Audience: "https://posts.example", Name: "Posts", TokenLifetime: 60_000,
		TokenAlgorithm: "EdDSA", AuthenticationClaims: true, DisabledAt: 9, CreatedAt: 1, UpdatedAt: 2,
		Texts: accounts.Texts{"de": {Name: "Beiträge"}, "zh-Hant": {Name: "貼文"}},
	}
	must(t, s.InsertAPI(ctx, a))
	again := *a
	again.ID = id.New()
	wantError(t, s.InsertAPI(ctx, &again), accounts.ErrConflict)
	for _, name := range []string{"posts:b", "posts:a"} {
		p := accounts.Permission{ID: id.New(), APIID: a.ID, Name: name, Description: "Can", CreatedAt: 3}
		if name == "posts:a" {
			p.Texts = accounts.Texts{"de": {Description: "Kann"}}
		}
		must(t, s.InsertPermission(ctx, &p))
		a.Permissions = append([]accounts.Permission{p}, a.Permissions...)
	}
	c := plainClient("rs")
	c.Type, c.APIID, a.ResourceServer = accounts.ResourceClient, a.ID, "rs"
	must(t, s.InsertClient(ctx, c))
	got, err := s.APIByAudience(ctx, a.Audience)
	must(t, err)
	if diff := cmp.Diff(a, got); diff != "" {
		t.Error(diff)
	}
	empty := &accounts.API{ID: id.New(), Audience: "https://a.example", Name: "A"}
	must(t, s.InsertAPI(ctx, empty))
	list, err := s.ListAPIs(ctx)
	must(t, err)
	if diff := cmp.Diff([]accounts.API{*empty, *a}, list); diff != "" {
		t.Error(diff)
	}
	a.Name, a.TokenLifetime, a.TokenAlgorithm, a.AuthenticationClaims, a.DisabledAt, a.UpdatedAt = "P", 1, "", false, 0, 7
	a.Texts = accounts.Texts{"fr": {Name: "Billets"}}
	must(t, s.UpdateAPI(ctx, a))
	got, err = s.APIByAudience(ctx, a.Audience)
	must(t, err)
	if diff := cmp.Diff(a, got); diff != "" {
		t.Error(diff)
	}
	must(t, s.DeleteAPI(ctx, a.ID))
	_, err = s.APIByAudience(ctx, a.Audience)
	wantError(t, err, accounts.ErrNotFound)
	_, _, err = s.ClientByID(ctx, "rs", 0)
	wantError(t, err, accounts.ErrNotFound)
	wantError(t, s.DeleteAPI(ctx, a.ID), accounts.ErrNotFound)
	wantError(t, s.UpdateAPI(ctx, a), accounts.ErrNotFound)
}

func permissionKept(t *testing.T, s Identity) {
	ctx := t.Context()
	p := newPermissions(t, s, "https://a.example", "a:x", "a:y", "a_z")
	got, err := s.PermissionsByName(ctx, []string{"a:x", "a_z", "a%z", "nothing", ""})
	must(t, err)
	if diff := cmp.Diff(map[string]accounts.Permission{"a:x": p["a:x"], "a_z": p["a_z"]}, got); diff != "" {
		t.Error(diff)
	}
	got, err = s.PermissionsByName(ctx, nil)
	if diff := cmp.Diff(map[string]accounts.Permission{}, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Error(diff, err)
	}
	taken := p["a:x"]
	taken.ID = id.New()
	wantError(t, s.InsertPermission(ctx, &taken), accounts.ErrConflict)
	orphan := accounts.Permission{ID: id.New(), APIID: id.New(), Name: "b:x"}
	wantError(t, s.InsertPermission(ctx, &orphan), accounts.ErrNotFound)
	change := p["a:x"]
	change.Description = "Can do more"
	for _, texts := range []accounts.Texts{{"de": {Description: "Kann mehr"}}, nil} {
		change.Texts = texts
		must(t, s.UpdatePermission(ctx, &change))
		got, err = s.PermissionsByName(ctx, []string{"a:x"})
		must(t, err)
		if diff := cmp.Diff(change, got["a:x"]); diff != "" {
			t.Error(diff)
		}
	}
	must(t, s.DeletePermission(ctx, change.ID))
	wantError(t, s.DeletePermission(ctx, change.ID), accounts.ErrNotFound)
	wantError(t, s.UpdatePermission(ctx, &change), accounts.ErrNotFound)
}
