package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/storage/cache"
)

// cachePatience is how long a test waits for something that must happen.
const cachePatience = 20 * time.Second

// perHourLimit is a limit that does not recover while a test runs.
func perHourLimit(burst int) cache.Limit { return cache.Limit{Burst: burst, Every: time.Hour} }

// Cache is the contract of cache.Store. open returns an empty Store for the test
// that it is called with, and closes it when that test ends.
func Cache(t *testing.T, open func(t *testing.T) cache.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, cache.Store){
		"Values":        cacheValues,
		"Expiry":        cacheExpiry,
		"Arguments":     cacheArguments,
		"Cancelled":     cacheCancelled,
		"Spend":         cacheSpend,
		"SpendMany":     cacheSpendMany,
		"GiveBack":      cacheGiveBack,
		"Recovery":      cacheRecovery,
		"ChangedLimit":  cacheChangedLimit,
		"TwoNameSpaces": cacheTwoNameSpaces,
		"SpendRace":     cacheSpendRace,
		"ValueRace":     cacheValueRace,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func cachePut(t *testing.T, s cache.Store, key string, value []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Put(context.Background(), key, value, ttl); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func cacheHas(t *testing.T, s cache.Store, key string, want []byte) {
	t.Helper()
	got, err := s.Get(context.Background(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("get: %.40q, %v; want %.40q", got, err, want)
	}
}

func cacheHasNone(t *testing.T, s cache.Store, key string) {
	t.Helper()
	if got, err := s.Get(context.Background(), key); !errors.Is(err, cache.ErrNotFound) || got != nil {
		t.Fatalf("get: %.40q, %v; want ErrNotFound", got, err)
	}
}

// cacheSpent spends and returns the wait.
func cacheSpent(t *testing.T, s cache.Store, key string, l cache.Limit, n int) time.Duration {
	t.Helper()
	wait, err := s.Spend(context.Background(), key, l, n)
	if err != nil {
		t.Fatalf("spend: %v", err)
	}
	if wait < 0 || wait > time.Duration(l.Burst)*l.Every {
		t.Fatalf("spend: wait %s", wait)
	}
	return wait
}

func cacheValues(t *testing.T, s cache.Store) {
	cacheHasNone(t, s, "a")
	value := []byte("one")
	cachePut(t, s, "a", value, time.Minute)
	value[0] = 'X' // the Store has a copy
	cacheHas(t, s, "a", []byte("one"))
	got, err := s.Get(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	got[0] = 'X' // and so has the caller
	cacheHas(t, s, "a", []byte("one"))
	cachePut(t, s, "a", []byte("two"), time.Minute)
	cacheHas(t, s, "a", []byte("two"))
	cacheHasNone(t, s, "A")
	if err := s.Delete(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	cacheHasNone(t, s, "a")
	if err := s.Delete(context.Background(), "a"); err != nil {
		t.Fatalf("deleting nothing: %v", err)
	}
	cachePut(t, s, "empty", nil, time.Minute)
	cacheHas(t, s, "empty", nil)
	for _, key := range []string{"k with space\r\n", "ключ", "\xff\xfe", "x\x00y", "%s{}*?[]'\"", strings.Repeat("k", cache.MaxKey)} {
		cachePut(t, s, key, []byte(key), time.Minute)
		cacheHas(t, s, key, []byte(key))
	}
	large := bytes.Repeat([]byte{0, 0xff, '\n'}, cache.MaxValue/3)
	cachePut(t, s, "large", large, time.Minute)
	cacheHas(t, s, "large", large)
}

func cacheExpiry(t *testing.T, s cache.Store) {
	cachePut(t, s, "short", []byte("x"), 20*time.Millisecond)
	cachePut(t, s, "long", []byte("x"), time.Minute)
	cacheAwait(t, "the value to expire", func() bool {
		_, err := s.Get(context.Background(), "short")
		return errors.Is(err, cache.ErrNotFound)
	})
	cacheHas(t, s, "long", []byte("x"))
	// A new value does not inherit the old one's end, in either direction.
	cachePut(t, s, "longer", []byte("x"), 20*time.Millisecond)
	cachePut(t, s, "longer", []byte("y"), time.Minute)
	cachePut(t, s, "shorter", []byte("x"), time.Minute)
	cachePut(t, s, "shorter", []byte("y"), 20*time.Millisecond)
	cacheAwait(t, "the second value to expire", func() bool {
		_, err := s.Get(context.Background(), "shorter")
		return errors.Is(err, cache.ErrNotFound)
	})
	cacheHas(t, s, "longer", []byte("y"))
}

func cacheArguments(t *testing.T, s cache.Store) {
	ctx := context.Background()
	long := strings.Repeat("k", cache.MaxKey+1)
	_, getEmpty := s.Get(ctx, "")
	_, getLong := s.Get(ctx, long)
	spendErr := func(key string, l cache.Limit, n int) error {
		_, err := s.Spend(ctx, key, l, n)
		return err
	}
	for name, err := range map[string]error{
		"put, no key":           s.Put(ctx, "", nil, time.Minute),
		"put, long key":         s.Put(ctx, long, nil, time.Minute),
		"put, large value":      s.Put(ctx, "k", make([]byte, cache.MaxValue+1), time.Minute),
		"put, no time":          s.Put(ctx, "k", nil, 0),
		"put, negative time":    s.Put(ctx, "k", nil, -time.Second),
		"put, too little time":  s.Put(ctx, "k", nil, time.Microsecond),
		"put, for ever":         s.Put(ctx, "k", nil, 1<<63-1),
		"get, no key":           getEmpty,
		"get, long key":         getLong,
		"delete, no key":        s.Delete(ctx, ""),
		"spend, no key":         spendErr("", perHourLimit(1), 1),
		"spend, no burst":       spendErr("k", perHourLimit(0), 1),
		"spend, negative burst": spendErr("k", perHourLimit(-1), 1),
		"spend, no period":      spendErr("k", cache.Limit{Burst: 1}, 1),
		"spend, tiny period":    spendErr("k", cache.Limit{Burst: 1, Every: time.Nanosecond}, 1),
		"spend, overflow":       spendErr("k", cache.Limit{Burst: 1 << 40, Every: 1 << 40}, 1),
		"spend, over the burst": spendErr("k", perHourLimit(3), 4),
	} {
		if !errors.Is(err, cache.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cacheHasNone(t, s, "k")
}

func cacheCancelled(t *testing.T, s cache.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, getErr := s.Get(ctx, "k")
	_, spendErr := s.Spend(ctx, "k", perHourLimit(1), 1)
	for name, err := range map[string]error{"put": s.Put(ctx, "k", nil, time.Minute), "get": getErr, "delete": s.Delete(ctx, "k"), "spend": spendErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cacheHasNone(t, s, "k")
	if wait := cacheSpent(t, s, "k", perHourLimit(1), 1); wait != 0 {
		t.Error("a cancelled spend was counted")
	}
}

func cacheSpend(t *testing.T, s cache.Store) {
	for i := range 3 {
		if wait := cacheSpent(t, s, "a", perHourLimit(3), 1); wait != 0 {
			t.Fatalf("spend %d: wait %s", i, wait)
		}
	}
	first := cacheSpent(t, s, "a", perHourLimit(3), 1)
	if first <= 50*time.Minute || first > time.Hour {
		t.Errorf("wait %s, want almost an hour", first)
	}
	// What is refused consumes nothing: the wait does not grow.
	for range 5 {
		if wait := cacheSpent(t, s, "a", perHourLimit(3), 1); wait == 0 || wait > first {
			t.Errorf("wait %s after %s", wait, first)
		}
	}
	if wait := cacheSpent(t, s, "a", perHourLimit(3), 0); wait != 0 {
		t.Errorf("spending nothing: wait %s", wait)
	}
	if wait := cacheSpent(t, s, "b", perHourLimit(3), 1); wait != 0 {
		t.Errorf("another key: wait %s", wait)
	}
}

func cacheSpendMany(t *testing.T, s cache.Store) {
	if wait := cacheSpent(t, s, "a", perHourLimit(5), 3); wait != 0 {
		t.Fatalf("3 of 5: wait %s", wait)
	}
	if wait := cacheSpent(t, s, "a", perHourLimit(5), 3); wait <= 30*time.Minute || wait > time.Hour {
		t.Errorf("3 of 2: wait %s, want an hour for the missing one", wait)
	}
	if wait := cacheSpent(t, s, "a", perHourLimit(5), 2); wait != 0 {
		t.Errorf("2 of 2: wait %s", wait)
	}
	if wait := cacheSpent(t, s, "full", perHourLimit(5), 5); wait != 0 {
		t.Errorf("all at once: wait %s", wait)
	}
}

func cacheGiveBack(t *testing.T, s cache.Store) {
	l := perHourLimit(2)
	cacheSpent(t, s, "a", l, 2)
	if wait := cacheSpent(t, s, "a", l, 1); wait == 0 {
		t.Fatal("a third of two")
	}
	if wait := cacheSpent(t, s, "a", l, -1); wait != 0 {
		t.Fatalf("giving back: wait %s", wait)
	}
	if wait := cacheSpent(t, s, "a", l, 1); wait != 0 {
		t.Errorf("what was given back is not there: wait %s", wait)
	}
	// More than was spent gives no more than a full burst.
	for range 3 {
		cacheSpent(t, s, "a", l, -1<<40)
	}
	cacheSpent(t, s, "new", l, -5)
	for _, key := range []string{"a", "new"} {
		if wait := cacheSpent(t, s, key, l, 2); wait != 0 {
			t.Errorf("%s: a full burst: wait %s", key, wait)
		}
		if wait := cacheSpent(t, s, key, l, 1); wait == 0 {
			t.Errorf("%s: more than a full burst", key)
		}
	}
}

func cacheRecovery(t *testing.T, s cache.Store) {
	l := cache.Limit{Burst: 2, Every: 100 * time.Millisecond}
	cacheAwait(t, "a refusal", func() bool { return cacheSpent(t, s, "a", l, 2) > 0 })
	cacheAwait(t, "the limit to recover", func() bool { return cacheSpent(t, s, "a", l, 2) == 0 })
}

func cacheChangedLimit(t *testing.T, s cache.Store) {
	// An operator lowers a limit: what was spent of the old one does not lock
	// the key for longer than the new one can.
	cacheSpent(t, s, "a", cache.Limit{Burst: 10, Every: time.Hour}, 10)
	lower := cache.Limit{Burst: 1, Every: 100 * time.Millisecond}
	if wait := cacheSpent(t, s, "a", lower, 1); wait > lower.Every {
		t.Errorf("wait %s", wait)
	}
	cacheAwait(t, "the lowered limit to recover", func() bool { return cacheSpent(t, s, "a", lower, 1) == 0 })
}

func cacheTwoNameSpaces(t *testing.T, s cache.Store) {
	cacheSpent(t, s, "k", perHourLimit(1), 1)
	cacheHasNone(t, s, "k")
	cachePut(t, s, "k", []byte("value"), time.Minute)
	if wait := cacheSpent(t, s, "k", perHourLimit(1), 1); wait == 0 {
		t.Error("a value reset the limit")
	}
	if err := s.Delete(context.Background(), "k"); err != nil {
		t.Fatal(err)
	}
	if wait := cacheSpent(t, s, "k", perHourLimit(1), 1); wait == 0 {
		t.Error("deleting a value reset the limit")
	}
}

// cacheSpendRace lets 64 callers spend from a burst of 10.
func cacheSpendRace(t *testing.T, s cache.Store) {
	for round := range 5 {
		var allowed atomic.Int64
		cacheTogether(t, 64, func(int) error {
			wait, err := s.Spend(context.Background(), fmt.Sprint("k", round), perHourLimit(10), 1)
			if err == nil && wait == 0 {
				allowed.Add(1)
			}
			return err
		})
		if allowed.Load() != 10 {
			t.Fatalf("%d of 64 allowed, want 10", allowed.Load())
		}
	}
}

// cacheValueRace lets writers, readers and deleters meet on few keys: a reader
// gets a whole value or none.
func cacheValueRace(t *testing.T, s cache.Store) {
	ctx := context.Background()
	cacheTogether(t, 64, func(i int) error {
		key := fmt.Sprint("k", i%4)
		if err := s.Put(ctx, key, bytes.Repeat([]byte{byte(i)}, 1000), time.Minute); err != nil {
			return err
		}
		got, err := s.Get(ctx, key)
		if err != nil && !errors.Is(err, cache.ErrNotFound) {
			return err
		}
		if err == nil && (len(got) != 1000 || bytes.Count(got, got[:1]) != 1000) {
			return fmt.Errorf("a mixed value of %d bytes", len(got))
		}
		if i%8 == 0 {
			return s.Delete(ctx, key)
		}
		return nil
	})
}

// cacheTogether runs n callers at the same time.
func cacheTogether(t *testing.T, n int, call func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	barrier := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-barrier
			if err := call(i); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	close(barrier)
	wg.Wait()
}

// cacheAwait asks until ok, which must become true in the end.
func cacheAwait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(cachePatience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s", cachePatience, what)
		}
	}
}
