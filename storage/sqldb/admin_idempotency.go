package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

var _ admin.AnswerStore = (*DB)(nil)

const (
	// One statement, one winner; the key of an answer whose time has passed is free.
	claimKey = `INSERT INTO idempotency_keys (id, request, at, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET request = excluded.request, answer = NULL, at = excluded.at, expires_at = excluded.expires_at
WHERE idempotency_keys.expires_at <= $3`
	keptAnswer = `SELECT request, at, answer FROM idempotency_keys WHERE id = $1`
	// Of the claim that was made then, not of one that came after it.
	keepAnswer = `UPDATE idempotency_keys SET answer = $3 WHERE id = $1 AND at = $2 AND answer IS NULL`
	freeKey    = `DELETE FROM idempotency_keys WHERE id = $1 AND at = $2 AND answer IS NULL`
)

// ClaimKey implements admin.AnswerStore.
func (d *DB) ClaimKey(ctx context.Context, c admin.Claim) (*admin.Kept, error) {
	n, err := d.exec(ctx, claimKey, c.ID, c.Request, c.At, c.ExpiresAt)
	if err != nil {
		return nil, fmt.Errorf("claim an idempotency key: %w", err)
	}
	if n > 0 {
		return nil, nil
	}
	var k admin.Kept
	err = d.queryRow(ctx, keptAnswer, []any{c.ID}, &k.Request, &k.At, &k.Answer)
	if errors.Is(err, accounts.ErrNotFound) {
		// It was freed in between: to the caller that is a request which is not done.
		return &admin.Kept{Request: c.Request, At: c.At}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("answer to an idempotency key: %w", err)
	}
	return &k, nil
}

// KeepAnswer implements admin.AnswerStore.
func (d *DB) KeepAnswer(ctx context.Context, c admin.Claim, sealed []byte) error {
	if err := d.touched(ctx, keepAnswer, c.ID, c.At, sealed); err != nil {
		return fmt.Errorf("keep an answer: %w", err)
	}
	return nil
}

// FreeKey implements admin.AnswerStore.
func (d *DB) FreeKey(ctx context.Context, c admin.Claim) error {
	if _, err := d.exec(ctx, freeKey, c.ID, c.At); err != nil {
		return fmt.Errorf("free an idempotency key: %w", err)
	}
	return nil
}
