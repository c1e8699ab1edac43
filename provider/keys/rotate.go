package keys

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Rotate makes the next key of the algorithm the active one, retires the active
// one and publishes a new next one. An empty algorithm means all; then either all
// rotate or none.
//
// It refuses with ErrNextTooYoung while caches of the JWKS may lack the next key,
// and says when it will not; force rotates nevertheless, and also mends an
// algorithm that has lost its active key.
func (k *Keeper) Rotate(ctx context.Context, actor audit.Actor, algorithm string, force bool) ([]Change, error) {
	algorithms := Algorithms()
	if algorithm != "" {
		if !slices.Contains(algorithms, algorithm) {
			return nil, fmt.Errorf("%w %q", ErrUnknownAlgorithm, algorithm)
		}
		algorithms = []string{algorithm}
	}
	if err := k.readable(ctx, ""); err != nil {
		return nil, err
	}
	fresh, err := k.generateAll(ctx, algorithms)
	if err != nil {
		return nil, err
	}
	return k.change(ctx, actor, func(records []Record, p *plan) error {
		for _, a := range algorithms {
			if err := k.planRotation(records, a, force, fresh, p); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// readable refuses to make keys under a secret that does not open those that
// exist: every other node would be lost with them. One key may be excepted.
func (k *Keeper) readable(ctx context.Context, except string) error {
	records, _, err := k.Store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	records = slices.DeleteFunc(records, func(r Record) bool { return r.KID == except })
	_, err = newSet(records, 0, k.Keyring, nil)
	return err
}

func (k *Keeper) planRotation(records []Record, algorithm string, force bool, fresh *pool, p *plan) error {
	h := holdersOf(records, algorithm)
	now := k.now()
	switch {
	case h.active == nil && !force:
		return fmt.Errorf("%w for %s", ErrNoKey, algorithm)
	case h.next == nil && !force:
		return fmt.Errorf("%s has no next key to rotate to", algorithm)
	case !force && now < k.ripeAt(h):
		return fmt.Errorf("%w: %s of %s may sign from %s on", ErrNextTooYoung, h.next.KID, algorithm,
			time.UnixMilli(k.ripeAt(h)).UTC().Format(time.RFC3339))
	}
	state := Next
	if h.next == nil {
		state = Active // forced; Ensure makes the next one
	}
	made, ok := fresh.take(algorithm, state, now)
	if !ok {
		return fmt.Errorf("no fresh %s key was made", algorithm)
	}
	details := map[string]any{"made": made.KID, "forced": force}
	if h.active != nil {
		details["retired"] = h.active.KID
		p.move(*h.active, Retiring, now)
	}
	signs, was := made, State("")
	if h.next != nil {
		signs, was = *h.next, Next
		p.move(signs, Active, now)
	}
	p.note("key.rotate", signs, was, Active, details)
	p.insert(made)
	return nil
}

// ripeAt is when every cache of the JWKS has the next key. The first keys of an
// algorithm are published together: who lacks the next one lacks the active one
// too, and has to fetch anyway.
func (k *Keeper) ripeAt(h holders) int64 {
	firstPair := h.active != nil && h.active.PublishedAt == h.next.PublishedAt &&
		len(h.retiring) == 0 && h.gone == 0
	if firstPair {
		return h.next.PublishedAt
	}
	return h.next.PublishedAt + k.jwksMaxAge()
}

// Due returns when each key comes to its next state, by kid, in Unix milliseconds: from
// when on the next key may sign unforced, until when the active one signs if nobody
// rotates before, and until when a retiring one is needed to verify.
func (k *Keeper) Due(records []Record) map[string]int64 {
	due := map[string]int64{}
	for _, algorithm := range Algorithms() {
		h := holdersOf(records, algorithm)
		if h.next != nil {
			due[h.next.KID] = k.ripeAt(h)
		}
		if h.active != nil {
			due[h.active.KID] = h.active.ActivatedAt + k.rotateEvery()
			if h.next != nil {
				due[h.active.KID] = max(due[h.active.KID], due[h.next.KID])
			}
		}
		for _, r := range h.retiring {
			due[r.KID] = r.RetiredAt + k.retireAfter()
		}
	}
	return due
}
