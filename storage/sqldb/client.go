package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.ClientStore = (*DB)(nil)

const (
	insertClient = `INSERT INTO clients (id, client_id, created_at, name, type, api_id, auth_method, jwks, grant_types,
  redirect_uris, post_logout_redirect_uris, scopes, optional_scopes, visible_groups, home_uri, logo_uri, policy_uri,
  terms_uri, id_token_algorithm, first_party, require_pkce, require_par, rotate_refresh, token_endpoint_audience,
  access_token_lifetime, id_token_lifetime, refresh_idle, refresh_absolute, demo, disabled_at, updated_at,
  backchannel_logout_uri, backchannel_logout_session_required, required_acr, texts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
  $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35) ON CONFLICT DO NOTHING`

	// The client_id is what tokens and ledger rows name: it never changes.
	updateClient = `UPDATE clients SET name = $2, type = $3, api_id = $4, auth_method = $5, jwks = $6, grant_types = $7,
  redirect_uris = $8, post_logout_redirect_uris = $9, scopes = $10, optional_scopes = $11, visible_groups = $12,
  home_uri = $13, logo_uri = $14, policy_uri = $15, terms_uri = $16, id_token_algorithm = $17, first_party = $18,
  require_pkce = $19, require_par = $20, rotate_refresh = $21, token_endpoint_audience = $22,
  access_token_lifetime = $23, id_token_lifetime = $24, refresh_idle = $25, refresh_absolute = $26, demo = $27,
  disabled_at = $28, updated_at = $29, backchannel_logout_uri = $30, backchannel_logout_session_required = $31,
  required_acr = $32, texts = $33
WHERE id = $1`
	deleteClient = `DELETE FROM clients WHERE id = $1`

	addClientPermissions = `INSERT INTO client_permissions (client_id, permission_id)
SELECT c.id, p.id FROM clients c, permissions p WHERE c.id = $1 AND p.name IN strings($2)`
	dropClientPermissions = `DELETE FROM client_permissions WHERE client_id = $1`
)

// clientValues are the columns that both an insert and an update write.
func clientValues(c *accounts.Client) []any {
	return []any{
		c.Name, string(c.Type), nullable(c.APIID), c.AuthMethod, c.JWKS, list(c.GrantTypes), list(c.RedirectURIs),
		list(c.PostLogoutRedirectURIs), words(c.Scopes), words(c.OptionalScopes), list(c.VisibleGroups),
		c.HomeURI, c.LogoURI, c.PolicyURI, c.TermsURI, c.IDTokenAlgorithm, c.FirstParty, c.RequirePKCE,
		c.RequirePAR, c.RotateRefresh, c.TokenEndpointAudience, c.AccessTokenLifetime, c.IDTokenLifetime,
		c.RefreshIdle, c.RefreshAbsolute, c.Demo, c.DisabledAt, c.UpdatedAt,
		c.BackchannelLogoutURI, c.BackchannelLogoutSessionRequired, c.RequiredACR, texts(c.Texts),
	}
}

// InsertClient implements accounts.ClientStore, with the client's permissions; a
// permission that does not exist is ErrNotFound. Secrets are inserted one by one.
func (d *DB) InsertClient(ctx context.Context, c *accounts.Client) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		if err := d.LockPermissions(ctx, false); err != nil {
			return err
		}
		if err := d.reserveName(ctx, c.ClientID); err != nil {
			return err
		}
		values := append([]any{c.ID, c.ClientID, c.CreatedAt}, clientValues(c)...)
		if err := d.inserted(ctx, insertClient, values...); err != nil {
			return err
		}
		if err := d.addPermissions(ctx, c); err != nil {
			return err
		}
		return d.addOrigins(ctx, c)
	})
	if err != nil {
		return fmt.Errorf("insert client: %w", err)
	}
	return nil
}

func (d *DB) addPermissions(ctx context.Context, c *accounts.Client) error {
	names := slices.Compact(slices.Sorted(slices.Values(c.Permissions)))
	if len(names) == 0 {
		return nil
	}
	n, err := d.exec(ctx, addClientPermissions, c.ID, names)
	if err == nil && n != int64(len(names)) {
		err = fmt.Errorf("one of the permissions %q: %w", names, accounts.ErrNotFound)
	}
	return err
}

// UpdateClient implements accounts.ClientStore. ID and ClientID name the client
// and are not written, nor is CreatedAt.
func (d *DB) UpdateClient(ctx context.Context, c *accounts.Client) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		if err := d.touched(ctx, updateClient, append([]any{c.ID}, clientValues(c)...)...); err != nil {
			return err
		}
		if _, err := d.exec(ctx, dropClientPermissions, c.ID); err != nil {
			return err
		}
		if err := d.addPermissions(ctx, c); err != nil {
			return err
		}
		if _, err := d.exec(ctx, dropClientOrigins, c.ID); err != nil {
			return err
		}
		return d.addOrigins(ctx, c)
	})
	if err != nil {
		return fmt.Errorf("update client: %w", err)
	}
	return nil
}

// DeleteClient implements accounts.ClientStore.
func (d *DB) DeleteClient(ctx context.Context, clientID id.ID) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, deleteClient, clientID)
	})
	if err != nil {
		return fmt.Errorf("delete client: %w", err)
	}
	return nil
}
