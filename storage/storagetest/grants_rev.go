package storagetest

import (
	"context"
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

// OneSnapshot gives and takes a permission, each time with a row of the ledger,
// while standings are read: each must show the permission exactly if its position
// is that of a row with which it was given (L9).
func OneSnapshot(t *testing.T, open Nodes) {
	nodes := open(t, 2)
	w := NewWorld(t, nodes[0])
	group := w.AddGroup(t, "editors of posts", "posts:add")
	g := w.Grant("openid posts:add")
	mustRedeem(t, w, g)
	start := w.standing(t, nil).Position

	stop, read := make(chan struct{}), atomic.Int64{}
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, s, err := nodes[i%len(nodes)].GrantStanding(t.Context(), g.ID, w.At)
				if err != nil {
					t.Error(err)
					return
				}
				if given := (s.Position-start)%2 == 1; given != (len(s.Held) == 1) {
					t.Errorf("at position %d after the start: held %v", s.Position-start, s.Held)
					return
				}
				read.Add(1)
			}
		})
	}
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
	for range size(100, 10_000) {
		change(func(ctx context.Context) error {
			_, _, err := w.AddMember(ctx, group.ID, w.User.ID, 0, w.At)
			return err
		})
		change(func(ctx context.Context) error {
			_, err := w.RemoveMember(ctx, group.ID, w.User.ID, w.At)
			return err
		})
	}
	close(stop)
	readers.Wait()
	if read.Load() == 0 {
		t.Fatal("nothing was read")
	}
}
