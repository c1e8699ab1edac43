package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.TOTPStore = (*DB)(nil)

const (
	insertTOTP = `INSERT INTO totps (id, user_id, name, sealed, last_step, created_at, last_used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)`
	totpsOf = `SELECT id, user_id, name, sealed, last_step, created_at, last_used_at FROM totps
WHERE user_id = $1 ORDER BY id`
	// Of all who come with one code, one finds the step before it.
	useTOTP = `UPDATE totps SET last_step = $2, last_used_at = $3 WHERE id = $1 AND last_step < $2`
)

// InsertTOTP implements accounts.TOTPStore. A user who is gone is ErrNotFound.
func (d *DB) InsertTOTP(ctx context.Context, t *accounts.TOTP) error {
	_, err := d.exec(ctx, insertTOTP, t.ID, t.UserID, t.Name, t.Sealed, t.LastStep, t.CreatedAt, t.LastUsedAt)
	if err != nil {
		return fmt.Errorf("insert authenticator app: %w", err)
	}
	return nil
}

// TOTPsOf implements accounts.TOTPStore.
func (d *DB) TOTPsOf(ctx context.Context, userID id.ID) ([]accounts.TOTP, error) {
	var found []accounts.TOTP
	err := d.query(ctx, totpsOf, func(row scanner) error {
		var t accounts.TOTP
		err := row.Scan(&t.ID, &t.UserID, &t.Name, &t.Sealed, &t.LastStep, &t.CreatedAt, &t.LastUsedAt)
		found = append(found, t)
		return err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("authenticator apps of a user: %w", err)
	}
	return found, nil
}

// UseTOTP implements accounts.TOTPStore.
func (d *DB) UseTOTP(ctx context.Context, totpID id.ID, step, now int64) (bool, error) {
	n, err := d.exec(ctx, useTOTP, totpID, step, now)
	if err != nil {
		return false, fmt.Errorf("use authenticator app: %w", err)
	}
	return n == 1, nil
}
