package sim

import (
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	// maxDrift is how far a clock's rate is from right, maxSkew how far clocks are
	// apart at first.
	maxDrift = 200e-6
	maxSkew  = 1500 * time.Millisecond

	chaosFor = 70 * time.Second // then everything is mended
	loadFor  = 78 * time.Second // then nothing is committed any more
	endAt    = 105 * time.Second
)

// plan is what one run is like.
type plan struct {
	nodes, followers int
	batch            int // rows that one look brings
	kept             int // rows that a node keeps in memory
	buffer           int // events that a connection holds
	crowd            int // how many streams one stands for, which sets the pace of frames
	skew             bool
	stalls           bool // between a decision and its answer
	slow             bool // some connections are seconds late
	longLived        bool // some tokens outlive their rows
	rotate           bool
	faults           []fault
}

// fault is something that goes wrong.
type fault func(w *world)

func newPlan(w *world) plan {
	p := plan{
		nodes: 1 + w.rng.IntN(3), followers: 1 + w.rng.IntN(4), batch: pick(w, []int{2, 5, 5000, 5000}), kept: pick(w, []int{4, 20, 1000}),
		buffer: pick(w, []int{3, 20, 100}), crowd: pick(w, []int{1, 2000, 50000}),
		skew: w.chance(0.7), stalls: w.chance(0.6), slow: w.chance(0.3), longLived: w.chance(0.4), rotate: w.chance(0.15),
	}
	for _, f := range faults() {
		if w.chance(0.4) {
			p.faults = append(p.faults, f)
		}
	}
	return p
}

func faults() []fault {
	return []fault{
		crashNode, stopNode, unlinkNode, stopDatabase, failOver, failOver, loseRedis, crashFollower, stopFollower, sleepFollower,
		cutStream, cutStream, stallStream, stallStream, loseEvent, doubleEvent, splitNetwork, stepNode, stepFollower,
	}
}

func crashNode(w *world) {
	n := pick(w, w.nodes)
	if !n.up {
		return
	}
	silent := w.chance(0.3)
	for _, r := range n.feed.rooms {
		for _, s := range r.streams {
			s.closed, s.cut = true, silent
			s.send(packet{end: true})
		}
	}
	n.crash()
	w.after(w.between(100*time.Millisecond, 8*time.Second), func() {
		if !n.up {
			n.boot()
		}
	})
}

func stopNode(w *world) { w.stop(&pick(w, w.nodes).machine, 15*time.Second, false) }

func (w *world) stop(m *machine, most time.Duration, asleep bool) {
	if !m.up || m.stopped {
		return
	}
	m.stop(asleep)
	life := m.life
	w.after(w.between(100*time.Millisecond, most), func() {
		if m.life == life {
			m.goOn()
		}
	})
}

func unlinkNode(w *world) {
	n := pick(w, w.nodes)
	n.linked = false
	w.tell("%s loses the database", n.name)
	w.after(w.between(time.Second, 15*time.Second), func() { n.linked = true })
}

func stopDatabase(w *world) { w.outage(w.between(time.Second, 10*time.Second), 0) }

func (w *world) outage(d time.Duration, lost int) {
	if w.db.down {
		return
	}
	w.db.down = true
	w.tell("the database is down")
	w.after(d, func() {
		w.db.failOver(lost)
		w.db.down = false
	})
}

func failOver(w *world) { w.outage(w.between(0, 3*time.Second), 1+w.rng.IntN(5)) }

func loseRedis(w *world) {
	w.redis = false
	w.after(w.between(time.Second, 20*time.Second), func() { w.redis = true })
}

func crashFollower(w *world) {
	f := pick(w, w.followers)
	if !f.up {
		return
	}
	f.hangUp()
	f.crash()
	w.after(w.between(100*time.Millisecond, 3*time.Second), func() {
		if !f.up {
			f.boot()
		}
	})
}

func stopFollower(w *world)  { w.stop(&pick(w, w.followers).machine, 30*time.Second, false) }
func sleepFollower(w *world) { w.stop(&pick(w, w.followers).machine, 30*time.Second, true) }

// cutStream ends a connection, and sometimes nobody is told.
func cutStream(w *world) {
	s := pick(w, w.followers).stream
	if s == nil {
		return
	}
	w.tell("%s: the connection is cut", s.f.name)
	if w.chance(0.5) {
		s.cut = true
		return
	}
	s.n.run(s.n.life, s.close)
}

func stallStream(w *world) {
	if s := pick(w, w.followers).stream; s != nil {
		s.stalled = w.at + w.between(500*time.Millisecond, 15*time.Second)
		w.tell("%s: the connection stalls until %s", s.f.name, s.stalled)
	}
}

func loseEvent(w *world) {
	if s := pick(w, w.followers).stream; s != nil {
		s.lose = true
	}
}

func doubleEvent(w *world) {
	if s := pick(w, w.followers).stream; s != nil {
		s.double = true
	}
}

// splitNetwork keeps a follower from a node.
func splitNetwork(w *world) {
	f, n := pick(w, w.followers), pick(w, w.nodes)
	f.unable[n] = true
	if f.stream != nil && f.stream.n == n {
		f.stream.cut = true
	}
	w.after(w.between(time.Second, 20*time.Second), func() { delete(f.unable, n) })
}

// stepNode sets a server's wall clock.
func stepNode(w *world) {
	n := pick(w, w.nodes)
	step := w.between(-maxSkew, maxSkew)
	if w.chance(0.2) {
		step = w.between(-30*time.Second, 30*time.Second)
	}
	n.clock.offset += step
	w.ahead = max(w.ahead, n.clock.offset)
	w.tell("%s: the clock steps by %s", n.name, step)
	if step < 0 {
		return
	}
	for _, f := range w.followers {
		if f.stream != nil && f.stream.n == n {
			f.slack, f.until = f.slack+step, 0
		}
	}
}

func stepFollower(w *world) {
	f := pick(w, w.followers)
	step := w.between(-1500*time.Millisecond, 1500*time.Millisecond)
	if w.chance(0.5) {
		// More than any sleep, or a step could undo one and nothing would show it.
		step += time.Duration(w.rng.IntN(3)-1) * time.Minute
	}
	f.clock.offset += step
	w.tell("%s: the clock steps by %s", f.name, step)
}

// keyrings are the deployment's secret, and the one after it.
type keyrings struct{ before, after *secret.Keyring }

// rotate gives the nodes another secret, one after the other.
func (w *world) rotate() {
	for i, n := range w.nodes {
		w.after(time.Duration(i)*w.between(0, 10*time.Second), func() {
			n.keyring = w.keys.after
			if n.up {
				crashNode(w)
				n.crash()
				n.boot()
			}
		})
	}
}

// spread tells the other nodes by Redis, which may lose, double and delay it.
func (w *world) spread(from *node) {
	for _, n := range w.nodes {
		if n == from || !w.redis || w.chance(0.1) {
			continue
		}
		for range 1 + w.rng.IntN(2) {
			w.after(w.between(0, 50*time.Millisecond)*time.Duration(1+9*w.rng.IntN(2)), n.hint)
		}
	}
}

// latency is that of the database, jitter that of a request, slow that of an answer.
func (w *world) latency() time.Duration {
	if w.chance(0.02) {
		return w.between(0, 1500*time.Millisecond)
	}
	return w.between(200*time.Microsecond, 5*time.Millisecond)
}

func (w *world) jitter() time.Duration {
	return w.between(time.Millisecond, 60*time.Millisecond)
}

func (w *world) slow() time.Duration {
	if w.plan.slow && w.chance(0.2) {
		return w.between(0, 8*time.Second)
	}
	return w.jitter()
}

// heal mends everything.
func (w *world) heal() {
	w.tell("all is mended")
	w.plan.slow = false
	w.healing, w.redis = true, true
	w.db.down = false
	for _, n := range w.nodes {
		n.linked = true
		n.goOn()
		if !n.up {
			n.boot()
		}
	}
	for _, f := range w.followers {
		clear(f.unable)
		f.goOn()
		if !f.up {
			f.boot()
		}
		if f.stream != nil { // everybody comes back, with what evidence there is
			f.failed(nil)
		}
	}
}
