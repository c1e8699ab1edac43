package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

const (
	clientColumns = `c.id, c.client_id, c.created_at, c.valid_from, c.name, c.type, c.api_id, COALESCE(a.audience, ''),
  c.auth_method, c.jwks, c.grant_types, c.redirect_uris, c.post_logout_redirect_uris, c.scopes, c.optional_scopes,
  c.visible_groups, c.home_uri, c.logo_uri, c.policy_uri, c.terms_uri, c.id_token_algorithm, c.first_party,
  c.require_pkce, c.require_par, c.rotate_refresh, c.token_endpoint_audience, c.access_token_lifetime,
  c.id_token_lifetime, c.refresh_idle, c.refresh_absolute, c.demo, c.disabled_at, c.updated_at,
  c.backchannel_logout_uri, c.backchannel_logout_session_required, c.required_acr, c.texts,
  COALESCE((SELECT string_agg(p.name, ' ') FROM client_permissions cp JOIN permissions p ON p.id = cp.permission_id
    WHERE cp.client_id = c.id), ''),
  COALESCE((SELECT string_agg(b.name, '` + "\n" + `') FROM client_permission_sets cs JOIN permission_sets b ON b.id = cs.set_id
    WHERE cs.client_id = c.id), ''),
  COALESCE((SELECT string_agg(p.name, ' ') FROM client_permission_sets cs
    JOIN permission_set_permissions sp ON sp.set_id = cs.set_id JOIN permissions p ON p.id = sp.permission_id
    WHERE cs.client_id = c.id), '')`
	fromClients = ` FROM clients c LEFT JOIN apis a ON a.id = c.api_id`

	// One statement: what authenticates the client, and the position at which it
	// was true (L9). A line for each secret: id, times, and the hash, which holds
	// no line break.
	clientByID = `SELECT ` + clientColumns + `,
  COALESCE((SELECT string_agg(hexed(s.id) || ' ' || s.created_at || ' ' || s.expires_at || ' ' || s.hash, '` + "\n" + `')
    FROM client_secrets s WHERE s.client_id = c.id AND (s.expires_at = 0 OR s.expires_at > $2)), ''),
  h.position, h.change` + fromClients + ` CROSS JOIN ledger_head h WHERE h.id = 1 AND c.client_id = $1`

	listClients = `SELECT ` + clientColumns + fromClients + ` WHERE c.client_id > $1 ORDER BY c.client_id LIMIT $2`
	// Two statements: one that has waited for the lock would read what the client
	// holds, in other tables, as it was before it waited.
	lockClient = `SELECT c.id FROM clients c WHERE c.client_id = $1 FOR NO KEY UPDATE`
	readClient = `SELECT ` + clientColumns + fromClients + ` WHERE c.id = $1`
)

func clientDest(c *accounts.Client) []any {
	return []any{
		&c.ID, &c.ClientID, &c.CreatedAt, &c.ValidFrom, &c.Name, (*string)(&c.Type), &c.APIID, &c.APIAud,
		&c.AuthMethod, &c.JWKS, (*list)(&c.GrantTypes), (*list)(&c.RedirectURIs), (*list)(&c.PostLogoutRedirectURIs),
		(*words)(&c.Scopes), (*words)(&c.OptionalScopes), (*list)(&c.VisibleGroups),
		&c.HomeURI, &c.LogoURI, &c.PolicyURI, &c.TermsURI, &c.IDTokenAlgorithm, &c.FirstParty,
		&c.RequirePKCE, &c.RequirePAR, &c.RotateRefresh, &c.TokenEndpointAudience, &c.AccessTokenLifetime,
		&c.IDTokenLifetime, &c.RefreshIdle, &c.RefreshAbsolute, &c.Demo, &c.DisabledAt, &c.UpdatedAt,
		&c.BackchannelLogoutURI, &c.BackchannelLogoutSessionRequired, &c.RequiredACR, (*texts)(&c.Texts),
		(*words)(&c.Permissions), (*lines)(&c.PermissionSets), (*words)(&c.SetPermissions),
	}
}

// sortHeld orders what the database promises no order of; two sets may hold the same.
func sortHeld(c *accounts.Client) {
	slices.Sort(c.Permissions)
	slices.Sort(c.PermissionSets)
	slices.Sort(c.SetPermissions)
	c.SetPermissions = slices.Compact(c.SetPermissions)
}

// ClientByID implements accounts.ClientStore.
func (d *DB) ClientByID(ctx context.Context, clientID string, now int64) (*accounts.Client, accounts.Mark, error) {
	var c accounts.Client
	var secrets string
	var head accounts.Mark
	dest := append(clientDest(&c), &secrets, &head.Position, &head.Change)
	err := d.queryRow(ctx, clientByID, []any{clientID, now}, dest...)
	if err == nil {
		c.Secrets, err = secretLines(secrets)
	}
	if err != nil {
		return nil, accounts.Mark{}, fmt.Errorf("client by id: %w", err)
	}
	sortHeld(&c)
	return &c, head, nil
}

// LockClient implements accounts.ClientStore.
func (d *DB) LockClient(ctx context.Context, clientID string) (*accounts.Client, error) {
	if d.txOf(ctx) == nil {
		return nil, errLockOutsideTx
	}
	var c accounts.Client
	err := d.LockPermissions(ctx, false)
	if err == nil {
		err = d.queryRow(ctx, lockClient, []any{clientID}, &c.ID)
	}
	if err == nil {
		err = d.queryRow(ctx, readClient, []any{c.ID}, clientDest(&c)...)
	}
	if err != nil {
		return nil, fmt.Errorf("lock client: %w", err)
	}
	sortHeld(&c)
	return &c, nil
}

// ListClients implements accounts.ClientStore, without secrets.
func (d *DB) ListClients(ctx context.Context, after string, limit int) ([]accounts.Client, error) {
	var clients []accounts.Client
	err := d.query(ctx, listClients, func(row scanner) error {
		var c accounts.Client
		err := row.Scan(clientDest(&c)...)
		sortHeld(&c)
		clients = append(clients, c)
		return err
	}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return clients, nil
}
