package feed

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

var errCrowded = errors.New("feed: too many snapshots at once")

// turns bounds how many snapshots read the database at once, and how many wait.
// One client alone, whose followers may read slowly on purpose, gets neither all
// turns nor all places in the queue.
type turns struct {
	slots    chan struct{}
	waiting  atomic.Int64
	queue    int64
	ownSlots int
	ownQueue int
	wait     time.Duration

	mu      sync.Mutex
	clients map[string]*clientTurns
}

// clientTurns are those of one client.
type clientTurns struct {
	slots   chan struct{}
	present int // that wait or read
}

func newTurns(l Limits) *turns {
	own := max(l.Snapshots-1, 1)
	return &turns{
		slots: make(chan struct{}, l.Snapshots), queue: int64(l.SnapshotQueue), wait: l.SnapshotWait,
		ownSlots: own, ownQueue: own + max(l.SnapshotQueue/2, 1), clients: map[string]*clientTurns{},
	}
}

// take waits for a turn, which the returned function gives back.
func (t *turns) take(ctx context.Context, clientID string) (give func(), err error) {
	if t.waiting.Add(1) > t.queue {
		t.waiting.Add(-1)
		return nil, errCrowded
	}
	defer t.waiting.Add(-1)
	own, ok := t.enter(clientID)
	if !ok {
		return nil, errCrowded
	}
	timeout := time.NewTimer(t.wait)
	defer timeout.Stop()
	if err := seize(ctx, own.slots, timeout); err != nil {
		t.leave(clientID)
		return nil, err
	}
	if err := seize(ctx, t.slots, timeout); err != nil {
		<-own.slots
		t.leave(clientID)
		return nil, err
	}
	return func() {
		<-t.slots
		<-own.slots
		t.leave(clientID)
	}, nil
}

func seize(ctx context.Context, slots chan struct{}, timeout *time.Timer) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-timeout.C:
		return errCrowded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turns) enter(clientID string) (*clientTurns, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.clients[clientID]
	if own == nil {
		own = &clientTurns{slots: make(chan struct{}, t.ownSlots)}
		t.clients[clientID] = own
	}
	if own.present >= t.ownQueue {
		return nil, false
	}
	own.present++
	return own, true
}

func (t *turns) leave(clientID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.clients[clientID]
	if own.present--; own.present == 0 {
		delete(t.clients, clientID)
	}
}
