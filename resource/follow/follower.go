package follow

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// Why a frame or a snapshot was not taken in. After each of them a snapshot after
// [Follower.Cursor] is due.
var (
	// ErrGap: the frame does not continue what is known.
	ErrGap = errors.New("follow: the frame does not continue what is known")
	// ErrTimeline: the frame is of another history. The follower is stale until a
	// complete snapshot of it is in place.
	ErrTimeline = errors.New("follow: the ledger is on another timeline")
	// ErrUnknown: the version or a row's kind is not known here. The follower is
	// stale until a snapshot without such things is in place.
	ErrUnknown = errors.New("follow: the version or kind is not known")
	// ErrMalformed: the frame contradicts itself. The follower is stale until a
	// snapshot is in place.
	ErrMalformed = errors.New("follow: the frame is malformed")
	// ErrClock: the server's clock and this one, or this machine's two, have drifted
	// apart. What came before counts no longer as confirmed.
	ErrClock = errors.New("follow: clocks have drifted apart")
	// ErrBehind: tokens have been seen that are ahead of a head which was confirmed
	// well after them: the server's ledger has lost something (L17).
	ErrBehind = errors.New("follow: the ledger is behind the tokens that it made")
)

// State says how far what is known can be relied on.
type State uint8

// The states. A set that is not fresh still refuses what it holds.
const (
	Off     State = iota // nothing is followed
	Cold                 // there has never been a snapshot
	Syncing              // a snapshot is being fetched, and what is known is not fresh
	Fresh                // the database confirmed within ten seconds that nothing is missing
	Stale                // it did not
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Off:
		return "off"
	case Cold:
		return "cold"
	case Syncing:
		return "syncing"
	case Fresh:
		return "fresh"
	case Stale:
		return "stale"
	}
	return "unknown"
}

const (
	freshFor = wire.FreshFor * time.Millisecond
	// settle is how long after a token was seen a confirmed head must have reached
	// its rev (L17).
	settle = 10 * time.Second
	// quiet is the pause between two findings that the ledger is behind: who signs
	// with a stolen key chooses rev himself and must not keep followers busy (L8).
	quiet = time.Minute
)

// View is a set and the secret that its keys are hashed under.
type View struct {
	Set *revset.Set
	// Generation differs between views with different secrets; a query is good for
	// one generation.
	Generation uint64
	hashKey    []byte
}

// moment is what State decides on. It never changes.
type moment struct {
	confirmed time.Time // the zero time when nothing counts
	server    int64     // server's clock in milliseconds, when it made what arrived
	arrived   time.Time
	cold      bool // no snapshot yet
	syncing   bool
	blocked   bool // something was not understood
}

// sighting is a token that is ahead of what is known.
type sighting struct {
	rev int64
	at  time.Time
}

// Follower is one resource server's picture of the ledger. State, View, Saw,
// ServerTime and the other questions can be asked at any time by anyone, without
// locks; what arrives is taken in one at a time.
type Follower struct {
	maxRows int
	now     func() time.Time

	view     atomic.Pointer[View]
	moment   atomic.Pointer[moment]
	position atomic.Int64
	ahead    atomic.Pointer[sighting] // first token above position, nil when there is none

	mu       sync.Mutex // guards what follows, and storing what stands above
	timeline string
	cursor   string
	clock    anchor
	behindAt time.Time // when ErrBehind was last returned
}

// New returns a follower that knows nothing. maxRows bounds its set, zero means
// revset's default. now is the local clock; with nil it is [time.Now].
func New(maxRows int, now func() time.Time) *Follower {
	if now == nil {
		now = time.Now
	}
	f := &Follower{maxRows: maxRows, now: now}
	f.moment.Store(&moment{cold: true})
	return f
}

// State returns the state at the local time now.
func (f *Follower) State(now time.Time) State {
	m := f.moment.Load()
	switch {
	case m.fresh(now):
		return Fresh
	case m.syncing:
		return Syncing
	case m.cold:
		return Cold
	}
	return Stale
}

func (m *moment) fresh(now time.Time) bool {
	if m.cold || m.blocked || m.confirmed.IsZero() {
		return false
	}
	return passed(m.confirmed, now) <= freshFor && !slept(m.confirmed, now)
}

// Lag returns how old what is known is at the local time now; false when that is
// not known.
func (f *Follower) Lag(now time.Time) (time.Duration, bool) {
	m := f.moment.Load()
	return passed(m.confirmed, now), !m.confirmed.IsZero()
}

// View returns what tokens are compared with; nil before the first snapshot.
func (f *Follower) View() *View { return f.view.Load() }

// Position returns the position up to which everything is known.
func (f *Follower) Position() int64 { return f.position.Load() }

// Cursor returns where to go on; empty when a complete snapshot is due.
func (f *Follower) Cursor() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor
}

// ServerTime returns what the server's clock shows at least at the local time now;
// false when nothing is known of it. Who compares the times in tokens by a clock
// that is behind would go on accepting them after their rows have been dropped
// (H13).
func (f *Follower) ServerTime(now time.Time) (time.Time, bool) {
	m := f.moment.Load()
	if m.server == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(m.server).Add(now.Sub(m.arrived)), true
}

// Saw says that a token with this rev was verified at the local time now. A rev
// above the head is normal, since anybody's row moves it (L17); the first such one
// is remembered until the head has passed it.
func (f *Follower) Saw(rev int64, now time.Time) {
	if rev <= f.position.Load() || f.ahead.Load() != nil {
		return
	}
	f.ahead.CompareAndSwap(nil, &sighting{rev, now})
}

// Asking says that a snapshot is being asked for. It ends with the next Snapshot,
// or with Failed.
func (f *Follower) Asking() { f.change(func(m *moment) { m.syncing = true }) }

// Failed says that the snapshot could not be had.
func (f *Follower) Failed() { f.change(func(m *moment) { m.syncing = false }) }

// Connected says that a new connection's frames come next, and when it was asked
// for: that request, not any frame, is what freshness is reckoned from.
func (f *Follower) Connected(requestedAt time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = anchor{asked: requestedAt}
}

// Reset says that the server cannot continue from the cursor. It is kept all the
// same: the snapshot is asked for with it, and so a node that has not noticed that
// its database lost something is shown what this follower knows (L8). Else a
// complete snapshot of that node would take the place of a set that holds more.
func (f *Follower) Reset(r wire.Reset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Version != wire.Version || r.Reason == "malformed" {
		f.cursor = ""
	}
	if r.Version != wire.Version || r.Reason == "timeline" {
		f.block()
	}
}

// Drop forgets the rows that no token needs any more, by the server's clock as far
// as it is known.
func (f *Follower) Drop() {
	if v := f.view.Load(); v != nil {
		v.Set.Drop()
	}
}

// change publishes a changed moment.
func (f *Follower) change(edit func(*moment)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.edit(edit)
}

func (f *Follower) edit(edit func(*moment)) {
	m := *f.moment.Load()
	edit(&m)
	f.moment.Store(&m)
}

// block makes the follower stale until a snapshot is in place.
func (f *Follower) block() { f.edit(func(m *moment) { m.blocked = true }) }

// setClock is the clock of the set, in Unix seconds: expiries are the server's, so
// its clock is asked. Where that is not known rows stay.
func (f *Follower) setClock() int64 {
	if server, ok := f.ServerTime(f.now()); ok {
		return server.Unix()
	}
	return 0
}
