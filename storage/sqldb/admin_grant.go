package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/admin"
)

// One person's grants are few and read as a whole, a client's may be millions and are
// walked in the order of its index.
const (
	listedGrant = `SELECT ` + grantColumns + `, CASE WHEN g.refresh_hash IS NULL THEN 0
  WHEN g.refresh_expires_at > 0 AND g.refresh_expires_at < g.refresh_idle_ends_at THEN g.refresh_expires_at
  ELSE g.refresh_idle_ends_at END, u.sub, u.username, c.client_id, c.name
FROM `
	grantsOfClient = listedGrant + `(
  SELECT * FROM grants WHERE client_id = (SELECT id FROM clients WHERE client_id = $3) AND id < $1
  ORDER BY client_id DESC, id DESC` + mostListed + `
) AS g JOIN clients c ON c.id = g.client_id JOIN users u ON u.id = g.user_id ORDER BY g.id DESC LIMIT $2`
	grantsOfOne = `WITH mine AS MATERIALIZED (
  SELECT g.* FROM users u JOIN grants g ON g.user_id = u.id
  WHERE u.sub = $3 AND g.id < $1 AND ($4 = '' OR g.client_id = (SELECT id FROM clients WHERE client_id = $4))
)
` + listedGrant + `mine g JOIN clients c ON c.id = g.client_id JOIN users u ON u.id = g.user_id
ORDER BY g.id DESC LIMIT $2`
	oneGrant = listedGrant + `grants g JOIN clients c ON c.id = g.client_id JOIN users u ON u.id = g.user_id
WHERE g.id = $1 LIMIT $2`
)

// ListedGrants implements admin.ListStore.
func (d *DB) ListedGrants(ctx context.Context, q admin.GrantQuery) ([]admin.ListedGrant, error) {
	var text string
	args := []any{orLast(q.Before), q.Limit}
	switch {
	case !q.ID.IsZero():
		text, args[0] = oneGrant, q.ID
	case q.Subject != "":
		text, args = grantsOfOne, append(args, q.Subject, q.ClientID)
	case q.ClientID != "":
		text, args = grantsOfClient, append(args, q.ClientID)
	default:
		return nil, fmt.Errorf("list grants: %w", errNoFilter)
	}
	var found []admin.ListedGrant
	err := d.query(ctx, text, func(row scanner) error {
		var g admin.ListedGrant
		dest := append(grantDest(nil, &g.Grant), &g.RefreshEndsAt, &g.Subject, &g.Username, &g.ClientID, &g.ClientName)
		err := row.Scan(dest...)
		found = append(found, g)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	return found, nil
}
