package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
)

var _ accounts.DeletionStore = (*DB)(nil)

// The order is that of the index of times, so that a round passes each account once
// and looks at no other.
const (
	claimDeletion = `SELECT id, sub, delete_at FROM users
WHERE delete_at > 0 AND delete_at <= $1 AND (delete_at, id) > ($2, $3) ORDER BY delete_at, id LIMIT 1`
	claimDeletionPostgres = claimDeletion + ` FOR UPDATE SKIP LOCKED`
)

// ClaimDeletion implements accounts.DeletionStore.
func (d *DB) ClaimDeletion(ctx context.Context, now int64, after accounts.DueAccount) (accounts.DueAccount, error) {
	var due accounts.DueAccount
	if d.txOf(ctx) == nil {
		return due, errLockOutsideTx
	}
	text := d.either(claimDeletionPostgres, claimDeletion)
	if err := d.queryRow(ctx, text, []any{now, after.At, after.ID}, &due.ID, &due.Subject, &due.At); err != nil {
		return due, fmt.Errorf("claim deletion: %w", err)
	}
	return due, nil
}
