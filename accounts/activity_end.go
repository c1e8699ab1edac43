package accounts

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// reasonReported ends the sessions of somebody who saw what they did not do.
const reasonReported = "reported"

// EndOthers ends every session of a user but one, with the grants that are bound to
// them, and returns how many it ended. Errors: ErrNotFound.
func (s *Sessions) EndOthers(ctx context.Context, actor audit.Actor, subject string, keep id.ID) (ended int, err error) {
	if keep.IsZero() {
		return 0, ErrNotFound // a filter without it would end them all
	}
	err = s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		f := SessionFilter{UserID: u.ID, Except: keep}
		rows, err := endSessions(ctx, s.Store, s.Grants, f, now, reasonSessionEnded)
		if ended = len(rows); err != nil || ended == 0 {
			return nil, err
		}
		e := userEffect("session.end_others", u, map[string]any{"sessions": ended, "session": keep.String()})
		e.rows = rows
		return e, nil
	})
	return ended, err
}

// Alarm is for somebody who saw something in their account that they did not do.
type Alarm struct {
	Journal
	Users    UserStore
	Sessions SessionStore
	Grants   GrantStore
	// Devices forgets the browsers that need no second factor; nil where there are
	// none.
	Devices interface {
		ForgetDevices(ctx context.Context, userID id.ID) (int, error)
	}
	Links Links
	// Device says in words what a user agent is; nil leaves it out of the mail.
	Device func(userAgent string) string
}

// Raise ends every session but the one in which the person sits, forgets the browsers
// that need no second factor, and demands a new password before anything else: who
// knows the old one can no longer use it for more than to be asked for it. Errors:
// ErrNotFound, ErrBanned.
//
// Grants that outlive their sessions stay, as with every change of a password: they
// are apps that the person allowed something, and the page that follows lists them.
func (a *Alarm) Raise(ctx context.Context, actor audit.Actor, subject string, session *Session, event id.ID) error {
	if session.ID.IsZero() {
		return ErrNotFound
	}
	return a.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := a.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		if !u.Active() {
			return nil, ErrBanned
		}
		rows, err := endSessions(ctx, a.Sessions, a.Grants, SessionFilter{UserID: u.ID, Except: session.ID}, now, reasonReported)
		if err != nil {
			return nil, err
		}
		if a.Devices != nil {
			if _, err := a.Devices.ForgetDevices(ctx, u.ID); err != nil {
				return nil, fmt.Errorf("forget browsers: %w", err)
			}
		}
		before := userValues(u)
		// Somebody without a password has none to change.
		if u.PasswordHash != "" && !slices.Contains(u.RequiredActions, ActionChangePassword) {
			u.RequiredActions = append(slices.Clone(u.RequiredActions), ActionChangePassword)
		}
		u.UpdatedAt = now
		if err := a.Users.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
		e := userEffect("user.report", u, map[string]any{"sessions": len(rows), "session": session.ID.String()})
		if !event.IsZero() {
			e.details["event"] = event.String()
		}
		e.rows, e.mails = rows, a.mail(ctx, u, session, now)
		return e.changed(before, userValues(u)), nil
	})
}

func (a *Alarm) mail(ctx context.Context, u *User, session *Session, now int64) []Mail {
	data := map[string]string{
		MailDataWhen: strconv.FormatInt(now, 10), MailDataLink: a.Links.To(PathLinkSecurity, nil),
		MailDataAddress: audit.OriginFrom(ctx).Address,
	}
	if a.Device != nil {
		data[MailDataDevice] = a.Device(session.UserAgent)
	}
	return mailTo(u, MailSecurityAlert, data)
}
