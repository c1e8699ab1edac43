package accounts

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Signals of a factor change (CAEP credential-change, with the credential types
// "fido2-roaming" and "app").
const (
	SignalPasskeyAdded   SignalKind = "passkey-added"
	SignalPasskeyRemoved SignalKind = "passkey-removed"
	SignalTOTPAdded      SignalKind = "totp-added"
	SignalTOTPRemoved    SignalKind = "totp-removed"
)

// Kinds of factors, as events tell them.
const (
	factorPasskey = "passkey"
	factorTOTP    = "totp"
)

const reasonFactorChange = "factor-change"

// change makes a factor change of a signed-in person: f gets the locked user and
// their own session as it is now. Whoever else was signed in with what has changed is
// out: all other sessions end, with the grants bound to them, and so do remembered
// browsers and pending sign-ins.
func (s *Factors) change(ctx context.Context, actor audit.Actor, session *Session, f func(ctx context.Context, u *User, own *Session, now int64) (*effect, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, actor.ID)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		own, err := s.Sessions.SessionByID(ctx, session.ID)
		if err != nil {
			return nil, fmt.Errorf("find own session: %w", err)
		}
		if actor.Kind != audit.Person || own.UserID != u.ID || !u.Active() || !own.Live(now, u.ValidFrom) {
			return nil, ErrNotFound
		}
		if err := s.MayChange(ctx, own, u); err != nil {
			return nil, err
		}
		e, err := f(ctx, u, own, now)
		if err != nil {
			return nil, err
		}
		e.rows, err = s.end(ctx, u, own.ID, now)
		return e, err
	})
}

// end ends what was begun before a factor change, but not the session to keep.
func (s *Factors) end(ctx context.Context, u *User, keep id.ID, now int64) ([]revocation.Entry, error) {
	if _, err := s.Devices.ForgetDevices(ctx, u.ID); err != nil {
		return nil, fmt.Errorf("forget remembered browsers: %w", err)
	}
	if err := s.Waiting.EndWaiting(ctx, u.ID, now); err != nil {
		return nil, fmt.Errorf("end pending sign-ins: %w", err)
	}
	return endSessions(ctx, s.Sessions, s.Grants, SessionFilter{UserID: u.ID, Except: keep}, now, reasonFactorChange)
}

// added does what follows a new factor. With the first one the person gets recovery
// codes, and their session becomes one of two factors: the device has just proven
// itself in it, and would otherwise be asked again at once. A session of whoever has
// factors already is one of two factors, by MayChange.
func (s *Factors) added(ctx context.Context, u *User, own *Session, amr []string, now int64) (recovery []string, err error) {
	l, err := s.List(ctx, u)
	if err != nil {
		return nil, err
	}
	if l.Count() > maxFactors {
		return nil, fmt.Errorf("%w: more than %d factors", ErrConflict, maxFactors)
	}
	if l.Count() == 1 {
		raised := *own
		raised.AMR = joined(own.AMR, amr)
		raised.ACR = Assurance(raised.AMR)
		if err := s.Sessions.RenewSession(ctx, &raised); err != nil {
			return nil, fmt.Errorf("raise own session: %w", err)
		}
	}
	if slices.Contains(u.RequiredActions, ActionEnrolFactor) {
		u.Did(ActionEnrolFactor)
		if err := s.Users.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
	}
	if l.RecoveryCodes == 0 {
		return s.recoveryCodes(ctx, u, now)
	}
	return nil, nil
}

// factorEffect tells of one factor that was added or removed.
func (s *Factors) factorEffect(action string, u *User, own *Session, factorID id.ID, kind, name string, now int64) *effect {
	e := userEffect(action, u, map[string]any{"factor": factorID.String(), "kind": kind, "name": name})
	if one := (values{"kind": kind, "name": name}); action == "user.factor.remove" {
		e.changed(one, nil)
	} else {
		e.changed(nil, one)
	}
	mailKind, signal := MailFactorAdded, SignalPasskeyAdded
	switch removed := action == "user.factor.remove"; {
	case removed && kind == factorPasskey:
		mailKind, signal = MailFactorRemoved, SignalPasskeyRemoved
	case removed:
		mailKind, signal = MailFactorRemoved, SignalTOTPRemoved
	case kind == factorTOTP:
		signal = SignalTOTPAdded
	}
	e.signals = []Signal{{Kind: signal, Subject: u.Subject, At: now, Own: true}}
	e.mails = s.mail(u, mailKind, Meta{UserAgent: own.UserAgent, Address: own.Address}, now, map[string]string{MailDataFactor: name})
	return e
}

// mail is one to the user, if they have an address that is theirs.
func (s *Factors) mail(u *User, kind MailKind, m Meta, now int64, data map[string]string) []Mail {
	if u.Email == "" || !u.EmailVerified {
		return nil
	}
	data[MailDataName] = u.Name
	data[MailDataLink] = s.SecurityURL
	data[MailDataWhen] = strconv.FormatInt(now, 10)
	data[MailDataAddress] = m.Address
	if s.Device != nil && m.UserAgent != "" {
		data[MailDataDevice] = s.Device(m.UserAgent)
	}
	return []Mail{{Kind: kind, To: u.Email, Language: u.Profile.Locale, Data: data}}
}
