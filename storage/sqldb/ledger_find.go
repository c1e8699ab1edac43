package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	rowColumns = `SELECT position, kind, key, audience, reason, at, expires_at FROM revocations`
	rowAt      = rowColumns + ` WHERE position = $1`
	newestRow  = rowColumns + ` WHERE key = $1 AND kind = $2 ORDER BY position DESC LIMIT 1`
	// Rows that only hold a stamp have no key either.
	rowsOf = rowColumns + ` WHERE key IN strings($1) AND (key <> '' OR kind = 'all') ORDER BY position DESC LIMIT $2`

	relayList     = `SELECT name, position FROM relays ORDER BY name`
	writtenBefore = `SELECT EXISTS (SELECT 1 FROM revocations WHERE position > $1 AND at < $2)`
)

// RowAt returns the ledger's row at a position, or accounts.ErrNotFound when it
// was dropped or never written.
func (d *DB) RowAt(ctx context.Context, position int64) (revocation.Row, error) {
	return d.oneRow(ctx, rowAt, position)
}

// NewestRow returns the newest row of a kind with a key, or accounts.ErrNotFound.
func (d *DB) NewestRow(ctx context.Context, kind revocation.Kind, key string) (revocation.Row, error) {
	return d.oneRow(ctx, newestRow, key, kind)
}

// RowsOf returns the rows with one of the keys, of whatever kind, newest first; the
// empty key finds those of the kind All.
func (d *DB) RowsOf(ctx context.Context, keys []string, limit int) ([]revocation.Row, error) {
	var rows []revocation.Row
	err := d.query(ctx, rowsOf, func(row scanner) error {
		var r revocation.Row
		err := row.Scan(&r.Position, &r.Kind, &r.Key, &r.Audience, &r.Reason, &r.At, &r.ExpiresAt)
		rows = append(rows, r)
		return err
	}, keys, limit)
	if err != nil {
		return nil, fmt.Errorf("find rows of the ledger: %w", err)
	}
	return rows, nil
}

func (d *DB) oneRow(ctx context.Context, sql string, args ...any) (revocation.Row, error) {
	var r revocation.Row
	err := d.queryRow(ctx, sql, args, &r.Position, &r.Kind, &r.Key, &r.Audience, &r.Reason, &r.At, &r.ExpiresAt)
	if err != nil {
		return r, fmt.Errorf("find a row of the ledger: %w", err)
	}
	return r, nil
}

// Relays returns how far each relay has passed the ledger on, by name.
func (d *DB) Relays(ctx context.Context) (map[string]int64, error) {
	relays := map[string]int64{}
	err := d.query(ctx, relayList, func(row scanner) error {
		var name string
		var position int64
		err := row.Scan(&name, &position)
		relays[name] = position
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list relays: %w", err)
	}
	return relays, nil
}

// WrittenBefore reports whether a row above a position was written before a time,
// in Unix milliseconds: who is at that position is behind by more than that.
func (d *DB) WrittenBefore(ctx context.Context, position, before int64) (bool, error) {
	var found bool
	if err := d.queryRow(ctx, writtenBefore, []any{position, before}, &found); err != nil {
		return false, fmt.Errorf("look for older rows of the ledger: %w", err)
	}
	return found, nil
}
