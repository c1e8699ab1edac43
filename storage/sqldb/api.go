package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.APIStore = (*DB)(nil)

const (
	insertAPI = `INSERT INTO apis (id, audience, name, token_lifetime, token_algorithm, authentication_claims,
  status_list, disabled_at, created_at, updated_at, texts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`

	// One row for each permission, or one for an API without any.
	selectAPIs = `SELECT a.id, a.audience, a.name, a.token_lifetime, a.token_algorithm, a.authentication_claims,
  a.status_list, a.disabled_at, a.created_at, a.updated_at, a.texts, COALESCE(c.client_id, ''),
  p.id, COALESCE(p.name, ''), COALESCE(p.description, ''), COALESCE(p.texts, '{}'), COALESCE(p.created_at, 0)
FROM apis a LEFT JOIN clients c ON c.api_id = a.id LEFT JOIN permissions p ON p.api_id = a.id`
	apiByAudience = selectAPIs + ` WHERE a.audience = $1 ORDER BY p.name`
	listAPIs      = selectAPIs + ` ORDER BY a.audience, p.name`

	updateAPI = `UPDATE apis SET audience = $2, name = $3, token_lifetime = $4, token_algorithm = $5,
  authentication_claims = $6, status_list = $7, disabled_at = $8, updated_at = $9, texts = $10
WHERE id = $1`
	deleteAPI = `DELETE FROM apis WHERE id = $1`
)

// InsertAPI implements accounts.APIStore; it does not insert permissions.
func (d *DB) InsertAPI(ctx context.Context, a *accounts.API) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.inserted(ctx, insertAPI, a.ID, a.Audience, a.Name, a.TokenLifetime, a.TokenAlgorithm,
			a.AuthenticationClaims, a.StatusList, a.DisabledAt, a.CreatedAt, a.UpdatedAt, texts(a.Texts))
	})
	if err != nil {
		return fmt.Errorf("insert API: %w", err)
	}
	return nil
}

// APIByAudience implements accounts.APIStore.
func (d *DB) APIByAudience(ctx context.Context, audience string) (*accounts.API, error) {
	apis, err := d.apis(ctx, apiByAudience, audience)
	if err == nil && len(apis) == 0 {
		err = accounts.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("API by audience: %w", err)
	}
	return &apis[0], nil
}

// ListAPIs implements accounts.APIStore.
func (d *DB) ListAPIs(ctx context.Context) ([]accounts.API, error) {
	apis, err := d.apis(ctx, listAPIs)
	if err != nil {
		return nil, fmt.Errorf("list APIs: %w", err)
	}
	return apis, nil
}

// apis folds the rows of each API, which follow one another.
func (d *DB) apis(ctx context.Context, sql string, args ...any) ([]accounts.API, error) {
	var apis []accounts.API
	err := d.query(ctx, sql, func(row scanner) error {
		var a accounts.API
		var p accounts.Permission
		err := row.Scan(&a.ID, &a.Audience, &a.Name, &a.TokenLifetime, &a.TokenAlgorithm, &a.AuthenticationClaims,
			&a.StatusList, &a.DisabledAt, &a.CreatedAt, &a.UpdatedAt, (*texts)(&a.Texts), &a.ResourceServer,
			&p.ID, &p.Name, &p.Description, (*texts)(&p.Texts), &p.CreatedAt)
		if err != nil {
			return err
		}
		if n := len(apis); n == 0 || apis[n-1].ID != a.ID {
			apis = append(apis, a)
		}
		if !p.ID.IsZero() {
			p.APIID = a.ID
			last := &apis[len(apis)-1]
			last.Permissions = append(last.Permissions, p)
		}
		return nil
	}, args...)
	return apis, err
}

// UpdateAPI implements accounts.APIStore; it does not touch permissions.
func (d *DB) UpdateAPI(ctx context.Context, a *accounts.API) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, updateAPI, a.ID, a.Audience, a.Name, a.TokenLifetime, a.TokenAlgorithm,
			a.AuthenticationClaims, a.StatusList, a.DisabledAt, a.UpdatedAt, texts(a.Texts))
	})
	if err != nil {
		return fmt.Errorf("update API: %w", err)
	}
	return nil
}

// DeleteAPI implements accounts.APIStore; its resource server's client goes with
// it as well.
func (d *DB) DeleteAPI(ctx context.Context, apiID id.ID) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, deleteAPI, apiID)
	})
	if err != nil {
		return fmt.Errorf("delete API: %w", err)
	}
	return nil
}
