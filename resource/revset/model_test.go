package revset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the set by its definition: a list of rows, and a floor.
type model struct {
	rows  []Row
	floor int64
}

// key is what rows that count as one have in common; the index keeps rows that
// match nothing apart from each other.
type modelKey struct {
	kind        Kind
	fingerprint uint64
	index       int
}

func (m *model) key(i int) modelKey {
	r := m.rows[i]
	switch {
	case r.Kind == All:
		return modelKey{kind: All}
	case r.Fingerprint == 0:
		return modelKey{kind: r.Kind, index: i}
	}
	return modelKey{kind: r.Kind, fingerprint: r.Fingerprint}
}

func (m *model) len() int {
	seen := map[modelKey]bool{}
	for i, r := range m.rows {
		if r.Kind == All || r.Fingerprint != 0 {
			seen[m.key(i)] = true
		}
	}
	return len(seen)
}

func (m *model) drop(now int64) int {
	until := map[modelKey]int64{}
	for i, r := range m.rows {
		until[m.key(i)] = max(until[m.key(i)], r.Expires)
	}
	var kept []Row
	gone := map[modelKey]bool{}
	for i, r := range m.rows {
		switch {
		case until[m.key(i)] > now:
			kept = append(kept, r)
			continue
		case r.Kind == All || r.Fingerprint != 0:
			gone[m.key(i)] = true
		}
		if r.Kind != Token {
			m.floor = max(m.floor, r.Position)
		}
	}
	m.rows = kept
	return len(gone)
}

func (m *model) match(q Query) Kind {
	matched := map[Kind]bool{Floor: q.Rev < m.floor}
	hit := func(r Row, fingerprint uint64) bool { return fingerprint != 0 && r.Fingerprint == fingerprint }
	for _, r := range m.rows {
		above := r.Position > q.Rev
		switch r.Kind {
		case Token:
			matched[Token] = matched[Token] || hit(r, q.Token)
		case Session:
			matched[Session] = matched[Session] || hit(r, q.Session)
		case Grant:
			matched[Grant] = matched[Grant] || hit(r, q.Grant)
		case Key:
			matched[Key] = matched[Key] || hit(r, q.Key)
		case Subject:
			matched[Subject] = matched[Subject] || above && hit(r, q.Subject)
		case Client:
			matched[Client] = matched[Client] || above && hit(r, q.Client)
		case Permission:
			for _, p := range q.Permissions {
				matched[Permission] = matched[Permission] || above && hit(r, p)
			}
		case All:
			matched[All] = matched[All] || above
		}
	}
	for _, kind := range []Kind{Token, Session, Grant, Subject, Key, Client, Permission, All, Floor} {
		if matched[kind] {
			return kind
		}
	}
	return 0
}

// run is one random history of a set and its model.
type run struct {
	*rand.Rand
	set      *Set
	clock    *clock
	model    model
	keys     uint64 // fingerprints are below
	position int64
}

func (r *run) row() Row {
	row := Row{Kind: Kind(1 + r.IntN(7)), Fingerprint: r.Uint64N(r.keys)}
	if r.IntN(200) == 0 {
		row.Kind = All
	}
	r.position += r.Int64N(3)
	row.Position = max(0, r.position-r.Int64N(8)) // not always in order
	row.Expires = r.clock.now + r.Int64N(600)
	if row.Fingerprint == 0 && row.Kind != All { // whose expiry is kept coarsely
		row.Expires = (row.Expires/idleGrain + 1) * idleGrain
	}
	return row
}

func (r *run) query() Query {
	fp := func() uint64 {
		if r.IntN(3) == 0 {
			return 0
		}
		return r.Uint64N(2 * r.keys)
	}
	q := Query{Token: fp(), Session: fp(), Grant: fp(), Subject: fp(), Client: fp(), Key: fp()}
	for range r.IntN(6) {
		q.Permissions = append(q.Permissions, fp())
	}
	q.Rev = max(0, r.position-r.Int64N(200)+20)
	return q
}

func (r *run) step() (string, error) {
	switch n := r.IntN(100); {
	case n < 60:
		rows := make([]Row, r.IntN(12))
		for i := range rows {
			rows[i] = r.row()
		}
		r.model.rows = append(r.model.rows, rows...)
		return "Add", r.set.Add(rows...)
	case n < 90:
		r.clock.now += r.Int64N(40)
		want, got := r.model.drop(r.clock.now), r.set.Drop()
		if got != want {
			return "Drop", fmt.Errorf("%d rows, want %d", got, want)
		}
		return "Drop", nil
	case n < 94:
		floor := r.model.floor + r.Int64N(9) - 5
		r.model.floor = max(r.model.floor, floor)
		r.set.Raise(floor)
		return "Raise", nil
	}
	// A snapshot is what lives, in any order, and something more.
	rows := append(slices.Clone(r.model.rows), r.row(), r.row())
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	if r.IntN(3) == 0 {
		rows = rows[:r.IntN(len(rows))]
	}
	floor := max(0, r.model.floor+r.Int64N(9)-5)
	r.model.rows = slices.Clone(rows)
	if r.IntN(3) == 0 {
		r.model.floor = floor
		return "Reset", r.set.Reset(rows, floor)
	}
	r.model.floor = max(r.model.floor, floor)
	return "Replace", r.set.Replace(rows, floor)
}

func TestSetAgreesWithItsDefinition(t *testing.T) {
	for seed := range uint64(150) {
		set, clock := newSet(0)
		r := &run{Rand: rand.New(rand.NewPCG(seed, 3)), set: set, clock: clock, keys: 4 << (seed % 8)}
		for step := range 150 {
			what, err := r.step()
			at := fmt.Sprintf("seed %d, step %d (%s)", seed, step, what)
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			if set.Floor() != r.model.floor || set.Len() != r.model.len() {
				t.Fatalf("%s: floor %d and %d rows, want %d and %d", at, set.Floor(), set.Len(), r.model.floor, r.model.len())
			}
			for range 6 {
				q := r.query()
				if got, want := answer(t, set, q), r.model.match(q); got != want {
					t.Fatalf("%s: Match(%+v) = kind %d, want %d", at, q, got, want)
				}
			}
		}
	}
}
