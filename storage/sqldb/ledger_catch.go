package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// One statement, so that head, hash and rows are of one snapshot (L9). The head
// comes with each row, and alone when there is none.
const catchUp = `SELECT h.position, h.change, h.floor, h.timeline, h.hash,
  (SELECT c.chain FROM revocations c WHERE c.position = $1),
  COALESCE(r.position, 0), COALESCE(r.kind, ''), COALESCE(r.key, ''), COALESCE(r.audience, ''), COALESCE(r.reason, ''),
  COALESCE(r.at, 0), COALESCE(r.expires_at, 0), r.chain
FROM ledger_head h LEFT JOIN (
  SELECT position, kind, key, audience, reason, at, expires_at, chain FROM revocations WHERE position > $1 ORDER BY position LIMIT $2
) r ON true
WHERE h.id = 1 ORDER BY 7`

// errNoHead: the tables are there and the counter is not.
var errNoHead = errors.New("sqldb: the ledger has no counter")

// Catch implements revocation.Source. Its batches end with a commit, where there is
// a hash: whoever goes on from there can be told whether it is the same history. It
// runs on a connection of its own: when every connection of the pool is busy, the
// ledger still moves (L4).
func (d *DB) Catch(ctx context.Context, after int64, limit int) (revocation.Batch, error) {
	var b revocation.Batch
	seen := false
	var chains [][]byte
	// One more than asked tells whether there are more.
	err := d.engine.watch(ctx, d.statement(catchUp), d.bind([]any{after, limit + 1}), func(row scanner) error {
		var (
			r     revocation.Row
			chain []byte
		)
		seen = true
		err := row.Scan(
			&b.Head.Position, &b.Head.Change, &b.Head.Floor, &b.Head.Timeline, &b.Head.Hash, &b.Chain,
			&r.Position, &r.Kind, &r.Key, &r.Audience, &r.Reason, &r.At, &r.ExpiresAt, &chain,
		)
		if r.Position != 0 {
			b.Rows, chains = append(b.Rows, r), append(chains, chain)
		}
		return err
	})
	switch {
	case err != nil:
		return revocation.Batch{}, fmt.Errorf("catch up with the ledger: %w", mapped(err))
	case !seen:
		return revocation.Batch{}, errNoHead
	}
	if len(b.Rows) > limit {
		end := limit
		for end > 0 && len(chains[end-1]) == noHash {
			end--
		}
		if end == 0 { // the rows of one commit are more than that
			return d.Catch(ctx, after, 2*limit)
		}
		b.Rows, b.More = b.Rows[:end], true
	}
	if len(b.Rows) > 0 {
		b.Last = chains[len(b.Rows)-1]
	}
	return b, nil
}

// noHash is the length of what the rows carry that are not the last of their commit.
const noHash = 1
