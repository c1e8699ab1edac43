package storagetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// inTx runs f in a transaction.
func inTx(t *testing.T, s Identity, f func(ctx context.Context)) {
	t.Helper()
	must(t, s.InTx(t.Context(), func(ctx context.Context) error {
		f(ctx)
		return nil
	}))
}

func nestingKept(t *testing.T, s Identity) {
	ctx := t.Context()
	groups := map[string]*accounts.Group{}
	for _, name := range []string{"a", "b", "c", "d", "x"} {
		groups[name] = newGroup(t, s, name)
	}
	edge := func(parent, child string) accounts.GroupEdge {
		return accounts.GroupEdge{Parent: groups[parent].ID, Child: groups[child].ID}
	}
	for _, e := range []accounts.GroupEdge{edge("b", "a"), edge("c", "b"), edge("d", "a"), edge("x", "d")} {
		for i, want := range []bool{true, false} {
			if got, err := s.InsertEdge(ctx, e, 5); got != want || err != nil {
				t.Fatalf("insert %d: %v, %v", i, got, err)
			}
		}
	}
	_, err := s.InsertEdge(ctx, accounts.GroupEdge{Parent: id.New(), Child: groups["a"].ID}, 5)
	wantError(t, err, accounts.ErrNotFound)
	around := func(names ...string) int {
		t.Helper()
		ids := make([]id.ID, len(names))
		for i, name := range names {
			ids[i] = groups[name].ID
		}
		edges, err := s.EdgesAround(ctx, ids...)
		must(t, err)
		slices.SortFunc(edges, func(a, b accounts.GroupEdge) int { return bytes.Compare(a.Parent[:], b.Parent[:]) })
		return len(slices.Compact(edges))
	}
	// Above "c" is nothing, but "a" below it is inside "d" as well.
	for _, tt := range []struct {
		of   []string
		want int
	}{{[]string{"a"}, 4}, {[]string{"c"}, 4}, {nil, 0}, {[]string{"a", "c"}, 4}} {
		if got := around(tt.of...); got != tt.want {
			t.Errorf("around %v: %d edges, want %d", tt.of, got, tt.want)
		}
	}
	g, err := s.GroupByName(ctx, "a")
	must(t, err)
	if diff := cmp.Diff([]string{"The b", "The d"}, g.Parents); diff != "" || g.Children != nil {
		t.Errorf("%s, children %v", diff, g.Children)
	}
	for i, want := range []bool{true, false} {
		if got, err := s.DeleteEdge(ctx, edge("d", "a")); got != want || err != nil {
			t.Errorf("deletion %d: %v, %v", i, got, err)
		}
	}
	must(t, s.DeleteGroup(ctx, groups["b"].ID))
	if got := around("a", "b", "c"); got != 0 {
		t.Errorf("%d edges of a deleted group", got)
	}
}

func holdingsKept(t *testing.T, s Identity) {
	ctx := t.Context()
	g, empty, u := newGroup(t, s, "g"), newGroup(t, s, "empty"), newUser(t, s, "u")
	p := newPermissions(t, s, "https://a.example", "a:x", "a:y")
	for _, name := range []string{"a:y", "a:x"} {
		_, err := s.GrantPermission(ctx, g.ID, p[name].ID)
		must(t, err)
	}
	_, err := s.AddMember(ctx, g.ID, u.ID, 1, 5) // ended: it may be prolonged
	must(t, err)
	inTx(t, s, func(ctx context.Context) {
		must(t, s.LockNesting(ctx))
		got, err := s.LockHoldings(ctx, []id.ID{g.ID, empty.ID, id.New()})
		must(t, err)
		slices.SortFunc(got, func(a, b accounts.GroupHolding) int { return len(b.Permissions) - len(a.Permissions) })
		if diff := cmp.Diff([]accounts.GroupHolding{
			{GroupID: g.ID, Permissions: []string{"a:x", "a:y"}, Occupied: true}, {GroupID: empty.ID},
		}, got); diff != "" {
			t.Error(diff)
		}
	})
	for name, err := range map[string]error{
		"LockNesting":       s.LockNesting(ctx),
		"LockHoldings":      second(s.LockHoldings(ctx, nil)),
		"LockUsers":         second(s.LockUsers(ctx, nil)),
		"EndMembers":        second(s.EndMembers(ctx, 1, 1)),
		"LockPermissionSet": s.LockPermissionSet(ctx, id.New()),
	} {
		if err == nil || errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s outside a transaction: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func managersKept(t *testing.T, s Identity) {
	ctx := t.Context()
	g, u := newGroup(t, s, "g"), newUser(t, s, "u")
	manages := func(want bool) {
		t.Helper()
		if got, err := s.ManagesGroup(ctx, u.Subject, "g"); got != want || err != nil {
			t.Errorf("manages: %v, %v; want %v", got, err, want)
		}
	}
	manages(false)
	for i, want := range []bool{true, false} {
		if got, err := s.InsertManager(ctx, g.ID, u.ID, 5); got != want || err != nil {
			t.Errorf("insert %d: %v, %v", i, got, err)
		}
	}
	manages(true)
	found, err := s.GroupByName(ctx, "g")
	must(t, err)
	if !slices.Equal(found.Managers, []string{u.Subject}) {
		t.Errorf("managers %v", found.Managers)
	}
	for _, name := range []string{"a", "h"} {
		_, err := s.InsertManager(ctx, newGroup(t, s, name).ID, u.ID, 5)
		must(t, err)
	}
	groups := func(after string, limit int, want ...string) {
		t.Helper()
		names, err := s.ManagedGroups(ctx, u.Subject, after, limit)
		must(t, err)
		if !slices.Equal(names, want) {
			t.Errorf("groups after %q: %v, want %v", after, names, want)
		}
	}
	groups("", 2, "The a", g.Name)
	groups("g", 2, "The h")
	_, err = s.InsertManager(ctx, id.New(), u.ID, 5)
	wantError(t, err, accounts.ErrNotFound)
	for _, change := range []func(u *accounts.User){
		func(u *accounts.User) { u.BannedAt = 1 },
		func(u *accounts.User) { u.BannedAt, u.DeleteAt = 0, 1 },
	} {
		change(u)
		must(t, s.UpdateUser(ctx, u))
		manages(false)
		groups("", 2)
	}
	u.DeleteAt = 0
	must(t, s.UpdateUser(ctx, u))
	manages(true)
	for i, want := range []bool{true, false} {
		if got, err := s.DeleteManager(ctx, g.ID, u.ID); got != want || err != nil {
			t.Errorf("deletion %d: %v, %v", i, got, err)
		}
	}
	manages(false)
}

func crowds(t *testing.T, s Identity) {
	ctx := t.Context()
	const now = 1000
	g := newGroup(t, s, "g")
	var users []id.ID
	var subs []string
	for _, name := range []string{"a", "b", "c"} {
		u := newUser(t, s, name)
		users, subs = append(users, u.ID), append(subs, u.Subject)
	}
	inTx(t, s, func(ctx context.Context) {
		got, err := s.LockUsers(ctx, append(subs[:2:2], "nobody"))
		must(t, err)
		if diff := cmp.Diff(map[string]id.ID{subs[0]: users[0], subs[1]: users[1]}, got); diff != "" {
			t.Error(diff)
		}
	})
	for i, step := range []struct {
		users  []id.ID
		endsAt int64
		want   []accounts.MemberChange
	}{
		{users[:2], 2000, []accounts.MemberChange{{UserID: users[0]}, {UserID: users[1]}}},
		{users, 3000, []accounts.MemberChange{
			{UserID: users[0], Moved: true, EndedAt: 2000}, {UserID: users[1], Moved: true, EndedAt: 2000}, {UserID: users[2]},
		}},
		{users, 3000, nil},
		{users[1:], 0, []accounts.MemberChange{{UserID: users[1], Moved: true, EndedAt: 3000}, {UserID: users[2], Moved: true, EndedAt: 3000}}},
		{users[2:], 1500, []accounts.MemberChange{{UserID: users[2], Moved: true, Shortened: true}}},
		{users, 1600, []accounts.MemberChange{
			{UserID: users[0], Moved: true, EndedAt: 3000, Shortened: true}, {UserID: users[1], Moved: true, Shortened: true},
			{UserID: users[2], Moved: true, EndedAt: 1500},
		}},
		{[]id.ID{id.New()}, 0, nil},
		{nil, 0, nil},
	} {
		got, err := s.SetMembers(ctx, g.ID, step.users, step.endsAt, now)
		slices.SortFunc(got, func(a, b accounts.MemberChange) int {
			return slices.Index(users, a.UserID) - slices.Index(users, b.UserID)
		})
		if diff := cmp.Diff(step.want, got); diff != "" || err != nil {
			t.Errorf("step %d: %v %s", i, err, diff)
		}
	}
	_, err := s.SetMembers(ctx, id.New(), users, 0, now)
	wantError(t, err, accounts.ErrNotFound)
	end := func(at int64, limit, want int) {
		t.Helper()
		inTx(t, s, func(ctx context.Context) {
			got, err := s.EndMembers(ctx, at, limit)
			must(t, err)
			if len(got) != want {
				t.Errorf("at %d: ended %+v, want %d", at, got, want)
			}
			for _, m := range got {
				if m.Group != g.Name || m.EndsAt != 1600 || !slices.Contains(subs, m.Subject) {
					t.Errorf("%+v", m)
				}
			}
		})
	}
	end(1599, 10, 0)
	end(1600, 1, 1)
	removed, lost, err := s.DropMembers(ctx, g.ID, users, 1599)
	must(t, err)
	if len(removed) != 2 || len(lost) != 2 {
		t.Errorf("removed %d, lost %d", len(removed), len(lost))
	}
	end(1600, 10, 0)
	_, err = s.SetMembers(ctx, g.ID, users, 1600, now)
	must(t, err)
	if removed, lost, err = s.DropMembers(ctx, g.ID, users, 1600); len(removed) != 3 || len(lost) != 0 || err != nil {
		t.Errorf("ended: removed %d, lost %d, %v", len(removed), len(lost), err)
	}
}

func permissionSets(t *testing.T, s Identity) {
	ctx := t.Context()
	p := newPermissions(t, s, "https://a.example", "a:x", "a:y", "a:z")
	set := &accounts.PermissionSet{ID: id.New(), Name: "Robots", NameKey: "robots", Description: "They work", CreatedAt: 5}
	other := &accounts.PermissionSet{ID: id.New(), Name: "Android", NameKey: "android"}
	must(t, s.InsertPermissionSet(ctx, set))
	must(t, s.InsertPermissionSet(ctx, other))
	again := *set
	again.ID = id.New()
	wantError(t, s.InsertPermissionSet(ctx, &again), accounts.ErrConflict)
	c := plainClient("c")
	c.Permissions = []string{"a:z"}
	must(t, s.InsertClient(ctx, c))
	for name, do := range map[string]func() (bool, error){
		"grant y":      func() (bool, error) { return s.GrantToSet(ctx, set.ID, p["a:y"].ID) },
		"grant x":      func() (bool, error) { return s.GrantToSet(ctx, set.ID, p["a:x"].ID) },
		"grant z":      func() (bool, error) { return s.GrantToSet(ctx, set.ID, p["a:z"].ID) },
		"the other":    func() (bool, error) { return s.GrantToSet(ctx, other.ID, p["a:y"].ID) },
		"assign":       func() (bool, error) { return s.AssignSet(ctx, set.ID, c.ID) },
		"assign other": func() (bool, error) { return s.AssignSet(ctx, other.ID, c.ID) },
	} {
		for i, want := range []bool{true, false} {
			if got, err := do(); got != want || err != nil {
				t.Errorf("%s, %d: %v, %v", name, i, got, err)
			}
		}
	}
	_, err := s.GrantToSet(ctx, set.ID, id.New())
	wantError(t, err, accounts.ErrNotFound)
	_, err = s.AssignSet(ctx, set.ID, id.New())
	wantError(t, err, accounts.ErrNotFound)
	set.Permissions, set.Clients = []string{"a:x", "a:y", "a:z"}, []string{"c"}
	got, err := s.PermissionSetByName(ctx, "robots")
	must(t, err)
	if diff := cmp.Diff(set, got); diff != "" {
		t.Error(diff)
	}
	found, _, err := s.ClientByID(ctx, "c", 0)
	must(t, err)
	if diff := cmp.Diff([][]string{{"a:z"}, {"Android", "Robots"}, {"a:x", "a:y", "a:z"}}, [][]string{found.Permissions, found.PermissionSets, found.SetPermissions}); diff != "" {
		t.Error(diff)
	}
	// Of x alone nothing else is the reason.
	for name, want := range map[string][]string{"a:x": {"c"}, "a:y": nil, "a:z": nil, "a:nothing": nil} {
		if got, err := s.HoldersThrough(ctx, set.ID, []string{name}); !slices.Equal(got, want) || err != nil {
			t.Errorf("holders of %s through the set: %v, %v", name, got, err)
		}
	}
	page, err := s.PermissionSetPage(ctx, "", "android", 9)
	must(t, err)
	set.Clients = nil
	if diff := cmp.Diff([]accounts.PermissionSet{*set}, page); diff != "" {
		t.Error(diff)
	}
	must(t, s.DescribePermissionSet(ctx, set.ID, "They rest"))
	for i, want := range []bool{true, false} {
		if got, err := s.RevokeFromSet(ctx, set.ID, p["a:x"].ID); got != want || err != nil {
			t.Errorf("revocation %d: %v, %v", i, got, err)
		}
		if got, err := s.UnassignSet(ctx, set.ID, c.ID); got != want || err != nil {
			t.Errorf("taken away %d: %v, %v", i, got, err)
		}
	}
	inTx(t, s, func(ctx context.Context) { must(t, s.LockPermissionSet(ctx, set.ID)) })
	must(t, s.DeletePermissionSet(ctx, set.ID))
	wantError(t, s.DeletePermissionSet(ctx, set.ID), accounts.ErrNotFound)
	wantError(t, s.DescribePermissionSet(ctx, set.ID, ""), accounts.ErrNotFound)
	_, err = s.PermissionSetByName(ctx, "robots")
	wantError(t, err, accounts.ErrNotFound)
	wantError(t, s.InTx(ctx, func(ctx context.Context) error { return s.LockPermissionSet(ctx, set.ID) }), accounts.ErrNotFound)
}
