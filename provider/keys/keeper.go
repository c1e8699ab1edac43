package keys

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// What a Keeper goes by where it is told nothing else.
const (
	DefaultJWKSMaxAge  = 5 * time.Minute
	DefaultRotateEvery = 90 * 24 * time.Hour
	// DefaultRetireAfter is far above the lifetime of a token, because clients
	// send an expired ID token as id_token_hint, and keys of every algorithm sign
	// ID tokens.
	DefaultRetireAfter = 30 * 24 * time.Hour
)

// Keeper makes, rotates and removes keys. All its methods may run on several
// nodes at once.
type Keeper struct {
	Store   Store
	Keyring *secret.Keyring
	Now     func() time.Time

	// JWKSMaxAge is how long others may cache the JWKS document.
	JWKSMaxAge time.Duration
	// RotateEvery is how long a key signs.
	RotateEvery time.Duration
	// RetireAfter is how long a key verifies after its last signature: at least
	// the longest lifetime of a token and JWKSMaxAge together.
	RetireAfter time.Duration

	// Revoke appends a row of kind key to the ledger, inside the transaction.
	Revoke func(ctx context.Context, kid, reason string) error
}

func (k *Keeper) now() int64 { return k.Now().UnixMilli() }

func (k *Keeper) jwksMaxAge() int64 {
	return cmp.Or(k.JWKSMaxAge, DefaultJWKSMaxAge).Milliseconds()
}

func (k *Keeper) rotateEvery() int64 {
	return cmp.Or(k.RotateEvery, DefaultRotateEvery).Milliseconds()
}

func (k *Keeper) retireAfter() int64 {
	return cmp.Or(k.RetireAfter, DefaultRetireAfter).Milliseconds()
}

// plan is what a transaction will do. It is made from the records alone, and
// carried out in one order: the log first, as writing keys moves the counter that
// every node's mint waits for (L21).
type plan struct {
	actor   audit.Actor
	events  []audit.Event
	updates []Record
	inserts []Record
	changes []Change
}

// note tells of a key that comes from one state (empty: it is new) into another.
func (p *plan) note(action string, r Record, from, to State, details map[string]any) {
	if details == nil {
		details = map[string]any{}
	}
	details["algorithm"] = r.Algorithm
	e := audit.Event{
		Actor: p.actor, Action: action, TargetKind: "key", TargetID: r.KID, Details: details,
	}
	if from != to {
		if from != "" {
			e.Before = map[string]any{"state": string(from)}
		}
		e.After = map[string]any{"state": string(to)}
	}
	p.events = append(p.events, e)
}

func (p *plan) insert(r Record) {
	p.inserts = append(p.inserts, r)
	p.changes = append(p.changes, Change{KID: r.KID, Algorithm: r.Algorithm, To: r.State})
}

// move puts a key into a later state. What no longer signs loses its private half.
func (p *plan) move(r Record, to State, now int64) {
	p.changes = append(p.changes, Change{KID: r.KID, Algorithm: r.Algorithm, From: r.State, To: to})
	r.State = to
	switch to {
	case Active:
		r.ActivatedAt = now
	case Retiring:
		r.RetiredAt, r.Sealed = now, []byte{}
	case Gone:
		r.GoneAt, r.Sealed = now, []byte{}
	}
	p.updates = append(p.updates, r)
}

// change makes and carries out a plan under the lock on keys. Updates go before
// inserts, in their order: at no moment has an algorithm two active keys.
func (k *Keeper) change(ctx context.Context, actor audit.Actor, makePlan func(records []Record, p *plan) error, last func(ctx context.Context) error) ([]Change, error) {
	var changes []Change
	err := k.Store.InTx(ctx, func(ctx context.Context) error {
		if err := k.Store.LockKeys(ctx); err != nil {
			return fmt.Errorf("lock: %w", err)
		}
		records, _, err := k.Store.Keys(ctx)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		p := &plan{actor: actor}
		if err := makePlan(records, p); err != nil {
			return err
		}
		changes = p.changes
		if err := k.carryOut(ctx, p); err != nil {
			return err
		}
		if last != nil {
			return last(ctx)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("change signing keys: %w", err)
	}
	return changes, nil
}

func (k *Keeper) carryOut(ctx context.Context, p *plan) error {
	for _, e := range p.events {
		if err := k.Store.WriteAudit(ctx, e); err != nil {
			return fmt.Errorf("write audit: %w", err)
		}
	}
	for _, r := range p.updates {
		if err := k.Store.UpdateKey(ctx, r); err != nil {
			return fmt.Errorf("update key %s: %w", r.KID, err)
		}
	}
	for _, r := range p.inserts {
		if err := k.Store.InsertKey(ctx, r); err != nil {
			return fmt.Errorf("insert key %s: %w", r.KID, err)
		}
	}
	return nil
}

// holders are the keys of one algorithm by what they are for.
type holders struct {
	active, next *Record
	retiring     []Record
	gone         int
}

func (h holders) none() bool {
	return h.active == nil && h.next == nil && len(h.retiring) == 0 && h.gone == 0
}

func holdersOf(records []Record, algorithm string) holders {
	var h holders
	for i := range records {
		r := &records[i]
		if r.Algorithm != algorithm {
			continue
		}
		switch r.State {
		case Active:
			h.active = r
		case Next:
			h.next = r
		case Retiring:
			h.retiring = append(h.retiring, *r)
		case Gone:
			h.gone++
		}
	}
	return h
}
