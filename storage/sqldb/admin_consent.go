package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.ConsentEnder = (*DB)(nil)

const (
	listedConsent    = `SELECT ` + consentColumns + `, u.sub, u.username, c.client_id, c.name FROM `
	consentsOfClient = listedConsent + `(
  SELECT * FROM consents WHERE revoked_at = 0 AND client_id = (SELECT id FROM clients WHERE client_id = $3) AND user_id > $1
  ORDER BY client_id, user_id` + mostListed + `
) AS k JOIN clients c ON c.id = k.client_id JOIN users u ON u.id = k.user_id ORDER BY k.user_id LIMIT $2`
	consentsOfOne = listedConsent + `consents k JOIN clients c ON c.id = k.client_id JOIN users u ON u.id = k.user_id
WHERE k.revoked_at = 0 AND k.user_id = (SELECT id FROM users WHERE sub = $3)
  AND k.client_id > $1 AND ($4 = '' OR c.client_id = $4) ORDER BY k.client_id LIMIT $2`

	revokeConsents = `UPDATE consents SET revoked_at = $2, updated_at = $2 WHERE client_id = $1 AND revoked_at = 0`
)

// ListedConsents implements admin.ListStore.
func (d *DB) ListedConsents(ctx context.Context, q admin.ConsentQuery) ([]admin.ListedConsent, error) {
	var text string
	args := []any{q.After, q.Limit}
	switch {
	case q.Subject != "":
		text, args = consentsOfOne, append(args, q.Subject, q.ClientID)
	case q.ClientID != "":
		text, args = consentsOfClient, append(args, q.ClientID)
	default:
		return nil, fmt.Errorf("list consents: %w", errNoFilter)
	}
	var found []admin.ListedConsent
	err := d.query(ctx, text, func(row scanner) error {
		var k admin.ListedConsent
		err := row.Scan(append(consentDest(nil, &k.Consent), &k.Subject, &k.Username, &k.ClientID, &k.ClientName)...)
		found = append(found, k)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	return found, nil
}

// RevokeConsents implements accounts.ConsentEnder.
func (d *DB) RevokeConsents(ctx context.Context, clientID id.ID, at int64) (int, error) {
	n, err := d.exec(ctx, revokeConsents, clientID, at)
	if err != nil {
		return 0, fmt.Errorf("revoke the consents for a client: %w", err)
	}
	return int(n), nil
}
