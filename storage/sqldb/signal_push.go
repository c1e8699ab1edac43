package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/signals"
)

var _ signals.DeliveryStore = (*DB)(nil)

// A job ends by finishSignals only if nothing was wanted since it read the stream.
// The counter is in the row that both statements change, so they come one after the
// other, and the second sees what the first did; an event by itself would be
// invisible to a job that ends while its transaction is still open.
const (
	wantSignals = `UPDATE signal_streams SET wanted = wanted + 1, push_at = CASE WHEN push_job IS NULL THEN $3 ELSE push_at END,
  push_job = COALESCE(push_job, $2)
WHERE id = $1 AND method = 'urn:ietf:rfc:8935' RETURNING push_job`
	finishSignals   = `UPDATE signal_streams SET push_job = NULL WHERE id = $1 AND push_job = $2 AND wanted = $3`
	handOverSignals = `UPDATE signal_streams SET push_job = $3, push_at = $4
WHERE id = $1 AND push_job IS NOT DISTINCT FROM $2 AND method = 'urn:ietf:rfc:8935'`
	verifySignals = `UPDATE signal_streams SET verified_at = $2 WHERE id = $1 AND verified_at + $3 <= $2`
	// The oldest alone, so that SQLite does not read all events to find no stream
	// twice: what is found is emptied, and the next are found a minute later.
	overdueSignals = `SELECT DISTINCT stream_id FROM (
  SELECT stream_id FROM signal_events WHERE created_at < $1 ORDER BY created_at LIMIT 1000) AS oldest`
	stalledSignals = signalStreams + ` WHERE s.method = 'urn:ietf:rfc:8935' AND (s.push_job IS NULL OR s.push_at < $1)
  AND EXISTS (SELECT 1 FROM signal_events e WHERE e.stream_id = s.id AND (e.announces OR s.status = 'enabled'))`
)

// WantPush implements signals.DeliveryStore.
func (d *DB) WantPush(ctx context.Context, streamID, job id.ID, now int64) (bool, error) {
	var current id.ID
	err := d.queryRow(ctx, wantSignals, []any{streamID, job, now}, &current)
	if errors.Is(err, accounts.ErrNotFound) {
		return false, nil // it is gone, or not pushed any more
	}
	if err != nil {
		return false, fmt.Errorf("want signals: %w", err)
	}
	return current == job, nil
}

// FinishPush implements signals.DeliveryStore.
func (d *DB) FinishPush(ctx context.Context, streamID, job id.ID, wanted int64) (bool, error) {
	n, err := d.exec(ctx, finishSignals, streamID, job, wanted)
	if err != nil {
		return false, fmt.Errorf("finish signals: %w", err)
	}
	return n > 0, nil
}

// HandOverPush implements signals.DeliveryStore. The zero id stands for no job.
func (d *DB) HandOverPush(ctx context.Context, streamID, from, to id.ID, now int64) (bool, error) {
	n, err := d.exec(ctx, handOverSignals, streamID, nullable(from), to, now)
	if err != nil {
		return false, fmt.Errorf("hand signals over: %w", err)
	}
	return n > 0, nil
}

// NoteVerification implements signals.DeliveryStore.
func (d *DB) NoteVerification(ctx context.Context, streamID id.ID, now, interval int64) (bool, error) {
	n, err := d.exec(ctx, verifySignals, streamID, now, interval)
	if err != nil {
		return false, fmt.Errorf("note verification: %w", err)
	}
	return n > 0, nil
}

// OverdueStreams implements signals.DeliveryStore.
func (d *DB) OverdueStreams(ctx context.Context, before int64) ([]id.ID, error) {
	var streams []id.ID
	err := d.query(ctx, overdueSignals, func(row scanner) error {
		var streamID id.ID
		err := row.Scan(&streamID)
		streams = append(streams, streamID)
		return err
	}, before)
	if err != nil {
		return nil, fmt.Errorf("overdue signals: %w", err)
	}
	return streams, nil
}

// StalledStreams implements signals.DeliveryStore.
func (d *DB) StalledStreams(ctx context.Context, since int64) ([]signals.Stream, error) {
	all, err := d.signalStreamsOf(ctx, stalledSignals, since)
	if err != nil {
		return nil, err
	}
	live := all[:0]
	for _, s := range all {
		if s.Live {
			live = append(live, s)
		}
	}
	return live, nil
}
