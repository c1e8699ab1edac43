package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	readHead  = `SELECT position, change, floor, timeline, hash FROM ledger_head WHERE id = 1`
	rowsAfter = `SELECT position, kind, key, audience, reason, at, expires_at FROM revocations
WHERE position > $1 ORDER BY position LIMIT $2`

	// It must agree with revocation.Row.Matches. $2 holds all keys of the token,
	// so that one index finds every candidate; a kind that this code does not know
	// kills everything above rev, found by an index that is empty otherwise.
	isRevoked = `SELECT h.floor > $1 OR EXISTS (
  SELECT 1 FROM revocations AS r WHERE r.key IN strings($2) AND (
    (r.kind = 'token' AND r.key = $3)
    OR (r.kind = 'session' AND r.key = $4 AND r.key <> '')
    OR (r.kind = 'grant' AND r.key = $5 AND r.key <> '')
    OR (r.kind = 'key' AND r.key = $6)
    OR (r.position > $1 AND (
      (r.kind IN ('user', 'membership') AND r.key = $7)
      OR (r.kind = 'client' AND r.key = $8)
      OR (r.kind = 'permission' AND $5 <> '' AND r.key IN strings($9))
      OR (r.kind = 'all' AND (r.audience = '' OR r.audience = $10)))))
) OR EXISTS (
  SELECT 1 FROM revocations AS r WHERE r.position > $1
    AND r.kind NOT IN ('token', 'session', 'grant', 'user', 'membership', 'permission', 'client', 'key', 'all')
)
FROM ledger_head AS h WHERE h.id = 1`
)

// Head reads the counter row.
func (d *DB) Head(ctx context.Context) (revocation.Head, error) {
	var h revocation.Head
	err := d.queryRow(ctx, readHead, nil, &h.Position, &h.Change, &h.Floor, &h.Timeline, &h.Hash)
	if err != nil {
		return revocation.Head{}, fmt.Errorf("read the ledger's head: %w", err)
	}
	return h, nil
}

// Revoked reports, in one statement, whether a row kills a token with these keys
// or its rev lies below the floor.
func (d *DB) Revoked(ctx context.Context, k revocation.Keys) (bool, error) {
	keys := append([]string{"", k.ID, k.SessionID, k.GrantID, k.KeyID, k.Subject, k.ClientID}, k.Scopes...)
	var revoked bool
	err := d.queryRow(
		ctx, isRevoked,
		[]any{k.Rev, keys, k.ID, k.SessionID, k.GrantID, k.KeyID, k.Subject, k.ClientID, k.Scopes, k.Audience},
		&revoked,
	)
	if err != nil {
		return false, fmt.Errorf("ask the ledger: %w", err)
	}
	return revoked, nil
}

// After returns at most limit rows with a position above the given one, in order.
func (d *DB) After(ctx context.Context, position int64, limit int) ([]revocation.Row, error) {
	var rows []revocation.Row
	err := d.query(ctx, rowsAfter, func(row scanner) error {
		var r revocation.Row
		err := row.Scan(&r.Position, &r.Kind, &r.Key, &r.Audience, &r.Reason, &r.At, &r.ExpiresAt)
		rows = append(rows, r)
		return err
	}, position, limit)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return rows, nil
}
