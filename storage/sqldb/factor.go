package sqldb

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.FactorStore = (*DB)(nil)

const (
	factorPolicy = `SELECT EXISTS (SELECT 1 FROM passkeys WHERE user_id = $1) OR EXISTS (SELECT 1 FROM totps WHERE user_id = $1),
  EXISTS (WITH RECURSIVE ` + groupsAround1 + ` SELECT 1 FROM around WHERE (SELECT g.second_factor FROM groups g WHERE g.id = around.id))`

	renamePasskey = `UPDATE passkeys SET name = $3 WHERE user_id = $1 AND id = $2`
	renameTOTP    = `UPDATE totps SET name = $3 WHERE user_id = $1 AND id = $2`

	deletePasskey  = `DELETE FROM passkeys WHERE user_id = $1 AND id = $2`
	deleteTOTP     = `DELETE FROM totps WHERE user_id = $1 AND id = $2`
	deletePasskeys = `DELETE FROM passkeys WHERE user_id = $1`
	deleteTOTPs    = `DELETE FROM totps WHERE user_id = $1`
)

// FactorPolicy implements accounts.FactorStore.
func (d *DB) FactorPolicy(ctx context.Context, userID id.ID, now int64) (has, needed bool, err error) {
	if err := d.queryRow(ctx, factorPolicy, []any{userID, now}, &has, &needed); err != nil {
		return false, false, fmt.Errorf("factor policy: %w", err)
	}
	return has, needed, nil
}

// RenameFactor implements accounts.FactorStore.
func (d *DB) RenameFactor(ctx context.Context, userID, factorID id.ID, name string) error {
	return d.eitherFactor(ctx, "rename factor", renamePasskey, renameTOTP, userID, factorID, name)
}

// RemoveFactor implements accounts.FactorStore.
func (d *DB) RemoveFactor(ctx context.Context, userID, factorID id.ID) error {
	return d.eitherFactor(ctx, "remove factor", deletePasskey, deleteTOTP, userID, factorID)
}

// eitherFactor runs a statement on the passkey of an id, or else on the app: ids of
// all tables are different.
func (d *DB) eitherFactor(ctx context.Context, what, ofPasskey, ofTOTP string, args ...any) error {
	n, err := d.exec(ctx, ofPasskey, append([]any{}, args...)...)
	if err == nil && n == 0 {
		err = d.touched(ctx, ofTOTP, args...)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// RemoveFactors implements accounts.FactorStore.
func (d *DB) RemoveFactors(ctx context.Context, userID id.ID) (int, error) {
	var removed int64
	err := d.InTx(ctx, func(ctx context.Context) error {
		removed = 0
		for _, text := range []string{deletePasskeys, deleteTOTPs} {
			n, err := d.exec(ctx, text, userID)
			if err != nil {
				return err
			}
			removed += n
		}
		_, err := d.exec(ctx, deleteRecoveryCodes, userID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("remove factors: %w", err)
	}
	return int(removed), nil
}

// TakeOnce implements accounts.FactorStore. It shares the table of used assertions:
// the word in front keeps the keys apart, for theirs begin with a length.
func (d *DB) TakeOnce(ctx context.Context, key []byte, expiresAt int64) (bool, error) {
	sum := sha256.Sum256(append([]byte("answered once "), key...))
	n, err := d.exec(ctx, useAssertion, sum[:], expiresAt)
	if err != nil {
		return false, fmt.Errorf("take once: %w", err)
	}
	return n == 1, nil
}
