package revset

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// The writer of these tests gives row i the position i+1 and tells readers, once
// a row is in, that it is. Readers then ask for tokens that it kills. Kinds and
// fingerprints follow from i.
func raceRow(i int, now int64) Row {
	r := Row{Kind: keyed()[i%7], Fingerprint: scatter(i), Position: int64(i + 1), Expires: now + 1 + int64(i%20)}
	if i%3 == 0 {
		r.Expires = math.MaxInt64
	}
	return r
}

// refused checks a token that row i kills, and one that nothing kills. A row that
// may have been dropped is answered for by the floor, but for the kind Token.
func refused(t *testing.T, s *Set, i int) {
	r := raceRow(i, 0)
	mayBeGone := i%3 != 0
	q := query(r.Kind, r.Fingerprint, r.Position-1)
	kind, revoked := s.Match(&q)
	ok := kind == r.Kind || mayBeGone && (kind == Floor || r.Kind == Token)
	if !ok {
		t.Errorf("row %d of kind %d: Match = kind %d, %v", i, r.Kind, kind, revoked)
	}
	q = query(r.Kind, scatter(-1-i), math.MaxInt64)
	if kind, revoked := s.Match(&q); revoked {
		t.Errorf("a live token is refused as kind %d", kind)
	}
}

// readers ask for rows below known until stop is called.
func readers(t *testing.T, s *Set, known *atomic.Int64) (stop func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	for n := range uint64(3) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(n, 5))
			for !done.Load() && !t.Failed() {
				if k := int(known.Load()); k > 0 {
					refused(t, s, k-1)
					refused(t, s, r.IntN(k))
				}
			}
		})
	}
	return func() {
		done.Store(true)
		wg.Wait()
	}
}

// Growth, drops in place and anew, and snapshots never hide a row, not for a
// moment.
func TestL12_NothingIsAcceptedWhileTheSetChanges(t *testing.T) {
	const rows = 30_000
	s, c := newSet(0)
	var known atomic.Int64
	stop := readers(t, s, &known)
	var all []Row
	r := rand.New(rand.NewPCG(7, 7))
	for i := 0; i < rows && !t.Failed(); {
		batch := make([]Row, min(1+r.IntN(40), rows-i))
		for j := range batch {
			batch[j] = raceRow(i, c.now)
			i++
		}
		add(t, s, batch...)
		all = append(all, batch...)
		known.Store(int64(i))
		switch r.IntN(20) {
		case 0, 1, 2:
			c.now += r.Int64N(4)
			s.Drop()
		case 3:
			if r.IntN(10) != 0 {
				continue
			}
			err := s.Replace(all, 0)
			if err != nil {
				t.Error(err)
			}
		case 4:
			add(t, s, all[r.IntN(len(all))]) // told twice
		}
	}
	stop()
	for i := range int(known.Load()) {
		refused(t, s, i)
	}
}

// H6: the old set serves until the new one is complete. Two snapshots take turns;
// the token dies by either.
func TestH6_ReplaceIsNeverSeenHalfDone(t *testing.T) {
	s, c := newSet(0)
	snapshot := func(kind Kind) []Row {
		rows := make([]Row, 2000)
		for i := range rows {
			rows[i] = Row{Kind: kind, Fingerprint: scatter(i), Position: 1, Expires: c.now + 1}
		}
		return rows
	}
	one, other := snapshot(Session), snapshot(Key)
	if err := s.Replace(one, 0); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				fp := scatter(i % 2000)
				if kind, _ := s.Match(&Query{Session: fp, Key: fp}); kind != Session && kind != Key {
					t.Errorf("between two snapshots: kind %d", kind)
					return
				}
				if n := s.Len(); n != 2000 {
					t.Errorf("between two snapshots: %d rows", n)
					return
				}
			}
		})
	}
	for i := range 200 {
		rows := one
		if i%2 == 0 {
			rows = other
		}
		if err := s.Reset(rows, 0); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// Many writers take turns; nothing of what they put in is lost.
func TestWritersTakeTurns(t *testing.T) {
	s, c := newSet(0)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				err := s.Add(Row{Kind: Session, Fingerprint: scatter(i*4 + w), Position: int64(i), Expires: c.now + 9})
				if err != nil {
					t.Error(err)
				}
				if i%100 == 0 {
					s.Drop()
					s.Raise(int64(i))
				}
			}
		})
	}
	wg.Wait()
	for i := range 8000 {
		check(t, s, "written", query(Session, scatter(i), 2000), Session)
	}
	if s.Len() != 8000 || s.Floor() != 1900 {
		t.Errorf("%d rows, floor %d; want 8000, 1900", s.Len(), s.Floor())
	}
}

func TestReadersTakeNoLock(t *testing.T) {
	s, c := newSet(0)
	add(t, s, Row{Kind: Session, Fingerprint: 1, Position: 1, Expires: c.now + 9})
	s.mu.Lock() // a writer at work: who waits for it hangs
	defer s.mu.Unlock()
	check(t, s, "during a write", query(Session, 1, 1), Session)
	if s.Len() != 1 || s.Bytes() == 0 || s.Floor() != 0 {
		t.Errorf("%d rows, %d bytes, floor %d", s.Len(), s.Bytes(), s.Floor())
	}
}
