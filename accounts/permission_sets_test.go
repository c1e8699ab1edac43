package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// machine registers a client that acts for itself, with sets.
func (w *world) machine(own []string, sets ...string) string {
	w.t.Helper()
	c, _, err := w.clients.Register(w.t.Context(), operator(), accounts.Registration{Name: "M", Type: accounts.MachineClient, Permissions: own})
	w.must(err)
	for _, name := range sets {
		w.must(w.sets.Assign(w.t.Context(), operator(), name, c.ClientID))
	}
	return c.ClientID
}

// posts makes an API with three permissions.
func (w *world) posts() {
	w.t.Helper()
	_, _, _, err := w.apis.Create(w.t.Context(), operator(), accounts.NewAPI{Audience: postsAPI, Name: "Posts", Permissions: []accounts.NewPermission{
		{Name: "posts:add", Description: "Can add post"}, {Name: "posts:delete", Description: "Can delete post"}, {Name: "posts:read", Description: "Can read post"},
	}})
	w.must(err)
}

func (w *world) set(name string, permissions ...string) {
	w.t.Helper()
	_, err := w.sets.Create(w.t.Context(), operator(), name, "")
	w.must(err)
	for _, p := range permissions {
		w.must(w.sets.Grant(w.t.Context(), operator(), name, p))
	}
}

func TestPermissionSets(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.posts()
	w.set("Writers", "posts:delete", "posts:add")
	app := w.client("App")
	m := w.machine([]string{"posts:read", "posts:add"}, "writers")
	events := len(w.events(1000))
	for name, tt := range map[string]struct{ err, want error }{
		"taken":                     {failure(w.sets.Create(ctx, operator(), "WRITERS", "")), accounts.ErrConflict},
		"no name":                   {failure(w.sets.Create(ctx, operator(), " ", "")), accounts.ErrInvalid},
		"hidden":                    {failure(w.sets.Create(ctx, operator(), "A", "x\u202e")), accounts.ErrInvalid},
		"described hidden":          {w.sets.Describe(ctx, operator(), "writers", "x\u202e"), accounts.ErrInvalid},
		"unknown set":               {w.sets.Grant(ctx, operator(), "nobody", "posts:add"), accounts.ErrNotFound},
		"unknown permission":        {w.sets.Grant(ctx, operator(), "writers", "posts:list"), accounts.ErrNotFound},
		"unknown client":            {w.sets.Assign(ctx, operator(), "writers", "nobody"), accounts.ErrNotFound},
		"an app of people":          {w.sets.Assign(ctx, operator(), "writers", app.ClientID), accounts.ErrInvalid},
		"assigned again":            {w.sets.Assign(ctx, operator(), "writers", m), nil},
		"granted again":             {w.sets.Grant(ctx, operator(), "writers", "posts:add"), nil},
		"revoked what is not in it": {w.sets.Revoke(ctx, operator(), "writers", "posts:read"), nil},
		"described as it is":        {w.sets.Describe(ctx, operator(), "writers", ""), nil},
		"unassigned from nobody":    {w.sets.Unassign(ctx, operator(), "writers", "nobody"), accounts.ErrNotFound},
	} {
		if !errors.Is(tt.err, tt.want) || (tt.err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	if got := len(w.events(1000)); got != events {
		t.Errorf("what changed nothing left %d events", got-events)
	}
	w.must(w.sets.Describe(ctx, operator(), "writers", "Who write"))
	got, err := w.sets.Find(ctx, "WRITERS")
	w.must(err)
	if got.Description != "Who write" || !slices.Equal(got.Permissions, []string{"posts:add", "posts:delete"}) || !slices.Equal(got.Clients, []string{m}) {
		t.Errorf("%+v", got)
	}
	c, _, err := w.db.ClientByID(ctx, m, 0)
	w.must(err)
	if diff := cmp.Diff([]string{"posts:add", "posts:read", "posts:delete"}, c.Held()); diff != "" || !slices.Equal(c.PermissionSets, []string{"Writers"}) {
		t.Errorf("%s, sets %v", diff, c.PermissionSets)
	}
	// Updating the client leaves its sets alone, and what they hold to them.
	w.must(w.clients.Update(ctx, operator(), m, func(c *accounts.Client) error {
		c.Name, c.PermissionSets, c.SetPermissions = "New", nil, nil
		return nil
	}))
	if c, _, err = w.db.ClientByID(ctx, m, 0); err != nil || len(c.Held()) != 3 || len(c.Permissions) != 2 {
		t.Errorf("updated: %+v, %v", c, err)
	}
	w.set("a")
	page, err := w.sets.Page(ctx, "", "a", 10)
	w.must(err)
	begins, err := w.sets.Page(ctx, "W", "", 10)
	w.must(err)
	if len(page) != 1 || page[0].Name != "Writers" || len(begins) != 1 {
		t.Errorf("pages %+v, %+v", page, begins)
	}
}

func failure[T any](_ T, err error) error { return err }

// L19: a row for each client that loses something, and for nobody else.
func TestPermissionSets_Rows(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.posts()
	w.set("A", "posts:add", "posts:delete")
	w.set("B", "posts:add")
	w.set("C", "posts:read")
	alone, own, both := w.machine(nil, "A", "C"), w.machine([]string{"posts:add", "posts:delete"}, "A"), w.machine(nil, "A", "B")
	revokeOwn := func(c *accounts.Client) error { c.Permissions = []string{"posts:add"}; return nil }
	for _, step := range []struct {
		name string
		do   func() error
		rows []string
	}{
		{"a permission that one has by nothing else", func() error { return w.sets.Revoke(ctx, operator(), "A", "posts:add") }, []string{alone}},
		{"giving", func() error { return w.sets.Grant(ctx, operator(), "A", "posts:add") }, nil},
		{"its own, still in the set", func() error { return w.clients.Update(ctx, operator(), own, revokeOwn) }, nil},
		{"its own is left now", func() error { return w.sets.Unassign(ctx, operator(), "A", own) }, []string{own}},
		{"a set of which another gives all", func() error { return w.sets.Unassign(ctx, operator(), "B", both) }, nil},
		{"assigning", func() error { return w.sets.Assign(ctx, operator(), "B", both) }, nil},
		{"the set deleted", func() error { return w.sets.Delete(ctx, operator(), "A") }, []string{alone, both}},
		{"a permission deleted", func() error { return w.apis.DeletePermission(ctx, operator(), postsAPI, "posts:read") }, []string{alone}},
		{"an empty set deleted", func() error { return w.sets.Delete(ctx, operator(), "C") }, nil},
	} {
		before := w.position()
		w.must(step.do())
		var clients, want []string
		for _, row := range w.rows(before) {
			if name, ok := strings.CutPrefix(row, "client "); ok {
				clients = append(clients, name)
			}
		}
		want = append(want, step.rows...)
		slices.Sort(want)
		if diff := cmp.Diff(want, clients); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// Two who each leave what the other takes must not both write no row.
func TestPermissionSets_Race(t *testing.T) {
	w := newWorldOn(t, sqldbtest.Postgres(t))
	ctx := t.Context()
	w.posts()
	for i := range 8 {
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		w.set(a, "posts:add")
		w.set(b, "posts:add")
		two := w.machine(nil, a, b)
		mixed := w.machine([]string{"posts:add"}, a, b)
		before := w.position()
		var wg sync.WaitGroup
		for _, take := range []func(ctx context.Context) error{
			func(ctx context.Context) error { return w.sets.Revoke(ctx, operator(), a, "posts:add") },
			func(ctx context.Context) error { return w.sets.Delete(ctx, operator(), b) },
			func(ctx context.Context) error {
				return w.clients.Update(ctx, operator(), mixed, func(c *accounts.Client) error { c.Permissions = nil; return nil })
			},
		} {
			wg.Go(func() {
				if err := take(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, c := range []string{two, mixed} {
			if rows := w.rows(before); !slices.Contains(rows, "client "+c) {
				t.Fatalf("round %d: rows %v, none of %s", i, rows, c)
			}
		}
	}
}
