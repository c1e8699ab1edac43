package revset

import (
	"fmt"
	"sync/atomic"
	"testing"
)

const benchNow = 1_800_000_000

// scatter makes fingerprints as a keyed hash would.
func scatter(i int) uint64 {
	x := uint64(i) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ledgerRow is row i of a ledger as it is in use: nearly all rows end sessions,
// one in a hundred takes a permission, one in a thousand a client or key.
func ledgerRow(i int) Row {
	kind := []Kind{Session, Session, Token, Grant, Subject}[i%5]
	switch {
	case i%1000 == 999:
		kind = []Kind{Client, Key}[i/1000%2]
	case i%100 == 99:
		kind = Permission
	}
	return Row{Kind: kind, Fingerprint: scatter(i), Position: int64(i + 1), Expires: benchNow + 1 + int64(i%900)}
}

func ledgerRows(n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = ledgerRow(i)
	}
	return rows
}

func filled(tb testing.TB, n int) *Set {
	tb.Helper()
	s := New(Options{Now: func() int64 { return benchNow }})
	for from := 0; from < n; from += 1000 {
		var rows []Row
		for i := from; i < min(n, from+1000); i++ {
			rows = append(rows, ledgerRow(i))
		}
		if err := s.Add(rows...); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// tokens makes queries with eleven keys: those of the person differ from token
// to token, so that no cache helps, the others come from the few hundred that a
// deployment has.
type tokens struct {
	n     uint64
	rare  [256]uint64
	query Query
}

func newTokens() *tokens {
	t := &tokens{n: 1 << 63, query: Query{Permissions: make([]uint64, 5), Rev: 1 << 40}}
	for i := range t.rare {
		t.rare[i] = scatter(-1 - i)
	}
	return t
}

// next returns a query that no row matches.
func (t *tokens) next() *Query {
	q := &t.query
	t.n = t.n*0xd1342543de82ef95 + 1
	q.Token, q.Session, q.Grant, q.Subject = t.n, t.n^0x243f6a8885a308d3, t.n^0x13198a2e03707344, t.n^0xa4093822299f31d0
	q.Client, q.Key = t.rare[t.n>>56], t.rare[t.n>>48&1]
	for i := range q.Permissions {
		q.Permissions[i] = t.rare[t.n>>(8+6*i)&0xff]
	}
	return q
}

func BenchmarkMatch(b *testing.B) {
	b.Run("none", func(b *testing.B) { // what making the queries takes
		ts := newTokens()
		s := filled(b, 0)
		for b.Loop() {
			if _, got := s.Match(ts.next()); got {
				b.Fatal("wrong answer")
			}
		}
	})
	for _, n := range []int{1e4, 1e6, 1e7} {
		s := filled(b, n)
		b.Run(fmt.Sprintf("miss/rows=%.0e", float64(n)), func(b *testing.B) {
			b.ReportAllocs()
			ts := newTokens()
			for b.Loop() {
				if _, got := s.Match(ts.next()); got {
					b.Fatal("wrong answer")
				}
			}
			b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "B/row")
		})
		b.Run(fmt.Sprintf("hit/rows=%.0e", float64(n)), func(b *testing.B) {
			b.ReportAllocs()
			ts := newTokens()
			for b.Loop() {
				q := ts.next()
				q.Session = ledgerRow(int(q.Token>>40) % (n / 5) * 5).Fingerprint
				if _, got := s.Match(q); !got {
					b.Fatal("wrong answer")
				}
			}
		})
	}
}

// BenchmarkMatchDuringAdd asks from all processors while one writer fills a set
// of a million rows up to its next growth and past it.
func BenchmarkMatchDuringAdd(b *testing.B) {
	s := filled(b, 1e6)
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		i := int(1e6)
		for !stop.Load() {
			_ = s.Add(ledgerRow(i), ledgerRow(i+1), ledgerRow(i+2), ledgerRow(i+3))
			i += 4
		}
		done <- i - 1e6
	}()
	b.RunParallel(func(pb *testing.PB) {
		ts := newTokens()
		for pb.Next() {
			if _, got := s.Match(ts.next()); got {
				b.Error("wrong answer")
			}
		}
	})
	stop.Store(true)
	b.ReportMetric(float64(<-done), "added")
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1e4, 1e6} {
		b.Run(fmt.Sprintf("rows=%.0e", float64(n)), func(b *testing.B) {
			rows := ledgerRows(n)
			for b.Loop() {
				s := New(Options{Now: func() int64 { return benchNow }})
				for i := range rows {
					_ = s.Add(rows[i])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
		})
	}
}

func BenchmarkReplace(b *testing.B) {
	rows := ledgerRows(667_000)
	s := New(Options{Now: func() int64 { return benchNow }})
	for b.Loop() {
		if err := s.Replace(rows, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGrow is the longest that a writer is held up.
func BenchmarkGrow(b *testing.B) {
	for _, n := range []int{1e6, 1e7} {
		b.Run(fmt.Sprintf("rows=%.0e", float64(n)), func(b *testing.B) {
			t := filled(b, n).content.Load().mass.Load()
			for b.Loop() {
				t.rebuilt(1, t.base, everyRow)
			}
		})
	}
}

// BenchmarkDrop drops a nine-hundredth of the rows, as a call each second does.
func BenchmarkDrop(b *testing.B) {
	for _, n := range []int{1e6, 1e7} {
		b.Run(fmt.Sprintf("rows=%.0e", float64(n)), func(b *testing.B) {
			now := int64(benchNow)
			s := filled(b, n)
			s.now = func() int64 { return now }
			for b.Loop() {
				now++
				if s.Drop() == 0 {
					b.StopTimer()
					now = benchNow
					s = filled(b, n)
					s.now = func() int64 { return now }
					b.StartTimer()
				}
			}
		})
	}
}
