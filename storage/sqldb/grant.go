package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.GrantStore = (*DB)(nil)

// errNoFilter is returned when a filter would end everything.
var errNoFilter = errors.New("sqldb: the filter names nothing")

const grantByID = `SELECT ` + grantColumns + ` FROM grants g WHERE g.id = $1`

// GrantByID implements accounts.GrantStore; it returns ended grants too.
func (d *DB) GrantByID(ctx context.Context, grantID id.ID) (*accounts.Grant, error) {
	var g accounts.Grant
	err := d.queryRow(ctx, grantByID, []any{grantID}, grantDest(nil, &g)...)
	if err != nil {
		return nil, fmt.Errorf("grant by id: %w", err)
	}
	return &g, nil
}

const grantsOf = `SELECT ` + grantColumns + ` FROM grants g
WHERE g.user_id = $1 AND g.ended_at = 0 ORDER BY g.created_at DESC, g.id DESC`

// GrantsOf implements accounts.GrantStore.
func (d *DB) GrantsOf(ctx context.Context, userID id.ID) ([]accounts.Grant, error) {
	var found []accounts.Grant
	err := d.query(ctx, grantsOf, func(row scanner) error {
		var g accounts.Grant
		if err := row.Scan(grantDest(nil, &g)...); err != nil {
			return err
		}
		found = append(found, g)
		return nil
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("grants of a user: %w", err)
	}
	return found, nil
}

// returned runs a statement that returns ids.
func (d *DB) returned(ctx context.Context, sql string, args ...any) ([]id.ID, error) {
	var ids []id.ID
	err := d.query(ctx, sql, func(row scanner) error {
		var i id.ID
		if err := row.Scan(&i); err != nil {
			return err
		}
		ids = append(ids, i)
		return nil
	}, args...)
	return ids, err
}
