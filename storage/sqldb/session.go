package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ accounts.SessionStore  = (*DB)(nil)
	_ accounts.SessionLister = (*DB)(nil)
)

const insertSession = `INSERT INTO sessions (id, token_hash, user_id, rev, auth_time, amr, acr, created_at,
  last_seen_at, idle_ends_at, expires_at, ended_at, end_reason, user_agent, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`

// InsertSession implements accounts.SessionStore. A user who is gone is
// ErrNotFound.
func (d *DB) InsertSession(ctx context.Context, s *accounts.Session) error {
	_, err := d.exec(ctx, insertSession, s.ID, s.TokenHash, s.UserID, s.Rev, s.AuthTime,
		strings.Join(s.AMR, " "), s.ACR, s.CreatedAt, s.LastSeenAt, s.IdleEndsAt, s.ExpiresAt,
		s.EndedAt, s.EndReason, s.UserAgent, s.Address)
	if err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

const renewSession = `UPDATE sessions SET token_hash = $2, rev = $3, auth_time = $4, amr = $5, acr = $6,
  last_seen_at = $7, idle_ends_at = $8, user_agent = $9, address = $10
WHERE id = $1 AND ended_at = 0`

// RenewSession implements accounts.SessionStore.
func (d *DB) RenewSession(ctx context.Context, s *accounts.Session) error {
	err := d.touched(ctx, renewSession, s.ID, s.TokenHash, s.Rev, s.AuthTime, strings.Join(s.AMR, " "), s.ACR,
		s.LastSeenAt, s.IdleEndsAt, s.UserAgent, s.Address)
	if err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	return nil
}

const sessionByToken = `SELECT ` + sessionColumns + `, ` + standingUserColumns + `
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1`

// SessionByToken implements accounts.SessionStore.
func (d *DB) SessionByToken(ctx context.Context, tokenHash []byte) (*accounts.Session, *accounts.User, error) {
	var (
		s accounts.Session
		u accounts.User
	)
	err := d.queryRow(ctx, sessionByToken, []any{tokenHash}, standingUserDest(sessionDest(nil, &s), &u)...)
	if err != nil {
		return nil, nil, fmt.Errorf("session by token: %w", err)
	}
	return &s, &u, nil
}

const sessionByID = `SELECT ` + sessionColumns + ` FROM sessions s WHERE s.id = $1`

// SessionByID implements accounts.SessionStore.
func (d *DB) SessionByID(ctx context.Context, sessionID id.ID) (*accounts.Session, error) {
	var s accounts.Session
	err := d.queryRow(ctx, sessionByID, []any{sessionID}, sessionDest(nil, &s)...)
	if err != nil {
		return nil, fmt.Errorf("session by id: %w", err)
	}
	return &s, nil
}

// A session that has ended, or whose idle time ran out, is not brought back by a
// request that was on its way.
const touchSession = `UPDATE sessions SET last_seen_at = $2, idle_ends_at = $3
WHERE id = $1 AND ended_at = 0 AND last_seen_at < $2 AND idle_ends_at > $2 AND expires_at > $2`

// TouchSession implements accounts.SessionStore.
func (d *DB) TouchSession(ctx context.Context, sessionID id.ID, seenAt, idleEndsAt int64) error {
	_, err := d.execRelaxed(ctx, touchSession, sessionID, seenAt, idleEndsAt)
	if err != nil {
		return fmt.Errorf("touch session: %w", err)
	}
	return nil
}

// Ids rise with time, so the index on (user_id, id) gives the order.
const sessionsOf = `SELECT ` + sessionColumns + ` FROM sessions s
WHERE s.user_id = $1 AND s.ended_at = 0 AND s.idle_ends_at > $2 AND s.expires_at > $2
ORDER BY s.id DESC`

// SessionsOf implements accounts.SessionStore.
func (d *DB) SessionsOf(ctx context.Context, userID id.ID, now int64) ([]accounts.Session, error) {
	var found []accounts.Session
	err := d.query(ctx, sessionsOf, func(row scanner) error {
		var s accounts.Session
		if err := row.Scan(sessionDest(nil, &s)...); err != nil {
			return err
		}
		found = append(found, s)
		return nil
	}, userID, now)
	if err != nil {
		return nil, fmt.Errorf("sessions of a user: %w", err)
	}
	return found, nil
}

// Idle time is no condition: a touch by a node whose clock is behind could still
// prolong a session that seems idle here.
const (
	endSessionsOf = `UPDATE sessions SET ended_at = $3, end_reason = $4
WHERE user_id = $1 AND id <> $2 AND ended_at = 0 AND expires_at > $3 RETURNING id`
	endSession = `UPDATE sessions SET ended_at = $3, end_reason = $4
WHERE id = $1 AND id <> $2 AND ended_at = 0 AND expires_at > $3 RETURNING id`
	endSessionOf = `UPDATE sessions SET ended_at = $3, end_reason = $4
WHERE id = $1 AND id <> $2 AND user_id = $5 AND ended_at = 0 AND expires_at > $3 RETURNING id`
)

// EndSessions implements accounts.SessionStore. A filter that names neither a
// user nor a session is refused.
func (d *DB) EndSessions(ctx context.Context, f accounts.SessionFilter, at int64, reason string) ([]id.ID, error) {
	// An id of zeros in Except is the id of no session, so it spares none.
	text, args := endSession, []any{f.SessionID, f.Except, at, reason}
	switch {
	case f.SessionID.IsZero() && f.UserID.IsZero():
		return nil, fmt.Errorf("end sessions: %w", errNoFilter)
	case f.SessionID.IsZero():
		text, args[0] = endSessionsOf, f.UserID
	case !f.UserID.IsZero():
		text, args = endSessionOf, append(args, f.UserID)
	}
	ended, err := d.returned(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	return ended, nil
}
