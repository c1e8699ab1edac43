package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// group makes a group that holds permissions.
func (w *world) group(name string, permissions ...string) {
	w.t.Helper()
	_, err := w.groups.Create(w.t.Context(), operator(), name, "")
	w.must(err)
	for _, p := range permissions {
		w.must(w.groups.GrantPermission(w.t.Context(), operator(), name, p))
	}
}

// inside puts each group into the next.
func (w *world) inside(chain ...string) {
	w.t.Helper()
	for i := range len(chain) - 1 {
		w.must(w.groups.AddChild(w.t.Context(), operator(), chain[i+1], chain[i]))
	}
}

func TestNesting(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for i := range 12 {
		w.group(fmt.Sprint("g", i))
	}
	w.inside("g0", "g1", "g2", "g3", "g4")
	w.inside("g5", "g6", "g7", "g8", "g9")
	events, position := len(w.events(1000)), w.position()
	for name, tt := range map[string]struct {
		parent, child string
		want          error
	}{
		"itself":           {"g1", "G1", accounts.ErrNestingLoop},
		"the other way":    {"g0", "g1", accounts.ErrNestingLoop},
		"round the chain":  {"g0", "g4", accounts.ErrNestingLoop},
		"no such parent":   {"nobody", "g1", accounts.ErrNotFound},
		"no such child":    {"g1", "nobody", accounts.ErrNotFound},
		"there already":    {"g1", "g0", nil},
		"not a name":       {"g1", "\x00", accounts.ErrNotFound},
		"not a name above": {"\x00", "g1", accounts.ErrNotFound},
	} {
		if err := w.groups.AddChild(ctx, operator(), tt.parent, tt.child); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if got := len(w.events(1000)); got != events {
		t.Errorf("what changed nothing left %d events", got-events)
	}
	// Ten in a chain, and not eleven, wherever the eleventh comes.
	w.inside("g4", "g5")
	for _, e := range [][2]string{{"g10", "g9"}, {"g0", "g10"}, {"g3", "g10"}} {
		err := w.groups.AddChild(ctx, operator(), e[0], e[1])
		if deep := e[0] != "g3"; errors.Is(err, accounts.ErrNestingDepth) != deep {
			t.Errorf("%s into %s: %v", e[1], e[0], err)
		}
	}
	g, err := w.groups.Find(ctx, "g3")
	w.must(err)
	if diff := cmp.Diff([][]string{{"g4"}, {"g10", "g2"}}, [][]string{g.Parents, g.Children}); diff != "" {
		t.Error(diff)
	}
	w.must(w.groups.RemoveChild(ctx, operator(), "g3", "g10"))
	w.must(w.groups.RemoveChild(ctx, operator(), "g3", "g10"))
	if err := w.groups.RemoveChild(ctx, operator(), "g3", "nobody"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("out of it, nobody: %v", err)
	}
	if rows := w.rows(position); len(rows) != 0 {
		t.Errorf("nobody lost anything: %v", rows)
	}
	got := w.events(1000)
	if n := len(got) - events; n != 3 {
		t.Errorf("%d events of three changes: %v", n, got[:n])
	}
}

// L19: a row for each permission that somebody loses, and none when nobody does.
func TestNesting_Rows(t *testing.T) {
	s := newStage(t) // alice is in Editors, which holds posts:add
	ctx := t.Context()
	w := s.world
	w.group("Staff", "posts:delete", "posts:add")
	w.group("Friends", "posts:delete")
	w.group("Empty")
	w.inside("Editors", "Staff")
	w.inside("Empty", "Staff")
	add, del := "permission posts:add "+postsAPI, "permission posts:delete "+postsAPI
	for _, step := range []struct {
		name string
		do   func() error
		rows []string
	}{
		{"nobody inside", func() error { return w.groups.RemoveChild(ctx, operator(), "Staff", "Empty") }, nil},
		{"what the group holds itself stays", func() error { return w.groups.RemoveChild(ctx, operator(), "Staff", "Editors") }, []string{del}},
		{"giving", func() error {
			return errors.Join(w.groups.AddChild(ctx, operator(), "Staff", "Editors"), w.groups.AddChild(ctx, operator(), "Friends", "Editors"))
		}, nil},
		{"one of two ways", func() error { return w.groups.RemoveChild(ctx, operator(), "Staff", "Editors") }, nil},
		{"the last way", func() error { return w.groups.Delete(ctx, operator(), "Friends") }, []string{del}},
		{"what is above nobody", func() error { return w.groups.Delete(ctx, operator(), "Staff") }, nil},
		{"the group itself", func() error { return w.groups.Delete(ctx, operator(), "Editors") }, []string{add}},
	} {
		before := w.position()
		w.must(step.do())
		if diff := cmp.Diff(step.rows, some(w.rows(before))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

func some(rows []string) []string {
	if len(rows) == 0 {
		return nil
	}
	return rows
}

// Two edges that are each allowed without the other must not both come.
func TestNesting_Race(t *testing.T) {
	for name, w := range map[string]*world{"SQLite": newWorld(t), "PostgreSQL": newWorldOn(t, sqldbtest.Postgres(t))} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			for i := range 8 {
				a, b, c := fmt.Sprint("a", i), fmt.Sprint("b", i), fmt.Sprint("c", i)
				for _, g := range []string{a, b, c} {
					w.group(g)
				}
				var made atomic.Int64
				var wg sync.WaitGroup
				for _, e := range [][2]string{{a, b}, {b, c}, {c, a}} {
					wg.Go(func() {
						switch err := w.groups.AddChild(context.WithoutCancel(t.Context()), operator(), e[0], e[1]); {
						case err == nil:
							made.Add(1)
						case !errors.Is(err, accounts.ErrNestingLoop):
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if made.Load() != 2 {
					t.Fatalf("%d of three edges that would make a loop", made.Load())
				}
			}
		})
	}
}

// watchedNesting tells when a look at what is lost has come to its end.
type watchedNesting struct {
	accounts.NestingStore
	looked chan struct{}
}

func (n *watchedNesting) LockHoldings(ctx context.Context, groups []id.ID) ([]accounts.GroupHolding, error) {
	defer close(n.looked)
	return n.NestingStore.LockHoldings(ctx, groups)
}

// Somebody who joins, or a permission that comes, while a group is taken out or
// deleted, or loses the permission, could be in a token that nothing takes back: the look at what is lost waits
// for them. PostgreSQL alone does two things at once.
func TestNesting_WaitsForWhatIsUnderWay(t *testing.T) {
	w := newWorldOn(t, sqldbtest.Postgres(t))
	ctx := t.Context()
	w.posts()
	u := w.user("alice")
	join := func(ctx context.Context, group string) error {
		return w.groups.AddMember(ctx, operator(), group, u.Subject, 0)
	}
	give := func(ctx context.Context, group string) error {
		return w.groups.GrantPermission(ctx, operator(), group, "posts:add")
	}
	takeOut := func(top, mid string) error { return w.groups.RemoveChild(ctx, operator(), top, mid) }
	remove := func(_, mid string) error { return w.groups.Delete(ctx, operator(), mid) }
	revoke := func(_, mid string) error { return w.groups.RevokePermission(ctx, operator(), mid, "posts:add") }
	for i, tt := range []struct {
		first, under   func(ctx context.Context, group string) error
		firstIn, undIn string
		take           func(top, mid string) error
	}{
		{give, join, "top", "low", takeOut},
		{join, give, "low", "top", takeOut},
		{give, join, "top", "low", remove},
		{give, join, "mid", "mid", remove},
		{join, give, "mid", "mid", remove},
		{give, join, "mid", "mid", revoke},
		{give, join, "mid", "low", revoke},
	} {
		name := func(group string) string { return fmt.Sprint(group, i) }
		for _, g := range []string{"low", "mid", "top"} {
			w.group(name(g))
		}
		w.inside(name("low"), name("mid"), name("top"))
		w.must(tt.first(ctx, name(tt.firstIn)))
		before := w.position()
		watched := &watchedNesting{NestingStore: w.db, looked: make(chan struct{})}
		w.groups.Nesting = watched
		begun, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			err := w.db.InTx(ctx, func(ctx context.Context) error {
				if err := tt.under(ctx, name(tt.undIn)); err != nil {
					return err
				}
				close(begun)
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-begun
		wg.Go(func() {
			if err := tt.take(name("top"), name("mid")); err != nil {
				t.Errorf("case %d: %v", i, err)
			}
		})
		select {
		case <-watched.looked:
			t.Errorf("case %d: looked beside it", i)
		case <-time.After(200 * time.Millisecond):
		}
		close(release)
		wg.Wait()
		if rows := w.rows(before); !slices.Equal(rows, []string{"permission posts:add " + postsAPI}) {
			t.Errorf("case %d: rows %v", i, rows)
		}
		for _, g := range []string{"low", "mid"} {
			if err := w.groups.RemoveMember(ctx, operator(), name(g), u.Subject); err != nil && !errors.Is(err, accounts.ErrNotFound) {
				t.Fatal(err) // deleted by now
			}
		}
		w.groups.Nesting = w.db
	}
}
