package feed

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// model is a follower that trusts positions.
type model struct {
	reader   Reader
	position int64
	have     map[int64]bool
	checked  int64
	lag      int // steps that it does not take
}

func (m *model) apply(t *testing.T, f wire.Frame) {
	t.Helper()
	if f.Prev != m.position {
		t.Fatalf("a frame continues %d, the one before led to %d", f.Prev, m.position)
	}
	for _, r := range f.Rows {
		m.have[r.Position] = true
	}
	m.position = f.Position
}

// TestL6_NoReaderMissesARow drives the pure core with random commits, heartbeats,
// joins, lags and departures. H5, H6, H14 and L6: whatever position a reader
// trusts, it has every row up to there that concerns it.
func TestL6_NoReaderMissesARow(t *testing.T) {
	for seed := range uint64(100) {
		noReaderMissesARow(t, seed)
	}
}

func noReaderMissesARow(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	c := newClock()
	l := newLedger(c.now)
	a := NewAudience(ring(t), audienceA)
	lane := NewLane(a, l.Last(), c.now())
	var readers []*model
	resets := 0
	for range 200 {
		c.pass(time.Duration(r.IntN(300)) * time.Millisecond)
		switch r.IntN(8) {
		case 0, 1, 2:
			rows := make([]revocation.Row, 1+r.IntN(5))
			if r.IntN(40) == 0 {
				rows = make([]revocation.Row, 2*frameRows+r.IntN(9))
			}
			for i := range rows {
				rows[i] = row(revocation.Kinds()[r.IntN(8)], fmt.Sprint(r.IntN(1000)), []string{audienceA, audienceB, ""}[r.IntN(3)])
			}
			l.commit(rows...)
		case 3:
			l.commit(revocation.Row{Kind: revocation.Session}) // a stamp
		case 4:
			l.confirm()
		case 5:
			at := l.Last().Position - r.Int64N(l.Last().Position+1)
			m := &model{reader: NewReader(Mark{Timeline: l.point.Timeline, Position: at}), position: at, have: map[int64]bool{}}
			m.checked = at // its snapshot has those
			readers = append(readers, m)
		case 6:
			if r.IntN(20) == 0 {
				l.kept = l.Last().Position - r.Int64N(l.Last().Position+1)/4
			}
		}
		lane.Cut(c.now(), l.Since, 1+r.IntN(30_000))
		for i := 0; i < len(readers); i++ {
			m := readers[i]
			if m.lag--; m.lag > 0 || r.IntN(10) == 0 {
				continue
			}
			if r.IntN(30) == 0 {
				m.lag = r.IntN(60)
			}
			if !follow(t, c.now(), l, lane, m) {
				resets++
				readers = append(readers[:i], readers[i+1:]...)
				i--
			}
		}
		for _, m := range readers {
			for _, row := range l.above(m.checked, m.position) {
				if a.Concerns(&row) != m.have[row.Position] {
					t.Fatalf("seed %d: a reader at %d: has row %d: %v", seed, m.position, row.Position, m.have[row.Position])
				}
			}
			m.checked = m.position
		}
	}
	if resets > 150 {
		t.Errorf("seed %d: %d resets say little", seed, resets)
	}
}

// follow delivers everything that a reader can have; false means a reset.
func follow(t *testing.T, now time.Time, l *ledger, lane *Lane, m *model) bool {
	for {
		s := lane.Next(now, m.reader)
		switch {
		case s.Reset != "":
			return false
		case s.Event != nil:
			m.apply(t, s.Event.Frame)
		case s.CatchUp != nil:
			events, ok := lane.audience.CatchUp(now, m.reader.Mark(), *s.CatchUp, l.Since)
			if !ok {
				return false
			}
			for _, e := range events {
				m.apply(t, e.Frame)
			}
		default:
			return true
		}
		m.reader = s.After
	}
}
