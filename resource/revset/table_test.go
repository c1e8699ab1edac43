package revset

import (
	"runtime"
	"testing"
)

// The fingerprints of H17's birthday test: 16 bits, so that groups are shared by
// many keys. Half of them are in the set; each kind has its own half.
func TestH17_SmallFingerprintsAreToldApart(t *testing.T) {
	s, c := newSet(0)
	kinds := keyed()
	in := func(kind Kind, fp uint64) bool { return scatter(int(fp)*8+int(kind))&1 == 0 }
	for fp := range uint64(1 << 16) {
		for _, kind := range kinds {
			if fp != 0 && in(kind, fp) {
				add(t, s, Row{Kind: kind, Fingerprint: fp, Position: 1, Expires: c.now + 1})
			}
		}
	}
	for fp := range uint64(1 << 16) {
		for _, kind := range kinds {
			want := Kind(0)
			if fp != 0 && in(kind, fp) {
				want = kind
			}
			q := query(kind, fp, 0)
			if kind == Permission {
				q.Permissions = q.Permissions[1:]
			}
			if got := answer(t, s, q); got != want {
				t.Fatalf("kind %d, fingerprint %d: kind %d, want %d", kind, fp, got, want)
			}
		}
	}
}

// Keys that all belong in one group, the last one, fill the groups after it, so
// also the first ones of the table.
func TestFullGroupsOverflowRoundTheEnd(t *testing.T) {
	const last = 0xffffffff << 32
	s, c := newSet(0)
	fp := func(i uint64) uint64 { return fingerprintOf(last | i<<3) }
	row := func(i uint64, lives int64) Row {
		return Row{Kind: Session, Fingerprint: fp(i), Position: 1, Expires: c.now + lives}
	}
	for i := range uint64(300) {
		add(t, s, row(2*i, int64(10+i%2*90)))
	}
	verify := func(what string, lives func(i uint64) bool) {
		t.Helper()
		for i := range uint64(600) {
			want := Kind(0)
			if lives(i) {
				want = Session
			}
			check(t, s, what, query(Session, fp(i), 1), want)
		}
	}
	verify("filled", func(i uint64) bool { return i%2 == 0 })
	c.now += 50
	if n := s.Drop(); n != 150 {
		t.Fatalf("Drop() = %d, want 150", n)
	}
	verify("dropped", func(i uint64) bool { return i%4 == 2 })
	add(t, s, row(0, 90), row(4, 90))
	verify("added again", func(i uint64) bool { return i%4 == 2 || i == 0 || i == 4 })
}

// Few rows are dropped in place, many by building anew; what stays is found
// after both, and a dropped key can come again.
func TestDropInPlaceAndAnew(t *testing.T) {
	const rows = 20_000
	for _, part := range []int{3, 40} {
		s, c := newSet(0)
		row := func(i int) Row {
			r := Row{Kind: Grant, Fingerprint: scatter(i), Position: int64(i + 1), Expires: c.now + 100}
			if i%part == 0 {
				r.Expires = c.now + 10
			}
			return r
		}
		for i := range rows {
			add(t, s, row(i))
		}
		before := s.content.Load().mass.Load()
		c.now += 20
		if n, want := s.Drop(), (rows+part-1)/part; n != want || s.Len() != rows-want {
			t.Fatalf("Drop() = %d of %d, %d left", n, want, s.Len())
		}
		if anew := s.content.Load().mass.Load() != before; anew != (part == 3) {
			t.Errorf("one row in %d dropped: built anew is %v", part, anew)
		}
		for i := range rows {
			want := Grant
			if i%part == 0 {
				want = 0
			}
			check(t, s, "after the drop", query(Grant, scatter(i), rows), want)
		}
		for i := range rows {
			add(t, s, row(i))
			check(t, s, "added again", query(Grant, scatter(i), rows), Grant)
		}
	}
}

func perRow(t *testing.T, s *Set, what string) {
	t.Helper()
	if n, b := s.Len(), s.Bytes(); n >= 1e4 && b > 32*n {
		t.Fatalf("%s: %d rows take %d bytes, %.2f each", what, n, b, float64(b)/float64(n))
	}
}

func TestRowTakesAtMost32Bytes(t *testing.T) {
	s, c := newSet(0)
	row := func(kind Kind, i int) Row {
		return Row{Kind: kind, Fingerprint: scatter(i), Position: int64(i), Expires: c.now + 1 + int64(i/1000)}
	}
	for i := range 1_000_000 { // past every growth on the way
		kind := Session
		if i%8 == 0 {
			kind = Permission
		}
		add(t, s, row(kind, i))
		perRow(t, s, "filling")
	}
	for range 1000 / 7 { // a little goes each second
		c.now += 7
		s.Drop()
		perRow(t, s, "dropping")
	}
	if s.Len() > 1e4 {
		t.Fatalf("%d rows left", s.Len())
	}
	var rows []Row
	for i := range 30_000 {
		rows = append(rows, row(Subject, i), row(Subject, i%15_000))
		if i%1000 == 999 {
			if err := s.Replace(rows, 0); err != nil {
				t.Fatal(err)
			}
			perRow(t, s, "replacing")
			c.now++
			s.Drop()
			perRow(t, s, "dropping after replacing")
		}
	}
}

// Bytes says what the heap says.
func TestBytesIsTrue(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	s := filled(t, 1_000_000)
	grown := int(heap() - before)
	if b := s.Bytes(); grown > b+b/20 || grown < b-b/20 {
		t.Errorf("the heap grew by %d bytes, Bytes() = %d", grown, b)
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	s := filled(t, 10_000)
	tokens := newTokens()
	allocs := testing.AllocsPerRun(1000, func() {
		if _, revoked := s.Match(tokens.next()); revoked {
			t.Error("a live token is refused")
		}
	})
	if allocs != 0 {
		t.Errorf("Match of a live token allocates %v times", allocs)
	}
	q := tokens.next()
	q.Session = ledgerRow(0).Fingerprint
	allocs = testing.AllocsPerRun(1000, func() {
		if _, revoked := s.Match(q); !revoked {
			t.Error("a revoked token is accepted")
		}
	})
	if allocs != 0 {
		t.Errorf("Match of a revoked token allocates %v times", allocs)
	}
}

// A row that is known already must not cost memory, however often it is told.
func TestAddOfKnownRowsDoesNotAllocate(t *testing.T) {
	s := filled(t, 10_000)
	rows := ledgerRows(100)
	allocs := testing.AllocsPerRun(100, func() { _ = s.Add(rows...) })
	if allocs != 0 {
		t.Errorf("Add allocates %v times", allocs)
	}
}
