package sqldb

import (
	"context"
	"fmt"
	"math"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	ledgerBack = rowColumns + ` WHERE position < $1 AND ($2 = '' OR kind = $2) ORDER BY position DESC LIMIT $3`

	ledgerOn = rowColumns + ` WHERE position > $1 AND ($2 = '' OR kind = $2) ORDER BY position LIMIT $3`

	// There are few rows of one key, and all of them are read: asked for in an order,
	// PostgreSQL might rather walk through the ledger from its end.
	ledgerOf = `WITH mine AS MATERIALIZED (` + rowColumns + ` WHERE key = $4 AND position < $1 AND ($2 = '' OR kind = $2))
SELECT position, kind, key, audience, reason, at, expires_at FROM mine ORDER BY position DESC LIMIT $3`
	ledgerOnOf = `WITH mine AS MATERIALIZED (` + rowColumns + ` WHERE key = $4 AND position > $1 AND ($2 = '' OR kind = $2))
SELECT position, kind, key, audience, reason, at, expires_at FROM mine ORDER BY position LIMIT $3`
)

// ListedRevocations implements admin.ListStore.
func (d *DB) ListedRevocations(ctx context.Context, q admin.RevocationQuery) ([]revocation.Row, error) {
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	text, ofKey, args := ledgerBack, ledgerOf, []any{before, string(q.Kind), q.Limit}
	if q.Oldest {
		text, ofKey, args[0] = ledgerOn, ledgerOnOf, q.After
	}
	if q.Key != "" {
		text, args = ofKey, append(args, q.Key)
	}
	var rows []revocation.Row
	err := d.query(ctx, text, func(row scanner) error {
		var r revocation.Row
		err := row.Scan(&r.Position, &r.Kind, &r.Key, &r.Audience, &r.Reason, &r.At, &r.ExpiresAt)
		rows = append(rows, r)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list the ledger: %w", err)
	}
	return rows, nil
}
