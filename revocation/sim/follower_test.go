package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

const (
	requestTimeout = 10 * time.Second
	quietFor       = 3 * wire.HeartbeatEvery * time.Millisecond
	settledAfter   = 10 * time.Second
)

var (
	errTimeout     = errors.New("timed out")
	errUnreachable = errors.New("unreachable")
)

// follower is a resource server: what package resource does around follow.Follower,
// one thing after the other.
type follower struct {
	machine
	audience string
	index    int // of the audience
	core     *follow.Follower
	attempt  int // counts the connections
	watching int // counts what the watchdog was told
	failures int
	began    time.Duration // of the attempt
	fruitful bool          // it has brought a frame
	resync   bool
	stream   *stream
	unable   map[*node]bool // which nodes it cannot reach

	queries map[*token]asked
	refused map[*token]int64 // by the set, while fresh, and at which position
	highest int64            // position that it has known
	slack   time.Duration    // what a server's clock has gained while frames were counted by it
	until   time.Duration    // when that is over
}

// asked is a prepared question.
type asked struct {
	generation uint64
	query      revset.Query
}

func newFollower(w *world, i int) *follower {
	f := &follower{machine: newMachine(w, fmt.Sprint("follower", i)), index: i % 2, unable: map[*node]bool{}}
	f.audience = audiences()[f.index]
	f.boot()
	return f
}

func audiences() []string { return []string{"https://a.example", "https://b.example"} }

func (f *follower) boot() {
	f.up = true
	f.life++
	f.core = follow.New(0, f.clock.now)
	f.resync, f.failures, f.stream, f.highest, f.slack = false, 0, nil, 0, 0
	f.queries, f.refused = map[*token]asked{}, map[*token]int64{}
	f.connect()
	f.repeat(5*time.Second, f.core.Drop)
	f.repeat(12*time.Second, f.report)
}

func (f *follower) repeat(every time.Duration, do func()) {
	f.after(f.w.between(every/2, every), func() {
		do()
		f.repeat(every, do)
	})
}

// connect begins anew with some node.
func (f *follower) connect() {
	f.attempt++
	f.began, f.fruitful = f.w.at, false
	n := pick(f.w, f.w.nodes)
	if f.resync || f.core.Cursor() == "" {
		f.askSnapshot(n)
		return
	}
	f.openStream(n)
}

// guard ends the attempt if nothing is heard for a while.
func (f *follower) guard(d time.Duration) {
	f.watching++
	watching := f.watching
	f.after(d, func() {
		if watching == f.watching {
			f.failed(errTimeout)
		}
	})
}

// failed ends the attempt; the next one comes a little later.
func (f *follower) failed(err error) {
	f.w.tell("%s: connection over: %v", f.name, err)
	switch {
	case errors.Is(err, follow.ErrGap):
		f.w.stats.Gaps++
	case errors.Is(err, follow.ErrClock):
		f.w.stats.Clocks++
	case errors.Is(err, follow.ErrBehind):
		f.w.stats.Behind++
	}
	f.attempt++
	f.watching++
	f.hangUp()
	switch {
	case f.w.at-f.began >= settledAfter:
		f.failures = 0
	case f.fruitful:
		f.failures = min(f.failures, 1)
	}
	pause := f.w.between(100*time.Millisecond, 500*time.Millisecond)
	if f.failures > 0 {
		longest := min(500*time.Millisecond<<min(f.failures, 10), 10*time.Second)
		pause = f.w.between(longest/2, longest)
	}
	f.failures++
	attempt := f.attempt
	f.after(pause, func() {
		if attempt == f.attempt {
			f.connect()
		}
	})
}

// hangUp lets the node know, if the network does.
func (f *follower) hangUp() {
	s := f.stream
	f.stream = nil
	if s == nil {
		return
	}
	f.until = f.w.at + wire.FreshFor*time.Millisecond + 2*time.Second
	life := s.n.life
	if !s.cut {
		f.w.after(f.w.jitter(), func() { s.n.run(life, s.close) })
	}
}

// request lets a node do something for this attempt.
func (f *follower) request(n *node, serve func()) {
	w := f.w
	attempt := f.attempt
	if f.unable[n] {
		return // the guard notices
	}
	w.after(w.jitter(), func() {
		if !n.up {
			w.after(w.jitter(), func() { f.answered(attempt, func() { f.failed(errUnreachable) }) })
			return
		}
		n.run(n.life, serve)
	})
}

func (f *follower) answered(attempt int, do func()) {
	f.run(f.life, func() {
		if attempt == f.attempt {
			do()
		}
	})
}

func (f *follower) askSnapshot(n *node) {
	w := f.w
	f.core.Asking()
	f.guard(requestTimeout)
	asked, cursor, attempt := f.clock.now(), f.core.Cursor(), f.attempt
	f.request(n, func() {
		s, err := n.feed.snapshot(f.audience, cursor)
		w.after(w.slow(), func() {
			f.answered(attempt, func() {
				if err != nil {
					f.core.Failed()
					f.failed(err)
					return
				}
				f.load(n, s, asked)
			})
		})
	})
}

func (f *follower) load(n *node, s wire.Snapshot, asked time.Time) {
	w := f.w
	err := f.core.Snapshot(s, asked, f.clock.now())
	f.highest = f.core.Position() // a node that lags tells less; what is known stays
	w.tell("%s: snapshot of %s at %d, complete %t, %d rows: %v", f.name, n.name, s.Position, s.Complete, len(s.Rows), err)
	w.examine(f)
	if err != nil {
		f.failed(err)
		return
	}
	f.resync = false
	f.openStream(n)
}

func (f *follower) openStream(n *node) {
	w := f.w
	s := &stream{n: n, f: f, life: f.attempt, delay: w.jitter(), buffer: w.plan.buffer}
	if w.plan.slow && w.chance(0.1) {
		s.delay = w.between(time.Second, 8*time.Second)
	}
	f.stream = s
	f.guard(requestTimeout)
	cursor := f.core.Cursor()
	asked := f.clock.now()
	f.request(n, func() { n.feed.open(s, cursor) })
	s.opened = func() {
		f.core.Connected(asked)
		f.guard(quietFor)
	}
}

// take takes in what the stream brings.
func (f *follower) take(s *stream, p packet) {
	switch {
	case p.err != nil:
		f.failed(p.err)
	case p.opened:
		s.opened()
	case p.end:
		f.failed(nil)
	case p.reset != "":
		f.w.tell("%s: reset %s", f.name, p.reset)
		f.core.Reset(wire.Reset{Version: wire.Version, Reason: p.reset})
		f.resync = true
		if f.w.bug == bugEmptied {
			f.core = follow.New(0, f.clock.now)
			f.queries, f.highest = map[*token]asked{}, 0
		}
		f.failed(errReset)
	default:
		f.frame(p)
	}
}

var errReset = errors.New("reset")

func (f *follower) frame(p packet) {
	w := f.w
	now := f.clock.now()
	switch w.bug {
	case bugArrival:
		f.core.Connected(now)
		p.frame.Age = 0
	case bugIgnoredGap:
		p.frame.Prev = f.core.Position()
		p.frame.Position = max(p.frame.Position, p.frame.Prev)
	}
	err := f.core.Frame(p.cursor, p.frame, now)
	if w.trace != nil {
		w.tell("%s: frame of %s, %d to %d, %d rows, %s: %v", f.name, f.stream.n.name, p.frame.Prev, p.frame.Position, len(p.frame.Rows), f.core.State(now), err)
	}
	if len(p.frame.Rows) > 0 {
		w.examine(f)
	}
	if err != nil {
		f.resync = true
		f.failed(err)
		return
	}
	f.fruitful = true
	f.guard(quietFor)
}

// report is POST /revocations/position.
func (f *follower) report() {
	n := pick(f.w, f.w.nodes)
	cursor := f.core.Cursor()
	if cursor == "" || f.unable[n] || !n.up {
		return
	}
	body, err := json.Marshal(wire.Report{Instance: f.name, Cursor: cursor, State: "fresh"})
	if err != nil {
		panic(err)
	}
	life := n.life
	f.w.after(f.w.jitter(), func() {
		n.run(life, func() { n.feed.serve(http.MethodPost, wire.PathPosition, f.audience, string(body)) })
	})
}
