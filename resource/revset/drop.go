package revset

import (
	"math"
	"sync/atomic"
)

// Drop forgets the rows that have expired and returns how many that were, those
// with a zero fingerprint apart. The floor rises to the highest position among
// them, kind Token apart (L12): a token that one of them killed may be checked by
// a clock that is behind. When something has expired Drop reads the whole set, so
// it is made for some seconds to pass between calls.
func (s *Set) Drop() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.content.Load().drop(s.now())
}

func (c *content) drop(now int64) int {
	if now < c.earliest {
		return 0
	}
	mass, rare := c.mass.Load().survey(now), c.rare.Load().survey(now)
	n := mass.expired + rare.expired
	c.earliest = min(mass.earliest, rare.earliest)
	// First the floor, then the rows: see Match.
	c.raise(max(mass.floor, rare.floor, c.idle.drop(now)))
	if c.idle != nil {
		c.earliest = min(c.earliest, c.idle[0].expires)
	}
	if all := c.all.Load(); all != none {
		if expired(uint32(c.allExpires), now) {
			c.raise(all)
			c.all.Store(none)
			n++
		} else {
			c.earliest = min(c.earliest, c.allExpires)
		}
	}
	mass.sweep(&c.mass, now)
	rare.sweep(&c.rare, now)
	return n
}

// survey is what a look at a table finds.
type survey struct {
	expired  int
	floor    int64 // highest position among them, kind Token apart
	earliest int64 // when the first of the others expires
}

func (t *table) survey(now int64) survey {
	s := survey{floor: none, earliest: math.MaxInt64}
	for i := range t.slots {
		value := t.slots[i].value
		switch {
		case value == 0:
		case !expired(uint32(value), now):
			s.earliest = min(s.earliest, int64(uint32(value)))
		default:
			s.expired++
			if kindOf(t.slots[i].key) != Token {
				s.floor = max(s.floor, t.base+int64(value>>32))
			}
		}
	}
	return s
}

// sweep takes the expired rows out: a few in place, many with a new table.
func (s survey) sweep(at *atomic.Pointer[table], now int64) {
	t := at.Load()
	if s.expired == 0 {
		return
	}
	if dropped := t.used - int(t.live.Load()) + s.expired; dropped*droppedPart > t.used {
		at.Store(t.rebuilt(0, t.base, func(value uint64) bool { return !expired(uint32(value), now) }))
		return
	}
	for i := range t.slots {
		if value := t.slots[i].value; value != 0 && expired(uint32(value), now) {
			atomic.StoreUint64(&t.slots[i].value, 0)
		}
	}
	t.live.Add(-int64(s.expired))
}

// idleRows remembers rows that match nothing until the floor may rise over them.
// The floor waits for nobody's sake there, so they are kept coarsely: one entry
// for each minute or so in which some expire, in order of expiry. It is nil when
// there are none.
type idleRows []idleRow

type idleRow struct{ expires, position int64 }

const (
	idleGrain   = 64  // seconds
	idleEntries = 256 // more expiries than that share the last entry
)

func (l *idleRows) put(position, expires int64) {
	expires = (expires + idleGrain - 1) / idleGrain * idleGrain
	i := len(*l)
	for i > 0 && (*l)[i-1].expires >= expires {
		i--
	}
	switch {
	case i < len(*l) && ((*l)[i].expires == expires || len(*l) == idleEntries):
		(*l)[i].position = max((*l)[i].position, position)
	case len(*l) == idleEntries:
		last := &(*l)[i-1]
		*last = idleRow{expires: expires, position: max(last.position, position)}
	default:
		*l = append(*l, idleRow{})
		copy((*l)[i+1:], (*l)[i:])
		(*l)[i] = idleRow{expires: expires, position: position}
	}
}

// drop forgets what has expired and returns the highest position of it.
func (l *idleRows) drop(now int64) int64 {
	highest, n := int64(none), 0
	for n < len(*l) && (*l)[n].expires <= now {
		highest = max(highest, (*l)[n].position)
		n++
	}
	*l = append(idleRows(nil), (*l)[n:]...)
	return highest
}
