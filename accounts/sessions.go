package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	defaultIdle     = 12 * time.Hour
	defaultAbsolute = 30 * 24 * time.Hour
	touchEvery      = time.Minute
	sessionToken    = 32 // bytes of the cookie
	maxMetaRunes    = 256
)

// Sessions begins, finds and ends the sessions of browsers.
type Sessions struct {
	Journal
	Users    UserStore
	Store    SessionStore
	Grants   GrantStore
	Logger   *slog.Logger
	Idle     time.Duration // zero means 12 hours
	Absolute time.Duration // zero means 30 days
}

// Meta tells of the browser that signs in.
type Meta struct {
	UserAgent string
	Address   string
	// Replaces is the session that the browser's cookie held until now, of
	// whichever user. Zero means none.
	Replaces id.ID
	// Known is the value of the known-browser cookie, empty without.
	Known string
}

// Start begins a session for somebody who proved who they are, always with a new
// token, which goes into the cookie and is kept nowhere. A session that the browser
// held before ends; but if it is the same person's, who only had to sign in again
// for one of their apps, it goes on under the new token, or all their other apps
// would be cut off. The proof must still hold: the user is locked, and if they were
// banned, signed out everywhere or given another password since it was read, no
// session begins (L2). Errors: ErrCredentials, ErrBanned.
func (s *Sessions) Start(ctx context.Context, r *Result, m Meta) (token string, _ *Session, err error) {
	raw := secret.Random(sessionToken)
	hash := sha256.Sum256(raw)
	var started *Session
	actor := audit.Actor{Kind: audit.Person, ID: r.User.Subject, Name: r.User.Username}
	err = s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.stillProven(ctx, r)
		if err != nil {
			return nil, err
		}
		old, err := s.earlier(ctx, m.Replaces)
		if err != nil {
			return nil, err
		}
		var rows []revocation.Entry
		started = s.begun(r, m, u, hash[:], now)
		if old != nil && old.UserID == u.ID && old.Live(now, u.ValidFrom) {
			started.ID, started.CreatedAt, started.ExpiresAt = old.ID, old.CreatedAt, old.ExpiresAt
			started.IdleEndsAt = min(started.IdleEndsAt, old.ExpiresAt)
			err = s.Store.RenewSession(ctx, started)
		} else {
			if old != nil {
				filter := SessionFilter{UserID: old.UserID, SessionID: old.ID}
				if rows, err = endSessions(ctx, s.Store, s.Grants, filter, now, reasonReplaced); err != nil {
					return nil, err
				}
			}
			err = s.Store.InsertSession(ctx, started)
		}
		if err != nil {
			return nil, fmt.Errorf("write session: %w", err)
		}
		u.LastSignInAt = now
		if r.newHash != "" {
			u.PasswordHash = r.newHash
		}
		if err := s.Users.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
		return &effect{
			action: "user.sign_in", kind: "user", target: u.Subject,
			details: map[string]any{"session": started.ID.String()}, rows: rows,
		}, nil
	})
	if err != nil {
		return "", nil, err
	}
	return base64.RawURLEncoding.EncodeToString(raw), started, nil
}

// stillProven locks the user and checks that nothing has happened to them since
// the proof was read.
func (s *Sessions) stillProven(ctx context.Context, r *Result) (*User, error) {
	u, err := s.Users.LockUser(ctx, r.User.Subject)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrCredentials
	}
	if err != nil {
		return nil, fmt.Errorf("lock user: %w", err)
	}
	return u, r.holds(u)
}

// holds checks a proof against the locked row of its user. The hash is compared
// because a change of one's own password moves no valid_from: it would kill the
// grants that outlive it.
func (r *Result) holds(u *User) error {
	if !u.Active() {
		return ErrBanned
	}
	if r.Position < u.ValidFrom || r.User.PasswordHash != u.PasswordHash {
		return ErrCredentials
	}
	return nil
}

// begun is the session that a proof begins.
func (s *Sessions) begun(r *Result, m Meta, u *User, tokenHash []byte, now int64) *Session {
	begun := &Session{
		ID: id.New(), TokenHash: tokenHash, UserID: u.ID, Rev: r.Position, AuthTime: now, AMR: r.AMR, ACR: r.ACR,
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now + s.absolute(), UserAgent: clip(m.UserAgent), Address: clip(m.Address),
	}
	begun.IdleEndsAt = min(now+s.idle(), begun.ExpiresAt)
	return begun
}

// earlier returns the session that the browser had before, or nil.
func (s *Sessions) earlier(ctx context.Context, sessionID id.ID) (*Session, error) {
	if sessionID.IsZero() {
		return nil, nil
	}
	old, err := s.Store.SessionByID(ctx, sessionID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the browser's earlier session: %w", err)
	}
	return old, nil
}

// Find returns the live session of a cookie's token and its user, who is not
// banned; everything else is ErrNotFound. It notes that the session is in use, at
// most once a minute.
func (s *Sessions) Find(ctx context.Context, token string) (*Session, *User, error) {
	hash, ok := HashSessionToken(token)
	if !ok {
		return nil, nil, ErrNotFound
	}
	session, u, err := s.Store.SessionByToken(ctx, hash)
	if err != nil {
		return nil, nil, fmt.Errorf("find session: %w", err)
	}
	if !u.Active() || !session.Live(s.now(), u.ValidFrom) {
		return nil, nil, ErrNotFound
	}
	s.Touch(ctx, session)
	return session, u, nil
}

// HashSessionToken returns the hash under which the session of a cookie's token
// is kept; it reports false for what Start never returned.
func HashSessionToken(token string) ([]byte, bool) {
	encoding := base64.RawURLEncoding.Strict()
	if len(token) != encoding.EncodedLen(sessionToken) {
		return nil, false
	}
	raw, err := encoding.DecodeString(token)
	if err != nil || len(raw) != sessionToken {
		return nil, false
	}
	hash := sha256.Sum256(raw)
	return hash[:], true
}

// Touch notes that a live session is in use, at most once a minute. That a note is
// lost only means that the session ends a minute early, so it is no error.
func (s *Sessions) Touch(ctx context.Context, session *Session) {
	now := s.now()
	if now-session.LastSeenAt < touchEvery.Milliseconds() {
		return
	}
	ends := min(now+s.idle(), session.ExpiresAt)
	if err := s.Store.TouchSession(ctx, session.ID, now, ends); err != nil {
		s.Logger.WarnContext(ctx, "use of a session not noted", "sid", session.ID, "error", err)
		return
	}
	session.LastSeenAt, session.IdleEndsAt = now, ends
}

// SignOut ends the session of somebody who asks for it in that browser. It is no
// error if the session has ended before.
func (s *Sessions) SignOut(ctx context.Context, actor audit.Actor, subject string, sessionID id.ID) error {
	err := s.end(ctx, actor, subject, sessionID, "session.sign_out", reasonSignOut)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// End ends one session of a user, from another browser or by an operator. It
// returns ErrNotFound unless a live session of that id belongs to the user.
func (s *Sessions) End(ctx context.Context, actor audit.Actor, subject string, sessionID id.ID) error {
	return s.end(ctx, actor, subject, sessionID, "session.end", reasonSessionEnded)
}

// EndByID ends one session, whoever's it is. Errors: ErrNotFound unless it lives.
func (s *Sessions) EndByID(ctx context.Context, actor audit.Actor, sessionID id.ID) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		// No lock on the user: nothing of them is read, and a session's row comes after
		// theirs in the order of locks.
		found, err := s.Store.SessionByID(ctx, sessionID)
		if err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
		e, err := s.endOne(ctx, found.UserID, sessionID, now, "session.end", reasonSessionEnded)
		if err == nil && e == nil {
			err = ErrNotFound
		}
		return e, err
	})
}

// endOne ends a session of a user; nil if it had ended.
func (s *Sessions) endOne(ctx context.Context, userID, sessionID id.ID, now int64, action, reason string) (*effect, error) {
	f := SessionFilter{UserID: userID, SessionID: sessionID}
	rows, err := endSessions(ctx, s.Store, s.Grants, f, now, reason)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &effect{action: action, kind: "session", target: sessionID.String(), rows: rows}, nil
}

func (s *Sessions) end(ctx context.Context, actor audit.Actor, subject string, sessionID id.ID, action, reason string) error {
	if sessionID.IsZero() {
		return ErrNotFound // a filter without an id would mean all of the user's
	}
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		e, err := s.endOne(ctx, u.ID, sessionID, now, action, reason)
		if err != nil {
			return nil, err
		}
		if e == nil {
			return nil, ErrNotFound
		}
		e.details = map[string]any{"sub": u.Subject}
		return e, nil
	})
}

// endSessions ends sessions and the grants that are bound to them, and returns a
// row for each session that was alive.
func endSessions(ctx context.Context, sessions SessionStore, grants GrantStore, f SessionFilter, now int64, reason string) ([]revocation.Entry, error) {
	ended, err := sessions.EndSessions(ctx, f, now, reason)
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	if len(ended) == 0 {
		return nil, nil
	}
	_, err = grants.EndGrants(ctx, GrantFilter{UserID: f.UserID, SessionIDs: ended, SessionBound: true}, now, reason)
	if err != nil {
		return nil, fmt.Errorf("end grants of sessions: %w", err)
	}
	rows := make([]revocation.Entry, len(ended))
	for i, sid := range ended {
		rows[i] = revocation.Entry{Kind: revocation.Session, Key: sid.String(), Reason: reason}
	}
	return rows, nil
}

func (s *Sessions) idle() int64 { return orDefault(s.Idle, defaultIdle) }

func (s *Sessions) absolute() int64 { return orDefault(s.Absolute, defaultAbsolute) }

// orDefault is a duration in milliseconds.
func orDefault(d, otherwise time.Duration) int64 {
	if d == 0 {
		d = otherwise
	}
	return d.Milliseconds()
}

// clip makes a request's header fit to be stored and shown: short, valid, without
// control characters.
func clip(s string) string {
	if len(s) > 8*maxMetaRunes {
		s = s[:8*maxMetaRunes]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > maxMetaRunes {
		s = string(runes[:maxMetaRunes])
	}
	return s
}
