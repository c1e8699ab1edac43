package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.RefusedStore = (*DB)(nil)

const (
	addRefused = `INSERT INTO refused_redirects (client_id, uri, count, first_at, last_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (client_id, uri) DO UPDATE SET count = refused_redirects.count + excluded.count,
  last_at = CASE WHEN excluded.last_at > refused_redirects.last_at THEN excluded.last_at ELSE refused_redirects.last_at END`
	trimRefused = `DELETE FROM refused_redirects WHERE client_id = $1 AND (last_at < $2 OR uri NOT IN (
  SELECT uri FROM refused_redirects WHERE client_id = $1 ORDER BY last_at DESC, uri LIMIT $3))`
	refusedOf = `SELECT uri, count, first_at, last_at FROM refused_redirects
WHERE client_id = $1 AND last_at >= $2 ORDER BY last_at DESC, uri`
	forgetRefused = `DELETE FROM refused_redirects WHERE client_id = $1 AND uri = $2`
)

// AddRefused implements accounts.RefusedStore.
func (d *DB) AddRefused(ctx context.Context, clientID id.ID, list []accounts.RefusedRedirect, keep int, since int64) error {
	err := d.InTx(ctx, func(ctx context.Context) error {
		for _, r := range list {
			if _, err := d.exec(ctx, addRefused, clientID, r.URI, r.Count, r.FirstAt, r.LastAt); err != nil {
				return err
			}
		}
		_, err := d.exec(ctx, trimRefused, clientID, since, keep)
		return err
	})
	if err != nil {
		return fmt.Errorf("add refused redirect URIs: %w", err)
	}
	return nil
}

// RefusedRedirects implements accounts.RefusedStore.
func (d *DB) RefusedRedirects(ctx context.Context, clientID id.ID, since int64) ([]accounts.RefusedRedirect, error) {
	var list []accounts.RefusedRedirect
	err := d.query(ctx, refusedOf, func(row scanner) error {
		var r accounts.RefusedRedirect
		err := row.Scan(&r.URI, &r.Count, &r.FirstAt, &r.LastAt)
		list = append(list, r)
		return err
	}, clientID, since)
	if err != nil {
		return nil, fmt.Errorf("refused redirect URIs: %w", err)
	}
	return list, nil
}

// ForgetRefused implements accounts.RefusedStore.
func (d *DB) ForgetRefused(ctx context.Context, clientID id.ID, uri string) error {
	if err := d.touched(ctx, forgetRefused, clientID, uri); err != nil {
		return fmt.Errorf("forget a refused redirect URI: %w", err)
	}
	return nil
}
