package sim

import (
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// token is an access token that somebody holds.
type token struct {
	keys     revocation.Keys
	audience int
	grant    int // 0: a machine's
	client   int
	user     int
	exp      int64         // Unix milliseconds
	born     time.Duration // when it was handed out
	version  int           // of the database that its decision was read from
	lost     bool          // that version was lost
	forged   bool          // with a stolen key
	facts    []*fact       // rows that kill it
}

// fact is a row that was committed.
type fact struct {
	row     revocation.Row
	at      time.Duration
	version int
	lost    bool // with a failover
	repair  bool
}

// record takes note of what a commit has appended, and whom it kills.
func (w *world) record(t *tx) {
	for _, r := range t.rows[len(t.rows)-len(t.entries):] {
		f := &fact{row: r.Row, at: w.at, version: t.version, repair: t.above > 0}
		w.facts = append(w.facts, f)
		w.tell("commit %d: %s %s (%s)", r.Position, r.Kind, r.Key, r.Reason)
		for _, one := range w.tokens {
			if f.row.Matches(one.keys) {
				one.facts = append(one.facts, f)
			}
		}
	}
}

// killedAt is when the first row was committed, of those up to a position, that
// kills the token and still stands; false if there is none. Rows that kill whatever
// rev says, and that of a stolen key, leave by a server's clock and no floor stands
// in for them.
func (w *world) killedAt(t *token, position int64) (at time.Duration, ok bool) {
	for _, f := range t.facts {
		if f.row.Position > position {
			continue
		}
		timed := f.row.Kind == revocation.Token || t.forged
		if timed && f.row.ExpiresAt <= epoch+(w.at+w.ahead+time.Second).Milliseconds() {
			continue
		}
		if !f.lost && (!ok || f.at < at) {
			at, ok = f.at, true
		}
	}
	return at, ok
}

// hand gives a token to an app.
func (w *world) hand(t *token) {
	t.born, t.lost = w.at, w.isLost(t.version)
	for _, f := range w.facts {
		if f.row.Matches(t.keys) {
			t.facts = append(t.facts, f)
		}
	}
	w.tokens = append(w.tokens, t)
	w.stats.Tokens++
	w.tell("token %s for %s, rev %d", t.keys.ID, t.keys.Subject, t.keys.Rev)
}

func (n *node) newToken(s *state, rev int64) *token {
	w := n.w
	t := &token{version: s.version, exp: (n.clock.millis() + tokenLife.Milliseconds()) / 1000 * 1000}
	if w.plan.longLived && w.chance(0.2) {
		t.exp += 2 * rowLife.Milliseconds() // as after a setting was changed (L12)
	}
	t.keys = revocation.Keys{ID: fmt.Sprint("jti", w.id()), KeyID: fmt.Sprint("kid", s.kid), Rev: rev}
	return t
}

// read is a statement of a decision: what the primary says, if it may be built on.
func (n *node) read() (*state, bool) {
	if !n.up || n.stopped || !n.reaches() {
		return nil, false
	}
	before, s := n.mirror.Point(), n.w.db.now
	if err := n.check(before, s.head.Position); err != nil {
		return nil, false
	}
	return s, true
}

// refresh redeems the grant's refresh token at a node; false if it is refused.
func (n *node) refresh(id int) (*token, bool) {
	s, ok := n.read()
	if !ok {
		return nil, false
	}
	g := s.grant(id)
	if g == nil || !g.alive || s.users[g.user].banned || !s.clients[g.client].enabled {
		return nil, false
	}
	if n.w.bug != bugNoValidFrom && (g.rev < s.users[g.user].validFrom || g.rev < s.clients[g.client].validFrom) {
		return nil, false
	}
	t := n.newToken(s, s.head.Position)
	t.grant, t.user, t.client, t.audience = id, g.user, g.client, g.audience
	t.keys.GrantID, t.keys.Subject, t.keys.ClientID = fmt.Sprint("gid", id), fmt.Sprint("user", g.user), fmt.Sprint("client", g.client)
	if g.session != 0 {
		one := s.session(g.session)
		if one == nil || !one.alive || one.rev < s.users[g.user].validFrom && n.w.bug != bugNoValidFrom {
			return nil, false
		}
		t.keys.SessionID = fmt.Sprint("sid", g.session)
	}
	for i, held := range s.users[g.user].holds[g.audience] {
		if held {
			t.keys.Scopes = append(t.keys.Scopes, scopeOf(g.audience, i))
		}
	}
	return t, true
}

func scopeOf(audience, i int) string { return fmt.Sprintf("scope%d%d", audience, i) }

// machineToken is a token by client credentials, decided from memory.
func (n *node) machineToken(c int) (*token, bool) {
	if !n.up || n.stopped {
		return nil, false
	}
	p, err := n.point()
	if err != nil || n.known == nil || !n.known.clients[c].enabled {
		return nil, false
	}
	t := n.newToken(n.known, min(p.Position, n.known.head.Position))
	if n.w.bug == bugRevNow {
		t.keys.Rev = n.w.db.now.head.Position
	}
	t.client, t.audience, t.user = c, n.w.rng.IntN(2), -1
	t.keys.ClientID = fmt.Sprint("client", c)
	t.keys.Subject = t.keys.ClientID
	return t, true
}

// mint lets an app get a token; between decision and answer time may pass.
func (w *world) mint() {
	n := pick(w, w.nodes)
	var t *token
	ok := false
	if w.chance(0.2) || len(w.grants) == 0 {
		t, ok = n.machineToken(w.rng.IntN(len(w.db.now.clients)))
	} else {
		t, ok = n.refresh(pick(w, w.grants))
	}
	if !ok {
		return
	}
	wait := w.jitter()
	if w.plan.stalls && w.chance(0.1) {
		wait = w.between(0, 12*time.Second)
	}
	w.after(wait, func() { w.hand(t) })
}

// signIn reads a proof, and writes a session and a grant later.
func (w *world) signIn() {
	n := pick(w, w.nodes)
	s, ok := n.read()
	who := w.rng.IntN(len(w.db.now.users))
	if !ok || s.users[who].banned {
		return
	}
	rev := s.head.Position
	wait := w.jitter()
	if w.plan.stalls {
		wait = w.between(0, 2*time.Second)
	}
	client, audience, offline := w.rng.IntN(len(s.clients)), w.rng.IntN(2), w.chance(0.3)
	w.after(wait, func() {
		n.commit(func(t *tx) {
			sid, gid := w.id(), w.id()
			t.sessions = append(t.sessions, session{id: sid, user: who, alive: true, rev: rev})
			g := grant{id: gid, user: who, client: client, session: sid, audience: audience, alive: true, rev: rev}
			if offline {
				g.session = 0
			}
			t.grants = append(t.grants, g)
			w.grants = append(w.grants, gid)
		})
	})
}

// forget drops what nobody can use any more.
func (w *world) forget() {
	kept := w.tokens[:0]
	for _, t := range w.tokens {
		if w.at-t.born < tokenLife+2*leeway || t.exp > epoch+(w.at-leeway).Milliseconds() {
			kept = append(kept, t)
		} else {
			for _, f := range w.followers {
				delete(f.queries, t)
				delete(f.refused, t)
			}
		}
	}
	clear(w.tokens[len(kept):])
	w.tokens = kept
	if len(w.grants) > 24 {
		w.grants = w.grants[len(w.grants)-24:]
	}
}

// usedAt reports whether, when a session's row was written, the session had a
// token for an audience: what a filter by a session's audiences would go by.
func (w *world) usedAt(r revocation.Row, audience string) bool {
	for _, f := range w.facts {
		if f.row.Position != r.Position || f.row.Key != r.Key {
			continue
		}
		for _, t := range w.tokens {
			if t.keys.SessionID == r.Key && audiences()[t.audience] == audience && t.born <= f.at {
				return true
			}
		}
	}
	return false
}
