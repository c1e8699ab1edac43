package cache_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

// openRedis opens a Redis that is patient, for machines that are busy.
func openRedis(t *testing.T, url string) *cache.Redis {
	t.Helper()
	r, err := cache.OpenRedis(cache.RedisOptions{URL: url, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestRedis(t *testing.T) {
	storagetest.Cache(t, func(t *testing.T) cache.Store { return openRedis(t, testenv.Redis(t)) })
}

func TestRedisSentinel(t *testing.T) {
	url := testenv.RedisSentinel(t)
	storagetest.Cache(t, func(t *testing.T) cache.Store { return empty(t, openRedis(t, url)) })
}

func TestRedisCluster(t *testing.T) {
	url := testenv.RedisCluster(t)
	storagetest.Cache(t, func(t *testing.T) cache.Store { return empty(t, openRedis(t, url)) })
}

func empty(t *testing.T, r *cache.Redis) *cache.Redis {
	t.Helper()
	if err := cache.Flush(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRedisKeysArePrefixedAndExpire(t *testing.T) {
	ctx := context.Background()
	url := testenv.Redis(t)
	r := openRedis(t, url)
	if err := r.Put(ctx, "a", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Spend(ctx, "b", cache.Limit{Burst: 3, Every: time.Second}, 2); err != nil {
		t.Fatal(err)
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(opts)
	defer plain.Close()
	for _, key := range []string{"gatehouse:v:a", "gatehouse:l:b"} {
		if ttl, err := plain.PTTL(ctx, key).Result(); err != nil || ttl <= 0 || ttl > time.Minute {
			t.Errorf("%s: lives %s (%v)", key, ttl, err)
		}
	}
	if n, err := plain.DBSize(ctx).Result(); err != nil || n != 2 {
		t.Errorf("%d keys (%v)", n, err)
	}
	// A limit that is full again leaves nothing behind.
	if _, err := r.Spend(ctx, "b", cache.Limit{Burst: 3, Every: time.Second}, -3); err != nil {
		t.Fatal(err)
	}
	if n, err := plain.DBSize(ctx).Result(); err != nil || n != 1 {
		t.Errorf("%d keys (%v)", n, err)
	}
}

func TestRedisStream(t *testing.T) {
	ctx := context.Background()
	r := openRedis(t, testenv.OwnRedis(t).URL)
	if list, err := r.Remembered(ctx); len(list) != 0 || err != nil {
		t.Errorf("an empty stream: %+v, %v", list, err)
	}
	told := make(chan cache.Moved, 10)
	following, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Follow(following, func(m cache.Moved) { told <- m }) }()
	want := cache.Moved{Timeline: "t1", Position: 7, Change: 3, Chain: "c", Proof: "p"}
	// Following begins some time after the call: hints from before are not told.
	for got := false; !got; {
		if err := r.Publish(ctx, want); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-told:
			if diff := cmp.Diff(want, m); diff != "" {
				t.Fatal(diff)
			}
			got = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("following ended with %v", err)
	}
}

// TestRedisRemembers: a later hint hides no earlier one, however many there are, up to
// what the stream keeps; what others wrote is left out.
func TestRedisRemembers(t *testing.T) {
	ctx := t.Context()
	server := testenv.OwnRedis(t)
	r := openRedis(t, server.URL)
	opts, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(opts)
	defer plain.Close()
	pipe := plain.Pipeline()
	const n = 600
	for i := range n {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: "gatehouse:ledger", Values: []any{"v", "1", "timeline", "t", "position", i, "change", 0}})
		if i%100 == 0 {
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: "gatehouse:ledger", Values: []any{"v", "0"}})
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Publish(ctx, cache.Moved{Timeline: "t", Position: 5}); err != nil {
		t.Fatal(err)
	}
	list, err := r.Remembered(ctx)
	if err != nil || len(list) != n+1 || list[0].Position != 5 {
		t.Fatalf("%d hints, %v", len(list), err)
	}
	for i, m := range list[1:] {
		if m != (cache.Moved{Timeline: "t", Position: int64(n - 1 - i)}) {
			t.Fatalf("hint %d: %+v", i, m)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if list, err := r.Remembered(ended); err == nil {
		t.Errorf("nobody was asked, and %d hints came", len(list))
	}
}

// TestH8_RedisEmptied: what is published after a FLUSHALL is told, whatever number
// the emptied Redis gives it.
func TestH8_RedisEmptied(t *testing.T) {
	ctx := t.Context()
	server := testenv.OwnRedis(t)
	r := openRedis(t, server.URL)
	opts, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(opts)
	defer plain.Close()
	// From a clock that is far ahead.
	if err := plain.XAdd(ctx, &redis.XAddArgs{Stream: "gatehouse:ledger", ID: "99999999999999-0", Values: []any{"v", "0"}}).Err(); err != nil {
		t.Fatal(err)
	}
	told := make(chan cache.Moved, 100)
	go func() { _ = r.Follow(ctx, func(m cache.Moved) { told <- m }) }()
	await := func(position int64) {
		t.Helper()
		for {
			if err := r.Publish(ctx, cache.Moved{Position: position}); err != nil {
				t.Fatal(err)
			}
			select {
			case m := <-told:
				if m.Position == position {
					return
				}
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				t.Fatal("nothing was told")
			}
		}
	}
	await(1)
	if err := plain.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	await(2)
}

func TestRedisStreamOnCluster(t *testing.T) {
	r := openRedis(t, testenv.RedisCluster(t))
	if err := r.Publish(context.Background(), cache.Moved{Position: 1}); err != nil {
		t.Error(err)
	}
	if list, err := r.Remembered(context.Background()); len(list) != 1 || err != nil {
		t.Errorf("remembered: %+v, %v", list, err)
	}
	if found := r.Check(context.Background()); found != nil {
		t.Errorf("%+v", found)
	}
}

func TestAttack_238_EvictingRedisIsReported(t *testing.T) {
	ctx := context.Background()
	server := testenv.OwnRedis(t)
	r := openRedis(t, server.URL)
	if found := r.Check(ctx); found != nil {
		t.Errorf("a healthy one: %+v", found)
	}
	opts, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(opts)
	defer plain.Close()
	if err := plain.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	found := r.Check(ctx)
	if len(found) != 1 || !strings.Contains(found[0].Problem, "allkeys-lru") || found[0].Remedy != "set maxmemory-policy noeviction" || found[0].Fatal {
		t.Errorf("%+v", found)
	}
	if err := plain.Do(ctx, "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if found := r.Check(ctx); len(found) != 2 || !found[0].Fatal {
		t.Errorf("a replica: %+v", found)
	}
	server.Stop()
	if found := r.Check(ctx); len(found) != 1 || !found[0].Fatal || !strings.HasPrefix(found[0].Problem, "Redis does not answer") {
		t.Errorf("a dead one: %+v", found)
	}
	if err := r.Ping(ctx); err == nil {
		t.Error("a dead one answered a ping")
	}
}
