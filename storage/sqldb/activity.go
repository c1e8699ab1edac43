package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ accounts.ActivityStore = (*DB)(nil)
	_ accounts.ExportStore   = (*DB)(nil)
)

// Ids rise with time, so the index on (user_id, id) gives the order.
const sessionsSince = `SELECT ` + sessionColumns + ` FROM sessions s
WHERE s.user_id = $1 AND s.last_seen_at >= $2 ORDER BY s.id DESC LIMIT $3`

// SessionsSince implements accounts.ActivityStore.
func (d *DB) SessionsSince(ctx context.Context, userID id.ID, since int64, limit int) ([]accounts.Session, error) {
	var found []accounts.Session
	err := d.query(ctx, sessionsSince, func(row scanner) error {
		var s accounts.Session
		err := row.Scan(sessionDest(nil, &s)...)
		found = append(found, s)
		return err
	}, userID, since, limit)
	if err != nil {
		return nil, fmt.Errorf("sessions of a user since: %w", err)
	}
	return found, nil
}

const endedGrants = `SELECT id FROM grants WHERE user_id = $1 AND ended_at > 0 AND ended_at >= $2 ORDER BY id DESC LIMIT $3`

// EndedGrants implements accounts.ActivityStore.
func (d *DB) EndedGrants(ctx context.Context, userID id.ID, since int64, limit int) ([]string, error) {
	ids, err := d.returned(ctx, endedGrants, userID, since, limit)
	if err != nil {
		return nil, fmt.Errorf("grants of a user that have ended: %w", err)
	}
	gids := make([]string, len(ids))
	for i, g := range ids {
		gids[i] = g.String()
	}
	return gids, nil
}

// What is about the user is a walk down the index of targets that stops after a page.
// There is little about one session or grant, so all of that is read: asked for in an
// order, PostgreSQL might rather walk through the whole log from its end.
const (
	eventsOf    = `SELECT ` + auditColumns + ` FROM audit WHERE id < $2 AND at >= $3 AND target_kind = `
	eventsAbout = `WITH of_sessions AS MATERIALIZED (` + eventsOf + `'session' AND target_id IN strings($5)),
of_grants AS MATERIALIZED (` + eventsOf + `'grant' AND target_id IN strings($6))
SELECT ` + auditColumns + ` FROM (
  SELECT * FROM (` + eventsOf + `'user' AND target_id = $1 ORDER BY id DESC LIMIT $4) AS of_user
  UNION ALL SELECT * FROM of_sessions
  UNION ALL SELECT * FROM of_grants
) AS e ORDER BY id DESC LIMIT $4`
)

// EventsAbout implements accounts.ActivityStore.
func (d *DB) EventsAbout(ctx context.Context, q accounts.EventQuery) ([]accounts.PastEvent, error) {
	before := q.Before
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	var events []accounts.PastEvent
	err := d.query(ctx, eventsAbout, func(row scanner) error {
		e, err := scanAudit(row)
		events = append(events, accounts.PastEvent{ID: e.ID, At: e.At, Event: e.Event, Address: e.Address})
		return err
	}, q.Subject, before, q.Since, q.Limit, q.Sessions, q.Grants)
	if err != nil {
		return nil, fmt.Errorf("events about a user: %w", err)
	}
	return events, nil
}

const clientNames = `SELECT client_id, name, texts FROM clients WHERE client_id IN strings($1)`

// ClientNames implements accounts.ActivityStore.
func (d *DB) ClientNames(ctx context.Context, clientIDs []string) (map[string]accounts.AppName, error) {
	names := map[string]accounts.AppName{}
	err := d.query(ctx, clientNames, func(row scanner) error {
		var clientID string
		var name accounts.AppName
		err := row.Scan(&clientID, &name.Name, (*texts)(&name.Texts))
		names[clientID] = name
		return err
	}, clientIDs)
	if err != nil {
		return nil, fmt.Errorf("names of clients: %w", err)
	}
	return names, nil
}
