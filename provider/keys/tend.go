package keys

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Tend does what is due: it makes missing next keys, rotates what has signed for
// RotateEvery and removes what has retired for RetireAfter. Called on a schedule
// by every node, it reads once and writes nothing while nothing is due.
func (k *Keeper) Tend(ctx context.Context, actor audit.Actor) ([]Change, error) {
	made, err := k.ensure(ctx, actor)
	if err != nil {
		return nil, err
	}
	records, _, err := k.Store.Keys(ctx)
	if err != nil {
		return made, fmt.Errorf("read signing keys: %w", err)
	}
	old, outlived := k.due(records)
	if len(old) == 0 && len(outlived) == 0 {
		return made, nil
	}
	fresh, err := k.generateAll(ctx, old)
	if err != nil {
		return made, err
	}
	changes, err := k.change(ctx, actor, func(records []Record, p *plan) error {
		old, outlived := k.due(records)
		for _, algorithm := range old {
			if len(fresh.byAlgorithm[algorithm]) == 0 {
				continue // fell due since we looked
			}
			if err := k.planRotation(records, algorithm, false, fresh, p); err != nil {
				return err
			}
		}
		now := k.now()
		for _, r := range outlived {
			p.note("key.remove", r, r.State, Gone, nil)
			p.move(r, Gone, now)
		}
		return nil
	}, nil)
	return append(made, changes...), err
}

// due returns the algorithms whose key has signed long enough and whose next one
// is ripe, and the keys that nothing can need any more.
func (k *Keeper) due(records []Record) (old []string, outlived []Record) {
	now := k.now()
	for _, algorithm := range Algorithms() {
		h := holdersOf(records, algorithm)
		if h.active != nil && h.next != nil && now >= h.active.ActivatedAt+k.rotateEvery() && now >= k.ripeAt(h) {
			old = append(old, algorithm)
		}
		for _, r := range h.retiring {
			if now >= r.RetiredAt+k.retireAfter() {
				outlived = append(outlived, r)
			}
		}
	}
	return old, outlived
}
