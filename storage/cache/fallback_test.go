package cache_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
	"github.com/redis/go-redis/v9"
)

// syncBuffer is a log that probes in the background may write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) count(s string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), s)
}

const (
	leftLine = "short-lived state moves to the database"
	backLine = "short-lived state is back"
)

func newFallback(primary cache.Store) (*cache.Fallback, *syncBuffer) {
	log := &syncBuffer{}
	return &cache.Fallback{
		Primary:   primary,
		Secondary: cache.NewMemory(time.Now, 8<<20),
		Log:       slog.New(slog.NewTextHandler(log, nil)),
		Now:       time.Now,
	}, log
}

func TestFallback(t *testing.T) {
	storagetest.Cache(t, func(t *testing.T) cache.Store {
		f, log := newFallback(openRedis(t, testenv.Redis(t)))
		t.Cleanup(func() {
			if n := log.count(leftLine); n != 0 {
				t.Errorf("a healthy primary was left %d times", n)
			}
		})
		return f
	})
}

// The contract holds as well on the second store alone.
func TestFallbackWhileAway(t *testing.T) {
	storagetest.Cache(t, func(t *testing.T) cache.Store {
		f, _ := newFallback(broken{})
		return f
	})
}

var errBroken = errors.New("no answer")

// broken is a Store that never answers.
type broken struct{}

func (broken) Put(ctx context.Context, _ string, _ []byte, _ time.Duration) error {
	return errors.Join(errBroken, ctx.Err())
}

func (broken) Get(ctx context.Context, _ string) ([]byte, error) {
	return nil, errors.Join(errBroken, ctx.Err())
}

func (broken) Delete(ctx context.Context, _ string) error { return errors.Join(errBroken, ctx.Err()) }

func (broken) Spend(ctx context.Context, _ string, _ cache.Limit, _ int) (time.Duration, error) {
	return 0, errors.Join(errBroken, ctx.Err())
}

func TestFallbackDoesNotBlameThePrimary(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f, _ := newFallback(broken{})
	if err := f.Put(ctx, "k", nil, time.Minute); !errors.Is(err, context.Canceled) || f.Away() {
		t.Errorf("a cancelled request: %v, away %v", err, f.Away())
	}
	f, _ = newFallback(cache.NewMemory(time.Now, 8<<20))
	if _, err := f.Get(context.Background(), "none"); !errors.Is(err, cache.ErrNotFound) || f.Away() {
		t.Errorf("a miss: %v, away %v", err, f.Away())
	}
	if err := f.Put(context.Background(), "", nil, time.Minute); !errors.Is(err, cache.ErrInvalid) || f.Away() {
		t.Errorf("a mistake: %v, away %v", err, f.Away())
	}
}

// waitFor asks until ok, which must become true in the end.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Redis crashes, hangs, runs full or becomes read-only under 64 callers: none of
// them sees an error, and Redis is used again once it takes writes.
func TestAttack_237_RedisFaults(t *testing.T) {
	ctx := context.Background()
	admin := func(t *testing.T, s *testenv.RedisServer, args ...any) {
		t.Helper()
		opts, err := redis.ParseURL(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		c := redis.NewClient(opts)
		defer c.Close()
		if err := c.Do(ctx, args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		fault, mend func(*testing.T, *testenv.RedisServer)
	}{
		"stopped": {
			func(_ *testing.T, s *testenv.RedisServer) { s.Stop() },
			func(_ *testing.T, s *testenv.RedisServer) { s.Start() },
		},
		"paused": {
			func(_ *testing.T, s *testenv.RedisServer) { s.Pause() },
			func(_ *testing.T, s *testenv.RedisServer) { s.Resume() },
		},
		"full": {
			func(t *testing.T, s *testenv.RedisServer) { admin(t, s, "CONFIG", "SET", "maxmemory", "1") },
			func(t *testing.T, s *testenv.RedisServer) { admin(t, s, "CONFIG", "SET", "maxmemory", "0") },
		},
		"read only": {
			func(t *testing.T, s *testenv.RedisServer) { admin(t, s, "REPLICAOF", "127.0.0.1", "1") },
			func(t *testing.T, s *testenv.RedisServer) { admin(t, s, "REPLICAOF", "NO", "ONE") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := testenv.OwnRedis(t)
			primary, err := cache.OpenRedis(cache.RedisOptions{URL: server.URL}) // with the timeout of production
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = primary.Close() })
			f, log := newFallback(primary)
			waitFor(t, "the primary", func() bool {
				return f.Put(ctx, "before", []byte("v"), time.Minute) == nil && !f.Away()
			})
			before := log.count(leftLine)

			tc.fault(t, server)
			everyCallerIsServed(t, f)
			if !f.Away() || log.count(leftLine) != before+1 {
				t.Errorf("away %v, logged %d times", f.Away(), log.count(leftLine)-before)
			}
			if _, err := f.Get(ctx, "before"); !errors.Is(err, cache.ErrNotFound) {
				t.Errorf("a value that is out of reach: %v", err)
			}

			tc.mend(t, server)
			waitFor(t, "the primary to be used again", func() bool {
				_, err := f.Get(ctx, "any")
				return errors.Is(err, cache.ErrNotFound) && !f.Away()
			})
			if log.count(backLine) == 0 {
				t.Error("the return was not logged")
			}
			if err := f.Put(ctx, "after", []byte("v"), time.Minute); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the value in Redis", func() bool {
				_, err := primary.Get(ctx, "after")
				return err == nil
			})
		})
	}
}

// everyCallerIsServed lets 64 callers put, get and spend.
func everyCallerIsServed(t *testing.T, f *cache.Fallback) {
	t.Helper()
	ctx := context.Background()
	var wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 64 {
		wg.Go(func() {
			if err := f.Put(ctx, "during", []byte("v"), time.Minute); err != nil {
				t.Errorf("put: %v", err)
			}
			if _, err := f.Get(ctx, "during"); err != nil {
				t.Errorf("get: %v", err)
			}
			wait, err := f.Spend(ctx, "during", cache.Limit{Burst: 10, Every: time.Hour}, 1)
			if err != nil {
				t.Errorf("spend: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil && wait == 0 {
				allowed++
			}
		})
	}
	wg.Wait()
	if allowed != 10 {
		t.Errorf("%d of 64 allowed, want 10", allowed)
	}
}

func TestAttack_237_RedisDownAtStart(t *testing.T) {
	primary, err := cache.OpenRedis(cache.RedisOptions{URL: "redis://" + testenv.FreeAddr(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = primary.Close() })
	f, log := newFallback(primary)
	everyCallerIsServed(t, f)
	if !f.Away() || log.count(leftLine) != 1 {
		t.Errorf("away %v, logged %d times", f.Away(), log.count(leftLine))
	}
}
