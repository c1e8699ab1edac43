package sqldb

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

func TestShortLived(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		storagetest.Cache(t, func(t *testing.T) cache.Store { return openerOf(sqliteURL(t))(t).ShortLived() })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		storagetest.Cache(t, func(t *testing.T) cache.Store { return openerOf(postgresURL(t))(t).ShortLived() })
	})
}

func TestShortLivedKeysAreNotReadable(t *testing.T) {
	d := openerOf(sqliteURL(t))(t)
	if _, err := d.ShortLived().Spend(t.Context(), "login:person@example.org\x00\xff", cache.Limit{Burst: 1, Every: 1e9}, 1); err != nil {
		t.Fatal(err)
	}
	var key string
	if err := d.queryRow(t.Context(), "SELECT key FROM rate_limits", nil, &key); err != nil || len(key) != 43 {
		t.Errorf("key %q, %v", key, err)
	}
}

func TestSpendAfterTheLimitWasLowered(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		now := time.UnixMilli(1_800_000_000_000)
		s := open(t, func(o *Options) { o.Now = func() time.Time { return now } }).ShortLived()
		spend := func(l cache.Limit, n int) time.Duration {
			t.Helper()
			wait, err := s.Spend(t.Context(), "key", l, n)
			if err != nil {
				t.Fatal(err)
			}
			return wait
		}
		spend(cache.Limit{Burst: 10, Every: time.Hour}, 10)
		lower := cache.Limit{Burst: 2, Every: time.Second}
		if wait := spend(lower, 1); wait != time.Second {
			t.Errorf("wait %s, want a second", wait)
		}
		now = now.Add(time.Second)
		if wait := spend(lower, 1); wait != 0 {
			t.Errorf("wait %s after the wait", wait)
		}
		spend(cache.Limit{Burst: 10, Every: time.Hour}, 9)
		spend(lower, -1)
		if wait := spend(lower, 1); wait != 0 {
			t.Errorf("wait %s for what was given back", wait)
		}
	})
}
