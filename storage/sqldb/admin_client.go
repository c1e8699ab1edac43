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
	clientAfter = ` AND (lower(c.name) COLLATE "C", c.client_id) > ($1, $2)
  AND ($5 = '' OR c.type = $5) AND ($6 = '' OR ($6 = 'enabled') = (c.disabled_at = 0))`
	clientPrefix = `lower(c.name) COLLATE "C" >= lower($3) AND lower(c.name) COLLATE "C" < lower($3) || $4`
	clientOrder  = ` ORDER BY lower(c.name) COLLATE "C", c.client_id LIMIT $7`
	listedClient = `SELECT ` + clientColumns + `, lower(c.name) AS folded` + fromClients
	hostsClients = `c.id IN (SELECT r.client_id FROM client_redirect_hosts r WHERE r.host = lower($8))`

	clientsByName = listedClient + ` WHERE ` + clientPrefix + clientAfter + clientOrder
	clientsOfHost = listedClient + ` WHERE ` + hostsClients + ` AND ` + clientPrefix + clientAfter + clientOrder
	clientOfID    = listedClient + ` WHERE c.client_id = $8 AND ` + clientPrefix + clientAfter + clientOrder
	// A page of each, of which the first ones of both make a page.
	clientsFound = `SELECT * FROM (
  SELECT * FROM (` + clientsByName + `) AS n
  UNION ALL
  SELECT * FROM (` + listedClient + ` WHERE ` + hostsClients + ` AND NOT (` + clientPrefix + `)` + clientAfter + clientOrder + `) AS h
) AS u ORDER BY u.folded COLLATE "C", u.client_id LIMIT $7`

	// Ids rise with time. The join to APIs comes after the page.
	clientsNewest = `SELECT ` + clientColumns + `, lower(c.name) FROM (
  SELECT * FROM clients WHERE id < $1 AND ($2 = '' OR type = $2) AND ($3 = '' OR ($3 = 'enabled') = (disabled_at = 0)) ORDER BY id DESC` + mostListed + `
) AS c LEFT JOIN apis a ON a.id = c.api_id ORDER BY c.id DESC LIMIT $4`

	endSecret = `UPDATE client_secrets SET expires_at = $3
WHERE client_id = $1 AND id = $2 AND (expires_at = 0 OR expires_at > $3)`
)

// ListedClients implements admin.ListStore.
func (d *DB) ListedClients(ctx context.Context, q admin.ClientQuery) ([]admin.ListedClient, error) {
	text := clientsByName
	args := []any{q.After.Name, q.After.ClientID, q.Prefix, lastRune, string(q.Type), q.State, q.Limit}
	switch {
	case q.Newest:
		text, args = clientsNewest, []any{orLast(q.Before), string(q.Type), q.State, q.Limit}
	case q.ClientID != "":
		text, args = clientOfID, append(args, q.ClientID)
	case q.OrHost:
		text, args = clientsFound, append(args, q.Prefix)
	case q.RedirectHost != "":
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
		return nil, fmt.Errorf("list clients: %w", err)
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
