package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

var (
	_ keys.Store  = (*DB)(nil)
	_ keys.Source = (*DB)(nil)
)

const (
	allKeys = `SELECT h.change, COALESCE(k.kid, ''), COALESCE(k.algorithm, ''), COALESCE(k.state, ''), k.sealed, k.public,
  COALESCE(k.created_at, 0), COALESCE(k.published_at, 0), COALESCE(k.activated_at, 0),
  COALESCE(k.retired_at, 0), COALESCE(k.gone_at, 0)
FROM ledger_head h LEFT JOIN signing_keys k ON true WHERE h.id = 1 ORDER BY k.created_at, k.kid`
	// It lets readers pass and makes other writers wait.
	lockKeys  = `LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE`
	insertKey = `INSERT INTO signing_keys (kid, algorithm, state, sealed, public, created_at, published_at, activated_at,
  retired_at, gone_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`
	updateKey = `UPDATE signing_keys SET state = $2, sealed = $3, public = $4, published_at = $5, activated_at = $6,
  retired_at = $7, gone_at = $8
WHERE kid = $1`
)

// Keys implements keys.Source and keys.Store, in the order of creation.
func (d *DB) Keys(ctx context.Context) ([]keys.Record, int64, error) {
	var records []keys.Record
	var change int64
	err := d.query(ctx, allKeys, func(row scanner) error {
		var r keys.Record
		err := row.Scan(&change, &r.KID, &r.Algorithm, (*string)(&r.State), &r.Sealed, &r.Public,
			&r.CreatedAt, &r.PublishedAt, &r.ActivatedAt, &r.RetiredAt, &r.GoneAt)
		if r.KID != "" {
			records = append(records, r)
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read signing keys: %w", err)
	}
	return records, change, nil
}

// Change implements keys.Source.
func (d *DB) Change(ctx context.Context) (int64, error) {
	h, err := d.Head(ctx)
	return h.Change, err
}

// LockKeys implements keys.Store.
func (d *DB) LockKeys(ctx context.Context) error {
	if d.txOf(ctx) == nil {
		return errLockOutsideTx
	}
	if d.dialect == SQLite {
		return nil // its transaction has locked everything
	}
	if _, err := d.exec(ctx, lockKeys); err != nil {
		return fmt.Errorf("lock signing keys: %w", err)
	}
	return nil
}

// InsertKey implements keys.Store. A kid that is taken is accounts.ErrConflict.
func (d *DB) InsertKey(ctx context.Context, r keys.Record) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.inserted(ctx, insertKey, r.KID, r.Algorithm, string(r.State), notNull(r.Sealed), notNull(r.Public),
			r.CreatedAt, r.PublishedAt, r.ActivatedAt, r.RetiredAt, r.GoneAt)
	})
	if err != nil {
		return fmt.Errorf("insert signing key: %w", err)
	}
	return nil
}

// UpdateKey implements keys.Store; kid, algorithm and CreatedAt stay.
func (d *DB) UpdateKey(ctx context.Context, r keys.Record) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, updateKey, r.KID, string(r.State), notNull(r.Sealed), notNull(r.Public),
			r.PublishedAt, r.ActivatedAt, r.RetiredAt, r.GoneAt)
	})
	if err != nil {
		return fmt.Errorf("update signing key: %w", err)
	}
	return nil
}

// notNull keeps "no bytes" apart from NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
