package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.WaitingStore = (*DB)(nil)

const (
	waitingColumns = `w.id, w.token_hash, w.user_id, w.session_id, w.rev, w.binding, w.amr, w.known, w.attempts,
  w.created_at, w.expires_at, w.spent_at`
	insertWaiting = `INSERT INTO sign_ins (id, token_hash, user_id, session_id, rev, binding, amr, known, attempts,
  created_at, expires_at, spent_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	waitingByToken = `SELECT ` + waitingColumns + `, ` + standingUserColumns + `
FROM sign_ins w JOIN users u ON u.id = w.user_id WHERE w.token_hash = $1`
	countAttempt = `UPDATE sign_ins SET attempts = attempts + 1
WHERE id = $1 AND attempts < $2 AND spent_at = 0 AND expires_at > $3`
	spendWaiting = `UPDATE sign_ins SET spent_at = $2 WHERE id = $1 AND spent_at = 0 AND expires_at > $2`
	endWaiting   = `UPDATE sign_ins SET spent_at = $2 WHERE user_id = $1 AND spent_at = 0`
)

// InsertWaiting implements accounts.WaitingStore. A user who is gone is ErrNotFound.
func (d *DB) InsertWaiting(ctx context.Context, w *accounts.WaitingSignIn) error {
	_, err := d.exec(ctx, insertWaiting, w.ID, w.TokenHash, w.UserID, nullable(w.SessionID), w.Rev, w.Binding, words(w.AMR),
		w.Known, w.Attempts, w.CreatedAt, w.ExpiresAt, w.SpentAt)
	if err != nil {
		return fmt.Errorf("insert pending sign-in: %w", err)
	}
	return nil
}

// WaitingByToken implements accounts.WaitingStore.
func (d *DB) WaitingByToken(ctx context.Context, tokenHash []byte) (*accounts.WaitingSignIn, *accounts.User, error) {
	var (
		w accounts.WaitingSignIn
		u accounts.User
	)
	dest := []any{
		&w.ID, &w.TokenHash, &w.UserID, &w.SessionID, &w.Rev, &w.Binding, (*words)(&w.AMR), &w.Known, &w.Attempts,
		&w.CreatedAt, &w.ExpiresAt, &w.SpentAt,
	}
	if err := d.queryRow(ctx, waitingByToken, []any{tokenHash}, standingUserDest(dest, &u)...); err != nil {
		return nil, nil, fmt.Errorf("pending sign-in: %w", err)
	}
	return &w, &u, nil
}

// CountAttempt implements accounts.WaitingStore.
func (d *DB) CountAttempt(ctx context.Context, waitingID id.ID, most, now int64) (bool, error) {
	n, err := d.exec(ctx, countAttempt, waitingID, most, now)
	if err != nil {
		return false, fmt.Errorf("count attempt: %w", err)
	}
	return n == 1, nil
}

// SpendWaiting implements accounts.WaitingStore.
func (d *DB) SpendWaiting(ctx context.Context, waitingID id.ID, now int64) (bool, error) {
	n, err := d.exec(ctx, spendWaiting, waitingID, now)
	if err != nil {
		return false, fmt.Errorf("spend pending sign-in: %w", err)
	}
	return n == 1, nil
}

// EndWaiting implements accounts.WaitingStore.
func (d *DB) EndWaiting(ctx context.Context, userID id.ID, now int64) error {
	if _, err := d.exec(ctx, endWaiting, userID, now); err != nil {
		return fmt.Errorf("end pending sign-ins: %w", err)
	}
	return nil
}
