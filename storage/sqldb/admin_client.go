package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ admin.ListStore = (*DB)(nil)

// lastRune comes after every other character, so a prefix and it bound a range.
const lastRune = "\U0010FFFF"

// mostListed ends a walk whose rows are joined to others: to PostgreSQL a limit that
// comes as an argument is a tenth of all there is, for which it would rather read whole
// tables.
const mostListed = ` LIMIT 1001` // of accounts.MaxPage, and one that tells of more

// The folding of letters is left to the engine, for what is stored and for what is
// asked alike. Whoever asks for a host gets few clients, and those are sorted.
const (
	clientPage = ` AND (lower(c.name) COLLATE "C", c.client_id) > ($1, $2)
  AND lower(c.name) COLLATE "C" >= lower($3) AND lower(c.name) COLLATE "C" < lower($3) || $4
  AND ($5 = '' OR c.type = $5) AND ($6 = '' OR ($6 = 'enabled') = (c.disabled_at = 0))
ORDER BY lower(c.name) COLLATE "C", c.client_id LIMIT $7`

	clientsByName = `SELECT ` + clientColumns + `, lower(c.name)` + fromClients + ` WHERE true` + clientPage
	clientsOfHost = `SELECT ` + clientColumns + `, lower(c.name)` + fromClients + `
WHERE c.id IN (SELECT r.client_id FROM client_redirect_hosts r WHERE r.host = lower($8))` + clientPage

	endSecret = `UPDATE client_secrets SET expires_at = $3
WHERE client_id = $1 AND id = $2 AND (expires_at = 0 OR expires_at > $3)`
)

// ListedClients implements admin.ListStore.
func (d *DB) ListedClients(ctx context.Context, q admin.ClientQuery) ([]admin.ListedClient, error) {
	text := clientsByName
	args := []any{q.After.Name, q.After.ClientID, q.Prefix, lastRune, string(q.Type), q.State, q.Limit}
	if q.RedirectHost != "" {
		text, args = clientsOfHost, append(args, q.RedirectHost)
	}
	var found []admin.ListedClient
	err := d.query(ctx, text, func(row scanner) error {
		var c admin.ListedClient
		err := row.Scan(append(clientDest(&c.Client), &c.Key.Name)...)
		slices.Sort(c.Permissions)
		c.Key.ClientID = c.ClientID
		found = append(found, c)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list clients by name: %w", err)
	}
	return found, nil
}

// EndSecret implements accounts.SecretStore.
func (d *DB) EndSecret(ctx context.Context, clientID, secretID id.ID, at int64) (bool, error) {
	n, err := d.changesIfAny(ctx, endSecret, clientID, secretID, at)
	if err != nil {
		return false, fmt.Errorf("end a client secret: %w", err)
	}
	return n > 0, nil
}
