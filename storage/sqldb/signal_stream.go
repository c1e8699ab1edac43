package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/signals"
)

var _ signals.StreamStore = (*DB)(nil)

const (
	insertSignalStream = `INSERT INTO signal_streams (id, client_id, method, endpoint, sealed, requested, description, status,
  reason, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`
	// What is not pushed has no job.
	updateSignalStream = `UPDATE signal_streams SET method = $2, endpoint = $3, sealed = $4, requested = $5, description = $6,
  status = $7, reason = $8, updated_at = $9,
  push_job = CASE WHEN $2 = 'urn:ietf:rfc:8935' THEN push_job ELSE NULL END
WHERE id = $1`
	deleteSignalStream = `DELETE FROM signal_streams WHERE id = $1`

	// A stream with what its client is now: whether it may receive at all, and
	// whether about everybody.
	signalStreams = `SELECT s.id, s.client_id, s.method, s.endpoint, s.sealed, s.requested, s.description, s.status, s.reason,
  s.push_job, s.push_at, s.wanted, s.created_at, s.updated_at, c.disabled_at = 0 AND ` + holdsPermission + `'signals:manage'),
  ` + holdsPermission + `'signals:all'), COALESCE(a.audience, '')
FROM signal_streams s JOIN clients c ON c.client_id = s.client_id LEFT JOIN apis a ON a.id = c.api_id`
	holdsPermission = `EXISTS (SELECT 1 FROM client_permissions cp JOIN permissions p ON p.id = cp.permission_id
    WHERE cp.client_id = c.id AND p.name = `

	signalStreamOf     = signalStreams + ` WHERE s.client_id = $1`
	signalStreamByID   = signalStreams + ` WHERE s.id = $1`
	lockSignalStreams  = signalStreams + ` WHERE s.id IN ids($1) ORDER BY s.id FOR NO KEY UPDATE OF s`
	listenersOfSignals = signalStreams + ` WHERE s.status <> 'disabled' ORDER BY s.id`
)

// InsertStream implements signals.StreamStore.
func (d *DB) InsertStream(ctx context.Context, s *signals.Stream) error {
	err := d.inserted(ctx, insertSignalStream, s.ID, s.ClientID, string(s.Method), s.Endpoint, s.Sealed, list(s.Requested),
		s.Description, string(s.Status), s.Reason, s.CreatedAt, s.UpdatedAt)
	if err != nil {
		return fmt.Errorf("insert signal stream: %w", err)
	}
	return nil
}

// UpdateStream implements signals.StreamStore.
func (d *DB) UpdateStream(ctx context.Context, s *signals.Stream) error {
	err := d.touched(ctx, updateSignalStream, s.ID, string(s.Method), s.Endpoint, s.Sealed, list(s.Requested), s.Description,
		string(s.Status), s.Reason, s.UpdatedAt)
	if err != nil {
		return fmt.Errorf("update signal stream: %w", err)
	}
	return nil
}

// DeleteStream implements signals.StreamStore.
func (d *DB) DeleteStream(ctx context.Context, streamID id.ID) error {
	if err := d.touched(ctx, deleteSignalStream, streamID); err != nil {
		return fmt.Errorf("delete signal stream: %w", err)
	}
	return nil
}

// StreamOf implements signals.StreamStore.
func (d *DB) StreamOf(ctx context.Context, clientID string) (*signals.Stream, error) {
	return d.signalStream(ctx, signalStreamOf, clientID)
}

// StreamByID implements signals.StreamStore.
func (d *DB) StreamByID(ctx context.Context, streamID id.ID) (*signals.Stream, error) {
	return d.signalStream(ctx, signalStreamByID, streamID)
}

// LockStreams implements signals.StreamStore.
func (d *DB) LockStreams(ctx context.Context, streamIDs []id.ID) ([]signals.Stream, error) {
	if d.txOf(ctx) == nil {
		return nil, errLockOutsideTx
	}
	return d.signalStreamsOf(ctx, lockSignalStreams, streamIDs)
}

// ListeningStreams implements signals.EventStore.
func (d *DB) ListeningStreams(ctx context.Context) ([]signals.Stream, error) {
	all, err := d.signalStreamsOf(ctx, listenersOfSignals)
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

func (d *DB) signalStream(ctx context.Context, sql string, args ...any) (*signals.Stream, error) {
	var s signals.Stream
	if err := d.queryRow(ctx, sql, args, signalColumns(&s)...); err != nil {
		return nil, fmt.Errorf("signal stream: %w", err)
	}
	return &s, nil
}

func (d *DB) signalStreamsOf(ctx context.Context, sql string, args ...any) ([]signals.Stream, error) {
	var streams []signals.Stream
	err := d.query(ctx, sql, func(row scanner) error {
		var s signals.Stream
		err := row.Scan(signalColumns(&s)...)
		streams = append(streams, s)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("signal streams: %w", err)
	}
	return streams, nil
}

func signalColumns(s *signals.Stream) []any {
	return []any{
		&s.ID, &s.ClientID, (*string)(&s.Method), &s.Endpoint, &s.Sealed, (*list)(&s.Requested), &s.Description,
		(*string)(&s.Status), &s.Reason, &s.PushJob, &s.PushAt, &s.Wanted, &s.CreatedAt, &s.UpdatedAt, &s.Live, &s.Every, &s.Audience,
	}
}
