package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.PasskeyStore = (*DB)(nil)

const (
	insertPasskey = `INSERT INTO passkeys (id, user_id, credential_id, credential, name, sign_count, created_at, last_used_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`

	passkeyColumns = `p.id, p.user_id, p.credential_id, p.credential, p.name, p.sign_count, p.created_at, p.last_used_at`
	passkeysOf     = `SELECT ` + passkeyColumns + ` FROM passkeys p WHERE p.user_id = $1 ORDER BY p.id`

	// The counter's row is in the same statement, as in userByName (L2, L9).
	passkeyOwner = `SELECT h.position, ` + passkeyColumns + `, ` + standingUserColumns + `
FROM ledger_head h, passkeys p JOIN users u ON u.id = p.user_id WHERE h.id = 1 AND p.credential_id = $1`

	usePasskey = `UPDATE passkeys SET credential = $2, sign_count = $3, last_used_at = $4 WHERE id = $1`
)

func passkeyDest(dest []any, p *accounts.Passkey) []any {
	return append(dest, &p.ID, &p.UserID, &p.CredentialID, &p.Credential, &p.Name, &p.SignCount, &p.CreatedAt, &p.LastUsedAt)
}

// InsertPasskey implements accounts.PasskeyStore. A user who is gone is ErrNotFound.
func (d *DB) InsertPasskey(ctx context.Context, p *accounts.Passkey) error {
	err := d.inserted(ctx, insertPasskey, p.ID, p.UserID, p.CredentialID, p.Credential, p.Name, p.SignCount, p.CreatedAt, p.LastUsedAt)
	if err != nil {
		return fmt.Errorf("insert passkey: %w", err)
	}
	return nil
}

// PasskeysOf implements accounts.PasskeyStore.
func (d *DB) PasskeysOf(ctx context.Context, userID id.ID) ([]accounts.Passkey, error) {
	var found []accounts.Passkey
	err := d.query(ctx, passkeysOf, func(row scanner) error {
		var p accounts.Passkey
		err := row.Scan(passkeyDest(nil, &p)...)
		found = append(found, p)
		return err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("passkeys of a user: %w", err)
	}
	return found, nil
}

// PasskeyOwner implements accounts.PasskeyStore.
func (d *DB) PasskeyOwner(ctx context.Context, credentialID []byte) (*accounts.Passkey, *accounts.User, int64, error) {
	var (
		p        accounts.Passkey
		u        accounts.User
		position int64
	)
	dest := standingUserDest(passkeyDest([]any{&position}, &p), &u)
	if err := d.queryRow(ctx, passkeyOwner, []any{credentialID}, dest...); err != nil {
		return nil, nil, 0, fmt.Errorf("owner of a passkey: %w", err)
	}
	return &p, &u, position, nil
}

// UsePasskey implements accounts.PasskeyStore.
func (d *DB) UsePasskey(ctx context.Context, p *accounts.Passkey) error {
	if err := d.touched(ctx, usePasskey, p.ID, p.Credential, p.SignCount, p.LastUsedAt); err != nil {
		return fmt.Errorf("use passkey: %w", err)
	}
	return nil
}
