package revocation

import (
	"bytes"
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
}

// Batch is what one look at the database brings, from one snapshot.
type Batch struct {
	Head Head
	// Chain is what the row at the asked position carries now; nil if the row is
	// gone or carries nothing.
	Chain []byte
	Rows  []Row // above the asked position, in order
	More  bool  // there are more, up to Head
}

// Source looks at the primary, on a connection of its own.
type Source interface {
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

// Look reads what the database has now, once, together with all who ask for it at
// the same time.
func (t *Tail) Look(ctx context.Context) error {
	t.mu.Lock()
	l := t.next
	if l == nil {
		l = &look{done: make(chan struct{})}
		t.next = l
		// Not the caller's context: others wait for the same.
		go t.perform(context.WithoutCancel(ctx), l)
	}
	t.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Tail) perform(ctx context.Context, l *look) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	// From here on, who wants to know what is committed now needs another look.
	t.mu.Lock()
	t.next = nil
	t.mu.Unlock()
	defer close(l.done)
	switch l.err = t.catchUp(ctx); {
	case errors.Is(l.err, ErrLost):
		l.err = t.recover(ctx, t.mirror.Point().Position)
	case errors.Is(l.err, ErrUnproven):
		l.err = t.rebuild(ctx)
	}
}

// catchUp reads until nothing is left. The caller has the turn.
func (t *Tail) catchUp(ctx context.Context) error {
	for {
		asked := t.Now()
		b, err := t.catch(ctx, t.mirror.Point().Position)
		if err != nil {
			return err
		}
		t.mu.Lock()
		err = t.mirror.Absorb(b, asked)
		t.mu.Unlock()
		if err != nil {
			return err
		}
		t.show(t.mirror, false)
		if !b.More {
			return nil
		}
	}
}

func (t *Tail) catch(ctx context.Context, after int64) (Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	b, err := t.Source.Catch(ctx, after, batchRows)
	if err != nil {
		return Batch{}, fmt.Errorf("look at the ledger: %w", err)
	}
	return b, nil
}

// show lets readers see what the mirror knows.
func (t *Tail) show(m *Mirror, lost bool) {
	t.state.Store(&state{point: m.Point(), set: m.Set(), lost: lost})
	fresh := make(chan struct{})
	close(*t.changed.Swap(&fresh))
}

// recover lets a loss be repaired and begins anew. The caller has the turn.
func (t *Tail) recover(ctx context.Context, position int64) error {
	t.show(t.mirror, true)
	position = max(position, t.mirror.Point().Position)
	if t.Lost == nil {
		return ErrLost
	}
	have, err := t.all(ctx, t.mirror.Kept())
	if err != nil {
		return err
	}
	if err := t.Lost(ctx, position, t.mirror.Missing(have)); err != nil {
		return fmt.Errorf("%w: repair: %w", ErrLost, err)
	}
	// The database counts on above the loss; what this process wrote before it is
	// among what was repaired.
	t.wrote.Store(&Head{})
	if err := t.rebuild(ctx); err != nil {
		return err
	}
	if now := t.mirror.Point().Position; now <= position {
		t.show(t.mirror, true)
		return fmt.Errorf("%w: the head is at %d after the repair, not above %d", ErrLost, now, position)
	}
	return nil
}

// rebuild reads everything anew. The caller has the turn.
func (t *Tail) rebuild(ctx context.Context) error {
	anew := NewMirror(t.seed, t.Set)
	for more := true; more; {
		asked := t.Now()
		b, err := t.catch(ctx, anew.Point().Position)
		if err != nil {
			return err
		}
		if err := anew.Absorb(b, asked); err != nil {
			return err
		}
		more = b.More
	}
	t.mu.Lock()
	t.mirror = anew
	t.mu.Unlock()
	t.show(anew, false)
	return nil
}

// all reads every row above a position.
func (t *Tail) all(ctx context.Context, after int64) ([]Row, error) {
	var rows []Row
	for {
		b, err := t.catch(ctx, after)
		if err != nil {
			return nil, err
		}
		rows = append(rows, b.Rows...)
		if !b.More {
			return rows, nil
		}
		after = b.Rows[len(b.Rows)-1].Position
	}
}

// fresh returns what readers see, if it may be built on.
func (t *Tail) fresh(position int64) (*state, bool) {
	s, wrote := t.state.Load(), t.wrote.Load()
	ok := !s.lost && s.point.Timeline != "" &&
		s.point.Position >= max(position, wrote.Position) && s.point.Change >= wrote.Change &&
		t.Now().Sub(s.point.Confirmed) <= confirmedFor
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
		return revoked || s.point.Position < q.Rev, nil
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

// Check refuses a decision that was read from a database which lies behind what
// this node knew before it read: before is what Last returned then. Errors:
// ErrLost.
func (t *Tail) Check(before Point, position int64) error {
	s := t.state.Load()
	if s.lost || position < before.Position && before.Timeline == s.point.Timeline {
		t.Hint()
		return ErrLost
	}
	if position > s.point.Position {
		t.Hint() // (L18)
	}
	return nil
}

// Evidence says that somebody proves to have been told a position, with the chain
// hash there if it is known. It looks at the primary, and reports whether that
// shows the same history up to there. If it shows another one, and no row of kind
// All above the position says that this was found before, the ledger was lost, and
// is repaired. Callers must have proven that the evidence is our own (L8). Errors:
// ErrLost if it could not be repaired, those of the database.
func (t *Tail) Evidence(ctx context.Context, position int64, chain []byte) (bool, error) {
	if err := t.Look(ctx); err != nil {
		return false, err
	}
	if p := t.Last(); p.Position == position && bytes.Equal(p.Chain, chain) {
		return true, nil
	}
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	b, err := t.catch(ctx, position)
	if err != nil {
		return false, err
	}
	here := b.Chain
	if b.Head.Position == position {
		here = b.Head.Hash
	}
	switch {
	case b.Head.Position < position:
	case chain == nil || here == nil:
		return false, nil
	case bytes.Equal(here, chain):
		return true, nil
	default:
		if kind, ok := t.mirror.Set().Match(&revset.Query{Rev: position}); ok && kind == revset.All {
			return false, nil
		}
	}
	return false, t.recover(context.WithoutCancel(ctx), position)
}
