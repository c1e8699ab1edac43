package revset

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clock is a test's time in Unix seconds.
type clock struct{ now int64 }

func newSet(maxRows int) (*Set, *clock) {
	c := &clock{now: 1_000_000}
	return New(Options{MaxRows: maxRows, Now: func() int64 { return c.now }}), c
}

func add(t *testing.T, s *Set, rows ...Row) {
	t.Helper()
	if err := s.Add(rows...); err != nil {
		t.Fatalf("Add: %v", err)
	}
}

// answer is what Match says, comparable: zero for no.
func answer(t *testing.T, s *Set, q Query) Kind {
	t.Helper()
	kind, revoked := s.Match(&q)
	if revoked != (kind != 0) {
		t.Fatalf("Match(%+v) = %d, %v: the two disagree", q, kind, revoked)
	}
	return kind
}

func check(t *testing.T, s *Set, what string, q Query, want Kind) {
	t.Helper()
	if got := answer(t, s, q); got != want {
		t.Errorf("%s: Match(%+v) = kind %d, want %d", what, q, got, want)
	}
}

// query asks for one key of a token.
func query(kind Kind, fingerprint uint64, rev int64) Query {
	q := Query{Rev: rev}
	switch kind {
	case Token:
		q.Token = fingerprint
	case Session:
		q.Session = fingerprint
	case Grant:
		q.Grant = fingerprint
	case Key:
		q.Key = fingerprint
	case Subject:
		q.Subject = fingerprint
	case Client:
		q.Client = fingerprint
	case Permission:
		q.Permissions = []uint64{fingerprint + 1, fingerprint}
	}
	return q
}

func keyed() []Kind {
	return []Kind{Token, Session, Grant, Key, Subject, Client, Permission}
}

// Stolen keys write what rev they like, and sessions, grants and tokens do not
// come back; what only asks for a refresh is over once rev has reached it.
func TestL1_AbsoluteKindsIgnoreRev(t *testing.T) {
	for _, kind := range append(keyed(), All) {
		absolute := kind == Token || kind == Session || kind == Grant || kind == Key
		t.Run(fmt.Sprintf("kind %d", kind), func(t *testing.T) {
			s, c := newSet(0)
			add(t, s, Row{Kind: kind, Fingerprint: 77, Position: 10, Expires: c.now + 60})
			check(t, s, "lower rev", query(kind, 77, 9), kind)
			for _, rev := range []int64{10, 11, math.MaxInt64} {
				want := Kind(0)
				if absolute {
					want = kind
				}
				check(t, s, "rev not lower", query(kind, 77, rev), want)
			}
			if kind == All {
				return
			}
			check(t, s, "other fingerprint", query(kind, 79, 0), 0)
			for _, other := range keyed() {
				if other != kind {
					check(t, s, "other kind", query(other, 77, 0), 0)
				}
			}
			if got := s.Len(); got != 1 {
				t.Errorf("Len() = %d, want 1", got)
			}
		})
	}
}

func TestRowMatchesUntilDropped(t *testing.T) {
	s, c := newSet(0)
	add(t, s, Row{Kind: Session, Fingerprint: 5, Position: 1, Expires: c.now + 10})
	c.now += 9
	if n := s.Drop(); n != 0 {
		t.Fatalf("Drop() one second early = %d", n)
	}
	check(t, s, "before expiry", query(Session, 5, 1), Session)
	c.now++
	if n := s.Drop(); n != 1 {
		t.Fatalf("Drop() = %d, want 1", n)
	}
	check(t, s, "dropped", query(Session, 5, 1), 0)
	if s.Len() != 0 {
		t.Errorf("Len() = %d after the last row was dropped", s.Len())
	}
	add(t, s, Row{Kind: Session, Fingerprint: 5, Position: 2, Expires: c.now + 10})
	check(t, s, "added again", query(Session, 5, 2), Session)
}

func TestSameKeyKeepsHighestPositionAndLatestExpiry(t *testing.T) {
	for _, kind := range []Kind{Subject, Client, All} {
		s, c := newSet(0)
		add(t, s,
			Row{Kind: kind, Fingerprint: 5, Position: 20, Expires: c.now + 10},
			Row{Kind: kind, Fingerprint: 5, Position: 10, Expires: c.now + 90})
		if s.Len() != 1 {
			t.Errorf("kind %d: Len() = %d, want 1", kind, s.Len())
		}
		c.now += 50
		if n := s.Drop(); n != 0 {
			t.Errorf("kind %d: Drop() = %d while the later row lives", kind, n)
		}
		check(t, s, "position", query(kind, 5, 19), kind)
		check(t, s, "position", query(kind, 5, 20), 0)
		c.now += 50
		if n := s.Drop(); n != 1 || s.Floor() != 20 {
			t.Errorf("kind %d: Drop() = %d, floor %d; want 1, 20", kind, n, s.Floor())
		}
	}
}

// A token whose rev lies below a dropped row is refused by the floor, so a clock
// that is ahead or a lifetime that was raised lets nothing through.
func TestL12_DroppedRowsRaiseTheFloor(t *testing.T) {
	for _, kind := range append(keyed(), All) {
		t.Run(fmt.Sprintf("kind %d", kind), func(t *testing.T) {
			s, c := newSet(0)
			add(t, s,
				Row{Kind: kind, Fingerprint: 5, Position: 40, Expires: c.now + 10},
				Row{Kind: Grant, Fingerprint: 6, Position: 50, Expires: c.now + 99})
			check(t, s, "the row before the floor", query(kind, 5, 39), kind)
			c.now += 10
			if n := s.Drop(); n != 1 {
				t.Fatalf("Drop() = %d, want 1", n)
			}
			if kind == Token {
				if s.Floor() != 0 {
					t.Errorf("floor %d: a token's own row must not raise it", s.Floor())
				}
				return
			}
			if s.Floor() != 40 {
				t.Errorf("floor %d, want 40", s.Floor())
			}
			check(t, s, "below the floor", query(kind, 5, 39), Floor)
			check(t, s, "anybody below the floor", query(kind, 99, 39), Floor)
			check(t, s, "at the floor", query(kind, 5, 40), 0)
		})
	}
}

func TestZeroFingerprintsMatchNothingAndCountForTheFloor(t *testing.T) {
	s, c := newSet(0)
	for i, kind := range keyed() {
		add(t, s, Row{Kind: kind, Fingerprint: 0, Position: int64(100 + i), Expires: c.now + 10})
	}
	add(t, s, Row{Kind: Token, Fingerprint: 0, Position: 900, Expires: c.now + 10})
	if s.Len() != 0 {
		t.Errorf("Len() = %d, want 0", s.Len())
	}
	check(t, s, "no keys at all", Query{Permissions: []uint64{0, 0}}, 0)
	add(t, s, Row{Kind: Subject, Fingerprint: 3, Position: 1, Expires: c.now + 900})
	add(t, s, Row{Kind: Client, Fingerprint: 3, Position: 1, Expires: c.now + 900})
	check(t, s, "no keys, some rows", Query{Permissions: []uint64{0}}, 0)
	s.Drop()
	if s.Floor() != 0 {
		t.Errorf("floor %d before they expired", s.Floor())
	}
	c.now += 10 + idleGrain
	if n := s.Drop(); n != 0 {
		t.Errorf("Drop() = %d, they are not counted", n)
	}
	if s.Floor() != 106 {
		t.Errorf("floor %d, want 106", s.Floor())
	}
}

// Keys that the multiplication maps to small numbers look like an absent one.
func TestZeroFingerprintIsNobodysNeighbour(t *testing.T) {
	s, c := newSet(0)
	for key := uint64(1); key < 8; key++ {
		for _, kind := range keyed() {
			add(t, s, Row{Kind: kind, Fingerprint: fingerprintOf(key), Position: 9, Expires: c.now + 10})
		}
	}
	check(t, s, "no keys at all", Query{Permissions: []uint64{0}}, 0)
}

// fingerprintOf undoes the multiplication of keyOf.
func fingerprintOf(product uint64) uint64 {
	inverse := uint64(0x9e3779b97f4a7c15)
	for range 6 { // Newton: each step doubles the number of right bits
		inverse *= 2 - 0x9e3779b97f4a7c15*inverse
	}
	return product * inverse
}

func TestIdleRowsAreBounded(t *testing.T) {
	var l idleRows
	for i := range int64(10_000) {
		l.put(i, 10_000_000-i*idleGrain)
	}
	for i := range int64(10_000) {
		l.put(20_000+i, 20_000_000+i*idleGrain)
	}
	if len(l) > idleEntries {
		t.Fatalf("%d entries", len(l))
	}
	for i := 1; i < len(l); i++ {
		if l[i-1].expires >= l[i].expires {
			t.Fatalf("entries %d and %d out of order", i-1, i)
		}
	}
	if got := l.drop(math.MaxInt64); got != 29_999 || l != nil {
		t.Errorf("drop = %d, %d left; want the highest position, none left", got, len(l))
	}
}

func TestPositionsFarApart(t *testing.T) {
	const far = int64(1) << 40
	s, c := newSet(0)
	positions := []int64{7, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 7, far, far + 1<<31, far + 1<<32 + 9, math.MaxInt64}
	for i, at := range positions {
		fp := uint64(i + 1)
		add(t, s,
			Row{Kind: Subject, Fingerprint: fp, Position: at, Expires: c.now + 60},
			Row{Kind: Client, Fingerprint: fp, Position: at, Expires: c.now + 60})
		for _, kind := range []Kind{Subject, Client} {
			check(t, s, "newest", query(kind, fp, at-1), kind)
			check(t, s, "newest", query(kind, fp, at), 0)
			for older := range i { // never forgotten; refused at most up to 2^31 below the newest
				check(t, s, "older", query(kind, uint64(older+1), positions[older]-1), kind)
				check(t, s, "older", query(kind, uint64(older+1), max(positions[older], at-1<<31)), 0)
			}
		}
	}
	if s.Len() != 2*len(positions) {
		t.Errorf("Len() = %d, want %d", s.Len(), 2*len(positions))
	}
}

func TestLateExpiriesDoNotWrap(t *testing.T) {
	s, c := newSet(0)
	add(t, s,
		Row{Kind: Session, Fingerprint: 1, Position: 1, Expires: math.MaxInt64},
		Row{Kind: Session, Fingerprint: 2, Position: 1, Expires: 1<<32 + 5},
		Row{Kind: Session, Fingerprint: 3, Position: 1, Expires: -5},
		Row{Kind: All, Position: 1, Expires: math.MaxInt64})
	check(t, s, "expired on arrival, until dropped", query(Session, 3, 1), Session)
	c.now = 1<<32 - 2
	if n := s.Drop(); n != 1 {
		t.Errorf("Drop() = %d, want 1", n)
	}
	c.now = 1 << 40
	if n := s.Drop(); n != 0 {
		t.Errorf("Drop() = %d, want 0", n)
	}
	check(t, s, "kept", query(Session, 1, 1), Session)
	check(t, s, "kept", query(Session, 2, 1), Session)
	check(t, s, "kept", Query{Rev: 0}, All)
}

func TestEmptySet(t *testing.T) {
	s := New(Options{})
	type state struct {
		Len, Bytes, Dropped int
		Floor               int64
		Answer              Kind
	}
	got := state{s.Len(), s.Bytes(), s.Drop(), s.Floor(), answer(t, s, Query{Token: 1, Permissions: []uint64{1}})}
	if diff := cmp.Diff(state{}, got); diff != "" {
		t.Error(diff)
	}
	add(t, s, Row{Kind: Session, Fingerprint: 1, Position: 1, Expires: 1}) // the system's clock
	if s.Drop() != 1 {
		t.Error("the system's clock drops nothing")
	}
}
