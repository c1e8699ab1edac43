package sqldb

import (
	"context"
	"fmt"
)

// A token from below the floor, or from before the last row for all, is refused
// whatever history it is from.
const chainsAt = `SELECT r.position, r.chain FROM revocations AS r, ledger_head AS h
WHERE r.position IN numbers($1) AND r.chain IS NOT NULL AND h.id = 1 AND r.position >= h.floor
  AND r.position >= (SELECT COALESCE(MAX(a.position), 0) FROM revocations AS a WHERE a.key = '' AND a.kind = 'all' AND a.audience = '')`

// Chains returns what the rows at the positions carry: after the last row of a commit
// the counter's hash then, elsewhere something that is no hash. Who was told another
// one was told it by another history (L8). Left out are positions whose rows are gone,
// and those at which nothing hangs on the history any more: it was repaired since, or
// every token from there is refused.
func (d *DB) Chains(ctx context.Context, positions []int64) (map[int64][]byte, error) {
	chains := make(map[int64][]byte, len(positions))
	err := d.query(ctx, chainsAt, func(row scanner) error {
		var position int64
		var chain []byte
		err := row.Scan(&position, &chain)
		chains[position] = chain
		return err
	}, positions)
	if err != nil {
		return nil, fmt.Errorf("read hashes of the ledger: %w", err)
	}
	return chains, nil
}
