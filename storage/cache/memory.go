package cache

import (
	"bytes"
	"context"
	"hash/maphash"
	"time"
)

const (
	shelves = 16
	// overhead is what an entry costs beside its key and value: map slot, heap
	// slot, headers. Measured by TestMemoryBudget, rounded up.
	overhead = 192
)

// Memory is a Store in the memory of one process. It is bounded against floods:
// values and limits have a budget each, and when one is used up the entry that
// would expire first makes room. For values that is the one most likely abandoned
// already. For limits it is the one with the least spent, so a flood of new keys
// cannot buy an exhausted key a fresh burst before all less exhausted are gone.
type Memory struct {
	now    func() time.Time
	start  time.Time
	seed   maphash.Seed // secret, so that nobody can aim all keys at one shelf
	values [shelves]shelf
	limits [shelves]shelf
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty Memory that uses at most about budget bytes, half of
// it for values and half for limits: 8 MB hold about 400 pushed requests of 10 KB
// and 15,000 limits, and let one value be 256 KB at most. Entries that have expired are dropped as others come; nothing
// runs in the background.
func NewMemory(now func() time.Time, budget int) *Memory {
	m := &Memory{now: now, start: now(), seed: maphash.MakeSeed()}
	for i := range shelves {
		m.values[i] = newShelf(budget / 2 / shelves)
		m.limits[i] = newShelf(budget / 2 / shelves)
	}
	return m
}

// micros is the time since start: by the monotonic clock, if now has one, so that
// a step of the wall clock neither revives nor kills.
func (m *Memory) micros() int64 { return m.now().Sub(m.start).Microseconds() }

func (m *Memory) pick(of *[shelves]shelf, key string) *shelf {
	return &of[maphash.String(m.seed, key)%shelves]
}

// Put implements Store. A value larger than a shelf's share of the budget is
// ErrInvalid.
func (m *Memory) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkPut(key, value, ttl); err != nil {
		return err
	}
	now := m.micros()
	return m.pick(&m.values, key).put(entry{key: key, value: bytes.Clone(value), end: now + ttl.Microseconds()}, now)
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	s := m.pick(&m.values, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.live(key, m.micros())
	if e == nil {
		return nil, ErrNotFound
	}
	return bytes.Clone(e.value), nil
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return err
	}
	s := m.pick(&m.values, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key)
	return nil
}

// Spend implements Store.
func (m *Memory) Spend(ctx context.Context, key string, l Limit, n int) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	meter, err := newMeter(key, l, n)
	if err != nil {
		return 0, err
	}
	return m.pick(&m.limits, key).spend(key, meter, m.micros())
}
