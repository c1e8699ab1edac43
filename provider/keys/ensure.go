package keys

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Ensure makes the keys that are missing: an active and a next one for an
// algorithm that never had any, a next one where it is missing. When all exist it
// reads once and writes nothing. Several nodes may call it at their first start;
// one set of keys results.
//
// It fails, and makes nothing, if a key that exists cannot be used (ErrCannotOpen,
// ErrDamaged), or if an algorithm has keys and none is active (ErrNoKey): Rotate
// with force mends the latter.
func (k *Keeper) Ensure(ctx context.Context, actor audit.Actor) error {
	_, err := k.ensure(ctx, actor)
	return err
}

func (k *Keeper) ensure(ctx context.Context, actor audit.Actor) ([]Change, error) {
	records, _, err := k.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	wanted, err := k.missing(records)
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	var algorithms []string
	for _, w := range wanted {
		algorithms = append(algorithms, w.algorithm)
	}
	fresh, err := k.generateAll(ctx, algorithms)
	if err != nil {
		return nil, err
	}
	return k.change(ctx, actor, func(records []Record, p *plan) error {
		wanted, err := k.missing(records)
		if err != nil {
			return err
		}
		now := k.now()
		for _, w := range wanted {
			// None left: it went missing since we looked. The next Tend sees to it.
			if r, ok := fresh.take(w.algorithm, w.state, now); ok {
				p.note("key.create", r, "", r.State, map[string]any{"state": string(r.State)})
				p.insert(r)
			}
		}
		return nil
	}, nil)
}

type want struct {
	algorithm string
	state     State
}

func (k *Keeper) missing(records []Record) ([]want, error) {
	if _, err := newSet(records, 0, k.Keyring, nil); err != nil {
		return nil, err
	}
	var wanted []want
	for _, algorithm := range Algorithms() {
		switch h := holdersOf(records, algorithm); {
		case h.none():
			wanted = append(wanted, want{algorithm, Active}, want{algorithm, Next})
		case h.active == nil:
			return nil, fmt.Errorf("%w for %s, although it has had keys", ErrNoKey, algorithm)
		case h.next == nil:
			wanted = append(wanted, want{algorithm, Next})
		}
	}
	return wanted, nil
}
