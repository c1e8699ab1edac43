package feed

import (
	"context"
	"sync"
	"time"
)

// hub holds the open streams and the lanes that they share.
type hub struct {
	limits Limits

	mu       sync.Mutex
	rooms    map[string]*room // by audience; those with streams alone
	streams  int
	byClient map[string]int
	ending   bool
	empty    chan struct{} // closed when ending and no stream is left
	draining chan struct{} // closed when ending
	opened   chan struct{} // holds one: a room was opened
}

// room is a lane and the streams that wait at it.
type room struct {
	audience *Audience
	streams  int // under the hub's mu

	mu   sync.Mutex
	lane *Lane
	wake chan struct{} // closed when the lane has something new
}

func newHub(l Limits) *hub {
	return &hub{
		limits: l, rooms: make(map[string]*room), byClient: make(map[string]int),
		empty: make(chan struct{}), draining: make(chan struct{}), opened: make(chan struct{}, 1),
	}
}

// enter counts a stream, if there is room for it.
func (b *hub) enter(clientID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ending || b.streams >= b.limits.Streams || b.byClient[clientID] >= b.limits.StreamsPerClient {
		return false
	}
	b.streams++
	b.byClient[clientID]++
	return true
}

func (b *hub) leave(clientID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams--
	if b.byClient[clientID]--; b.byClient[clientID] == 0 {
		delete(b.byClient, clientID)
	}
	if b.ending && b.streams == 0 {
		close(b.empty)
	}
}

// join returns the room of an audience; open makes it for the first stream.
func (b *hub) join(a *Audience, open func() *Lane) *room {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.rooms[a.name]
	if m == nil {
		m = &room{audience: a, lane: open(), wake: make(chan struct{})}
		b.rooms[a.name] = m
		select {
		case b.opened <- struct{}{}:
		default:
		}
	}
	m.streams++
	return m
}

// part lets go of a room: a lane that nobody listens to costs nothing.
func (b *hub) part(m *room) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.streams--; m.streams == 0 {
		delete(b.rooms, m.audience.name)
	}
}

// drain ends all streams and waits for them, at most for the given time.
func (b *hub) drain(patience time.Duration) {
	b.mu.Lock()
	if !b.ending {
		b.ending = true
		close(b.draining)
		if b.streams == 0 {
			close(b.empty)
		}
	}
	b.mu.Unlock()
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-b.empty:
	case <-wait.C:
	}
}

// open returns the rooms with streams, and how many streams there are.
func (b *hub) open() ([]*room, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*room, 0, len(b.rooms))
	for _, m := range b.rooms {
		all = append(all, m)
	}
	return all, b.streams
}

// cut lets every lane make its events, until ctx ends.
func (h *Handler) cut(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		changed := h.Ledger.Changed()
		h.proofs.saw(h.Ledger.Last())
		rooms, streams := h.hub.open()
		next := heartbeat
		for _, m := range rooms {
			next = min(next, m.cut(h.Now(), h.Ledger.Since, streams))
		}
		wait.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-h.hub.opened:
		case <-wait.C:
		}
	}
}

// cut lets the lane of a room make its events and wakes its streams.
func (m *room) cut(now time.Time, since Since, streams int) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	seq, era := m.lane.seq, m.lane.era
	next := m.lane.Cut(now, since, streams)
	if m.lane.seq != seq || m.lane.era != era {
		close(m.wake)
		m.wake = make(chan struct{})
	}
	return next
}

// next returns what a stream does next, and what wakes it if that is nothing.
func (m *room) next(now time.Time, r Reader) (Step, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lane.Next(now, r), m.wake
}
