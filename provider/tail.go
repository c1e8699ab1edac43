package provider

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Tail is this node's picture of the ledger; revocation.Tail is one.
type Tail interface {
	// Point is a moment that the database confirmed at most three seconds ago and
	// that takes in all this process has written. Errors: revocation.ErrStale,
	// revocation.ErrLost, and the context's.
	Point(ctx context.Context) (revocation.Point, error)
	// Last is the last moment known, however old.
	Last() revocation.Point
	// Check refuses with revocation.ErrLost a position that a statement returned
	// if it lies before what Last was before that statement. Of one that lies ahead
	// it takes note.
	Check(before revocation.Point, position int64) error
	// Query prepares the question of Revoked; it can be kept with the token.
	Query(k revocation.Keys) revset.Query
	// Revoked answers from memory while the tail is confirmed, else from the
	// database; only then it asks for the keys.
	Revoked(ctx context.Context, q *revset.Query, keys func() revocation.Keys) (bool, error)
}

// moment is where the ledger stands for a request that has no other reason to ask
// the database: as the tail knows it, or, while it was not confirmed lately (L5),
// read there.
func (p *Provider) moment(ctx context.Context) (accounts.Mark, error) {
	if p.Tail != nil {
		point, err := p.Tail.Point(ctx)
		if err == nil {
			return accounts.Mark{Position: point.Position, Change: point.Change}, nil
		}
		if !errors.Is(err, revocation.ErrStale) {
			return accounts.Mark{}, unavailable(err)
		}
	}
	var mark accounts.Mark
	err := p.statement(func() (accounts.Mark, error) {
		head, err := p.Ledger.Head(ctx)
		if err != nil {
			return mark, unavailable(err)
		}
		mark = accounts.Mark{Position: head.Position, Change: head.Change}
		return mark, nil
	})
	return mark, err
}

// statement runs one that reads what something is decided by. A database that
// answers from before what this node has seen of it has lost a part of the ledger,
// and nothing is decided by what it says (L8). One that is ahead makes the tail look,
// or this node would be the first to refuse the token (L18).
func (p *Provider) statement(read func() (accounts.Mark, error)) error {
	if p.Tail == nil {
		_, err := read()
		return err
	}
	before := p.Tail.Last()
	mark, err := read()
	if err != nil {
		return err
	}
	if err := p.Tail.Check(before, mark.Position); err != nil {
		return unavailable(err)
	}
	return nil
}

// revoked asks the ledger about a token.
func (p *Provider) revoked(ctx context.Context, t *knownToken) (bool, error) {
	if p.Tail == nil {
		return p.Ledger.Revoked(ctx, t.keys())
	}
	return p.Tail.Revoked(ctx, &t.query, t.keys)
}
