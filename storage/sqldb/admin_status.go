package sqldb

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ admin.ActivityStore = (*DB)(nil)

// Ids rise with time, so each of these is a walk from the newest that stops at its
// limit.
const (
	signInOutcomes = `SELECT action, hour, details, count(*), min(at) FROM (
  SELECT action, at, at - at % 3600000 AS hour, CASE WHEN action = 'user.sign_in' THEN '' ELSE details END AS details
  FROM audit WHERE action = $1 AND id >= $2 ORDER BY id DESC LIMIT $3
) AS e GROUP BY action, hour, details ORDER BY hour, details`
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

// SignInOutcomes implements admin.ActivityStore.
func (d *DB) SignInOutcomes(ctx context.Context, since int64, limit int) ([]admin.Outcome, int64, error) {
	var outcomes []admin.Outcome
	complete := since
	for _, action := range []string{"user.sign_in", "user.sign_in.refuse"} {
		total, oldest := 0, int64(0)
		err := d.query(ctx, signInOutcomes, func(row scanner) error {
			var o admin.Outcome
			var name, details string
			var at int64
			if err := row.Scan(&name, &o.Hour, &details, &o.Count, &at); err != nil {
				return err
			}
			if o.Result = "success"; details != "" {
				o.Result = causeOf(details)
			}
			if oldest == 0 || at < oldest {
				oldest = at
			}
			total += o.Count
			outcomes = merged(outcomes, o)
			return nil
		}, action, firstID(since), limit)
		if err != nil {
			return nil, 0, fmt.Errorf("sign-ins by result: %w", err)
		}
		if total >= limit { // what lies before was not read
			complete = max(complete, oldest)
		}
	}
	return outcomes, complete, nil
}

// causeOf reads why a sign-in was refused.
func causeOf(details string) string {
	var d struct {
		Cause string `json:"cause"`
	}
	if err := json.Unmarshal([]byte(details), &d); err != nil || d.Cause == "" {
		return "refused"
	}
	return d.Cause
}

// merged adds an outcome to what is there of its hour and result: causes with other
// details are one.
func merged(outcomes []admin.Outcome, o admin.Outcome) []admin.Outcome {
	for i, known := range outcomes {
		if known.Hour == o.Hour && known.Result == o.Result {
			outcomes[i].Count += o.Count
			return outcomes
		}
	}
	return append(outcomes, o)
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
