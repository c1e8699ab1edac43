package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Cache(t, func(*testing.T) cache.Store { return cache.NewMemory(time.Now, 8<<20) })
}

// clock is a time that moves when told to.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestMemoryTime(t *testing.T) {
	ctx := context.Background()
	c := &clock{time.Unix(1000, 0)}
	m := cache.NewMemory(c.Now, 8<<20)
	limit := cache.Limit{Burst: 2, Every: time.Minute}
	if err := m.Put(ctx, "k", []byte("v"), time.Second); err != nil {
		t.Fatal(err)
	}
	for i, tc := range []struct {
		step  time.Duration
		spend int
		wait  time.Duration
		value bool
	}{
		{0, 1, 0, true},
		{0, 1, 0, true},
		{0, 1, time.Minute, true},
		{0, 2, 2 * time.Minute, true},
		{999 * time.Millisecond, 1, time.Minute - 999*time.Millisecond, true},
		{time.Millisecond, 1, 59 * time.Second, false},
		{59 * time.Second, 1, 0, false},
		{0, 1, time.Minute, false},
		{time.Hour, 2, 0, false},
		{0, 1, time.Minute, false},
	} {
		c.now = c.now.Add(tc.step)
		wait, err := m.Spend(ctx, "k", limit, tc.spend)
		if err != nil || wait != tc.wait {
			t.Errorf("step %d: wait %s (%v), want %s", i, wait, err, tc.wait)
		}
		if _, err := m.Get(ctx, "k"); (err == nil) != tc.value {
			t.Errorf("step %d: value %v", i, err)
		}
	}
}

// A flood of new keys costs bounded memory, and forgets what is worth least.
func TestMemoryBudget(t *testing.T) {
	const budget = 4 << 20
	ctx := context.Background()
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := heap()
	m := cache.NewMemory(time.Now, budget)
	exhausted, fresh := cache.Limit{Burst: 100, Every: time.Hour}, 0
	if _, err := m.Spend(ctx, "attacker", exhausted, 100); err != nil {
		t.Fatal(err)
	}
	if err := m.Put(ctx, "kept", []byte("v"), time.Hour); err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		if _, err := m.Spend(ctx, fmt.Sprintf("flood-%d", i), exhausted, 1); err != nil {
			t.Fatal(err)
		}
		if err := m.Put(ctx, fmt.Sprintf("flood-%d", i), []byte("0123456789"), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if used := heap() - before; used > budget*5/4 {
		t.Errorf("%d bytes used of a budget of %d", used, budget)
	}
	if wait, err := m.Spend(ctx, "attacker", exhausted, 1); err != nil || wait == 0 {
		t.Errorf("the flood bought a new burst (%v)", err)
	}
	if _, err := m.Get(ctx, "kept"); err != nil {
		t.Errorf("the value that ends last: %v", err)
	}
	for i := range 100_000 {
		if _, err := m.Get(ctx, fmt.Sprintf("flood-%d", i)); err == nil {
			fresh++
		}
	}
	if fresh < 2000 {
		t.Errorf("only %d values kept", fresh)
	}
	if err := m.Put(ctx, "large", make([]byte, cache.MaxValue), time.Minute); !errors.Is(err, cache.ErrInvalid) {
		t.Errorf("a value larger than its share: %v", err)
	}
	runtime.KeepAlive(m)
}

// Entries that have expired make room before any that have not.
func TestMemoryDropsTheDeadFirst(t *testing.T) {
	ctx := context.Background()
	c := &clock{time.Unix(1000, 0)}
	m := cache.NewMemory(c.Now, 1<<20)
	for i := range 1000 {
		if err := m.Put(ctx, fmt.Sprint("dead", i), make([]byte, 300), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	c.now = c.now.Add(time.Second)
	for i := range 500 {
		if err := m.Put(ctx, fmt.Sprint("live", i), make([]byte, 300), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 {
		if _, err := m.Get(ctx, fmt.Sprint("live", i)); err != nil {
			t.Fatalf("live%d: %v", i, err)
		}
	}
}
