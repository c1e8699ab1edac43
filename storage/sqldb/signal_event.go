package sqldb

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/signals"
)

var (
	_ signals.EventStore   = (*DB)(nil)
	_ signals.SubjectStore = (*DB)(nil)
)

const (
	putSignalSubject = `INSERT INTO signal_subjects (stream_id, sub, sid, included, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (stream_id, sub, sid) DO UPDATE SET included = excluded.included`
	dropSignalSubject    = `DELETE FROM signal_subjects WHERE stream_id = $1 AND sub = $2 AND sid = $3`
	forgetSignalSubjects = `DELETE FROM signal_subjects WHERE sub IN strings($1)`
	countSignalSubjects  = `SELECT count(*) FROM signal_subjects WHERE stream_id = $1`
	listedSubjects       = `SELECT stream_id, sub, sid, included FROM signal_subjects WHERE sub IN strings($1)`
	subjectsOfSessions   = `SELECT s.id, u.sub FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id IN ids($1)`

	// Many in one statement: what one cause tells may go into every stream.
	insertSignalEvents = `INSERT INTO signal_events (stream_id, jti, id, claims, announces, created_at) `
	fromPostgresList   = `SELECT decode(e->>'stream', 'hex'), e->>'jti', decode(e->>'id', 'hex'), e->>'claims',
  (e->>'announces')::boolean, (e->>'at')::bigint FROM json_array_elements($1::text::json) AS e ON CONFLICT DO NOTHING`
	fromSQLiteList = `SELECT unhex(value->>'stream'), value->>'jti', unhex(value->>'id'), value->>'claims',
  value->>'announces', value->>'at' FROM json_each($1) WHERE true ON CONFLICT DO NOTHING`

	countSignalEvents = `SELECT stream_id, count(*) FROM signal_events WHERE stream_id IN ids($1) GROUP BY stream_id`
	waitingEvents     = `SELECT stream_id, jti, id, claims, announces, created_at FROM signal_events
WHERE stream_id = $1 AND (announces OR $2) ORDER BY id LIMIT $3`
	dropSignalEvents = `DELETE FROM signal_events WHERE stream_id = $1 AND jti IN strings($2)`
	dropOlderEvents  = `DELETE FROM signal_events WHERE stream_id = $1 AND created_at < $2`
)

// PutSubject implements signals.SubjectStore.
func (d *DB) PutSubject(ctx context.Context, l signals.Listed, now int64) error {
	if _, err := d.exec(ctx, putSignalSubject, l.StreamID, l.Sub, l.Session, l.Included, now); err != nil {
		return fmt.Errorf("put signal subject: %w", err)
	}
	return nil
}

// DropSubject implements signals.SubjectStore.
func (d *DB) DropSubject(ctx context.Context, streamID id.ID, s signals.Subject) error {
	if _, err := d.exec(ctx, dropSignalSubject, streamID, s.Sub, s.Session); err != nil {
		return fmt.Errorf("drop signal subject: %w", err)
	}
	return nil
}

// ForgetSubjects implements signals.SubjectStore.
func (d *DB) ForgetSubjects(ctx context.Context, subs []string) error {
	if _, err := d.exec(ctx, forgetSignalSubjects, subs); err != nil {
		return fmt.Errorf("forget signal subjects: %w", err)
	}
	return nil
}

// CountSubjects implements signals.SubjectStore.
func (d *DB) CountSubjects(ctx context.Context, streamID id.ID) (int, error) {
	var n int
	if err := d.queryRow(ctx, countSignalSubjects, []any{streamID}, &n); err != nil {
		return 0, fmt.Errorf("count signal subjects: %w", err)
	}
	return n, nil
}

// ListedSubjects implements signals.SubjectStore.
func (d *DB) ListedSubjects(ctx context.Context, subs []string) ([]signals.Listed, error) {
	var listed []signals.Listed
	err := d.query(ctx, listedSubjects, func(row scanner) error {
		var l signals.Listed
		err := row.Scan(&l.StreamID, &l.Sub, &l.Session, &l.Included)
		listed = append(listed, l)
		return err
	}, subs)
	if err != nil {
		return nil, fmt.Errorf("listed signal subjects: %w", err)
	}
	return listed, nil
}

// SessionSubjects implements signals.SubjectStore.
func (d *DB) SessionSubjects(ctx context.Context, sessions []id.ID) (map[id.ID]string, error) {
	owners := map[id.ID]string{}
	err := d.query(ctx, subjectsOfSessions, func(row scanner) error {
		var session id.ID
		var sub string
		err := row.Scan(&session, &sub)
		owners[session] = sub
		return err
	}, sessions)
	if err != nil {
		return nil, fmt.Errorf("owners of sessions: %w", err)
	}
	return owners, nil
}

// insertAtOnce is how many events one statement inserts.
const insertAtOnce = 200

// listedEvent is an event as insertSignalEvents reads it.
type listedEvent struct {
	Stream    string `json:"stream"`
	JTI       string `json:"jti"`
	ID        string `json:"id"`
	Claims    string `json:"claims"`
	Announces bool   `json:"announces"`
	At        int64  `json:"at"`
}

// InsertEvents implements signals.EventStore.
func (d *DB) InsertEvents(ctx context.Context, events []signals.Event) error {
	text := insertSignalEvents + d.either(fromPostgresList, fromSQLiteList)
	for part := range slices.Chunk(events, insertAtOnce) {
		rows := make([]listedEvent, len(part))
		for i, e := range part {
			rows[i] = listedEvent{
				Stream: hex.EncodeToString(e.StreamID[:]), JTI: e.JTI, ID: hex.EncodeToString(e.ID[:]),
				Claims: string(e.Claims), Announces: e.Announces, At: e.CreatedAt,
			}
		}
		list, err := json.Marshal(rows)
		if err != nil {
			return fmt.Errorf("encode signal events: %w", err)
		}
		if _, err := d.exec(ctx, text, string(list)); err != nil {
			return fmt.Errorf("insert signal events: %w", err)
		}
	}
	return nil
}

// CountEvents implements signals.EventStore.
func (d *DB) CountEvents(ctx context.Context, streamIDs []id.ID) (map[id.ID]int, error) {
	counts := map[id.ID]int{}
	err := d.query(ctx, countSignalEvents, func(row scanner) error {
		var streamID id.ID
		var n int
		err := row.Scan(&streamID, &n)
		counts[streamID] = n
		return err
	}, streamIDs)
	if err != nil {
		return nil, fmt.Errorf("count signal events: %w", err)
	}
	return counts, nil
}

// WaitingEvents implements signals.EventStore.
func (d *DB) WaitingEvents(ctx context.Context, streamID id.ID, all bool, limit int) ([]signals.Event, error) {
	var events []signals.Event
	err := d.query(ctx, waitingEvents, func(row scanner) error {
		var e signals.Event
		var claims string
		err := row.Scan(&e.StreamID, &e.JTI, &e.ID, &claims, &e.Announces, &e.CreatedAt)
		e.Claims = []byte(claims)
		events = append(events, e)
		return err
	}, streamID, all, limit)
	if err != nil {
		return nil, fmt.Errorf("waiting signal events: %w", err)
	}
	return events, nil
}

// DropEvents implements signals.EventStore.
func (d *DB) DropEvents(ctx context.Context, streamID id.ID, jtis []string) (int, error) {
	n, err := d.exec(ctx, dropSignalEvents, streamID, jtis)
	if err != nil {
		return 0, fmt.Errorf("drop signal events: %w", err)
	}
	return int(n), nil
}

// DropOlder implements signals.EventStore.
func (d *DB) DropOlder(ctx context.Context, streamID id.ID, before int64) (int, error) {
	n, err := d.exec(ctx, dropOlderEvents, streamID, before)
	if err != nil {
		return 0, fmt.Errorf("drop old signal events: %w", err)
	}
	return int(n), nil
}
