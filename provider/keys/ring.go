package keys

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Ring keeps the parsed keys of one node in memory and true to the store. It is
// safe for concurrent use.
type Ring struct {
	source  Source
	keyring *secret.Keyring
	loaded  atomic.Pointer[Set]
	turn    chan struct{} // holds one: only one reload at a time
}

// NewRing returns a Ring that has read nothing yet.
func NewRing(source Source, keyring *secret.Keyring) *Ring {
	return &Ring{source: source, keyring: keyring, turn: make(chan struct{}, 1)}
}

// At returns the keys as they are at the given change, which the caller has just
// read with the other inputs of its decision, or newer ones. While nothing has
// changed it takes no lock. Errors: ErrCannotOpen, ErrDamaged, those of the store;
// then nothing can be signed or verified, which is temporarily_unavailable.
func (r *Ring) At(ctx context.Context, change int64) (*Set, error) {
	// Not "at least this change": a restored database counts from below, and what
	// was read before it must not stay.
	if s := r.loaded.Load(); s != nil && s.change == change {
		return s, nil
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for signing keys: %w", ctx.Err())
	}
	known := r.loaded.Load()
	if known != nil && known.change == change {
		return known, nil // another caller has read it meanwhile
	}
	records, at, err := r.source.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	s, err := newSet(records, at, r.keyring, known)
	if err != nil {
		return nil, err
	}
	r.loaded.Store(s)
	return s, nil
}

// Current asks the store for its change first. Errors are those of At.
func (r *Ring) Current(ctx context.Context) (*Set, error) {
	change, err := r.source.Change(ctx)
	if err != nil {
		return nil, fmt.Errorf("read change of signing keys: %w", err)
	}
	return r.At(ctx, change)
}
