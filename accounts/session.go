package accounts

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ACRPassword is the authentication context class of a sign-in by password alone:
// the first authenticator assurance level of NIST SP 800-63B.
const ACRPassword = "aal1"

// Session is a signed-in browser. Its ID is the sid of tokens; the cookie holds
// 256 random bits of which only the SHA-256 is kept.
type Session struct {
	ID         id.ID
	TokenHash  []byte
	UserID     id.ID
	Rev        int64 // position at which the proof (the password's row) was read (L2)
	AuthTime   int64 // Unix milliseconds of the last real authentication
	AMR        []string
	ACR        string
	CreatedAt  int64
	LastSeenAt int64
	IdleEndsAt int64 // moves with use
	ExpiresAt  int64 // never moves
	EndedAt    int64
	EndReason  string
	UserAgent  string
	Address    string
}

// EndsAt is when the session ends if it is not used again.
func (s *Session) EndsAt() int64 { return min(s.IdleEndsAt, s.ExpiresAt) }

// Live reports whether the session can be used at the given time, by its user at
// the given valid_from.
func (s *Session) Live(now, userValidFrom int64) bool {
	return s.EndedAt == 0 && now < s.EndsAt() && s.Rev >= userValidFrom
}

// SessionStore keeps sessions.
type SessionStore interface {
	InsertSession(ctx context.Context, s *Session) error
	// RenewSession gives a session that has not ended the token, the proof (rev,
	// auth_time, amr, acr) and the times of use of s; ErrNotFound if it has ended.
	RenewSession(ctx context.Context, s *Session) error
	// SessionByToken returns a session and its user, ended or not.
	SessionByToken(ctx context.Context, tokenHash []byte) (*Session, *User, error)
	SessionByID(ctx context.Context, sessionID id.ID) (*Session, error)
	// TouchSession moves last_seen_at and idle_ends_at; its loss is harmless, so
	// it need not be durable.
	TouchSession(ctx context.Context, sessionID id.ID, seenAt, idleEndsAt int64) error
	// EndSessions ends the live sessions of a user, or one of them, and returns
	// the ids of those that it ended.
	EndSessions(ctx context.Context, f SessionFilter, at int64, reason string) ([]id.ID, error)
}

// SessionLister lists sessions for their owner and for operators.
type SessionLister interface {
	// SessionsOf returns the sessions of a user that have not ended, newest first.
	SessionsOf(ctx context.Context, userID id.ID, now int64) ([]Session, error)
}

// SessionFilter says which sessions to end: those of a user, or one, but not the
// one kept.
type SessionFilter struct {
	UserID    id.ID
	SessionID id.ID // zero means all of the user
	Except    id.ID // zero means none
}
