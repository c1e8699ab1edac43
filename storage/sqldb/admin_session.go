package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Ids rise with time. Of everybody's sessions those that have ended are passed over, a
// part of the last weeks' alone: an index without them would cost each sign-in, and
// draw other statements to it. One person's sessions are few and read as a whole: asked for in
// an order, PostgreSQL might rather walk through everybody's.
const (
	allSessions = `SELECT ` + sessionColumns + `, u.sub, u.username
FROM (SELECT * FROM sessions WHERE ended_at = 0 AND id < $1 ORDER BY id DESC` + mostListed + `) AS s JOIN users u ON u.id = s.user_id
ORDER BY s.id DESC LIMIT $2`
	sessionsOfOne = `WITH mine AS MATERIALIZED (
  SELECT s.*, u.sub, u.username FROM users u JOIN sessions s ON s.user_id = u.id
  WHERE u.sub = $3 AND s.ended_at = 0 AND s.id < $1
)
SELECT ` + sessionColumns + `, s.sub, s.username FROM mine s ORDER BY s.id DESC LIMIT $2`
	oldestSessions = `SELECT ` + sessionColumns + `, u.sub, u.username
FROM (SELECT * FROM sessions WHERE ended_at = 0 AND id > $1 ORDER BY id` + mostListed + `) AS s JOIN users u ON u.id = s.user_id
ORDER BY s.id LIMIT $2`
	oldestOfOne = `WITH mine AS MATERIALIZED (
  SELECT s.*, u.sub, u.username FROM users u JOIN sessions s ON s.user_id = u.id
  WHERE u.sub = $3 AND s.ended_at = 0 AND s.id > $1
)
SELECT ` + sessionColumns + `, s.sub, s.username FROM mine s ORDER BY s.id LIMIT $2`
	oneSession = `SELECT ` + sessionColumns + `, u.sub, u.username
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.ended_at = 0 AND s.id = $1 LIMIT $2`
)

// lastID comes after every other id.
func lastID() id.ID {
	var last id.ID
	for i := range last {
		last[i] = 0xff
	}
	return last
}

func orLast(before id.ID) id.ID {
	if before.IsZero() {
		return lastID()
	}
	return before
}

// ListedSessions implements admin.ListStore.
func (d *DB) ListedSessions(ctx context.Context, q admin.SessionQuery) ([]admin.ListedSession, error) {
	text, ofOne, args := allSessions, sessionsOfOne, []any{orLast(q.Before), q.Limit}
	if q.Oldest {
		text, ofOne, args[0] = oldestSessions, oldestOfOne, q.After
	}
	switch {
	case !q.ID.IsZero():
		text, args[0] = oneSession, q.ID
	case q.Subject != "":
		text, args = ofOne, append(args, q.Subject)
	}
	var found []admin.ListedSession
	err := d.query(ctx, text, func(row scanner) error {
		var s admin.ListedSession
		err := row.Scan(append(sessionDest(nil, &s.Session), &s.Subject, &s.Username)...)
		found = append(found, s)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return found, nil
}
