package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

const purgeRows = `DELETE FROM revocations WHERE position IN (
  SELECT position FROM revocations WHERE expires_at < $1 AND (position <= $3 OR expires_at < $4)
  ORDER BY expires_at LIMIT $2
) RETURNING position, kind`

// longestUnrelayed is how long rows stay, after their time, for a relay that has
// not passed them on: longer than nodes are down, and no longer, since a relay
// that nobody runs any more would keep them for ever.
const longestUnrelayed = 24 * time.Hour

// Purge drops at most batch rows of the ledger whose time has passed and raises
// the floor to the highest of them, in one transaction: a token that could have
// needed one of them is refused for its rev instead (L12). Rows of kind Token do
// not count, they are never needed after their token's own expiry. It returns
// how many it dropped. What a relay has still to pass on stays, for a day at most.
func (d *DB) Purge(ctx context.Context, now int64, batch int) (int, error) {
	dropped := 0
	err := d.InTx(ctx, func(ctx context.Context) error {
		dropped = 0
		q := &d.txOf(ctx).queue
		relayed, err := d.relayed(ctx)
		if err != nil {
			return err
		}
		return d.query(ctx, purgeRows, func(row scanner) error {
			var position int64
			var kind revocation.Kind
			if err := row.Scan(&position, &kind); err != nil {
				return err
			}
			dropped++
			if kind != revocation.Token {
				q.floor = max(q.floor, position)
			}
			return nil
		}, now, batch, relayed, now-longestUnrelayed.Milliseconds())
	})
	if err != nil {
		return 0, fmt.Errorf("purge the ledger: %w", err)
	}
	return dropped, nil
}
