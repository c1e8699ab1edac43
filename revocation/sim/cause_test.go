package sim

import (
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// cause lets a node commit one of the causes of docs/revocation.md.
func (w *world) cause() {
	n := pick(w, w.nodes)
	n.commit(func(t *tx) {
		switch kind := w.rng.IntN(100); {
		case kind < 25:
			w.signOut(t)
		case kind < 40:
			w.disconnect(t)
		case kind < 50:
			w.revokeToken(t)
		case kind < 58:
			w.endUser(t, w.rng.IntN(len(t.users)), w.chance(0.5))
		case kind < 66:
			w.passwordChange(t)
		case kind < 74:
			w.shrinkUser(t)
		case kind < 80:
			w.shrinkGroup(t)
		case kind < 88:
			w.disableClient(t)
		case kind < 90:
			t.row(revocation.All, "", "emergency")
		case kind < 92:
			w.compromise(n, t)
		case kind < 94:
			t.stamps = append(t.stamps, new(int64)) // a row that kills nothing
		default:
			w.giveBack(t)
		}
	})
}

func (t *tx) endSession(s *session, at time.Duration) bool {
	if !s.alive {
		return false
	}
	s.alive, s.diedAt = false, at
	for i := range t.grants {
		if t.grants[i].session == s.id {
			t.endGrant(&t.grants[i], at)
		}
	}
	return true
}

func (t *tx) endGrant(g *grant, at time.Duration) bool {
	was := g.alive
	if was {
		g.alive, g.diedAt = false, at
	}
	return was
}

func (w *world) signOut(t *tx) {
	if len(t.sessions) == 0 {
		return
	}
	s := &t.sessions[w.rng.IntN(len(t.sessions))]
	if t.endSession(s, w.at) {
		t.row(revocation.Session, fmt.Sprint("sid", s.id), "sign-out")
	}
}

func (w *world) disconnect(t *tx) {
	if len(t.grants) == 0 {
		return
	}
	g := &t.grants[w.rng.IntN(len(t.grants))]
	if t.endGrant(g, w.at) {
		t.row(revocation.Grant, fmt.Sprint("gid", g.id), "disconnect")
	}
}

func (w *world) revokeToken(t *tx) {
	if len(w.tokens) == 0 {
		return
	}
	one := pick(w, w.tokens)
	if one.exp > t.clock {
		t.entries = append(t.entries, revocation.Entry{
			Kind: revocation.Token, Key: one.keys.ID, Audience: audiences()[one.audience], Reason: "token", ExpiresAt: one.exp + (2 * leeway).Milliseconds(),
		})
	}
}

// endUser is a ban, or a sign-out everywhere.
func (w *world) endUser(t *tx, who int, ban bool) {
	u := &t.users[who]
	for i := range t.sessions {
		if t.sessions[i].user == who {
			t.endSession(&t.sessions[i], w.at)
		}
	}
	for i := range t.grants {
		if t.grants[i].user == who {
			t.endGrant(&t.grants[i], w.at)
		}
	}
	u.diedAt = w.at
	u.banned = u.banned || ban
	t.stamps = append(t.stamps, &u.validFrom)
	reason := "everywhere"
	if ban {
		reason = "ban"
	}
	t.row(revocation.User, fmt.Sprint("user", who), reason)
}

// passwordChange ends all sessions but one, which is stamped again: a commit of
// many rows.
func (w *world) passwordChange(t *tx) {
	who, own := w.rng.IntN(len(t.users)), -1
	for i := range t.sessions {
		s := &t.sessions[i]
		switch {
		case s.user != who || !s.alive:
		case own < 0:
			own = i
		default:
			t.endSession(s, w.at)
			t.row(revocation.Session, fmt.Sprint("sid", s.id), "password")
		}
	}
	if own < 0 {
		return
	}
	t.stamps = append(t.stamps, &t.users[who].validFrom, &t.sessions[own].rev)
	for i := range t.grants { // and what stays is stamped with it
		if g := &t.grants[i]; g.user == who && g.alive {
			t.stamps = append(t.stamps, &g.rev)
		}
	}
}

func (w *world) shrinkUser(t *tx) {
	who, audience, i := w.rng.IntN(len(t.users)), w.rng.IntN(2), w.rng.IntN(2)
	if held := &t.users[who].holds[audience][i]; *held {
		*held = false
		t.row(revocation.Membership, fmt.Sprint("user", who), "group")
	}
}

func (w *world) shrinkGroup(t *tx) {
	audience, i := w.rng.IntN(2), w.rng.IntN(2)
	for who := range t.users {
		t.users[who].holds[audience][i] = false
	}
	t.entries = append(t.entries, revocation.Entry{
		Kind: revocation.Permission, Key: scopeOf(audience, i), Audience: audiences()[audience], Reason: "permission",
	})
}

func (w *world) disableClient(t *tx) {
	c := w.rng.IntN(len(t.clients))
	t.disable(c, w.at)
}

func (t *tx) disable(c int, at time.Duration) {
	one := &t.clients[c]
	if !one.enabled {
		return
	}
	one.enabled, one.diedAt, t.change = false, at, true
	for i := range t.grants {
		if t.grants[i].client == c {
			t.endGrant(&t.grants[i], at)
		}
	}
	t.stamps = append(t.stamps, &one.validFrom)
	t.row(revocation.Client, fmt.Sprint("client", c), "disabled")
}

// compromise: somebody has the signing key, and writes tokens as he likes.
func (w *world) compromise(n *node, t *tx) {
	for audience := range audiences() {
		w.hand(&token{
			forged: true, audience: audience, user: -1, exp: n.clock.millis() + tokenLife.Milliseconds(), version: t.version,
			keys: revocation.Keys{ID: fmt.Sprint("forged", w.id()), KeyID: fmt.Sprint("kid", t.kid), Subject: "root", ClientID: "root", Rev: 1 << 40},
		})
	}
	t.row(revocation.Key, fmt.Sprint("kid", t.kid), "compromised")
	t.kid, t.change = w.id()+1, true
}

// giveBack only gives: it writes no row.
func (w *world) giveBack(t *tx) {
	t.change = true
	for i := range t.users {
		t.users[i].banned = false
		t.users[i].holds = [2][2]bool{{true, true}, {true, true}}
	}
	for i := range t.clients {
		t.clients[i].enabled = true
	}
}

// repair does again what a loss has undone, as accounts.Repair does.
func (n *node) repair(position int64, rows []revocation.Row) {
	w := n.w
	w.stats.Repairs++
	w.tell("%s repairs the loss of %d rows up to %d", n.name, len(rows), position)
	w.db.commit(n.clock.millis(), func(t *tx) {
		for _, r := range rows {
			w.again(t, r)
		}
		if w.bug == bugNoAll {
			t.row(revocation.Session, "", "stamp")
		} else {
			t.row(revocation.All, "", "lost-timeline")
		}
		t.above = position
	})
}

func (w *world) again(t *tx, r revocation.Row) {
	id := 0
	switch r.Kind {
	case revocation.Session:
		if _, err := fmt.Sscanf(r.Key, "sid%d", &id); err == nil {
			if s := t.session(id); s != nil && t.endSession(s, w.at) {
				t.row(r.Kind, r.Key, r.Reason)
			}
		}
	case revocation.Grant:
		if _, err := fmt.Sscanf(r.Key, "gid%d", &id); err == nil {
			if g := t.grant(id); g != nil && t.endGrant(g, w.at) {
				t.row(r.Kind, r.Key, r.Reason)
			}
		}
	case revocation.User:
		if _, err := fmt.Sscanf(r.Key, "user%d", &id); err == nil {
			w.endUser(t, id, r.Reason == "ban")
		}
	case revocation.Client:
		if _, err := fmt.Sscanf(r.Key, "client%d", &id); err == nil {
			t.disable(id, w.at)
		}
	case revocation.Key:
		t.row(r.Kind, r.Key, r.Reason)
		t.kid, t.change = w.id()+1, true
	case revocation.Token:
		t.entries = append(t.entries, revocation.Entry{Kind: r.Kind, Key: r.Key, Audience: r.Audience, Reason: r.Reason, ExpiresAt: r.ExpiresAt})
	}
}
