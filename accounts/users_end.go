package accounts

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Ban blocks a user: sign-in is refused, and every session, grant and token ends.
// Banning a banned user changes nothing. Errors: ErrNotFound, ErrLastSuperuser.
func (s *Users) Ban(ctx context.Context, actor audit.Actor, subject string) error {
	return s.BanBecause(ctx, actor, subject, "")
}

// BanBecause is Ban with a note for the audit log, which its readers alone see, of at
// most 500 characters; empty means none. Errors: ErrInvalid and those of Ban.
func (s *Users) BanBecause(ctx context.Context, actor audit.Actor, subject, note string) error {
	if note != "" {
		if err := label("note", note, 500); err != nil {
			return err
		}
	}
	return s.change(ctx, actor, subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		if !u.Active() {
			return nil, nil
		}
		if err := s.SpareLast(ctx, u); err != nil {
			return nil, err
		}
		u.BannedAt = now
		e, err := s.die(ctx, "user.ban", u, now, reasonBan)
		if err == nil && note != "" {
			e.details["note"] = note
		}
		return e, err
	})
}

// Unban lets a user sign in again. What the ban ended stays ended.
func (s *Users) Unban(ctx context.Context, actor audit.Actor, subject string) error {
	return s.change(ctx, actor, subject, func(_ context.Context, u *User, now int64) (*effect, error) {
		if u.Active() {
			return nil, nil
		}
		u.BannedAt = 0
		e := userEffect("user.unban", u, nil)
		e.signals = []Signal{{Kind: SignalUnbanned, Subject: u.Subject, At: now}}
		return e, nil
	})
}

// SignOutEverywhere ends every session, grant and token of a user.
func (s *Users) SignOutEverywhere(ctx context.Context, actor audit.Actor, subject string) error {
	return s.change(ctx, actor, subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		return s.die(ctx, "user.sign_out_everywhere", u, now, reasonSignOutEverywhere)
	})
}

// Delete removes a user and what belongs to them alone. Errors: ErrNotFound,
// ErrLastSuperuser.
func (s *Users) Delete(ctx context.Context, actor audit.Actor, subject string) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Store.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		if err := s.SpareLast(ctx, u); err != nil {
			return nil, err
		}
		e, err := s.die(ctx, "user.delete", u, now, reasonDeletion)
		if err != nil {
			return nil, err
		}
		// There is nothing left to stamp; a sign-in or redemption under way finds
		// no user to hang on.
		e.stamps = nil
		if err := s.Store.DeleteUser(ctx, u.ID); err != nil {
			return nil, fmt.Errorf("delete user: %w", err)
		}
		// Nothing of them is told that the log would have to forget at once.
		return e.changed(rankValues(u), nil), nil
	})
}

// die ends all sessions and grants of a user, the offline ones too, writes the row
// that kills the tokens, and stamps the user: what was decided before and is
// written after is dead when it arrives (L2).
func (s *Users) die(ctx context.Context, action string, u *User, now int64, reason string) (*effect, error) {
	sessions, err := s.Sessions.EndSessions(ctx, SessionFilter{UserID: u.ID}, now, reason)
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	grants, err := s.Grants.EndGrants(ctx, GrantFilter{UserID: u.ID}, now, reason)
	if err != nil {
		return nil, fmt.Errorf("end grants: %w", err)
	}
	e := userEffect(action, u, map[string]any{"sessions": len(sessions), "grants": len(grants)})
	e.rows = []revocation.Entry{{Kind: revocation.User, Key: u.Subject, Reason: reason}}
	e.stamps = []revocation.Stamp{{Subject: revocation.UserValidFrom, ID: u.Subject}}
	return e, nil
}
