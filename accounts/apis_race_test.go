package accounts_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// Who gives a machine a permission, and who takes it from everybody at the same time,
// wait for one another: either the machine gets a row, or it is not given the
// permission, and it does not come back with another of its name.
func TestAPIs_TakeAndGiveFollowOneAnother(t *testing.T) {
	for engine, url := range map[string]func(testing.TB) string{"postgres": sqldbtest.Postgres, "sqlite": sqldbtest.SQLite} {
		t.Run(engine, func(t *testing.T) {
			w := newWorldOn(t, url(t))
			w.posts() // posts:add stays, and posts:delete comes and goes
			for name, gift := range gifts() {
				for taker, take := range takers() {
					t.Run(name+", then "+taker, func(t *testing.T) { w.giveThenTake(t, gift, take) })
				}
				t.Run("taken, then "+name, func(t *testing.T) { w.takeThenGive(t, gift) })
			}
		})
	}
}

// gift is a way for a client to get posts:delete.
type gift struct {
	set    []string // what the set holds before, if there is one
	has    bool     // the client has the set already
	listed bool     // the client holds the permission before
	give   func(ctx context.Context, w *world, clientID string) error
}

func gifts() map[string]gift {
	update := func(f func(c *accounts.Client)) func(ctx context.Context, w *world, clientID string) error {
		return func(ctx context.Context, w *world, clientID string) error {
			return w.clients.Update(ctx, operator(), clientID, func(c *accounts.Client) error { f(c); return nil })
		}
	}
	return map[string]gift{
		"given to a client": {give: update(func(c *accounts.Client) { c.Permissions = append(c.Permissions, "posts:delete") })},
		"kept by a client":  {listed: true, give: update(func(c *accounts.Client) { c.Name = "Another name" })},
		"put into a set": {set: []string{"posts:add"}, has: true, give: func(ctx context.Context, w *world, _ string) error {
			return w.sets.Grant(ctx, operator(), "s", "posts:delete")
		}},
		"a set given": {set: []string{"posts:add", "posts:delete"}, give: func(ctx context.Context, w *world, clientID string) error {
			return w.sets.Assign(ctx, operator(), "s", clientID)
		}},
	}
}

func takers() map[string]func(ctx context.Context, w *world) error {
	return map[string]func(ctx context.Context, w *world) error{
		"deleted": func(ctx context.Context, w *world) error {
			return w.apis.DeletePermission(ctx, operator(), postsAPI, "posts:delete")
		},
		"disabled": func(ctx context.Context, w *world) error { return w.apis.Disable(ctx, operator(), postsAPI) },
	}
}

// ready makes the client of a case.
func (w *world) ready(t *testing.T, g gift) (clientID string) {
	t.Helper()
	ctx := t.Context()
	if err := w.remake(ctx); err != nil {
		t.Fatal(err)
	}
	var sets []string
	if g.set != nil {
		w.set("s", g.set...)
		t.Cleanup(func() { w.must(w.sets.Delete(context.Background(), operator(), "s")) })
		if g.has {
			sets = []string{"s"}
		}
	}
	own := []string{"posts:add"}
	if g.listed {
		own = append(own, "posts:delete")
	}
	return w.machine(own, sets...)
}

// remake brings posts:delete back.
func (w *world) remake(ctx context.Context) error {
	if err := w.apis.Enable(ctx, operator(), postsAPI); err != nil {
		return err
	}
	err := w.apis.AddPermission(ctx, operator(), postsAPI, accounts.NewPermission{Name: "posts:delete", Description: "Can delete post"})
	if errors.Is(err, accounts.ErrConflict) {
		return nil
	}
	return err
}

// atOnce runs first and, while its transaction is open, second; it returns what became
// of the second.
func (w *world) atOnce(t *testing.T, first, second func(ctx context.Context) error) error {
	t.Helper()
	done, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	var err error
	wg.Go(func() {
		once := sync.OnceFunc(func() { close(done) })
		defer once()
		if err := w.db.InTx(t.Context(), func(ctx context.Context) error {
			err := first(ctx)
			once()
			<-release
			return err
		}); err != nil {
			t.Error("the first:", err)
		}
	})
	<-done
	wg.Go(func() { err = second(t.Context()) })
	time.Sleep(50 * time.Millisecond) // so that the second waits for the first
	close(release)
	wg.Wait()
	return err
}

func (w *world) giveThenTake(t *testing.T, g gift, take func(ctx context.Context, w *world) error) {
	clientID := w.ready(t, g)
	before := w.position()
	err := w.atOnce(t, func(ctx context.Context) error { return g.give(ctx, w, clientID) }, func(ctx context.Context) error { return take(ctx, w) })
	if err != nil {
		t.Fatal(err)
	}
	if rows := w.rows(before); !slices.Contains(rows, "client "+clientID) {
		t.Errorf("rows %v, none for the client that was given the permission", rows)
	}
}

func (w *world) takeThenGive(t *testing.T, g gift) {
	clientID := w.ready(t, g)
	err := w.atOnce(t, func(ctx context.Context) error { return takers()["deleted"](ctx, w) }, func(ctx context.Context) error {
		return g.give(ctx, w, clientID)
	})
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		t.Fatal(err)
	}
	if err := w.remake(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, _, err := w.db.ClientByID(t.Context(), clientID, 0)
	if err != nil || slices.Contains(c.Held(), "posts:delete") {
		t.Errorf("it came back with another of its name: %v, %v", c.Held(), err)
	}
	if g.listed && c.Name != "Another name" {
		t.Errorf("the client is called %q", c.Name)
	}
}

// A permission that an API is given while it is deleted goes with it.
func TestAPIs_AddAndDeleteFollowOneAnother(t *testing.T) {
	w := newWorldOn(t, sqldbtest.Postgres(t))
	w.posts()
	before := w.position()
	err := w.atOnce(t, func(ctx context.Context) error {
		return w.apis.AddPermission(ctx, operator(), postsAPI, accounts.NewPermission{Name: "posts:list", Description: "Can list posts"})
	}, func(ctx context.Context) error { return w.apis.Delete(ctx, operator(), postsAPI) })
	w.must(err)
	if rows := w.rows(before); !slices.Contains(rows, "permission posts:list "+postsAPI) {
		t.Errorf("rows %v, none for the permission that came last", rows)
	}
}
