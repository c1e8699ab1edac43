package revset

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Kind says which part of a token a row is matched with.
type Kind uint8

// The kinds of rows. Subject holds what the ledger calls user and membership:
// both match the sub of tokens that were decided before them.
const (
	Token   Kind = iota + 1 // whatever the token's rev
	Session                 // whatever the token's rev
	Grant                   // whatever the token's rev
	Key                     // whatever the token's rev
	Subject
	Client
	Permission
	All
	Floor // no row: why Match refuses a rev below the floor
)

// Row is a revocation. Fingerprint is a keyed 64-bit hash of the claim. A row
// whose fingerprint is zero matches nothing but counts for the floor; that of a
// row of kind All is not looked at.
type Row struct {
	Kind        Kind
	Fingerprint uint64
	Position    int64
	Expires     int64 // Unix seconds; from then on no token can need the row
}

// Query is what of a token rows can match; a zero fingerprint is absent.
type Query struct {
	Token, Session, Grant, Subject, Client, Key uint64
	Permissions                                 []uint64 // empty for a token without a grant (L19)
	Rev                                         int64
}

// ErrFull is returned when the set would take more than its bound. Its owner no
// longer has the whole ledger and must count as stale.
var ErrFull = errors.New("revset: more rows than allowed")

// ErrKind is returned for a row of a kind that the set does not know. What it
// kills cannot be told, so its owner must count as stale.
var ErrKind = errors.New("revset: row of an unknown kind")

const defaultMaxRows = 20_000_000

// Options bound a set.
type Options struct {
	MaxRows int          // zero means 20 million
	Now     func() int64 // Unix seconds; nil means the system's clock
}

// Set is what is revoked. It is safe for concurrent use; the zero Set is not
// usable, New makes one.
type Set struct {
	maxRows int
	now     func() int64
	mu      sync.Mutex // held by writers
	content atomic.Pointer[content]
}

// New returns an empty set whose floor is zero.
func New(o Options) *Set {
	s := &Set{maxRows: o.MaxRows, now: o.Now}
	if s.maxRows <= 0 {
		s.maxRows = defaultMaxRows
	}
	if s.now == nil {
		s.now = func() int64 { return time.Now().Unix() }
	}
	s.content.Store(newContent(s.maxRows))
	return s
}

// Match reports whether a token with these keys is revoked, and what kind of row
// says so; Floor if no row does but its rev lies below the floor. It is wait-free
// and does not allocate.
func (s *Set) Match(q *Query) (Kind, bool) {
	c := s.content.Load()
	if kind := c.mass.Load().matchMass(q); kind != 0 {
		return kind, true
	}
	if rare := c.rare.Load(); len(rare.groups) != 0 {
		if kind := rare.matchRare(q); kind != 0 {
			return kind, true
		}
	}
	if c.all.Load() > q.Rev {
		return All, true
	}
	// Last, because a row leaves only after the floor has risen over it: who
	// came too late for the row comes in time for the floor.
	if q.Rev < c.floor.Load() {
		return Floor, true
	}
	return 0, false
}

// Len returns how many rows can match: rows of one key are one, and rows with a
// zero fingerprint are none. It waits for nobody.
func (s *Set) Len() int { return s.content.Load().rows() }

// Bytes returns how much memory the tables of rows take. It waits for nobody.
func (s *Set) Bytes() int {
	c := s.content.Load()
	return c.mass.Load().bytes() + c.rare.Load().bytes()
}

// Floor returns the position below which every rev is refused. It waits for
// nobody.
func (s *Set) Floor() int64 { return s.content.Load().floor.Load() }

// content is what Replace exchanges in one piece. Readers load the four atomics;
// the rest belongs to the writer, who holds Set.mu or has not published it yet.
type content struct {
	mass, rare atomic.Pointer[table]
	all        atomic.Int64 // position of the newest row of kind All; none if there is none
	floor      atomic.Int64

	maxRows    int
	allExpires int64
	idle       idleRows
	earliest   int64 // no row expires before
}

// none lies below every rev.
const none = math.MinInt64

func newContent(maxRows int) *content {
	c := &content{maxRows: maxRows, earliest: math.MaxInt64}
	c.mass.Store(newTable(0, 0))
	c.rare.Store(newTable(0, 0))
	c.all.Store(none)
	return c
}

func (c *content) rows() int {
	n := c.mass.Load().live.Load() + c.rare.Load().live.Load()
	if c.all.Load() != none {
		n++
	}
	return int(n)
}

// home returns where rows of the kind are kept. They are told apart by how many
// rows of them there are, not by what they match.
func (c *content) home(kind Kind) *atomic.Pointer[table] {
	switch kind {
	case Key, Client, Permission:
		return &c.rare
	}
	return &c.mass
}
