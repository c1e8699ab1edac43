package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/revset"
)

// lookups measures the set in memory with a token's eleven keys, none of which is
// revoked: what nearly every request costs.
func lookups(_ context.Context, b *bench) error {
	t := &table{
		title: "The set of what is revoked",
		note:  "Lookups of a token with eleven keys that no row matches; the keys of the person differ from lookup to lookup, so that no processor cache helps. The best of five rounds.",
		head:  []string{"rows", "one lookup", "lookups/s, one processor", "lookups/s, all processors", "allocations", "bytes a row", "put in place"},
	}
	for _, n := range b.rows {
		b.note("set: %s rows", count(n))
		rows := ledgerRows(n)
		set := revset.New(revset.Options{})
		began := time.Now()
		if err := set.Replace(rows, 0); err != nil {
			return err
		}
		loading := time.Since(began)
		one := b.ask(set, 1)
		all := b.ask(set, runtime.GOMAXPROCS(0))
		query := newQuery(1)
		allocations := testing.AllocsPerRun(1000, func() { set.Match(query.next()) })
		t.add(count(n), span(time.Duration(float64(time.Second)/one)), millions(one), millions(all), fmt.Sprint(allocations),
			fmt.Sprintf("%.1f", float64(set.Bytes())/float64(set.Len())), span(loading))
	}
	b.print(t)
	return nil
}

func millions(n float64) string { return fmt.Sprintf("%.1f million", n/1e6) }

// rounds is how often a loop in memory is measured. The best counts: other work on
// the machine only ever makes it slower.
const rounds = 5

// ask returns lookups a second of so many goroutines together. Making the queries
// is part of them.
func (b *bench) ask(set *revset.Set, goroutines int) float64 {
	best := 0.0
	for range rounds {
		counts := make([]int, goroutines)
		var all sync.WaitGroup
		began := time.Now()
		for i := range goroutines {
			all.Go(func() {
				query := newQuery(uint64(i) + 1)
				for time.Since(began) < b.patience {
					for range 1000 {
						set.Match(query.next())
					}
					counts[i] += 1000
				}
			})
		}
		all.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		best = max(best, float64(total)/time.Since(began).Seconds())
	}
	return best
}

// ledgerRows are rows as a ledger has them: most end sessions, one in a hundred
// takes a permission, one in a thousand a client or a key.
func ledgerRows(n int) []revset.Row {
	random := rand.New(rand.NewPCG(1, 2))
	expires := time.Now().Unix() + 3600
	often := []revset.Kind{revset.Session, revset.Session, revset.Token, revset.Grant, revset.Subject}
	rows := make([]revset.Row, n)
	for i := range rows {
		kind := often[i%len(often)]
		switch {
		case i%1000 == 999:
			kind = []revset.Kind{revset.Client, revset.Key}[i/1000%2]
		case i%100 == 99:
			kind = revset.Permission
		}
		rows[i] = revset.Row{Kind: kind, Fingerprint: random.Uint64() | 1, Position: int64(i + 1), Expires: expires}
	}
	return rows
}

// query makes tokens' keys: those of the person are new each time, the app, the
// signing key and the permissions come from the few that a deployment has.
type query struct {
	state  uint64
	common [256]uint64
	revset.Query
}

func newQuery(seed uint64) *query {
	q := &query{state: seed, Query: revset.Query{Permissions: make([]uint64, 5), Rev: 1 << 40}}
	random := rand.New(rand.NewPCG(seed, 3))
	for i := range q.common {
		q.common[i] = random.Uint64() &^ 1 // rows are odd
	}
	return q
}

func (q *query) next() *revset.Query {
	q.state = q.state*6364136223846793005 + 1442695040888963407
	mixed := (q.state ^ q.state>>29) &^ 1
	q.Token, q.Session, q.Grant, q.Subject = mixed, mixed^0x5851f42d4c957f2c, mixed^0x14057b7ef767814e, mixed^0x2545f4914f6cdd1c
	q.Client, q.Key = q.common[q.state>>56], q.common[q.state>>48&1]
	for i := range q.Permissions {
		q.Permissions[i] = q.common[q.state>>(8+6*i)&0xff]
	}
	return &q.Query
}
