package feed

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestCatchUpIsMadeAsItIsRead: who lacks many rows, and does not read, makes this
// node hold one frame of them; who lacks what came while a large snapshot was read
// needs no other one.
func TestCatchUpIsMadeAsItIsRead(t *testing.T) {
	c := newClock()
	l := newLedger(c.now)
	a := NewAudience(ring(t), audienceA)
	const many = 20*frameRows + 1
	rows := make([]revocation.Row, many)
	for i := range rows {
		rows[i] = row(revocation.Session, fmt.Sprint(i), "")
	}
	l.commit(rows...)
	l.commit(row(revocation.Permission, "x", audienceB)) // concerns others
	made := 0
	clock := func() time.Time {
		made++
		return c.now()
	}
	from := Mark{Timeline: l.Last().Timeline}
	events, ok := a.catchUp(clock, from, l.Last(), l.Since)
	if !ok || made != 0 {
		t.Fatalf("%v, %d events before anybody reads", ok, made)
	}
	read, told, prev := 0, 0, int64(0)
	for e := range events {
		if read++; made != read {
			t.Fatalf("%d events were made when %d were read", made, read)
		}
		if e.Frame.Prev != prev || len(e.Frame.Rows) > frameRows {
			t.Fatalf("event %d continues %d with %d rows, want %d", read, e.Frame.Prev, len(e.Frame.Rows), prev)
		}
		prev, told = e.Frame.Position, told+len(e.Frame.Rows)
	}
	if read != 21 || told != many || prev != many+1 {
		t.Errorf("%d events with %d rows lead to %d", read, told, prev)
	}
	if all, ok := a.CatchUp(c.now(), from, l.Last(), l.Since); !ok || len(all) != read {
		t.Errorf("CatchUp made %d events, %v", len(all), ok)
	}
}

// TestL8_ProofsEndWithTheirHistory: what this node held for true of the ledger
// before it found that it had known another history is asked for again.
func TestL8_ProofsEndWithTheirHistory(t *testing.T) {
	s := serve(t)
	s.confirming(t)
	s.ledger.commit(sessions(3)...)
	eventually(t, "the hub has seen the head", func() bool {
		p := s.ledger.Last()
		return s.proofs.has(placeOf(p, 3, chainOf(p.Chain)))
	})
	before := s.take(t, "")
	if got := s.take(t, before.Cursor); got.Complete {
		t.Fatalf("a sound cursor: %+v", got)
	}
	s.ledger.commitNothing(func() {
		s.ledger.primary.Apart = 3
		s.ledger.foreign = map[int64]bool{3: true}
		s.ledger.append(sessions(4)[3:]...) // above what was lost
	})
	if got := s.take(t, before.Cursor); !got.Complete {
		t.Errorf("a cursor of the lost history was continued: %+v", got)
	}
}
