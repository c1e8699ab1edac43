package statuslist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	// blockSize is how many indexes are taken from the database at once. Size is
	// a multiple of it.
	blockSize = 256
	// blockLife is how long a node uses a block: lists are forgotten a day after
	// the last block was taken from them.
	blockLife = 10 * time.Minute
)

// use is what shares lists: a verifier of an API need not know other algorithms
// than those of the tokens that it checks.
type use struct{ audience, algorithm string }

// block is indexes that this node has taken and not yet given.
type block struct {
	turn  chan struct{} // holds one: who takes from the block
	next  Place
	left  int
	until time.Time
}

// Place writes down a token that is about to be signed, and returns the list and
// the index that it must name. expiresAt is the token's.
func (l *Lists) Place(ctx context.Context, audience, algorithm string, k revocation.Keys, expiresAt time.Time) (uri string, index int64, err error) {
	u := use{audience, algorithm}
	// The first try fails if the list was retired; a new one is made for the next.
	for range 3 {
		var at Place
		if at, err = l.take(ctx, u); err != nil {
			return "", 0, fmt.Errorf("take an index: %w", err)
		}
		err = l.Store.InsertStatusEntry(ctx, Entry{Place: at, Keys: k, ExpiresAt: expiresAt.UnixMilli()})
		switch {
		case err == nil:
			return l.uri(at.List), at.Index, nil
		case errors.Is(err, accounts.ErrNotFound), errors.Is(err, accounts.ErrConflict):
			// A list was retired, or a restored database counts again.
			l.Log.WarnContext(ctx, "a place in a status list was not free; another is taken", "list", name(at.List), "error", err)
			l.drop(u, at.List)
		default:
			return "", 0, fmt.Errorf("keep a token's place: %w", err)
		}
	}
	return "", 0, fmt.Errorf("keep a token's place: %w", err)
}

// take gives the next index of the node's block, and takes another block when it
// is used up.
func (l *Lists) take(ctx context.Context, u use) (Place, error) {
	b := l.block(u)
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return Place{}, ctx.Err()
	}
	now := l.Now()
	if b.left == 0 || !now.Before(b.until) {
		first, err := l.Store.TakeStatusIndexes(ctx, u.audience, u.algorithm, blockSize)
		if err != nil {
			return Place{}, err
		}
		b.next, b.left, b.until = first, blockSize, now.Add(blockLife)
	}
	at := b.next
	b.next.Index++
	b.left--
	return at, nil
}

func (l *Lists) block(u use) *block {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.blocks[u]
	if b == nil {
		if l.blocks == nil {
			l.blocks = map[use]*block{}
		}
		b = &block{turn: make(chan struct{}, 1)}
		l.blocks[u] = b // as many as operators made APIs
	}
	return b
}

// drop forgets what is left of a block of a list.
func (l *Lists) drop(u use, list int64) {
	b := l.block(u)
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	if b.next.List == list {
		b.left = 0
	}
}
