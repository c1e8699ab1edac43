package revset

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// table maps keys to the position and expiry of their row, by open addressing in
// groups of seven slots. A word for each group says what a lookup has to know of
// it, so that for most tokens, which are not revoked, one word a key is all that
// is read, out of an array of little more than a byte a row.
//
// One writer at a time changes a table in place; readers walk it meanwhile, with
// atomic loads. That is sound because
//
//   - a slot's value is stored first, then its key, then its tag, and the key and
//     the tag never change again,
//   - a value changes in one store, and
//   - a row that is dropped leaves its key behind with the value zero, so a full
//     group stays full and the way past it open.
//
// The writer alone may read without atomics, and write so while nobody else has
// the table yet.
type table struct {
	groups []uint64     // the word of each group
	slots  []slot       // seven for each group
	base   int64        // what positions are counted from
	used   int          // slots with a key; only the writer looks
	live   atomic.Int64 // of them, those whose row is not dropped
}

// slot holds fields that are accessed atomically; as plain words, so that a new
// table can be filled at the speed of memory.
type slot struct{ key, value uint64 }

// A group's word has in its low seven bytes the tags of its slots, zero for an
// empty one, and in the highest byte one bit for each class of keys: set once a
// key of the class was put into a later group because this one was full. There is
// always a group that is not full, so every walk ends.
const (
	groupSlots = 7
	groupBytes = 8 + groupSlots*16
	tagLows    = 0x0001010101010101
	tagHighs   = 0x0080808080808080
)

// Between fullest and roomiest lies the growth by a quarter; see doc.go.
const (
	fullestNum, fullestDen   = 3, 4
	roomiestNum, roomiestDen = 3, 5
	droppedPart              = 16 // at most one used slot in so many is a dropped one
)

// span is how far below the newest position the base is put: half of what a
// value can hold, so that as much is left above.
const span = 1 << 31

// baseFor returns a base from which the position, and 2^31 more, can be counted.
func baseFor(position int64) int64 { return max(0, position-span) }

// newTable returns a table with room for the rows; without any slot for none.
func newTable(rows int, base int64) *table {
	t := &table{base: base}
	if rows > 0 {
		n := rows*roomiestDen/(roomiestNum*groupSlots) + 1
		t.groups, t.slots = make([]uint64, n), make([]slot, n*groupSlots)
	}
	return t
}

// keyOf returns the key of a fingerprint that is not zero: 61 bits of it above
// the kind. Multiplying by an odd number loses nothing and spreads fingerprints
// over the high bits, which choose the group, should they not be random already.
func keyOf(kind Kind, fingerprint uint64) uint64 {
	return fingerprint*0x9e3779b97f4a7c15&^7 | uint64(kind)
}

func kindOf(key uint64) Kind { return Kind(key & 7) }

// tagOf returns a key's tag, 1 to 255, in each of the seven bytes.
func tagOf(key uint64) uint64 { return (key>>3&0xff*0xff>>8 + 1) * tagLows }

// pastOf returns the bit of a key's class.
func pastOf(key uint64) uint64 { return 1 << (56 + key>>11&7) }

// tagged returns a word with a high bit set in each byte whose tag is the one in
// tags, and perhaps in one above such a byte.
func tagged(word, tags uint64) uint64 {
	x := word ^ tags
	return (x - tagLows) &^ x & tagHighs
}

// start returns the first group for a key: its high bits scaled to the table's
// size. So rebuilding walks both tables in the same order, and the size needs not
// be a power of two.
func (t *table) start(key uint64) uint64 {
	i, _ := bits.Mul64(key, uint64(len(t.groups)))
	return i
}

func (t *table) after(group uint64) uint64 {
	group++
	if group == uint64(len(t.groups)) {
		return 0
	}
	return group
}

// walk looks for a key from a group on, whose word was read, and returns the
// key's value; zero if it has none.
func (t *table) walk(key, group, word uint64) uint64 {
	if tagged(word, tagOf(key))|word&pastOf(key) == 0 {
		return 0
	}
	return t.walkOn(key, group, word)
}

func (t *table) walkOn(key, group, word uint64) uint64 {
	for {
		for m := tagged(word, tagOf(key)); m != 0; m &= m - 1 {
			s := &t.slots[group*groupSlots+uint64(bits.TrailingZeros64(m)/8)]
			if atomic.LoadUint64(&s.key) == key {
				return atomic.LoadUint64(&s.value)
			}
		}
		if word&pastOf(key) == 0 {
			return 0
		}
		group = t.after(group)
		word = atomic.LoadUint64(&t.groups[group])
	}
}

// find returns the value of a fingerprint; zero if there is none.
func (t *table) find(kind Kind, fingerprint uint64) uint64 {
	key := keyOf(kind, fingerprint)
	group := t.start(key)
	if v := t.walk(key, group, atomic.LoadUint64(&t.groups[group])); v != 0 && fingerprint != 0 {
		return v
	}
	return 0
}

// later reports whether the row of a value has a position above rev.
func (t *table) later(value uint64, rev int64) bool {
	return value != 0 && t.base+int64(value>>32) > rev
}

// matchMass returns the kind of a row about one person that kills the token;
// zero if there is none. It reads the first word for all four keys before it
// looks at any of them: the four cache misses then pass at the same time.
func (t *table) matchMass(q *Query) Kind {
	if len(t.groups) == 0 {
		return 0
	}
	token, session := keyOf(Token, q.Token), keyOf(Session, q.Session)
	grant, subject := keyOf(Grant, q.Grant), keyOf(Subject, q.Subject)
	tokenAt, sessionAt := t.start(token), t.start(session)
	grantAt, subjectAt := t.start(grant), t.start(subject)
	tokenWord, sessionWord := atomic.LoadUint64(&t.groups[tokenAt]), atomic.LoadUint64(&t.groups[sessionAt])
	grantWord, subjectWord := atomic.LoadUint64(&t.groups[grantAt]), atomic.LoadUint64(&t.groups[subjectAt])
	switch {
	case t.walk(token, tokenAt, tokenWord) != 0 && q.Token != 0:
		return Token
	case t.walk(session, sessionAt, sessionWord) != 0 && q.Session != 0:
		return Session
	case t.walk(grant, grantAt, grantWord) != 0 && q.Grant != 0:
		return Grant
	case t.later(t.walk(subject, subjectAt, subjectWord), q.Rev) && q.Subject != 0:
		return Subject
	}
	return 0
}

// matchRare is matchMass for the other kinds; the table must have slots.
func (t *table) matchRare(q *Query) Kind {
	if t.find(Key, q.Key) != 0 {
		return Key
	}
	if t.later(t.find(Client, q.Client), q.Rev) {
		return Client
	}
	for _, permission := range q.Permissions {
		if t.later(t.find(Permission, permission), q.Rev) {
			return Permission
		}
	}
	return 0
}

// seek returns where the key is, or else the empty slot where it belongs. The
// table must have slots.
func (t *table) seek(key uint64) place {
	tags := tagOf(key)
	for group := t.start(key); ; group = t.after(group) {
		word := t.groups[group]
		for m := tagged(word, tags); m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m) / 8
			if s := &t.slots[group*groupSlots+uint64(i)]; s.key == key {
				return place{slot: s, group: group, index: i}
			}
		}
		if free := tagged(word, 0); free != 0 { // a key is never put past such a group
			i := bits.TrailingZeros64(free) / 8
			return place{slot: &t.slots[group*groupSlots+uint64(i)], group: group, index: i}
		}
	}
}

// place is a slot and where it lies.
type place struct {
	*slot
	group uint64
	index int
}

// reaches reports whether a position can be counted from the table's base.
func (t *table) reaches(position int64) bool { return position-t.base <= math.MaxUint32 }

// room reports whether one more key may be put in.
func (t *table) room() bool { return (t.used+1)*fullestDen <= len(t.slots)*fullestNum }

// sparse reports whether more rows were expected than came, by two in a hundred.
func (t *table) sparse() bool {
	return len(t.groups) > 1 && t.used*roomiestDen*50 < len(t.slots)*roomiestNum*49
}

// pack makes a value, never zero, of what the table reaches. What lies below the
// base counts as at the base.
func (t *table) pack(position int64, expires uint32) uint64 {
	return uint64(max(position-t.base, 0))<<32 | uint64(expires)
}

// put gives a key that has no living row the value, at its place.
func (t *table) put(p place, key, value uint64) {
	atomic.StoreUint64(&p.value, value)
	if p.key == 0 {
		atomic.StoreUint64(&p.key, key)
		tag := tagOf(key) & (0xff << (8 * p.index))
		atomic.StoreUint64(&t.groups[p.group], t.groups[p.group]|tag)
		for group := t.start(key); group != p.group; group = t.after(group) {
			atomic.StoreUint64(&t.groups[group], t.groups[group]|pastOf(key))
		}
		t.used++
	}
	t.live.Add(1)
}

// rebuilt returns a table with the living rows that keep accepts, room for more,
// and positions counted from base.
func (t *table) rebuilt(more int, base int64, keep func(value uint64) bool) *table {
	kept := 0
	for i := range t.slots {
		if v := t.slots[i].value; v != 0 && keep(v) {
			kept++
		}
	}
	fresh := newTable(kept+more, base)
	for i := range t.slots {
		old := t.slots[i]
		if old.value == 0 || !keep(old.value) {
			continue
		}
		p := fresh.seek(old.key)
		p.key = old.key
		p.value = fresh.pack(t.base+int64(old.value>>32), uint32(old.value))
		fresh.groups[p.group] |= tagOf(old.key) & (0xff << (8 * p.index))
		for group := fresh.start(old.key); group != p.group; group = fresh.after(group) {
			fresh.groups[group] |= pastOf(old.key)
		}
	}
	fresh.used = kept
	fresh.live.Store(int64(kept))
	return fresh
}

func (t *table) bytes() int { return len(t.groups) * groupBytes }
