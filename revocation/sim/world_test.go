package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is one run: everything happens one after the other, at a time of its own,
// and by one source of chance.
type world struct {
	seed   uint64
	bug    bug
	rng    *rand.Rand
	origin time.Time
	at     time.Duration // real time since the beginning
	queue  events
	order  int
	trace  func(format string, args ...any)
	fail   error // the first invariant that did not hold

	plan      plan
	db        *database
	nodes     []*node
	followers []*follower
	keys      *keyrings
	redis     bool
	healing   bool

	tokens []*token // those that may still be accepted somewhere
	facts  []*fact
	grants []int // ids that apps hold
	nextID int
	losses []*loss
	ahead  time.Duration // how far any server's clock was ever ahead of real time
	stats  stats
}

// stats tell whether runs reach what they are to reach.
type stats struct {
	Events, Commits, Tokens, Refusals, Fresh, Resets, Complete, Repairs, Gaps, Clocks, Behind, Drops int
}

func (s *stats) add(o stats) {
	s.Events += o.Events
	s.Commits += o.Commits
	s.Tokens += o.Tokens
	s.Refusals += o.Refusals
	s.Fresh += o.Fresh
	s.Resets += o.Resets
	s.Complete += o.Complete
	s.Repairs += o.Repairs
	s.Gaps += o.Gaps
	s.Clocks += o.Clocks
	s.Behind += o.Behind
	s.Drops += o.Drops
}

type event struct {
	at    time.Duration
	order int
	run   func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// after lets something happen later.
func (w *world) after(d time.Duration, run func()) {
	w.order++
	heap.Push(&w.queue, event{w.at + max(d, 0), w.order, run})
}

// run lets time pass until a moment, or until an invariant fails.
func (w *world) run(until time.Duration) {
	for w.fail == nil && len(w.queue) > 0 && w.queue[0].at <= until {
		e := heap.Pop(&w.queue).(event)
		w.at = e.at
		w.stats.Events++
		e.run()
	}
	w.at = until
}

func (w *world) violated(format string, args ...any) {
	if w.fail == nil {
		w.fail = fmt.Errorf("at %s: %s", w.at, fmt.Sprintf(format, args...))
		w.tell("VIOLATED: %v", w.fail)
	}
}

func (w *world) tell(format string, args ...any) {
	if w.trace != nil {
		w.trace("%10.3f "+format, append([]any{w.at.Seconds()}, args...)...)
	}
}

// chance is true with a probability.
func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// between returns a duration in a range.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least)+1))
}

func pick[T any](w *world, of []T) T { return of[w.rng.IntN(len(of))] }

func (w *world) id() int {
	w.nextID++
	return w.nextID
}

// every repeats something for as long as the run lasts.
func (w *world) every(least, most time.Duration, do func()) {
	w.after(w.between(least, most), func() {
		do()
		w.every(least, most, do)
	})
}

// machine is what can stop, sleep, crash and start again.
type machine struct {
	w       *world
	name    string
	clock   clock
	life    int // counts the starts
	up      bool
	stopped bool
	pending []func()
}

func newMachine(w *world, name string) machine {
	m := machine{w: w, name: name, up: true, life: 1}
	m.clock = clock{w: w, rate: 1}
	if w.plan.skew {
		m.clock.rate += (w.rng.Float64()*2 - 1) * maxDrift
		m.clock.offset = w.between(-maxSkew, maxSkew)
		w.ahead = max(w.ahead, m.clock.offset)
	}
	return m
}

// after lets something happen on the machine, if it lives still; if it is stopped
// then, as soon as it goes on.
func (m *machine) after(d time.Duration, do func()) {
	life := m.life
	m.w.after(d, func() { m.run(life, do) })
}

func (m *machine) run(life int, do func()) {
	switch {
	case !m.up || m.life != life:
	case m.stopped:
		m.pending = append(m.pending, func() { m.run(life, do) })
	default:
		do()
	}
}

// stop is SIGSTOP, or with asleep the sleep of the whole machine.
func (m *machine) stop(asleep bool) {
	m.stopped = true
	if asleep {
		m.clock.sleep()
	}
	m.w.tell("%s stops, asleep %t", m.name, asleep)
}

func (m *machine) goOn() {
	if !m.stopped {
		return
	}
	m.stopped = false
	if m.clock.asleep {
		m.clock.wake()
	}
	m.w.tell("%s goes on", m.name)
	pending := m.pending
	m.pending = nil
	for _, do := range pending {
		do()
	}
}

// crash loses what is in memory.
func (m *machine) crash() {
	m.goOn()
	m.up = false
	m.life++
	m.w.tell("%s crashes", m.name)
}
