package feed

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestTurnsAreShared: a client that holds its snapshots for as long as it may, and
// asks for more, keeps nobody else from theirs.
func TestTurnsAreShared(t *testing.T) {
	turns := newTurns(Limits{Snapshots: 3, SnapshotQueue: 8, SnapshotWait: 10 * time.Millisecond})
	ctx := t.Context()
	var held []func()
	for {
		give, err := turns.take(ctx, "greedy")
		if err != nil {
			if !errors.Is(err, errCrowded) {
				t.Fatal(err)
			}
			break
		}
		held = append(held, give)
	}
	if len(held) != 2 {
		t.Errorf("one client has %d turns of 3", len(held))
	}
	turns.wait = time.Hour
	waiting, stop := context.WithCancel(ctx)
	done := make(chan error)
	const asking = 20
	for range asking {
		go func() {
			_, err := turns.take(waiting, "greedy")
			done <- err
		}()
	}
	for range asking - 4 { // the others wait
		if err := <-done; !errors.Is(err, errCrowded) {
			t.Errorf("error %v", err)
		}
	}
	give, err := turns.take(ctx, "other")
	if err != nil {
		t.Fatalf("another client: %v", err)
	}
	give()
	stop()
	for range 4 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
	}
	for _, give := range held {
		give()
	}
	if len(turns.slots) != 0 || len(turns.clients) != 0 || turns.waiting.Load() != 0 {
		t.Errorf("left over: %d turns, %d clients, %d waiting", len(turns.slots), len(turns.clients), turns.waiting.Load())
	}
}
