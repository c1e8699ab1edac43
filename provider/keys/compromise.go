package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Compromise removes a key at once, whatever its state, and revokes all that it
// has signed. If it was the active one, the next one signs from now on, however
// young: a client that does not know it fetches the JWKS again. A key that is
// already gone is revoked nevertheless. Errors: ErrUnknownKey and those of Rotate.
func (k *Keeper) Compromise(ctx context.Context, actor audit.Actor, kid, reason string) ([]Change, error) {
	if k.Revoke == nil {
		return nil, errors.New("compromised key cannot be revoked: no ledger")
	}
	records, _, err := k.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	r, err := find(records, kid)
	if err != nil {
		return nil, err
	}
	fresh := &pool{}
	if r.State == Next || r.State == Active {
		// The key itself may be damaged: this is how it is got rid of.
		if err := k.readable(ctx, kid); err != nil {
			return nil, err
		}
		if fresh, err = k.generateAll(ctx, []string{r.Algorithm}); err != nil {
			return nil, err
		}
	}
	return k.change(ctx, actor, func(records []Record, p *plan) error {
		return k.planRemoval(records, kid, reason, fresh, p)
	}, func(ctx context.Context) error {
		if err := k.Revoke(ctx, kid, reason); err != nil {
			return fmt.Errorf("revoke key %s: %w", kid, err)
		}
		return nil
	})
}

func (k *Keeper) planRemoval(records []Record, kid, reason string, fresh *pool, p *plan) error {
	r, err := find(records, kid)
	if err != nil {
		return err
	}
	p.note("key.compromise", r, r.State, Gone, map[string]any{"reason": reason, "state": string(r.State)})
	if r.State == Gone {
		return nil
	}
	now := k.now()
	h := holdersOf(records, r.Algorithm)
	p.move(r, Gone, now)
	successor := Next
	switch {
	case r.State == Retiring:
		return nil
	case r.State == Active && h.next != nil:
		p.move(*h.next, Active, now)
	case r.State == Active:
		successor = Active
	}
	// None left: a rotation since we looked has made it active, or next. Ensure
	// makes the missing next one.
	if next, ok := fresh.take(r.Algorithm, successor, now); ok {
		p.insert(next)
	} else if successor == Active {
		return fmt.Errorf("key %s changed meanwhile; try again", kid)
	}
	return nil
}

func find(records []Record, kid string) (Record, error) {
	for _, r := range records {
		if r.KID == kid {
			return r, nil
		}
	}
	return Record{}, fmt.Errorf("%w %q", ErrUnknownKey, kid)
}
