package provider

import (
	"context"
	"fmt"
	"sync"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// memory keeps what was read of the tables whose every change moves the ledger's
// change counter (L10). What was read at one count is true wherever the count is
// the same, however long ago that was; at any other it is read again. So it is
// exact, and no clock takes part. What is not there is not kept: strangers cannot
// fill it.
//
// Its zero value is ready once limit is set. It is safe for concurrent use.
type memory[V any] struct {
	kept recent[string, remembered[V]]

	mu    sync.Mutex
	loads map[string]chan struct{} // closed when the one read of a key has ended
}

// remembered is a value and where the counters stood in the snapshot that read it.
type remembered[V any] struct {
	value V
	mark  accounts.Mark
}

// reader reads a value, with the counters of the same snapshot.
type reader[V any] func(ctx context.Context) (V, accounts.Mark, error)

// peek returns what was last read, true or not any more.
func (m *memory[V]) peek(key string) (remembered[V], bool) { return m.kept.get(key) }

// at returns the value at a mark that the caller has read. The mark that comes
// back is the position at which both are known true: the mark itself, or, when
// something has changed since, the smaller of the two (L9).
func (m *memory[V]) at(ctx context.Context, key string, mark accounts.Mark, read reader[V]) (V, accounts.Mark, error) {
	for waited := false; ; waited = true {
		e, ok := m.kept.get(key)
		switch {
		case ok && e.mark.Change == mark.Change:
			return e.value, mark, nil
		case ok && waited && newer(e.mark, mark):
			// Somebody has just read it for all who waited.
			return e.value, smaller(e.mark, mark), nil
		}
		turn, mine := m.turn(key)
		if mine {
			e, err := m.load(ctx, key, turn, read)
			if err == nil && e.mark.Change != mark.Change {
				mark = smaller(e.mark, mark)
			}
			return e.value, mark, err
		}
		select {
		case <-turn:
		case <-ctx.Done():
			return e.value, mark, fmt.Errorf("wait for what another request reads: %w", ctx.Err())
		}
	}
}

// fresh reads the value and keeps it.
func (m *memory[V]) fresh(ctx context.Context, key string, read reader[V]) (V, accounts.Mark, error) {
	value, mark, err := read(ctx)
	if err == nil {
		m.kept.put(key, remembered[V]{value, mark})
	}
	return value, mark, err
}

// turn makes the caller the one who reads a key, or returns what to wait for.
func (m *memory[V]) turn(key string) (chan struct{}, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if turn, taken := m.loads[key]; taken {
		return turn, false
	}
	if m.loads == nil {
		m.loads = map[string]chan struct{}{}
	}
	turn := make(chan struct{})
	m.loads[key] = turn
	return turn, true
}

func (m *memory[V]) load(ctx context.Context, key string, turn chan struct{}, read reader[V]) (remembered[V], error) {
	defer func() { // also when read panics
		m.mu.Lock()
		delete(m.loads, key)
		m.mu.Unlock()
		close(turn)
	}()
	value, mark, err := m.fresh(ctx, key, read)
	return remembered[V]{value, mark}, err
}

// newer reports whether a was read from the same snapshot as b or a later one.
// Neither counter goes back; where one has, the database was restored, and what
// was read before that is no good.
func newer(a, b accounts.Mark) bool { return a.Position >= b.Position && a.Change >= b.Change }

// smaller joins two marks of one decision. Keys are asked for at the later change:
// what signs must not be gone already.
func smaller(a, b accounts.Mark) accounts.Mark {
	return accounts.Mark{Position: min(a.Position, b.Position), Change: max(a.Change, b.Change)}
}

// recent is a map of what was used lately, of at most twice limit entries: when
// the young half is full it becomes the old one, and what nobody has asked for
// since goes.
type recent[K comparable, V any] struct {
	limit int

	mu         sync.RWMutex // held for the map alone, never while anything is read
	young, old map[K]V
}

func (r *recent[K, V]) get(key K) (V, bool) {
	r.mu.RLock()
	v, ok := r.young[key]
	if ok {
		r.mu.RUnlock()
		return v, true
	}
	v, ok = r.old[key]
	r.mu.RUnlock()
	if ok {
		r.put(key, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(key K, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.young[key]; !there && len(r.young) >= r.limit {
		r.old, r.young = r.young, nil
	}
	if r.young == nil {
		r.young = make(map[K]V)
	}
	r.young[key] = v
	delete(r.old, key)
}
