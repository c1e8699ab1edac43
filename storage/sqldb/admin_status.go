package sqldb

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ admin.ActivityStore = (*DB)(nil)

// Ids rise with time, so each of these is a walk from the newest that stops at its
// limit.
const (
	newGrants = `SELECT count(*) FROM (SELECT 1 FROM grants WHERE id >= $1 ORDER BY id DESC LIMIT $2) AS g`
	jobQueues = `SELECT kind, count(*), sum(CASE WHEN attempts > 0 THEN 1 ELSE 0 END), min(run_at) FROM (
  SELECT kind, attempts, run_at FROM jobs WHERE run_at > 0 ORDER BY run_at LIMIT $1
) AS j GROUP BY kind ORDER BY kind`
)

// firstID is before every id that was made at a time or later (RFC 9562 §5.7).
func firstID(at int64) id.ID {
	var first id.ID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(at, 0)))
	copy(first[:6], ms[2:])
	return first
}

// NewGrants implements admin.ActivityStore.
func (d *DB) NewGrants(ctx context.Context, since int64, limit int) (int, error) {
	var n int
	if err := d.queryRow(ctx, newGrants, []any{firstID(since), limit}, &n); err != nil {
		return 0, fmt.Errorf("count new grants: %w", err)
	}
	return n, nil
}

// JobQueues implements admin.ActivityStore.
func (d *DB) JobQueues(ctx context.Context, limit int) ([]admin.Queue, error) {
	var queues []admin.Queue
	err := d.query(ctx, jobQueues, func(row scanner) error {
		var q admin.Queue
		err := row.Scan(&q.Kind, &q.Waiting, &q.Retrying, &q.Oldest)
		queues = append(queues, q)
		return err
	}, limit)
	if err != nil {
		return nil, fmt.Errorf("count waiting jobs: %w", err)
	}
	return queues, nil
}
