package revocation

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/revset"
)

// ErrStale is returned when this node has not heard from its database for too
// long to answer from memory (L5): ask the database, or answer 503.
var ErrStale = errors.New("revocation: the ledger was not confirmed lately")

// ErrLost is returned while the database lies behind what it had promised (L8):
// nothing may be minted until the loss is repaired.
var ErrLost = errors.New("revocation: the database lost a part of the ledger")

// ErrUnproven is what a Mirror returns that cannot tell whether the database goes
// on where it stands: the row there was dropped, or is one of those that a repaired
// loss has left out. Between the positions that it knows, rows may stand that it
// has never seen.
var ErrUnproven = errors.New("revocation: nothing shows that this is the same history")

const (
	// lookEvery is Every's default.
	lookEvery = time.Second
	// confirmedFor is how long an answer of the database may be built on (L5).
	confirmedFor = 3 * time.Second
	// lookApart keeps hints in a storm from asking for every single row.
	lookApart = 3 * time.Millisecond
	// lookTimeout ends a look that hangs.
	lookTimeout = 3 * time.Second
	dropEvery   = 10 * time.Second
	// batchRows is how many rows one look reads at once.
	batchRows = 5000
)

// Point is a moment of the ledger that this node has taken in completely.
type Point struct {
	Timeline  string
	Position  int64
	Change    int64
	Floor     int64
	Chain     []byte    // the counter's hash at Position, nil if it is not known
	Confirmed time.Time // when the database was asked that answered that this is its head
	// Apart is up to where this node has known another history than the database's:
	// what it held for true of places up to there is worth nothing.
	Apart int64
}

// Age is how long before now the moment was confirmed, by whichever of this
// machine's clocks says more: the monotonic one stands still while it sleeps.
func (p Point) Age(now time.Time) time.Duration {
	return max(now.Sub(p.Confirmed), now.Round(0).Sub(p.Confirmed.Round(0)))
}

// Batch is what one look at the database brings, from one snapshot.
type Batch struct {
	Head Head
	// Chain is what the row at the asked position carries now; nil if the row is
	// gone or carries nothing.
	Chain []byte
	Rows  []Row // above the asked position, in order
	// Last is what the last of Rows carries; nil if that is nothing.
	Last []byte
	More bool // there are more, up to Head
}

// Source looks at the primary, on a connection of its own.
type Source interface {
	// Catch returns the rows above a position: about as many as limit says, and
	// whole commits.
	Catch(ctx context.Context, after int64, limit int) (Batch, error)
}

// Tail is one node's picture of the ledger, kept true by its database alone: a
// hint, whoever gives it, only makes it look at once, and without any it looks
// each second. So what carries the hints may lose, repeat, reorder or invent
// them. It is safe for concurrent use; its fields must not change after NewTail.
type Tail struct {
	Options

	seed    maphash.Seed
	state   atomic.Pointer[state]
	wrote   atomic.Pointer[Head] // what this process has committed
	wake    chan struct{}
	changed atomic.Pointer[chan struct{}]
	turn    chan struct{} // holds one: who looks

	mu     sync.Mutex
	mirror *Mirror // under turn for writing, under mu for reading
	next   *look
}

// Options are what a Tail needs.
type Options struct {
	Source Source
	Ledger Reader // asked while the tail is stale
	Now    func() time.Time
	Log    *slog.Logger
	// Lost repairs a loss: the database no longer has what was known up to a
	// position, among it the given rows. After it returns nil, positions go on
	// above that one.
	Lost func(ctx context.Context, position int64, rows []Row) error
	Set  revset.Options
	// Every is how often the database is asked without any hint; zero means each
	// second (L4).
	Every time.Duration
}

// state is what readers see without a lock.
type state struct {
	point Point
	set   *revset.Set
	lost  bool
}

// look is one reading that several callers wait for.
type look struct {
	done chan struct{}
	err  error
}

// NewTail returns a Tail that knows nothing yet.
func NewTail(o Options) *Tail {
	if o.Every == 0 {
		o.Every = lookEvery
	}
	t := &Tail{Options: o, seed: maphash.MakeSeed(), wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	t.mirror = NewMirror(t.seed, o.Set)
	t.state.Store(&state{set: t.mirror.Set()})
	t.wrote.Store(&Head{})
	changed := make(chan struct{})
	t.changed.Store(&changed)
	return t
}

// Run follows the ledger until ctx ends, and returns nil then.
func (t *Tail) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	dropped := t.Now()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		case <-timer.C:
		}
		began := t.Now()
		err := t.Look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if (err != nil) != failing {
			failing = err != nil
			if failing {
				t.Log.ErrorContext(ctx, "the ledger cannot be followed", "error", err)
			} else {
				t.Log.InfoContext(ctx, "the ledger is followed again")
			}
		}
		if began.Sub(dropped) >= dropEvery {
			t.drop()
			dropped = began
		}
		timer.Reset(t.Every)
		select {
		case <-ctx.Done():
		case <-time.After(lookApart):
		}
	}
}

func (t *Tail) drop() {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	t.mirror.Drop()
}

// Hint says that the ledger may have moved. It never blocks.
func (t *Tail) Hint() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Wrote says that this process has committed a change up to there: answers of
// this process take it into account (read-your-writes). It never blocks.
func (t *Tail) Wrote(position, change int64) {
	for {
		have := t.wrote.Load()
		if have.Position >= position && have.Change >= change {
			break
		}
		more := &Head{Position: max(have.Position, position), Change: max(have.Change, change)}
		if t.wrote.CompareAndSwap(have, more) {
			break
		}
	}
	t.Hint()
}

// fresh returns what readers see, if it may be built on.
func (t *Tail) fresh(position int64) (*state, bool) {
	s, wrote := t.state.Load(), t.wrote.Load()
	ok := !s.lost && s.point.Timeline != "" &&
		s.point.Position >= max(position, wrote.Position) && s.point.Change >= wrote.Change &&
		s.point.Age(t.Now()) <= confirmedFor
	return s, ok
}

// Point returns a moment that was confirmed at most three seconds ago and is not
// before anything that this process has written; it looks at the database if it
// must. Errors: ErrStale, ErrLost, ctx's.
func (t *Tail) Point(ctx context.Context) (Point, error) {
	if s, ok := t.fresh(0); ok {
		return s.point, nil
	}
	err := t.Look(ctx)
	s, ok := t.fresh(0)
	switch {
	case ok:
		return s.point, nil
	case s.lost:
		return Point{}, ErrLost
	}
	return Point{}, fmt.Errorf("%w: %w", ErrStale, errors.Join(err, ctx.Err()))
}

// Last returns the last moment taken in, however old; the zero Point before the
// first.
func (t *Tail) Last() Point { return t.state.Load().point }

// Changed returns a channel that is closed when Last moves or is confirmed anew.
func (t *Tail) Changed() <-chan struct{} { return *t.changed.Load() }

// Since returns the rows above a position, in order, and the moment that they
// lead to. It is false when they are no longer all in memory: then After of the
// database has them. The rows must not be changed.
func (t *Tail) Since(position int64) ([]Row, Point, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows, ok := t.mirror.Since(position)
	return rows, t.mirror.Point(), ok && t.mirror.Point().Timeline != ""
}

// Size returns how many rows the set holds, and their bytes in memory.
func (t *Tail) Size() (rows, size int) {
	set := t.state.Load().set
	return set.Len(), set.Bytes()
}

// Query prepares the question whether a token with these keys is revoked; it can
// be kept with the token, in this process alone.
func (t *Tail) Query(k Keys) revset.Query { return queryOf(t.seed, k) }

// Revoked answers the question from memory, without allocation, once everything
// is taken in that Point takes in and the token's rev; while the tail is stale it
// asks the database, which is what k is called for. A rev that the database does
// not know of is a lost timeline's: the token is revoked, its client refreshes.
func (t *Tail) Revoked(ctx context.Context, q *revset.Query, k func() Keys) (bool, error) {
	if s, ok := t.fresh(q.Rev); ok {
		_, revoked := s.set.Match(q)
		return revoked, nil
	}
	err := t.Look(ctx)
	if s, ok := t.fresh(0); ok {
		_, revoked := s.set.Match(q)
		if ahead := q.Rev > s.point.Position; revoked || !ahead || err == nil {
			return revoked || ahead, nil
		}
	}
	if t.state.Load().lost {
		return false, ErrLost
	}
	if ctx.Err() != nil {
		return false, fmt.Errorf("%w: %w", ErrStale, ctx.Err())
	}
	revoked, asked := t.Ledger.Revoked(ctx, k())
	if asked != nil {
		return false, errors.Join(asked, err)
	}
	return revoked, nil
}
