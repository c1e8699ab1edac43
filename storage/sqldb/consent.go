package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const consentOf = `SELECT ` + consentColumns + ` FROM consents k WHERE k.user_id = $1 AND k.client_id = $2`

// ConsentOf implements accounts.GrantStore.
func (d *DB) ConsentOf(ctx context.Context, userID, clientID id.ID) (*accounts.Consent, error) {
	var k accounts.Consent
	err := d.queryRow(ctx, consentOf, []any{userID, clientID}, consentDest(nil, &k)...)
	if err != nil {
		return nil, fmt.Errorf("consent: %w", err)
	}
	return &k, nil
}

// valid_from is the ledger's to write: a person who consents again must not
// bring back what a disconnect had killed (L2).
const putConsent = `INSERT INTO consents (user_id, client_id, scopes, asked, granted_at, updated_at, revoked_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = excluded.scopes, asked = excluded.asked,
  granted_at = excluded.granted_at, updated_at = excluded.updated_at, revoked_at = excluded.revoked_at,
  expires_at = excluded.expires_at`

const forgetAsked = `UPDATE consents SET asked = '' WHERE client_id = $1`

// ForgetAsked implements accounts.GrantStore.
func (d *DB) ForgetAsked(ctx context.Context, clientID id.ID) error {
	if _, err := d.exec(ctx, forgetAsked, clientID); err != nil {
		return fmt.Errorf("forget what was asked: %w", err)
	}
	return nil
}

// PutConsent implements accounts.GrantStore. A user or a client that is gone is
// ErrNotFound.
func (d *DB) PutConsent(ctx context.Context, k *accounts.Consent) error {
	_, err := d.exec(ctx, putConsent, k.UserID, k.ClientID, strings.Join(k.Scopes, " "),
		strings.Join(k.Asked, " "), k.GrantedAt, k.UpdatedAt, k.RevokedAt, k.ExpiresAt)
	if err != nil {
		return fmt.Errorf("put consent: %w", err)
	}
	return nil
}
