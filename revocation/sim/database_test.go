package sim

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

var errDatabase = errors.New("the database does not answer")

// Lives of what simulations make. Rows outlive tokens by clocks that differ (L12).
const (
	tokenLife = 40 * time.Second
	leeway    = 10 * time.Second
	rowLife   = tokenLife + 2*leeway
)

// state is all that the database holds, at one moment. It never changes: a commit
// makes another.
type state struct {
	version  int // counts the commits, also those that were lost later
	head     revocation.Head
	rows     []ledgerRow
	users    []user
	sessions []session
	grants   []grant
	clients  []client
	kid      int
}

type ledgerRow struct {
	revocation.Row
	chain []byte // on the last of its commit
}

type user struct {
	banned    bool
	validFrom int64
	holds     [2][2]bool // permissions of each audience
	diedAt    time.Duration
}

type session struct {
	id, user int
	alive    bool
	rev      int64
	diedAt   time.Duration
}

type grant struct {
	id, user, client, session int // session 0: offline
	audience                  int
	alive                     bool
	rev                       int64
	diedAt                    time.Duration
}

type client struct {
	enabled   bool
	validFrom int64
	diedAt    time.Duration
}

func (s *state) session(id int) *session {
	for i := range s.sessions {
		if s.sessions[i].id == id {
			return &s.sessions[i]
		}
	}
	return nil
}

func (s *state) grant(id int) *grant {
	for i := range s.grants {
		if s.grants[i].id == id {
			return &s.grants[i]
		}
	}
	return nil
}

func (s *state) clone() *state {
	c := *s
	c.rows = slices.Clip(s.rows)
	c.users, c.clients = slices.Clone(s.users), slices.Clone(s.clients)
	c.sessions, c.grants = slices.Clone(s.sessions), slices.Clone(s.grants)
	return &c
}

// database is PostgreSQL: commits come one after the other.
type database struct {
	w       *world
	now     *state
	past    []*state // before it, the latest last
	down    bool
	version int
}

const keptPast = 12

func newDatabase(w *world) *database {
	s := &state{head: revocation.Head{Timeline: "timeline"}, kid: 1}
	s.users, s.clients = make([]user, 4), make([]client, 3)
	for i := range s.users {
		s.users[i] = user{holds: [2][2]bool{{true, true}, {true, true}}}
	}
	for i := range s.clients {
		s.clients[i].enabled = true
	}
	return &database{w: w, now: s}
}

// tx collects what a commit appends.
type tx struct {
	*state
	entries []revocation.Entry
	stamps  []*int64 // are given the commit's position
	change  bool
	above   int64
	clock   int64 // wall clock of who commits, in milliseconds
}

func (t *tx) row(kind revocation.Kind, key, reason string) {
	t.entries = append(t.entries, revocation.Entry{Kind: kind, Key: key, Reason: reason})
}

// commit is a transaction. It returns what it wrote, as the counter tells it.
func (d *database) commit(clock int64, do func(t *tx)) revocation.Head {
	d.past = append(d.past, d.now)
	if len(d.past) > keptPast {
		d.past = d.past[1:]
	}
	d.version++
	t := &tx{state: d.now.clone(), clock: clock}
	t.version = d.version
	do(t)
	if len(t.entries) == 0 && len(t.stamps) > 0 {
		t.row(revocation.Session, "", "stamp")
	}
	t.advance()
	d.now = t.state
	d.w.stats.Commits++
	d.w.record(t)
	return d.now.head
}

// advance does what the storage does at a commit.
func (t *tx) advance() {
	if t.change || t.above > 0 {
		t.head.Change++
	}
	if t.above > 0 {
		t.head.Change += 1 << 32
	}
	if len(t.entries) == 0 {
		return
	}
	first := max(t.head.Position, t.above) + 1
	sum := sha256.Sum256(fmt.Append(slices.Clip(t.head.Hash), t.entries, t.clock))
	t.head.Hash = sum[:]
	for i, e := range t.entries {
		if e.ExpiresAt == 0 {
			e.ExpiresAt = t.clock + rowLife.Milliseconds()
		}
		t.rows = append(t.rows, ledgerRow{chain: []byte{0}, Row: revocation.Row{
			Position: first + int64(i), Kind: e.Kind, Key: e.Key, Audience: e.Audience, Reason: e.Reason, At: t.clock, ExpiresAt: e.ExpiresAt,
		}})
	}
	t.head.Position = first + int64(len(t.entries)) - 1
	t.rows[len(t.rows)-1].chain = t.head.Hash
	for _, s := range t.stamps {
		*s = t.head.Position
	}
}

// catch is revocation.Source.
func (d *database) catch(after int64, limit int) (revocation.Batch, *state, error) {
	if d.down {
		return revocation.Batch{}, nil, errDatabase
	}
	b := revocation.Batch{Head: d.now.head}
	var chains [][]byte
	for _, r := range d.now.rows {
		if r.Position == after {
			b.Chain = r.chain
		}
		if r.Position > after {
			b.Rows = append(b.Rows, r.Row)
			chains = append(chains, r.chain)
		}
	}
	if len(b.Rows) > limit {
		end := limit
		for end > 0 && len(chains[end-1]) == 1 {
			end--
		}
		if end == 0 {
			return d.catch(after, 2*limit)
		}
		b.Rows, b.More = b.Rows[:end:end], true
	}
	if len(b.Rows) > 0 {
		b.Last = chains[len(b.Rows)-1]
	}
	return b, d.now, nil
}

// after is revocation.Reader's.
func (d *database) after(position int64, limit int) ([]revocation.Row, error) {
	b, _, err := d.catch(position, limit)
	return b.Rows, err
}

// purge drops what has expired by the clock of the node that does it.
func (d *database) purge(clock int64) {
	d.commit(clock, func(t *tx) {
		kept := t.rows[:0:0]
		for _, r := range t.rows {
			if r.ExpiresAt >= clock {
				kept = append(kept, r)
			} else if r.Kind != revocation.Token {
				t.head.Floor = max(t.head.Floor, r.Position)
			}
		}
		t.rows = kept
	})
}

// failOver brings a replica that had not received the last commits.
func (d *database) failOver(lost int) {
	lost = min(lost, len(d.past))
	if lost == 0 {
		return
	}
	was := d.now
	d.now = d.past[len(d.past)-lost]
	d.past = d.past[:len(d.past)-lost]
	d.w.tell("the database fails over from position %d to %d, version %d", was.head.Position, d.now.head.Position, d.now.version)
	d.w.lose(was, d.now)
}
