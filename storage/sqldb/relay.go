package sqldb

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation/relay"
)

var _ relay.Store = (*DB)(nil)

const (
	ensureRelay = `INSERT INTO relays (name, position) SELECT $1, h.position FROM ledger_head AS h WHERE h.id = 1
ON CONFLICT DO NOTHING`
	relayState    = `SELECT r.position, h.position FROM relays AS r CROSS JOIN ledger_head AS h WHERE r.name = $1 AND h.id = 1`
	lockRelayText = `SELECT r.position FROM relays AS r WHERE r.name = $1%s`
	// Never back: a row is passed on once.
	moveRelay = `UPDATE relays SET position = $2 WHERE name = $1 AND position <= $2`
	leastMost = `SELECT COALESCE(min(position), $1) FROM relays`
)

// EnsureRelay implements relay.Store. The counter is read without a lock: what
// commits after the read has a higher position, and is passed on.
func (d *DB) EnsureRelay(ctx context.Context, name string) error {
	if _, err := d.exec(ctx, ensureRelay, name); err != nil {
		return fmt.Errorf("make relay %s: %w", name, err)
	}
	return nil
}

// RelayState implements relay.Store.
func (d *DB) RelayState(ctx context.Context, name string) (position, head int64, err error) {
	if err := d.queryRow(ctx, relayState, []any{name}, &position, &head); err != nil {
		return 0, 0, fmt.Errorf("state of relay %s: %w", name, err)
	}
	return position, head, nil
}

// LockRelay implements relay.Store.
func (d *DB) LockRelay(ctx context.Context, name string) (position int64, ok bool, err error) {
	if d.txOf(ctx) == nil {
		return 0, false, errLockOutsideTx
	}
	text := fmt.Sprintf(lockRelayText, d.either(" FOR UPDATE SKIP LOCKED", ""))
	err = d.queryRow(ctx, text, []any{name}, &position)
	if errors.Is(err, accounts.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("lock relay %s: %w", name, err)
	}
	return position, true, nil
}

// MoveRelay implements relay.Store.
func (d *DB) MoveRelay(ctx context.Context, name string, position int64) error {
	if err := d.touched(ctx, moveRelay, name, position); err != nil {
		return fmt.Errorf("move relay %s: %w", name, err)
	}
	return nil
}

// relayed returns the position up to which every relay has passed the ledger on.
func (d *DB) relayed(ctx context.Context) (int64, error) {
	var position int64
	if err := d.queryRow(ctx, leastMost, []any{int64(math.MaxInt64)}, &position); err != nil {
		return 0, fmt.Errorf("slowest relay: %w", err)
	}
	return position, nil
}
