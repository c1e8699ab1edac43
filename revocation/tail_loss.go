package revocation

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/resource/revset"
)

// doubt decides what to do about a history of which nothing shows that it is the
// one known here. Another node may have repaired a loss, without the causes that
// this node alone had been told of; else it is enough to read everything anew. A
// token's own row is no cause for it: every repair makes all tokens refresh. The
// caller has the turn.
func (t *Tail) doubt(ctx context.Context) error {
	have, err := t.all(ctx, t.mirror.Kept())
	if err != nil {
		return err
	}
	for _, r := range t.mirror.Missing(have) {
		switch r.Kind {
		case Session, Grant, User, Client, Key:
			if r.Key != "" { // else it is a stamp's
				return t.recover(ctx, r.Position)
			}
		}
	}
	return t.rebuild(ctx)
}

// recover lets a loss be repaired and begins anew. The caller has the turn.
func (t *Tail) recover(ctx context.Context, position int64) error {
	t.show(t.mirror, true)
	position = max(position, t.mirror.Point().Position, t.wrote.Load().Position)
	if t.Lost == nil {
		return ErrLost
	}
	have, err := t.all(ctx, t.mirror.Kept())
	if err != nil {
		return err
	}
	if err := t.Lost(ctx, position, t.mirror.Missing(have)); err != nil {
		return fmt.Errorf("%w: repair: %w", ErrLost, err)
	}
	// The database counts on above the loss; what this process wrote before it is
	// among what was repaired.
	t.wrote.Store(&Head{})
	if err := t.rebuild(ctx); err != nil {
		return err
	}
	if now := t.mirror.Point().Position; now <= position {
		t.show(t.mirror, true)
		return fmt.Errorf("%w: the head is at %d after the repair, not above %d", ErrLost, now, position)
	}
	return nil
}

// Check refuses a decision that was read from a database which lies behind what
// this node knew before it read: before is what Last returned then. Errors:
// ErrLost.
func (t *Tail) Check(before Point, position int64) error {
	s := t.state.Load()
	if s.lost || position < before.Position && before.Timeline == s.point.Timeline {
		t.Hint()
		return ErrLost
	}
	if position > s.point.Position {
		t.Hint() // (L18)
	}
	return nil
}

// Evidence says that somebody proves to have been told a position, with the chain
// hash there if it is known. It looks at the primary, and reports whether that
// shows the same history up to there. If it shows another one, and no row of kind
// All above the position says that this was found before, the ledger was lost, and
// is repaired. Callers must have proven that the evidence is our own (L8). Errors:
// ErrLost if it could not be repaired, those of the database.
func (t *Tail) Evidence(ctx context.Context, position int64, chain []byte) (bool, error) {
	if err := t.Look(ctx); err != nil {
		return false, err
	}
	if p := t.Last(); p.Position == position && bytes.Equal(p.Chain, chain) {
		return true, nil
	}
	// Without the turn: many may come with evidence, and nearly all of it is sound.
	if v, err := t.compare(ctx, position, chain); err != nil || v != contradicted {
		return v == shown, err
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-t.turn }()
	// Somebody else may have repaired it meanwhile.
	if v, err := t.compare(ctx, position, chain); err != nil || v != contradicted {
		return v == shown, err
	}
	return false, t.recover(context.WithoutCancel(ctx), position)
}

// verdict is what the primary says of evidence.
type verdict int

const (
	unknown      verdict = iota // it cannot tell, or the loss was found before
	shown                       // it shows the same history
	contradicted                // it shows another one, or ends before
)

// compare asks the primary for the hash at a position.
func (t *Tail) compare(ctx context.Context, position int64, chain []byte) (verdict, error) {
	b, err := t.catch(ctx, position, 1)
	if err != nil {
		return unknown, err
	}
	here := b.Chain
	if b.Head.Position == position {
		here = b.Head.Hash
	}
	switch {
	case b.Head.Position < position:
		return contradicted, nil
	case chain == nil || here == nil:
		return unknown, nil
	case bytes.Equal(here, chain):
		return shown, nil
	}
	if kind, ok := t.state.Load().set.Match(&revset.Query{Rev: position}); ok && kind == revset.All {
		return unknown, nil
	}
	return contradicted, nil
}
