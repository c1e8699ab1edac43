package sim

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// confirmedFor is how long a node builds on what it has read (L5).
const confirmedFor = 3 * time.Second

// node is a server of the deployment: revocation.Tail restated around its Mirror,
// one thing after the other, and what it serves.
type node struct {
	machine
	linked  bool // to the database
	keyring *secret.Keyring

	mirror  *revocation.Mirror
	seed    maphash.Seed
	wrote   revocation.Head
	known   *state // what caches hold: the database at the mirror's point
	lost    bool
	looks   int // counts them; an answer to an earlier one is not waited for any more
	looking bool
	again   bool
	timer   int

	feed feedOf
}

func newNode(w *world, name string) *node {
	n := &node{machine: newMachine(w, name), linked: true}
	n.keyring = w.keys.before
	n.boot()
	return n
}

// boot starts the process.
func (n *node) boot() {
	n.up = true
	n.life++
	n.seed = maphash.MakeSeed()
	n.mirror = n.newMirror()
	n.wrote, n.known, n.lost = revocation.Head{}, nil, false
	n.looking, n.again = false, false
	n.feed = newFeed(n)
	n.look()
	n.repeat(20*time.Second, func() { n.mirror.Drop() })
	n.repeat(12*time.Second, func() {
		if n.reaches() {
			n.w.db.purge(n.clock.millis())
		}
	})
}

// repeat does something again and again until the process ends.
func (n *node) repeat(every time.Duration, do func()) {
	n.after(n.w.between(every/2, every), func() {
		do()
		n.repeat(every, do)
	})
}

func (n *node) newMirror() *revocation.Mirror {
	return revocation.NewMirror(n.seed, revset.Options{Now: func() int64 { return n.clock.now().Unix() }})
}

// reaches reports whether a statement would be answered.
func (n *node) reaches() bool { return n.linked && !n.w.db.down }

// hint says that the ledger may have moved.
func (n *node) hint() { n.after(0, n.look) }

// look reads the database, with the time that takes on the way.
func (n *node) look() {
	if n.looking {
		n.again = true
		return
	}
	n.looking = true
	n.looks++
	n.timer++
	look, asked, after, wrote := n.looks, n.clock.now(), n.mirror.Point().Position, n.wrote
	w := n.w
	there, back := w.latency(), w.latency()
	life := n.life
	w.after(there, func() {
		b, s, err := n.catch(after)
		w.after(back, func() {
			n.run(life, func() {
				if look == n.looks {
					n.took(b, s, asked, wrote, err)
				}
			})
		})
	})
}

func (n *node) catch(after int64) (revocation.Batch, *state, error) {
	if !n.linked {
		return revocation.Batch{}, nil, errDatabase
	}
	b, s, err := n.w.db.catch(after, n.w.plan.batch)
	return b, s, err
}

// took takes in what a look has brought.
func (n *node) took(b revocation.Batch, s *state, asked time.Time, wrote revocation.Head, err error) {
	n.looking = false
	if err == nil {
		err = n.mend(n.absorb(b, s, asked, wrote))
	}
	if err != nil {
		n.w.tell("%s cannot follow: %v", n.name, err)
	}
	if err == nil && b.More || n.again {
		n.again = false
		n.look()
		return
	}
	n.timer++
	timer := n.timer
	n.after(time.Second, func() {
		if timer == n.timer {
			n.look()
		}
	})
}

func (n *node) absorb(b revocation.Batch, s *state, asked time.Time, wrote revocation.Head) error {
	before := n.mirror.Point().Position
	switch n.w.bug {
	case bugNoChain:
		b.Chain = n.mirror.Point().Chain
		if b.Head.Position == before {
			b.Head.Hash = b.Chain
		}
	case bugNoWrote:
		wrote = revocation.Head{}
	}
	if err := n.mirror.Absorb(b, asked); err != nil {
		return err
	}
	if !b.More {
		n.known = s
	}
	n.lost = false
	if p := n.mirror.Point().Position; p != before {
		n.w.tell("%s knows %d", n.name, p)
	}
	n.show()
	if p := n.mirror.Point(); !b.More && (p.Position < wrote.Position || p.Change < wrote.Change) {
		return revocation.ErrLost
	}
	return nil
}

func (n *node) show() { n.feed.cut() }

// lookNow is a look that somebody waits for; the time that it takes is none.
func (n *node) lookNow() error {
	n.looks++
	n.looking = false
	err := n.mend(n.catchUp(n.mirror))
	n.after(time.Second, n.look)
	return err
}

// mend does what is to be done about a history that is not the one known.
func (n *node) mend(err error) error {
	switch {
	case errors.Is(err, revocation.ErrLost):
		return n.recover(n.mirror.Point().Position)
	case errors.Is(err, revocation.ErrUnproven):
		return n.doubt()
	}
	return err
}

// doubt decides about a history of which nothing shows that it is the one known.
func (n *node) doubt() error {
	have, err := n.all(n.mirror.Kept())
	if err != nil {
		return err
	}
	for _, r := range n.mirror.Missing(have) {
		switch r.Kind {
		case revocation.Session, revocation.Grant, revocation.User, revocation.Client, revocation.Key:
			if r.Key != "" {
				return n.recover(r.Position)
			}
		}
	}
	return n.rebuild()
}

func (n *node) catchUp(m *revocation.Mirror) error {
	for {
		asked := n.clock.now()
		b, s, err := n.catch(m.Point().Position)
		if err != nil {
			return err
		}
		if m != n.mirror {
			err = m.Absorb(b, asked)
		} else {
			err = n.absorb(b, s, asked, n.wrote)
		}
		if err != nil || !b.More {
			return err
		}
	}
}

// recover lets a loss be repaired and begins anew.
func (n *node) recover(position int64) error {
	n.lost = true
	position = max(position, n.mirror.Point().Position, n.wrote.Position)
	have, err := n.all(n.mirror.Kept())
	if err != nil {
		return err
	}
	n.repair(position, n.mirror.Missing(have))
	n.wrote = revocation.Head{}
	if err := n.rebuild(); err != nil {
		return err
	}
	if p := n.mirror.Point().Position; p <= position {
		n.w.violated("%s: the head is at %d after the repair of %d", n.name, p, position)
	}
	return nil
}

// rebuild reads everything anew.
func (n *node) rebuild() error {
	n.w.tell("%s begins anew", n.name)
	anew := n.newMirror()
	if err := n.catchUp(anew); err != nil {
		return err
	}
	if n.w.bug != bugNoReplace {
		anew.Replace()
	}
	n.mirror, n.lost, n.known = anew, false, n.w.db.now
	n.show()
	return nil
}

func (n *node) all(after int64) ([]revocation.Row, error) {
	var rows []revocation.Row
	for {
		b, _, err := n.catch(after)
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

func (n *node) fresh(position int64) bool {
	p := n.mirror.Point()
	confirmed := n.clock.now().Sub(p.Confirmed) <= confirmedFor || n.w.bug == bugStaleHead
	return !n.lost && p.Timeline != "" && p.Position >= max(position, n.wrote.Position) && p.Change >= n.wrote.Change && confirmed
}

// point is Tail.Point.
func (n *node) point() (revocation.Point, error) {
	if n.fresh(0) {
		return n.mirror.Point(), nil
	}
	err := n.lookNow()
	switch {
	case n.fresh(0):
		return n.mirror.Point(), nil
	case n.lost:
		return revocation.Point{}, revocation.ErrLost
	}
	return revocation.Point{}, errors.Join(revocation.ErrStale, err)
}

// check is Tail.Check.
func (n *node) check(before revocation.Point, position int64) error {
	if n.lost || position < before.Position && before.Timeline == n.mirror.Point().Timeline {
		n.hint()
		return revocation.ErrLost
	}
	if position > n.mirror.Point().Position {
		n.hint()
	}
	return nil
}

// evidence is Tail.Evidence.
func (n *node) evidence(position int64, chain []byte) (bool, error) {
	if n.w.bug == bugNoEvidence {
		return true, nil
	}
	if err := n.lookNow(); err != nil {
		return false, err
	}
	if p := n.mirror.Point(); p.Position == position && bytes.Equal(p.Chain, chain) {
		return true, nil
	}
	b, _, err := n.catch(position)
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
		if kind, ok := n.mirror.Set().Match(&revset.Query{Rev: position}); ok && kind == revset.All {
			return false, nil
		}
	}
	n.w.tell("%s: evidence of a loss, position %d", n.name, position)
	return false, n.recover(position)
}

// commit is a transaction that this node makes; false if it could not.
func (n *node) commit(do func(t *tx)) bool {
	if !n.up || n.stopped || !n.reaches() || n.lost {
		return false
	}
	before := n.w.db.now.head
	head := n.w.db.commit(n.clock.millis(), do)
	if head.Position != before.Position || head.Change != before.Change {
		n.after(n.w.latency(), func() { // it may die before it is told
			n.wrote.Position, n.wrote.Change = max(n.wrote.Position, head.Position), max(n.wrote.Change, head.Change)
			n.look()
			n.w.spread(n)
		})
	}
	return true
}

// ledgerOf is the node as its feed sees it.
type ledgerOf struct{ *node }

func (l ledgerOf) Last() revocation.Point                          { return l.mirror.Point() }
func (l ledgerOf) Point(context.Context) (revocation.Point, error) { return l.point() }
func (l ledgerOf) Changed() <-chan struct{}                        { return nil } // nothing waits in a simulation
func (l ledgerOf) Evidence(_ context.Context, p int64, c []byte) (bool, error) {
	return l.evidence(p, c)
}

// Since keeps fewer rows than a Mirror, so that followers come too late.
func (l ledgerOf) Since(position int64) ([]revocation.Row, revocation.Point, bool) {
	rows, ok := l.mirror.Since(position)
	p := l.mirror.Point()
	if l.w.bug == bugStaleHead {
		p.Confirmed = l.clock.now()
	}
	return rows, p, ok && len(rows) <= l.w.plan.kept && p.Timeline != ""
}

func (l ledgerOf) Revoked(context.Context, *revset.Query, func() revocation.Keys) (bool, error) {
	return false, nil
}

// After is feed.Rows.
func (l ledgerOf) After(_ context.Context, position int64, limit int) ([]revocation.Row, error) {
	if !l.linked {
		return nil, errDatabase
	}
	return l.w.db.after(position, limit)
}
