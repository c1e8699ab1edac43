package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.RecoveryStore = (*DB)(nil)

const (
	deleteRecoveryCodes = `DELETE FROM recovery_codes WHERE user_id = $1`
	insertRecoveryCode  = `INSERT INTO recovery_codes (user_id, hash, created_at) VALUES ($1, $2, $3)`
	recoveryCodesOf     = `SELECT hash FROM recovery_codes WHERE user_id = $1 AND spent_at = 0 ORDER BY hash`
	spendRecoveryCode   = `UPDATE recovery_codes SET spent_at = $3 WHERE user_id = $1 AND hash = $2 AND spent_at = 0`
)

// ReplaceRecoveryCodes implements accounts.RecoveryStore.
func (d *DB) ReplaceRecoveryCodes(ctx context.Context, userID id.ID, hashes [][]byte, now int64) error {
	err := d.InTx(ctx, func(ctx context.Context) error {
		if _, err := d.exec(ctx, deleteRecoveryCodes, userID); err != nil {
			return err
		}
		for _, h := range hashes {
			if _, err := d.exec(ctx, insertRecoveryCode, userID, h, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replace recovery codes: %w", err)
	}
	return nil
}

// RecoveryCodesOf implements accounts.RecoveryStore.
func (d *DB) RecoveryCodesOf(ctx context.Context, userID id.ID) ([][]byte, error) {
	var hashes [][]byte
	err := d.query(ctx, recoveryCodesOf, func(row scanner) error {
		var h []byte
		err := row.Scan(&h)
		hashes = append(hashes, h)
		return err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("recovery codes of a user: %w", err)
	}
	return hashes, nil
}

// SpendRecoveryCode implements accounts.RecoveryStore.
func (d *DB) SpendRecoveryCode(ctx context.Context, userID id.ID, hash []byte, now int64) (bool, error) {
	n, err := d.exec(ctx, spendRecoveryCode, userID, hash, now)
	if err != nil {
		return false, fmt.Errorf("spend recovery code: %w", err)
	}
	return n == 1, nil
}
