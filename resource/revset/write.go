package revset

import (
	"errors"
	"math"
	"sync/atomic"
)

// Add puts rows in, in any order and as often as they come. A row of a key that
// is there already raises its position and expiry. When the set is full, rows
// that have expired are dropped; if that makes no room, rows whose key is there
// and those of kind All still go in, in order, the others do not, and the error
// is ErrFull. A row of an unknown kind is left out with ErrKind.
func (s *Set) Add(rows ...Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.content.Load().add(rows, s.now)
}

// Replace puts rows in place of all that there are, and raises the floor to the
// given one if that is higher. Readers see the old set or the new one, nothing
// between. After an error (ErrFull, ErrKind) the set is the old one.
func (s *Set) Replace(rows []Row, floor int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exchange(rows, max(floor, s.Floor()))
}

// Reset is Replace for a new history, whose positions have nothing to do with the
// old ones: it sets the floor, also to a lower one.
func (s *Set) Reset(rows []Row, floor int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exchange(rows, floor)
}

// Raise raises the floor; to a lower position it does nothing.
func (s *Set) Raise(floor int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content.Load().raise(floor)
}

// exchange publishes a new content; the caller holds mu.
func (s *Set) exchange(rows []Row, floor int64) error {
	c := newContent(s.maxRows)
	c.floor.Store(floor)
	c.reserve(rows)
	err := c.add(rows, s.now)
	if err != nil {
		return err
	}
	for _, at := range []*atomic.Pointer[table]{&c.mass, &c.rare} {
		if t := at.Load(); t.sparse() { // many rows of few keys
			at.Store(t.rebuilt(0, t.base, everyRow))
		}
	}
	s.content.Store(c)
	return nil
}

func everyRow(uint64) bool { return true }

// reserve makes the tables of an empty content large enough for the rows.
func (c *content) reserve(rows []Row) {
	rare, newest := 0, int64(0)
	for _, r := range rows {
		newest = max(newest, r.Position)
		if c.home(r.Kind) == &c.rare {
			rare++
		}
	}
	base := baseFor(newest)
	c.rare.Store(newTable(min(rare, c.maxRows), base))
	c.mass.Store(newTable(min(len(rows)-rare, c.maxRows), base))
}

func (c *content) raise(floor int64) {
	if floor > c.floor.Load() {
		c.floor.Store(floor)
	}
}

// add puts rows in; the first error is returned, and later rows are tried.
func (c *content) add(rows []Row, now func() int64) error {
	var first error
	dropped := false
	for _, r := range rows {
		err := c.put(r)
		if errors.Is(err, ErrFull) && !dropped {
			c.drop(now())
			dropped = true // what has not expired now need not be looked at again
			err = c.put(r)
		}
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}

// put puts one row in, or returns ErrFull or ErrKind and changes nothing.
func (c *content) put(r Row) error {
	r.Position = max(r.Position, 0)
	expires := seconds(r.Expires)
	switch {
	case r.Kind < Token || r.Kind > All:
		return ErrKind
	case r.Kind == All:
		c.earliest = min(c.earliest, int64(expires))
		c.allExpires = max(c.allExpires, int64(expires))
		c.all.Store(max(c.all.Load(), r.Position))
		return nil
	case r.Fingerprint == 0:
		if r.Kind != Token { // those do not count for the floor
			c.idle.put(r.Position, int64(expires))
			c.earliest = min(c.earliest, int64(expires))
		}
		return nil
	}
	key := keyOf(r.Kind, r.Fingerprint)
	t, p := c.prepare(c.home(r.Kind), key, r.Position)
	if t == nil {
		return ErrFull
	}
	c.earliest = min(c.earliest, int64(expires))
	value := t.pack(r.Position, expires)
	if old := p.value; old != 0 {
		atomic.StoreUint64(&p.value, max(value>>32, old>>32)<<32|uint64(max(uint32(value), uint32(old))))
		return nil
	}
	t.put(p, key, value)
	return nil
}

// prepare returns the table in which the key's row can be put now, grown or
// counted anew where that is needed, and its place; nil if the set is full.
func (c *content) prepare(at *atomic.Pointer[table], key uint64, position int64) (*table, place) {
	full := c.rows() >= c.maxRows
	t := at.Load()
	if len(t.groups) == 0 && !full {
		t = newTable(1, baseFor(position))
		at.Store(t)
	}
	if len(t.groups) == 0 {
		return nil, place{}
	}
	p := t.seek(key)
	switch {
	case full && p.value == 0:
		return nil, place{}
	case !t.reaches(position):
		t = t.rebuilt(1, baseFor(position), everyRow)
	case p.key == 0 && !t.room():
		t = t.rebuilt(1, t.base, everyRow)
	default:
		return t, p
	}
	at.Store(t)
	return t, t.seek(key)
}

// never is the expiry of rows that a value cannot hold (from the year 2106 on).
const never = math.MaxUint32

// seconds returns an expiry as values hold it: not zero, which is how a slot
// without a row looks.
func seconds(expires int64) uint32 { return uint32(min(max(expires, 1), never)) }

// expired reports whether no token can need a row any more.
func expired(expires uint32, now int64) bool { return int64(expires) <= now && expires != never }
