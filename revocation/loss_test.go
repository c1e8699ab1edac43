package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// purge drops the rows up to a position, as their time has passed.
func (d *database) purge(upTo int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows = slices.DeleteFunc(d.rows, func(r revocation.Row) bool { return r.Position <= upTo })
	d.head.Floor = upTo
	for p := range d.chains {
		if p <= upTo {
			delete(d.chains, p)
		}
	}
}

func look(t *testing.T, tail *revocation.Tail) {
	t.Helper()
	if err := tail.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func keysOf(rows []revocation.Row) []string {
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.Key)
	}
	return keys
}

// TestL8_WhatWasDroppedIsNotLost: who was banned last week, and is no longer, is
// not banned again because a part of today is lost.
func TestL8_WhatWasDroppedIsNotLost(t *testing.T) {
	d := newDatabase()
	tail := newTail(d)
	d.write(user("banned last week"))
	look(t, tail)
	d.write(user("still there"))
	d.purge(1)
	restore := d.backup()
	d.write(user("banned"))
	look(t, tail)
	restore()
	look(t, tail)
	if len(d.repaired) != 1 || !slices.Equal(keysOf(d.repaired[0]), []string{"banned"}) {
		t.Errorf("repaired %+v", d.repaired)
	}
}

// TestL8_LossBetweenTwoBatches: whoever is in the middle of reading when the database
// fails over to one that lacks what was just read does not go on as if it had it.
func TestL8_LossBetweenTwoBatches(t *testing.T) {
	m := revocation.NewMirror(maphash.MakeSeed(), revset.Options{})
	row := func(position int64) revocation.Row {
		return revocation.Row{Position: position, Kind: revocation.Session, Key: fmt.Sprint(position), ExpiresAt: 1 << 50}
	}
	first := revocation.Batch{Head: revocation.Head{Timeline: "one", Position: 9, Hash: []byte("nine")}, Rows: []revocation.Row{row(1), row(2)}, More: true, Last: []byte("two")}
	if err := m.Absorb(first, time.Now()); err != nil {
		t.Fatal(err)
	}
	next := revocation.Batch{Head: revocation.Head{Timeline: "one", Position: 4, Hash: []byte("four")}, Chain: []byte("another two"), Rows: []revocation.Row{row(3), row(4)}}
	if err := m.Absorb(next, time.Now()); !errors.Is(err, revocation.ErrLost) {
		t.Fatalf("%v, want ErrLost", err)
	}
	next.Chain = nil
	if err := m.Absorb(next, time.Now()); !errors.Is(err, revocation.ErrUnproven) {
		t.Fatalf("%v, want ErrUnproven", err)
	}
	next.Chain = []byte("two")
	if err := m.Absorb(next, time.Now()); err != nil || m.Point().Position != 4 {
		t.Fatal(err, m.Point())
	}
}

// TestL8_OneNodeKnowsMore: the node that repairs a loss first does not know all
// that another one had been told; what that one alone knows is repaired as well,
// and nothing twice.
func TestL8_OneNodeKnowsMore(t *testing.T) {
	d := newDatabase()
	first, second := newTail(d), newTail(d)
	d.write(user("a"))
	restore := d.backup()
	d.write(user("both"))
	look(t, first)
	d.write(user("second's own"))
	look(t, second)
	restore()
	look(t, first) // goes on with two rows: at the second's place there is no hash
	look(t, second)
	if len(d.repaired) != 2 {
		t.Fatalf("repaired %d times", len(d.repaired))
	}
	if !slices.Equal(keysOf(d.repaired[0]), []string{"both"}) || !slices.Equal(keysOf(d.repaired[1]), []string{"second's own"}) {
		t.Errorf("repaired %q, then %q", keysOf(d.repaired[0]), keysOf(d.repaired[1]))
	}
	look(t, first)
	look(t, second)
	if len(d.repaired) != 2 {
		t.Errorf("repaired %d times", len(d.repaired))
	}
	// Who was told the lost history cannot go on from there.
	if _, p, ok := second.Since(3); ok || p.Apart <= 3 {
		t.Errorf("rows after a place of the lost history: %v, %+v", ok, p)
	}
}

// TestL8_OwnCommitIsLost: what this process was told to be committed, and nobody
// has read, proves a loss; the node does not stay stale for ever.
func TestL8_OwnCommitIsLost(t *testing.T) {
	for name, wrote := range map[string]revocation.Head{"a row": {Position: 2}, "a change": {Position: 1, Change: 1}} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase()
			tail := newTail(d)
			d.write(user("a"))
			look(t, tail)
			tail.Wrote(wrote.Position, wrote.Change)
			look(t, tail)
			if p, err := tail.Point(t.Context()); err != nil || len(d.repaired) != 1 || p.Position <= wrote.Position {
				t.Errorf("%+v, %v, repaired %d times", p, err, len(d.repaired))
			}
			if !isRevoked(t, tail, "anybody", wrote.Position) {
				t.Error("a token from before the loss lives on")
			}
		})
	}
}

// TestL17_DatabaseAway: a look that failed says nothing about a token that is
// ahead of this node.
func TestL17_DatabaseAway(t *testing.T) {
	d := newDatabase()
	tail := newTail(d)
	d.write(user("a"))
	look(t, tail)
	d.write(user("b"))
	flaky := &source{database: d, fail: errors.New("connection reset")}
	tail.Source = flaky
	if isRevoked(t, tail, "somebody", 2) {
		t.Error("a good token was called revoked because the database did not answer")
	}
	if !isRevoked(t, tail, "a", 0) {
		t.Error("what is known counts no longer")
	}
}

// source is a database whose answers can be held up.
type source struct {
	*database
	fail error
	hold chan struct{} // small questions wait for it

	mu   sync.Mutex
	rows int // told so far
}

func (s *source) Catch(ctx context.Context, after int64, limit int) (revocation.Batch, error) {
	if s.fail != nil {
		return revocation.Batch{}, s.fail
	}
	if s.hold != nil && limit < 100 {
		<-s.hold
	}
	b, err := s.database.Catch(ctx, after, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows += len(b.Rows)
	return b, err
}

// TestEvidenceHoldsUpNobody: a follower with many old cursors makes the node read
// little for each, and its looks do not wait for it.
func TestEvidenceHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		for i := range 1000 {
			d.write(user(fmt.Sprint(i)))
		}
		tail := newTail(d)
		look(t, tail)
		slow := &source{database: d, hold: make(chan struct{})}
		tail.Source = slow
		done := make(chan bool)
		go func() {
			same, err := tail.Evidence(t.Context(), 10, d.chains[10])
			done <- same && err == nil
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := tail.Look(ctx); err != nil {
			t.Errorf("look: %v", err)
		}
		close(slow.hold)
		if !<-done {
			t.Error("sound evidence was not believed")
		}
		if slow.rows > 10 {
			t.Errorf("%d rows were read for it", slow.rows)
		}
	})
}

// TestL5_Suspend: a machine that slept for an hour looks before it answers.
func TestL5_Suspend(t *testing.T) {
	d := newDatabase()
	tail := newTail(d)
	slept := time.Duration(0)
	tail.Now = func() time.Time {
		now := time.Now().Add(slept) // the monotonic reading stands still:
		(*struct {
			wall uint64
			ext  int64
		})(unsafe.Pointer(&now)).ext -= int64(slept)
		return now
	}
	look(t, tail)
	d.write(user("a"))
	if isRevoked(t, tail, "a", 0) {
		t.Fatal("it looks at each question")
	}
	slept = time.Hour
	if before := tail.Last().Confirmed; tail.Now().Sub(before) > time.Minute {
		t.Fatal("the monotonic clock has moved")
	}
	if !isRevoked(t, tail, "a", 0) {
		t.Error("what was known before it slept was built on")
	}
}
