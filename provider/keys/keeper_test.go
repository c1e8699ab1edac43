package keys_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

func TestEnsureMakesFirstKeys(t *testing.T) {
	h := emptyHouse(t)
	if err := h.keeper.Ensure(t.Context(), actor); err != nil {
		t.Fatal(err)
	}
	kid := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{7}$`)
	now := h.now().UnixMilli()
	for _, algorithm := range keys.Algorithms() {
		active, next := h.one(t, algorithm, keys.Active), h.one(t, algorithm, keys.Next)
		for _, r := range []keys.Record{active, next} {
			if !kid.MatchString(r.KID) || len(r.Sealed) == 0 || r.CreatedAt != now || r.PublishedAt != now {
				t.Errorf("%s: %+v", algorithm, r)
			}
		}
		if active.ActivatedAt != now || next.ActivatedAt != 0 {
			t.Errorf("%s: activated %d and %d", algorithm, active.ActivatedAt, next.ActivatedAt)
		}
	}
	if len(h.records) != 8 || len(h.events) != 8 {
		t.Errorf("%d keys, %d events", len(h.records), len(h.events))
	}
	for _, e := range h.events {
		if e.Actor != actor || e.Action != "key.create" || e.TargetKind != "key" || e.TargetID == "" {
			t.Errorf("event %+v", e)
		}
	}

	before, reads := h.change, h.reads
	if err := h.keeper.Ensure(t.Context(), actor); err != nil {
		t.Fatal(err)
	}
	if h.change != before || h.reads != reads+1 {
		t.Errorf("a second Ensure made %d changes in %d reads", h.change-before, h.reads-reads)
	}
}

// Attack 110: nodes that start together on an empty database.
func TestEnsureRace(t *testing.T) {
	m := &memory{}
	keyring := newKeyring(t, "s")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			k := &keys.Keeper{Store: m, Keyring: keyring, Now: time.Now}
			if err := k.Ensure(t.Context(), actor); err != nil {
				t.Error(err)
			}
			s, err := keys.NewRing(m, keyring).Current(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Signer(keys.ES256); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(m.records) != 8 || len(m.events) != 8 {
		t.Fatalf("%d keys, %d events", len(m.records), len(m.events))
	}
	for _, algorithm := range keys.Algorithms() {
		m.one(t, algorithm, keys.Active)
		m.one(t, algorithm, keys.Next)
	}
}

// Attacks 109 and 112: no key is ever replaced because it is missing or does not
// open.
func TestNeverMadeAnew(t *testing.T) {
	flip := func(b []byte) []byte {
		b = append([]byte{}, b...)
		b[len(b)/2] ^= 1
		return b
	}
	tests := map[string]struct {
		edit  func(r *keys.Record)
		want  error
		words string
	}{
		"sealed damaged":    {func(r *keys.Record) { r.Sealed = flip(r.Sealed) }, keys.ErrCannotOpen, "GATEHOUSE_SECRET"},
		"sealed lost":       {func(r *keys.Record) { r.Sealed = nil }, keys.ErrCannotOpen, ""},
		"public damaged":    {func(r *keys.Record) { r.Public = r.Public[1:] }, keys.ErrDamaged, ""},
		"kid changed":       {func(r *keys.Record) { r.KID = "otherkid" }, keys.ErrDamaged, ""},
		"state unknown":     {func(r *keys.Record) { r.State = "lost" }, keys.ErrDamaged, ""},
		"active key gone":   {func(r *keys.Record) { r.State = keys.Gone }, keys.ErrNoKey, keys.ES256},
		"algorithm changed": {func(r *keys.Record) { r.Algorithm = keys.EdDSA }, keys.ErrDamaged, ""},
		"other algorithm":   {func(r *keys.Record) { r.Algorithm, r.State = keys.EdDSA, keys.Retiring }, keys.ErrDamaged, ""},
		"retiring damaged":  {func(r *keys.Record) { r.State, r.Public = keys.Retiring, nil }, keys.ErrDamaged, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			victim := h.one(t, keys.ES256, keys.Active).KID
			h.edit(func(records []keys.Record) []keys.Record {
				for i := range records {
					if records[i].KID == victim {
						tt.edit(&records[i])
					}
				}
				return records
			})
			change := h.change
			_, rotateErr := h.keeper.Rotate(t.Context(), actor, keys.ES256, false)
			_, tendErr := h.keeper.Tend(t.Context(), actor)
			for _, err := range []error{h.keeper.Ensure(t.Context(), actor), tendErr, rotateErr} {
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) {
					t.Errorf("error %v, want %v", err, tt.want)
				}
			}
			if h.change != change {
				t.Error("something was written")
			}
		})
	}
}

// The public half of one key beside the private half of another would publish what
// verifies nothing.
func TestSwappedHalves(t *testing.T) {
	h := newHouse(t)
	other := emptyHouse(t)
	if err := other.keeper.Ensure(t.Context(), actor); err != nil {
		t.Fatal(err)
	}
	foreign := other.one(t, keys.ES256, keys.Active)
	h.edit(func(records []keys.Record) []keys.Record {
		for i, r := range records {
			if r.Algorithm == keys.ES256 && r.State == keys.Active {
				r.Public = []byte(strings.ReplaceAll(string(foreign.Public), foreign.KID, r.KID))
				records[i] = r
			}
		}
		return records
	})
	if _, err := h.ring.Current(t.Context()); !errors.Is(err, keys.ErrDamaged) {
		t.Fatal(err)
	}
	// A sealed key moved to another row does not open there.
	h = newHouse(t)
	h.edit(func(records []keys.Record) []keys.Record {
		var es []int
		for i, r := range records {
			if r.Algorithm == keys.ES256 {
				es = append(es, i)
			}
		}
		a, b := es[0], es[1]
		records[a].Sealed, records[b].Sealed = records[b].Sealed, records[a].Sealed
		return records
	})
	if _, err := h.ring.Current(t.Context()); !errors.Is(err, keys.ErrCannotOpen) {
		t.Fatal(err)
	}
}

func TestRotate(t *testing.T) {
	h := newHouse(t)
	first, second := h.one(t, keys.ES256, keys.Active), h.one(t, keys.ES256, keys.Next)
	h.pass(time.Second)
	// The first keys were published together, so no cache has one without the other.
	changes, err := h.keeper.Rotate(t.Context(), actor, keys.ES256, false)
	if err != nil {
		t.Fatal(err)
	}
	third := h.one(t, keys.ES256, keys.Next)
	want := []keys.Change{
		{KID: first.KID, Algorithm: keys.ES256, From: keys.Active, To: keys.Retiring},
		{KID: second.KID, Algorithm: keys.ES256, From: keys.Next, To: keys.Active},
		{KID: third.KID, Algorithm: keys.ES256, To: keys.Next},
	}
	if d := cmp.Diff(want, changes); d != "" {
		t.Fatal(d)
	}
	now := h.now().UnixMilli()
	retired, active := h.one(t, keys.ES256, keys.Retiring), h.one(t, keys.ES256, keys.Active)
	if retired.RetiredAt != now || len(retired.Sealed) != 0 || active.ActivatedAt != now || third.PublishedAt != now {
		t.Errorf("%+v\n%+v\n%+v", retired, active, third)
	}
	if n := len(h.in(keys.RS256, keys.Retiring)); n != 0 {
		t.Errorf("RS256 rotated too")
	}
	last := h.events[len(h.events)-1]
	if last.Action != "key.rotate" || last.TargetID != second.KID || last.Details["retired"] != first.KID {
		t.Errorf("event %+v", last)
	}

	// Now caches may hold the set without the third.
	h.pass(keys.DefaultJWKSMaxAge - time.Millisecond)
	_, err = h.keeper.Rotate(t.Context(), actor, keys.ES256, false)
	if !errors.Is(err, keys.ErrNextTooYoung) || !strings.Contains(err.Error(), "2026-11-22T12:05:01Z") {
		t.Fatalf("a young key was made active: %v", err)
	}
	// All or none: the other algorithms' first pairs could rotate.
	if _, err = h.keeper.Rotate(t.Context(), actor, "", false); !errors.Is(err, keys.ErrNextTooYoung) {
		t.Fatal(err)
	}
	if n := len(h.in(keys.RS256, keys.Retiring)); n != 0 {
		t.Errorf("a refused rotation rotated RS256")
	}
	if _, err = h.keeper.Rotate(t.Context(), actor, keys.ES256, true); err != nil {
		t.Fatalf("force: %v", err)
	}
	h.pass(keys.DefaultJWKSMaxAge)
	if changes, err = h.keeper.Rotate(t.Context(), actor, "", false); err != nil || len(changes) != 12 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	if _, err = h.keeper.Rotate(t.Context(), actor, "HS256", true); !errors.Is(err, keys.ErrUnknownAlgorithm) {
		t.Fatal(err)
	}
}

// What Due tells is what Rotate and Tend do.
func TestDue(t *testing.T) {
	h := newHouse(t)
	first, begin := h.one(t, keys.ES256, keys.Next), h.now().UnixMilli()
	if due := h.keeper.Due(h.records); due[first.KID] != begin || len(due) != 8 {
		t.Errorf("of a first pair: %d, of %d keys", due[first.KID]-begin, len(due))
	}
	h.pass(time.Hour)
	if _, err := h.keeper.Rotate(t.Context(), actor, keys.ES256, false); err != nil {
		t.Fatal(err)
	}
	now, due := h.now().UnixMilli(), h.keeper.Due(h.records)
	for state, want := range map[keys.State]time.Duration{
		keys.Next: keys.DefaultJWKSMaxAge, keys.Active: keys.DefaultRotateEvery, keys.Retiring: keys.DefaultRetireAfter,
	} {
		if got := due[h.one(t, keys.ES256, state).KID] - now; got != want.Milliseconds() {
			t.Errorf("%s: in %d ms, want %s", state, got, want)
		}
	}
}

// Only the very first pair may rotate young: in these two cases the next key is as
// old as the active one or alone with it, and caches lack it nevertheless.
func TestYoungNextThatLooksLikeTheFirst(t *testing.T) {
	h := newHouse(t)
	lost := h.one(t, keys.ES256, keys.Next).KID
	h.edit(func(records []keys.Record) []keys.Record {
		return slices.DeleteFunc(records, func(r keys.Record) bool { return r.KID == lost })
	})
	h.pass(time.Hour)
	if err := h.keeper.Ensure(t.Context(), actor); err != nil {
		t.Fatal(err)
	}
	if _, err := h.keeper.Rotate(t.Context(), actor, keys.ES256, false); !errors.Is(err, keys.ErrNextTooYoung) {
		t.Errorf("next published an hour after the active one: %v", err)
	}

	lost = h.one(t, keys.EdDSA, keys.Next).KID
	h.edit(func(records []keys.Record) []keys.Record {
		return slices.DeleteFunc(records, func(r keys.Record) bool { return r.KID == lost })
	})
	if _, err := h.keeper.Rotate(t.Context(), actor, keys.EdDSA, true); err != nil {
		t.Fatal(err)
	}
	if err := h.keeper.Ensure(t.Context(), actor); err != nil {
		t.Fatal(err)
	}
	if a, n := h.one(t, keys.EdDSA, keys.Active), h.one(t, keys.EdDSA, keys.Next); a.PublishedAt != n.PublishedAt {
		t.Fatal("not the case that is meant")
	}
	if _, err := h.keeper.Rotate(t.Context(), actor, keys.EdDSA, false); !errors.Is(err, keys.ErrNextTooYoung) {
		t.Errorf("published with the active one, after a retiring one: %v", err)
	}
}

func TestTwoActiveKeysAreDamage(t *testing.T) {
	h := newHouse(t)
	h.edit(func(records []keys.Record) []keys.Record {
		for i := range records {
			if records[i].Algorithm == keys.ES256 {
				records[i].State = keys.Active
			}
		}
		return records
	})
	if _, err := h.ring.Current(t.Context()); !errors.Is(err, keys.ErrDamaged) {
		t.Fatal(err)
	}
}

func TestForceMendsLostActiveKey(t *testing.T) {
	for _, nextToo := range []bool{false, true} {
		h := newHouse(t)
		h.edit(func(records []keys.Record) []keys.Record {
			for i := range records {
				if records[i].Algorithm == keys.RS256 && (nextToo || records[i].State == keys.Active) {
					records[i].State = keys.Gone
				}
			}
			return records
		})
		if _, err := h.keeper.Rotate(t.Context(), actor, keys.RS256, true); err != nil {
			t.Fatal(err)
		}
		if err := h.keeper.Ensure(t.Context(), actor); err != nil {
			t.Fatal(err)
		}
		h.one(t, keys.RS256, keys.Active)
		h.one(t, keys.RS256, keys.Next)
	}
}

func TestTend(t *testing.T) {
	h := newHouse(t)
	tend := func(want int) {
		t.Helper()
		changes, err := h.keeper.Tend(t.Context(), actor)
		if err != nil || len(changes) != want {
			t.Fatalf("%d changes %v, %v; want %d", len(changes), changes, err, want)
		}
	}
	tend(0)
	h.pass(keys.DefaultRotateEvery - time.Millisecond)
	tend(0)
	h.pass(time.Millisecond)
	tend(12)
	tend(0)
	h.pass(keys.DefaultRetireAfter - time.Millisecond)
	tend(0)
	if s := h.set(t); len(members(t, s)) != 12 {
		t.Fatalf("%d keys published", len(members(t, s)))
	}
	h.pass(time.Millisecond)
	tend(4)
	if s := h.set(t); len(members(t, s)) != 8 {
		t.Fatalf("%d keys published", len(members(t, s)))
	}
	for _, algorithm := range keys.Algorithms() {
		if gone := h.one(t, algorithm, keys.Gone); gone.GoneAt != h.now().UnixMilli() || len(gone.Sealed) != 0 {
			t.Errorf("%+v", gone)
		}
	}
	// A next key that vanished is made again.
	h.edit(func(records []keys.Record) []keys.Record {
		for i := range records {
			if records[i].Algorithm == keys.EdDSA && records[i].State == keys.Next {
				records[i].State = keys.Gone
			}
		}
		return records
	})
	tend(1)
	h.one(t, keys.EdDSA, keys.Next)
}

func TestTendRace(t *testing.T) {
	h := newHouse(t)
	h.pass(keys.DefaultRotateEvery)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := h.keeper.Tend(t.Context(), actor); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, algorithm := range keys.Algorithms() {
		h.one(t, algorithm, keys.Active)
		h.one(t, algorithm, keys.Next)
		h.one(t, algorithm, keys.Retiring)
	}
}

func BenchmarkFirstEnsure(b *testing.B) {
	for b.Loop() {
		k := &keys.Keeper{Store: &memory{}, Keyring: newKeyring(b, "s"), Now: time.Now}
		if err := k.Ensure(b.Context(), actor); err != nil {
			b.Fatal(err)
		}
	}
}
