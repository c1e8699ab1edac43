package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/jobs"
)

var (
	_ jobs.Enqueuer = (*DB)(nil)
	_ jobs.Store    = (*DB)(nil)
)

const (
	insertJob = `INSERT INTO jobs (id, kind, target, payload, run_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)`

	// The lock passes over jobs that another node is claiming; the update sees the
	// row as it is then, so a job has one winner. What is claimed counts its try at
	// once: a worker that dies has tried too.
	claimJobText = `WITH due AS MATERIALIZED (
  SELECT j.id FROM jobs j WHERE j.run_at <= $1 AND j.locked_until <= $1 AND j.kind IN strings($2)
    AND NOT EXISTS (SELECT 1 FROM pairs($3, $4) AS busy WHERE busy.a = j.kind AND busy.b = j.target)
  ORDER BY j.run_at LIMIT 1%s
)
UPDATE jobs SET locked_until = $5, attempts = attempts + 1 WHERE id IN (SELECT id FROM due)
RETURNING id, kind, target, payload, run_at, attempts, created_at`

	// Attempts fence: whoever claimed the job later has a higher number. A power cut
	// that takes the note back only brings the job again, as any crash may.
	finishJob   = `DELETE FROM jobs WHERE id = $1 AND attempts = $2`
	postponeJob = `UPDATE jobs SET run_at = $3, locked_until = 0, last_error = $4 WHERE id = $1 AND attempts = $2`
)

// Enqueue implements jobs.Enqueuer.
func (d *DB) Enqueue(ctx context.Context, list ...jobs.Job) error {
	if len(list) == 0 {
		return nil
	}
	now := d.now()
	err := d.InTx(ctx, func(ctx context.Context) error {
		for _, j := range list {
			if j.ID.IsZero() {
				j.ID = id.New()
			}
			if j.RunAt == 0 {
				j.RunAt = now
			}
			if _, err := d.exec(ctx, insertJob, j.ID, j.Kind, j.Target, j.Payload, j.RunAt, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("enqueue jobs: %w", err)
	}
	return nil
}

func (d *DB) claimJob() string {
	return fmt.Sprintf(claimJobText, d.either(" FOR UPDATE SKIP LOCKED", ""))
}

// ClaimJob implements jobs.Store.
func (d *DB) ClaimJob(ctx context.Context, c jobs.Claim) (*jobs.Job, error) {
	kinds, targets := make([]string, len(c.Busy)), make([]string, len(c.Busy))
	for i, b := range c.Busy {
		kinds[i], targets[i] = b.Kind, b.Name
	}
	var claimed *jobs.Job
	err := d.query(ctx, d.claimJob(), func(row scanner) error {
		claimed = new(jobs.Job)
		return row.Scan(&claimed.ID, &claimed.Kind, &claimed.Target, &claimed.Payload,
			&claimed.RunAt, &claimed.Attempts, &claimed.CreatedAt)
	}, c.Now, c.Kinds, kinds, targets, c.LeaseEnds)
	if err != nil {
		return nil, fmt.Errorf("claim a job: %w", err)
	}
	return claimed, nil
}

// FinishJob implements jobs.Store.
func (d *DB) FinishJob(ctx context.Context, j jobs.Job) (bool, error) {
	n, err := d.execRelaxed(ctx, finishJob, j.ID, j.Attempts)
	if err != nil {
		return false, fmt.Errorf("finish a job: %w", err)
	}
	return n == 1, nil
}

// PostponeJob implements jobs.Store.
func (d *DB) PostponeJob(ctx context.Context, j jobs.Job, runAt int64, lastError string) (bool, error) {
	n, err := d.execRelaxed(ctx, postponeJob, j.ID, j.Attempts, runAt, lastError)
	if err != nil {
		return false, fmt.Errorf("postpone a job: %w", err)
	}
	return n == 1, nil
}
