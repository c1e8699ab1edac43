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

func TestRedisPublish(t *testing.T) {
	ctx := context.Background()
	url := testenv.Redis(t)
	r := openRedis(t, url)
	if err := r.Publish(ctx, "t1", nil); err != nil {
		t.Fatal(err)
	}
	err := r.Publish(ctx, "t1", []cache.Row{
		{Position: 6, Kind: "user", Key: "sub", Reason: "ban", At: 1000, ExpiresAt: 2000},
		{Position: 7, Kind: "token", Key: "jti", Audience: "https://api.example", Reason: "revoked", At: 1001, ExpiresAt: 1500},
	})
	if err != nil {
		t.Fatal(err)
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	plain := redis.NewClient(opts)
	defer plain.Close()
	messages, err := plain.XRange(ctx, "gatehouse:revocations", "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for _, m := range messages {
		got = append(got, m.Values)
	}
	want := []map[string]any{
		{"v": "1", "timeline": "t1", "position": "6", "kind": "user", "key": "sub", "audience": "", "reason": "ban", "at": "1000", "expires": "2000"},
		{"v": "1", "timeline": "t1", "position": "7", "kind": "token", "key": "jti", "audience": "https://api.example", "reason": "revoked", "at": "1001", "expires": "1500"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRedisPublishOnCluster(t *testing.T) {
	r := openRedis(t, testenv.RedisCluster(t))
	if err := r.Publish(context.Background(), "t1", make([]cache.Row, 500)); err != nil {
		t.Error(err)
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
