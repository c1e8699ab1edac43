package sim

import (
	"math"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	bound = 10 * time.Second
	// tolerance is what clocks that run at different rates may add to a bound.
	tolerance = 100 * time.Millisecond
)

// examine checks everything that must hold of a follower at any moment.
func (w *world) examine(f *follower) {
	if !f.up || f.stopped {
		return
	}
	if p := f.core.Position(); p < f.highest {
		w.violated("I6: %s went back from %d to %d", f.name, f.highest, p)
	} else {
		f.highest = p
	}
	now := f.clock.now()
	view := f.core.View()
	fresh := f.core.State(now) == follow.Fresh
	if fresh {
		w.stats.Fresh++
	}
	if f.until != 0 && w.at > f.until {
		f.slack, f.until = 0, 0
	}
	for _, t := range w.tokens {
		if t.audience == f.index {
			w.judge(f, view, t, fresh, now)
		}
	}
}

// judge checks what a follower says about one token.
func (w *world) judge(f *follower, view *follow.View, t *token, fresh bool, now time.Time) {
	kind, hit := revset.Kind(0), false
	if view != nil {
		kind, hit = view.Set.Match(f.query(view, t))
	}
	latest := now
	if server, ok := f.core.ServerTime(now); ok && server.After(now) {
		latest = server
	}
	expired := latest.UnixMilli() >= t.exp+leeway.Milliseconds()
	if hit {
		w.stats.Refusals++
		if fresh && w.stands(t, f.core.Position()) {
			f.refused[t] = f.core.Position()
		}
		if kind != revset.Floor && len(t.facts) == 0 {
			w.violated("I3: %s refuses %s by kind %d, which no row kills", f.name, t.keys.ID, kind)
		}
		return
	}
	// Rows that came later than the refusal have the bound's time to arrive (I1).
	if by, refused := f.refused[t]; refused && !expired && w.stands(t, by) {
		w.violated("I2: %s accepts %s, which it had refused", f.name, t.keys.ID)
	}
	if !fresh || expired {
		return
	}
	late := bound + tolerance + f.slack
	if at, ok := w.killedAt(t, math.MaxInt64); ok && w.at-at > late {
		w.violated("I1: %s is fresh and accepts %s, killed at %s", f.name, t.keys.ID, at)
	}
	if at, ok := w.deadSince(t); ok && w.at-at > late {
		w.violated("I5: %s is fresh and accepts %s, whose grant died at %s", f.name, t.keys.ID, at)
	}
	if w.chance(0.05) {
		f.core.Saw(t.keys.Rev, now)
	}
}

// stands reports whether a row up to a position kills the token and was not lost.
func (w *world) stands(t *token, position int64) bool {
	_, ok := w.killedAt(t, position)
	return ok
}

func (f *follower) query(view *follow.View, t *token) *revset.Query {
	a, ok := f.queries[t]
	if !ok || a.generation != view.Generation {
		k := t.keys
		a = asked{view.Generation, view.Query(follow.Claims{
			Token: k.ID, Session: k.SessionID, Grant: k.GrantID, Subject: k.Subject, Client: k.ClientID, Key: k.KeyID, Scopes: k.Scopes, Rev: k.Rev,
		})}
		f.queries[t] = a
	}
	return &a.query
}

// deadSince is since when the database says that the token's grant is dead, by
// itself and not by the ledger.
func (w *world) deadSince(t *token) (time.Duration, bool) {
	s := w.db.now
	if t.lost || t.forged {
		return 0, false
	}
	if c := s.clients[t.client]; !c.enabled {
		return c.diedAt, true
	}
	if t.grant == 0 {
		return 0, false
	}
	g, u := s.grant(t.grant), s.users[t.user]
	switch {
	case g == nil:
		return 0, false
	case !g.alive:
		return g.diedAt, true
	case u.banned || g.rev < u.validFrom && u.diedAt > 0:
		return u.diedAt, true
	}
	return 0, false
}

// lookAtNode checks what a node would answer to introspection from memory.
func (w *world) lookAtNode(n *node) {
	if !n.up || n.stopped || !n.fresh(0) {
		return
	}
	for _, t := range w.tokens {
		at, killed := w.killedAt(t, math.MaxInt64)
		if !killed && len(t.facts) > 0 || t.keys.Rev > n.mirror.Point().Position && !t.forged {
			continue
		}
		if !killed && !w.chance(0.02) {
			continue
		}
		q := n.mirror.Query(t.keys)
		kind, hit := n.mirror.Set().Match(&q)
		switch {
		case hit && kind != revset.Floor && len(t.facts) == 0:
			w.violated("I3: %s refuses %s by kind %d, which no row kills", n.name, t.keys.ID, kind)
		case !hit && killed && w.at-at > confirmedFor+tolerance && t.exp > n.clock.millis():
			w.violated("I1: %s is confirmed and accepts %s, killed at %s", n.name, t.keys.ID, at)
		}
	}
}

// loss is a failover to a replica that lacked commits.
type loss struct {
	at        time.Duration
	from, to  int // versions
	witnesses []witness
}

// isLost reports whether the database no longer knows what a commit made.
func (w *world) isLost(version int) bool {
	return slices.ContainsFunc(w.losses, func(l *loss) bool { return version > l.from && version <= l.to })
}

// witness is who can prove a loss.
type witness struct {
	who      *machine
	life     int
	position int64
}

// lose takes note of a loss.
func (w *world) lose(was, now *state) {
	l := &loss{at: w.at, from: now.version, to: was.version}
	for _, n := range w.nodes {
		if p := n.mirror.Point(); n.up && p.Position > now.head.Position && p.Chain != nil {
			l.witnesses = append(l.witnesses, witness{&n.machine, n.life, p.Position})
		}
	}
	if !w.plan.rotate && w.plan.batch > 100 {
		for _, f := range w.followers {
			if p := f.core.Position(); f.up && p > now.head.Position {
				l.witnesses = append(l.witnesses, witness{&f.machine, f.life, p})
			}
		}
	}
	w.losses = append(w.losses, l)
	for _, f := range w.facts {
		f.lost = w.isLost(f.version)
	}
	for _, t := range w.tokens {
		t.lost = w.isLost(t.version)
		for _, f := range w.followers {
			if !w.stands(t, math.MaxInt64) { // what was lost for good takes nothing back
				delete(f.refused, t)
			}
		}
	}
}

// repaired checks that each loss that somebody could prove was repaired.
func (w *world) repaired() {
	for _, l := range w.losses {
		for _, one := range l.witnesses {
			if one.life != one.who.life || w.raisedAbove(one.position, l.at) {
				continue
			}
			w.violated("I6: the loss at %s was not repaired above %d, which %s knew", l.at, one.position, one.who.name)
		}
	}
}

func (w *world) raisedAbove(position int64, since time.Duration) bool {
	for _, f := range w.facts {
		if f.row.Kind == revocation.All && !f.lost && f.at >= since && f.row.Position > position {
			return true
		}
	}
	return false
}

// settled checks what must hold once all is well and quiet (I4).
func (w *world) settled() {
	w.repaired()
	head := w.db.now.head
	for _, n := range w.nodes {
		p, err := n.point()
		if p.Position != head.Position || err != nil {
			w.violated("I4: %s knows %d (change %d), the database %d (%d); it wrote %d (%d)", n.name, p.Position, p.Change, head.Position, head.Change, n.wrote.Position, n.wrote.Change)
			continue
		}
		w.equal(n.name, func(f *fact, rev int64) bool {
			q := n.mirror.Query(keysOf(f.row, rev))
			_, hit := n.mirror.Set().Match(&q)
			return hit
		}, nil)
	}
	for _, f := range w.followers {
		if got := f.core.State(f.clock.now()); got != follow.Fresh || f.core.Position() != head.Position {
			w.violated("I4: %s is %s at %d, the database at %d", f.name, got, f.core.Position(), head.Position)
			continue
		}
		view := f.core.View()
		w.equal(f.name, func(one *fact, rev int64) bool {
			k := keysOf(one.row, rev)
			q := view.Query(follow.Claims{Token: k.ID, Session: k.SessionID, Grant: k.GrantID, Subject: k.Subject, Client: k.ClientID, Key: k.KeyID, Scopes: k.Scopes, Rev: rev})
			_, hit := view.Set.Match(&q)
			return hit
		}, f)
	}
}

// equal compares a set with the rows of the database, by asking for each row that
// was ever written.
func (w *world) equal(name string, match func(*fact, int64) bool, f *follower) {
	s := w.db.now
	soon := epoch + (w.at + w.ahead + time.Second).Milliseconds()
	for _, one := range w.facts {
		r := one.row
		if one.lost || r.ExpiresAt < soon || r.Key == "" && r.Kind != revocation.All {
			continue
		}
		static := r.Kind == revocation.Token || r.Kind == revocation.Permission
		if f != nil && static && r.Audience != f.audience {
			continue
		}
		rev := r.Position - 1
		if r.Kind.Absolute() {
			rev = s.head.Position // neither the floor nor a row of kind all answers for it
		}
		if !match(one, rev) {
			w.violated("I4: %s lacks row %d, %s %s", name, r.Position, r.Kind, r.Key)
		}
		if match(one, s.head.Position) && !r.Kind.Absolute() {
			w.violated("I4: %s kills what was decided after row %d, %s %s", name, r.Position, r.Kind, r.Key)
		}
	}
}

// keysOf is a token that nothing but the row can kill.
func keysOf(r revocation.Row, rev int64) revocation.Keys {
	k := revocation.Keys{Rev: rev}
	switch r.Kind {
	case revocation.Token:
		k.ID = r.Key
	case revocation.Session:
		k.SessionID = r.Key
	case revocation.Grant:
		k.GrantID = r.Key
	case revocation.User, revocation.Membership:
		k.Subject = r.Key
	case revocation.Permission:
		k.GrantID, k.Scopes = "any", []string{r.Key}
	case revocation.Client:
		k.ClientID = r.Key
	case revocation.Key:
		k.KeyID = r.Key
	}
	return k
}

// healed checks that one refresh gives a good token to everybody whose grant
// lives, which every follower accepts.
func (w *world) healed() {
	for _, n := range w.nodes {
		for _, g := range w.db.now.grants {
			u := w.db.now.users[g.user]
			session := w.db.now.session(g.session)
			good := g.alive && !u.banned && g.rev >= u.validFrom && g.rev >= w.db.now.clients[g.client].validFrom &&
				w.db.now.clients[g.client].enabled && (g.session == 0 || session != nil && session.alive && session.rev >= u.validFrom)
			t, ok := n.refresh(g.id)
			if ok != good {
				w.violated("I5: %s answers %t to the refresh of grant %d", n.name, ok, g.id)
			}
			if ok {
				w.hand(t)
				w.accepted(t)
			}
		}
	}
}

func (w *world) accepted(t *token) {
	for _, f := range t.facts {
		if f.lost {
			return // it was killed before the loss: who was told so still refuses it
		}
	}
	for _, f := range w.followers {
		if f.index != t.audience {
			continue
		}
		view := f.core.View()
		if kind, hit := view.Set.Match(f.query(view, t)); hit {
			w.violated("I3: after a refresh %s refuses %s by kind %d", f.name, t.keys.ID, kind)
		}
	}
}
