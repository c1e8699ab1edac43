package revocation

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/revset"
)

// keptRows is how many rows of late a Mirror keeps in plain text, for streams
// that continue a little way back. About 10 MB.
const keptRows = 1 << 16

// Mirror is what one node knows of the ledger: a set to ask, and the rows of
// late. It is pure: it has no clock, no lock and no I/O; a Tail gives it those,
// and so does a simulation.
type Mirror struct {
	seed  maphash.Seed
	set   *revset.Set
	point Point
	rows  []Row
	from  int64 // every row above it is in rows, as far as it lives
	apart int64 // who was told less by the Mirror before this one cannot go on from there
	// dropped is the database's floor as it was last read, also where nothing was
	// taken in: what is missing there at or below it was dropped, and is not lost.
	dropped int64
}

// NewMirror returns a Mirror that knows nothing yet. Fingerprints under the seed
// are what its set holds.
func NewMirror(seed maphash.Seed, o revset.Options) *Mirror {
	return &Mirror{seed: seed, set: revset.New(o)}
}

// Point is the moment up to which everything is taken in.
func (m *Mirror) Point() Point { return m.point }

// Set is what is revoked at Point.
func (m *Mirror) Set() *revset.Set { return m.set }

// Absorb takes in what was read after Point. asked is when the reading began:
// what it returned was true then or later. It takes in nothing and returns ErrLost
// when the database's history is not the one that is known here, and ErrUnproven
// when nothing shows that it is: then the owner begins anew, with another Mirror.
func (m *Mirror) Absorb(b Batch, asked time.Time) error {
	m.dropped = b.Head.Floor
	switch {
	case m.lost(b):
		return ErrLost
	case len(m.point.Chain) > 0 && b.Chain == nil && b.Head.Position > m.point.Position:
		return ErrUnproven
	}
	rows := make([]revset.Row, len(b.Rows))
	for i, r := range b.Rows {
		rows[i] = setRow(m.seed, r)
	}
	if err := m.set.Add(rows...); err != nil {
		return err
	}
	m.set.Raise(b.Head.Floor)
	m.keep(b.Rows)
	p := Point{
		Timeline: b.Head.Timeline, Position: b.Head.Position, Change: b.Head.Change, Floor: b.Head.Floor,
		Chain: b.Head.Hash, Confirmed: asked, Apart: m.apart,
	}
	if b.More {
		// The rest of the rows is still missing: this is no head, and nothing is
		// confirmed by it. But the next batch must follow this one: in between the
		// database may fail over to one that lacks what was read here (L8).
		p.Position, p.Change, p.Chain, p.Confirmed = b.Rows[len(b.Rows)-1].Position, m.point.Change, b.Last, m.point.Confirmed
	}
	m.point = p
	return nil
}

// lost reports whether b cannot follow what is known (L8): another timeline, a
// head that went back, or another hash at a position that is known.
func (m *Mirror) lost(b Batch) bool {
	switch {
	case m.point.Timeline == "":
		return false
	case b.Head.Timeline != m.point.Timeline, b.Head.Position < m.point.Position:
		return true
	case m.point.Chain == nil:
		return false
	case b.Head.Position == m.point.Position:
		return !bytes.Equal(b.Head.Hash, m.point.Chain)
	}
	return b.Chain != nil && !bytes.Equal(b.Chain, m.point.Chain)
}

func (m *Mirror) keep(rows []Row) {
	m.rows = append(m.rows, rows...)
	if over := len(m.rows) - keptRows; over > keptRows/4 {
		m.from = m.rows[over-1].Position
		// Another array: who was given a slice of the old one goes on reading it.
		m.rows = slices.Clone(m.rows[over:])
	}
}

// Query prepares the question for Set whether a token with these keys is revoked.
func (m *Mirror) Query(k Keys) revset.Query { return queryOf(m.seed, k) }

// Replace says that another Mirror was given up for this one, since its history is
// not the database's: what followers were told by that one leads to nowhere here,
// even where positions agree. Rows may stand below that they were never told (L8).
func (m *Mirror) Replace() { m.apart, m.point.Apart = m.point.Position, m.point.Position }

// Since returns the rows above a position, in order; false if they are no longer
// all kept, or are not what follows there.
func (m *Mirror) Since(position int64) ([]Row, bool) {
	if position < max(m.from, m.apart) {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(m.rows, position+1, func(r Row, p int64) int {
		switch {
		case r.Position < p:
			return -1
		case r.Position > p:
			return 1
		}
		return 0
	})
	return slices.Clip(m.rows[i:]), true
}

// Missing returns the kept rows that are not among those that the database has:
// what a lost timeline took with it. have is all of the database's rows above the
// position that Kept returns. What the database dropped because its time had
// passed is not lost: to do its cause again would undo what people have done
// since. A row of the same cause that is not older stands for a lost one: another
// node has repaired it.
func (m *Mirror) Missing(have []Row) []Row {
	type cause struct {
		kind                  Kind
		key, audience, reason string
	}
	latest := make(map[cause]int64, len(have))
	for _, r := range have {
		c := cause{r.Kind, r.Key, r.Audience, r.Reason}
		latest[c] = max(latest[c], r.At)
	}
	var missing []Row
	for _, r := range m.rows {
		at, known := latest[cause{r.Kind, r.Key, r.Audience, r.Reason}]
		gone := r.Kind != Token && r.Position <= m.dropped
		if !gone && (!known || at < r.At) {
			missing = append(missing, r)
		}
	}
	return missing
}

// Kept is the position above which rows are kept.
func (m *Mirror) Kept() int64 { return m.from }

// Drop forgets what no token needs any more.
func (m *Mirror) Drop() int { return m.set.Drop() }

// fingerprint is the seeded hash by which the set knows a claim's value; zero is
// no value.
func fingerprint(seed maphash.Seed, claim, value string) uint64 {
	if value == "" {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(claim) // it cannot fail
	_ = h.WriteByte(0)
	_, _ = h.WriteString(value)
	return max(h.Sum64(), 1)
}

// setRow is how the set keeps a row. A kind of a newer release kills everything
// before it, as Row.Matches says: it must not be silently ignored.
func setRow(seed maphash.Seed, r Row) revset.Row {
	row := revset.Row{Position: r.Position, Expires: (r.ExpiresAt + 999) / 1000}
	claim, value := "", r.Key
	switch r.Kind {
	case Token:
		row.Kind, claim = revset.Token, "jti"
	case Session:
		row.Kind, claim = revset.Session, "sid"
	case Grant:
		row.Kind, claim = revset.Grant, "gid"
	case User, Membership:
		row.Kind, claim = revset.Subject, "sub"
	case Permission:
		row.Kind, claim = revset.Permission, "scope"
	case Client:
		row.Kind, claim = revset.Client, "client_id"
	case Key:
		row.Kind, claim = revset.Key, "kid"
	case All:
		row.Kind = revset.All
		if r.Audience != "" {
			// The set knows no audiences; what a token is for is asked for beside what
			// it permits, under a name of its own.
			row.Kind, claim, value = revset.Permission, "aud", r.Audience
		}
	default:
		row.Kind = revset.All
	}
	if claim != "" {
		row.Fingerprint = fingerprint(seed, claim, value)
	}
	return row
}

// queryOf prepares the question whether a token is revoked.
func queryOf(seed maphash.Seed, k Keys) revset.Query {
	q := revset.Query{
		Token: fingerprint(seed, "jti", k.ID), Session: fingerprint(seed, "sid", k.SessionID),
		Grant: fingerprint(seed, "gid", k.GrantID), Subject: fingerprint(seed, "sub", k.Subject),
		Client: fingerprint(seed, "client_id", k.ClientID), Key: fingerprint(seed, "kid", k.KeyID), Rev: k.Rev,
	}
	if k.Audience != "" {
		q.Permissions = append(q.Permissions, fingerprint(seed, "aud", k.Audience))
	}
	if k.GrantID == "" { // a machine holds permissions of its own (L19)
		return q
	}
	for _, s := range k.Scopes {
		q.Permissions = append(q.Permissions, fingerprint(seed, "scope", s))
	}
	return q
}
