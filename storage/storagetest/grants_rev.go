package storagetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

func standingPosition(t *testing.T, w *World) {
	before := w.standing(t, nil).Position
	err := w.InTx(t.Context(), func(ctx context.Context) error {
		return w.Append(ctx, revocation.Entry{Kind: revocation.Membership, Key: w.User.Subject, Reason: "test"})
	})
	if err != nil {
		t.Fatal(err)
	}
	s := w.standing(t, nil)
	if s.Position != before+1 {
		t.Errorf("position %d after %d", s.Position, before)
	}
	head, err := w.Head(t.Context())
	if err != nil || s.Mark != (accounts.Mark{Position: head.Position, Change: head.Change}) {
		t.Errorf("mark = %+v, head = %+v, %v", s.Mark, head, err)
	}
}

// OneSnapshot changes, each time with a step of the counters, what standings are read
// for, while they are read: each must show exactly the state of its own count (L9).
// What nodes remember rests on it (L10).
func OneSnapshot(t *testing.T, open Nodes) {
	nodes := open(t, 2)
	w := NewWorld(t, nodes[0])
	t.Run("membership", func(t *testing.T) { oneSnapshotOfMembers(t, w, nodes) })
	t.Run("permission of a group", func(t *testing.T) { oneSnapshotOfGroups(t, w, nodes) })
}

// oneSnapshotOfMembers moves the position with each change.
func oneSnapshotOfMembers(t *testing.T, w *World, nodes []GrantBackend) {
	group := w.AddGroup(t, "editors of posts", "posts:add")
	g := w.Grant("openid posts:add")
	mustRedeem(t, w, g)
	start := w.standing(t, nil).Position
	change := func(f func(ctx context.Context) error) {
		t.Helper()
		err := w.InTx(t.Context(), func(ctx context.Context) error {
			if err := f(ctx); err != nil {
				return err
			}
			return w.Append(ctx, revocation.Entry{Kind: revocation.Membership, Key: w.User.Subject, Reason: "test"})
		})
		if err != nil {
			t.Error(err)
		}
	}
	whileReading(t, nodes, func(s GrantBackend) (int64, bool, error) {
		_, st, err := s.GrantStanding(t.Context(), g.ID, w.At)
		if err != nil {
			return 0, false, err
		}
		return st.Position - start, len(st.Groups) == 1, nil
	}, func() {
		change(func(ctx context.Context) error {
			_, err := w.AddMember(ctx, group.ID, w.User.ID, 0, w.At)
			return err
		})
		change(func(ctx context.Context) error {
			_, err := w.RemoveMember(ctx, group.ID, w.User.ID, w.At)
			return err
		})
	})
}

// oneSnapshotOfGroups moves the change with each change.
func oneSnapshotOfGroups(t *testing.T, w *World, nodes []GrantBackend) {
	group := w.AddGroup(t, "readers of posts")
	name := []string{"posts:read"}
	permissions, err := w.PermissionsByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	start := w.standing(t, nil).Change
	whileReading(t, nodes, func(s GrantBackend) (int64, bool, error) {
		c, err := s.Audiences(t.Context(), name, nil)
		if err != nil {
			return 0, false, err
		}
		return c.Change - start, len(c.Permissions[0].Groups) == 1, nil
	}, func() {
		_, granted := w.GrantPermission(t.Context(), group.ID, permissions[name[0]].ID)
		_, taken := w.RevokePermission(t.Context(), group.ID, permissions[name[0]].ID)
		if err := errors.Join(granted, taken); err != nil {
			t.Error(err)
		}
	})
}

// whileReading calls swap, which gives something and takes it again with a step each,
// many times, while others read: what was given must be seen exactly after odd steps.
func whileReading(t *testing.T, nodes []GrantBackend, read func(s GrantBackend) (steps int64, given bool, err error), swap func()) {
	stop, count := make(chan struct{}), atomic.Int64{}
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				steps, given, err := read(nodes[i%len(nodes)])
				if err != nil {
					t.Error(err)
					return
				}
				if given != (steps%2 == 1) {
					t.Errorf("%d steps after the start: given %v", steps, given)
					return
				}
				count.Add(1)
			}
		})
	}
	for range size(100, 10_000) {
		swap()
	}
	close(stop)
	readers.Wait()
	if count.Load() == 0 {
		t.Fatal("nothing was read")
	}
}
