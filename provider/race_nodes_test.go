package provider_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// racers is how many callers do at once what may happen once.
const racers = 64

// onNodes runs f on every deployment in which a race can happen: one node on each
// database, and three nodes on one PostgreSQL with and without Redis.
func onNodes(t *testing.T, f func(t *testing.T, w *world, nodes []*server)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		s := newServer(t, sqliteURL(t))
		f(t, newWorld(t, s), []*server{s})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		s := newServer(t, sqldbtest.Postgres(t))
		f(t, newWorld(t, s), []*server{s})
	})
	t.Run("three nodes on PostgreSQL and Redis", func(t *testing.T) {
		url := testenv.Redis(t)
		nodes := raceNodes(t, 3, func(*server) cache.Store { return raceRedis(t, url) })
		f(t, newWorld(t, nodes[0]), nodes)
	})
	t.Run("three nodes on PostgreSQL alone", func(t *testing.T) {
		nodes := raceNodes(t, 3, func(s *server) cache.Store { return s.db.ShortLived() })
		f(t, newWorld(t, nodes[0]), nodes)
	})
}

// rounds is how often a race is run: once with make test, often with make
// test-long.
func rounds() int {
	if os.Getenv("GATEHOUSE_TEST_LONG") != "" {
		return 100
	}
	return 1
}

// raceNodes starts nodes that share a database and nothing else of this process.
func raceNodes(t *testing.T, n int, short func(s *server) cache.Store) []*server {
	t.Helper()
	database := sqldbtest.Postgres(t)
	nodes := make([]*server, n)
	for i := range nodes {
		s := newNode(t, database, secret.Text(strings.Repeat("s", 40)), nil)
		s.cache = short(s)
		s.provider.Pushed, s.provider.Limiter = pushed{s.cache}, limiter{s.cache}
		nodes[i] = s
	}
	return nodes
}

// raceRedis is patient: a machine that runs 64 callers on few cores is slow
// without being dead.
func raceRedis(t *testing.T, url string) cache.Store {
	t.Helper()
	r, err := cache.OpenRedis(cache.RedisOptions{URL: url, Timeout: 20 * time.Second})
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

// race calls f from n goroutines that wait for each other first.
func race[T any](n int, f func(i int) T) []T {
	results := make([]T, n)
	var barrier, done sync.WaitGroup
	barrier.Add(1)
	for i := range n {
		done.Go(func() {
			barrier.Wait()
			results[i] = f(i)
		})
	}
	barrier.Done()
	done.Wait()
	return results
}

// raceTab is another tab of the same browser, with cookies of its own to write to.
func raceTab(b *browser, node *server) *browser {
	tab := node.browser()
	for name, c := range b.cookies {
		tab.cookies[name] = c
	}
	return tab
}

// raceWinner returns the one answer with 200, and fails unless every other one is
// the error.
func raceWinner(t *testing.T, answers []answer, status int, code string) answer {
	t.Helper()
	var won []answer
	for _, a := range answers {
		if a.status == 200 {
			won = append(won, a)
			continue
		}
		wantError(t, a, status, code)
	}
	if len(won) != 1 {
		t.Fatalf("%d answers with 200, want one", len(won))
	}
	return won[0]
}

// raceDead fails if anything of an answer of the token endpoint can still be used.
func raceDead(t *testing.T, w *world, nodes []*server, c app, a answer) {
	t.Helper()
	for i, node := range nodes {
		if got := node.introspect(w.resource, a.str("access_token")); got.status != 200 || got.json["active"] != false {
			t.Errorf("node %d accepts the access token: %d %s", i, got.status, got.raw)
		}
	}
	if token := a.str("refresh_token"); token != "" {
		wantError(t, nodes[len(nodes)-1].refresh(c, token), 400, "invalid_grant")
	}
}
