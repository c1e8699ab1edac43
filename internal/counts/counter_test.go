package counts_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// table is a store in memory, which several counters may share.
type table struct {
	mu      sync.Mutex
	fail    int // how many writes fail before one succeeds
	writes  int
	most    int // rows of one write
	n       map[counts.Row]int64
	dropped []int64
}

var errGone = errors.New("the database is gone")

func (s *table) add(rows []counts.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != 0 {
		s.fail--
		return errGone
	}
	s.writes++
	s.most = max(s.most, len(rows))
	if s.n == nil {
		s.n = map[counts.Row]int64{}
	}
	for _, r := range rows {
		n := r.N
		r.N = 0
		s.n[r] += n
	}
	return nil
}

func (s *table) AddCounts(_ context.Context, rows []counts.Row) error       { return s.add(rows) }
func (s *table) AddClientCounts(_ context.Context, rows []counts.Row) error { return s.add(rows) }
func (s *table) DropCounts(_ context.Context, before, clientsBefore int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = append(s.dropped, before, clientsBefore)
	return nil
}

func (s *table) is(t *testing.T, want map[counts.Row]int64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.n); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var (
	issued = counts.What{Kind: counts.Token, Name: "refresh_token"}
	reused = counts.What{Kind: counts.Refusal, Place: counts.AtToken, Name: "invalid_grant", Reason: counts.ReasonReused}
)

const at = int64(1_800_000_000_000) / counts.Hour * counts.Hour

type clock struct{ ms int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms) }

func newCounter(s counts.Store, c *clock) *counts.Counter {
	return counts.New(s, c.now, slog.New(slog.DiscardHandler))
}

// TestNodesAddUp: many requests on two nodes, which write while they count, are all in
// the table at the end.
func TestNodesAddUp(t *testing.T) {
	s, client := &table{}, id.New()
	const requests, workers = 500, 4
	var running sync.WaitGroup
	for range 2 {
		c := newCounter(s, &clock{ms: at + 5})
		running.Go(func() {
			var counting sync.WaitGroup
			for range workers {
				counting.Go(func() {
					for i := range requests {
						c.Count(issued, client)
						if i%100 == 0 {
							if err := c.Flush(t.Context()); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			counting.Wait()
			if err := c.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	const all = 2 * workers * requests
	s.is(t, map[counts.Row]int64{{Hour: at, What: issued}: all, {Hour: at, Client: client, What: issued}: all})
}

// TestHours: what happened in the last millisecond of an hour belongs to it, also when
// it is written in the next one.
func TestHours(t *testing.T) {
	s, now := &table{}, &clock{ms: at + counts.Hour - 1}
	c := newCounter(s, now)
	c.Count(issued, id.ID{})
	now.ms++
	c.Count(issued, id.ID{})
	c.Count(reused, id.ID{})
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.is(t, map[counts.Row]int64{{Hour: at, What: issued}: 1, {Hour: at + counts.Hour, What: issued}: 1, {Hour: at + counts.Hour, What: reused}: 1})
	writes := s.writes
	if err := c.Flush(t.Context()); err != nil || s.writes != writes {
		t.Errorf("a node at which nothing happens wrote %d times, %v", s.writes-writes, err)
	}
}

// TestFailedWriteLosesNothing: what was counted before and after it is there in the
// end, once.
func TestFailedWriteLosesNothing(t *testing.T) {
	s, client := &table{fail: 3}, id.New() // both tables, and then the first of them
	c := newCounter(s, &clock{ms: at})
	for range 2 {
		c.Count(issued, client)
		if err := c.Flush(t.Context()); !errors.Is(err, errGone) {
			t.Errorf("the error is %v", err)
		}
	}
	c.Count(issued, client)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.is(t, map[counts.Row]int64{{Hour: at, What: issued}: 3, {Hour: at, Client: client, What: issued}: 3})
}

// TestNamesAreBounded: nothing that somebody sends becomes a name.
func TestNamesAreBounded(t *testing.T) {
	s := &table{}
	c := newCounter(s, &clock{ms: at})
	for i := range 5000 {
		made := fmt.Sprint("made-up-", i)
		c.Count(counts.What{Kind: counts.Refusal, Place: made, Name: made, Reason: made}, id.ID{})
		c.Count(counts.What{Kind: counts.Token, Name: made}, id.ID{})
		c.Count(counts.What{Kind: counts.Kind(made), Place: made, Name: made, Reason: made}, id.ID{})
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.is(t, map[counts.Row]int64{
		{Hour: at, What: counts.What{Kind: counts.Refusal, Place: counts.Other, Name: counts.Other, Reason: counts.Other}}: 5000,
		{Hour: at, What: counts.What{Kind: counts.Token, Name: counts.Other}}:                                              5000,
		{Hour: at, What: counts.What{Kind: counts.Other, Name: counts.Other}}:                                              5000,
	})
}

// TestClientsAreBounded: of more clients than there is room for the sum is right all
// the same, and no statement is larger than it should be.
func TestClientsAreBounded(t *testing.T) {
	s := &table{fail: 2}
	c := newCounter(s, &clock{ms: at})
	const most, more = 10_000, 12_000
	clients := make([]id.ID, more)
	for i := range clients {
		clients[i] = id.New()
	}
	for round := range 2 { // the first write fails, and what it had comes back
		for _, client := range clients {
			c.Count(issued, client)
		}
		if err := c.Flush(t.Context()); (err != nil) != (round == 0) {
			t.Errorf("write %d: %v", round, err)
		}
	}
	var sum int64
	for row, n := range s.n {
		if !row.Client.IsZero() {
			sum += n
		}
	}
	if total := s.n[counts.Row{Hour: at, What: issued}]; total != 2*more || len(s.n) != most+1 || sum != 2*most || s.most > 1000 {
		t.Errorf("%d in all, %d rows, %d of clients, %d rows at once", total, len(s.n), sum, s.most)
	}
}

// TestRunWritesAtTheEnd: a server that stops has written all it counted.
func TestRunWritesAtTheEnd(t *testing.T) {
	s := &table{}
	c := newCounter(s, &clock{ms: at})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	c.Count(reused, id.ID{})
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	s.is(t, map[counts.Row]int64{{Hour: at, What: reused}: 1})
}

func BenchmarkCount(b *testing.B) {
	c, client := counts.New(&table{}, time.Now, slog.New(slog.DiscardHandler)), id.New()
	b.ReportAllocs()
	for b.Loop() {
		c.Count(issued, client)
	}
}
