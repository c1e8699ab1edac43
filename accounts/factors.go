package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

var (
	// ErrLastFactor refuses to take the last factor from somebody who must have one.
	ErrLastFactor = errors.New("the last factor, and one is needed")
	// ErrStepUp refuses a change of factors to a session that was not begun or raised
	// with one, although there is one: SignIns.Raise comes first. Without this, who has
	// the password and a remembered browser could take the second factor away.
	ErrStepUp = errors.New("a second factor is needed for this")
)

const (
	maxFactors    = 20 // of one person
	maxFactorName = 64 // characters
)

// RememberedFor is how long a remembered browser needs no second factor.
const RememberedFor = 30 * 24 * time.Hour

// Factors makes, shows and ends what people sign in with beside their password:
// passkeys, authenticator apps, recovery codes, remembered browsers.
//
// The pages call what changes them only after a fresh sign-in. Adding or removing a
// factor is a factor change: it ends all other sessions of the person with the
// grants bound to them, all remembered browsers and pending sign-ins, and tells the
// person by mail. It takes a session of two factors, unless there is no factor yet.
type Factors struct {
	Journal
	Users    UserStore
	Sessions SessionStore
	Grants   GrantStore
	Store    FactorStore
	TOTPs    TOTPStore
	Passkeys PasskeyStore
	Recovery RecoveryStore
	Devices  DeviceStore
	Waiting  WaitingStore
	// Settings say who needs a second factor, and what an authenticator app shows above
	// its codes.
	Settings SettingsSource
	// WebAuthn makes and checks what passkeys say; nil where the issuer's host is
	// no domain name, and then there are no passkeys.
	WebAuthn WebAuthn
	Keys     *secret.Keyring
	Logger   *slog.Logger
	// SecurityURL is the link in the mails.
	SecurityURL string
	// Device says in words what a user agent is; nil leaves it out of the mails.
	Device func(userAgent string) string
}

// FactorList is what a person has, oldest first.
type FactorList struct {
	Passkeys      []Passkey
	TOTPs         []TOTP
	RecoveryCodes int // left
	Devices       []RememberedDevice
	// Needed says that the person must have a second factor: the last one cannot be
	// removed.
	Needed bool
}

// Count is how many factors there are; recovery codes and remembered browsers are
// none.
func (l *FactorList) Count() int { return len(l.Passkeys) + len(l.TOTPs) }

// FactorStore keeps what all factors have in common.
type FactorStore interface {
	// FactorPolicy tells in one statement whether a user has a factor, and whether
	// one of the groups in which they are now demands one.
	FactorPolicy(ctx context.Context, userID id.ID, now int64) (has, needed bool, err error)
	// RenameFactor renames a passkey or authenticator app of the user; ErrNotFound
	// if they have none of that id.
	RenameFactor(ctx context.Context, userID, factorID id.ID, name string) error
	// RemoveFactor removes one; ErrNotFound as above.
	RemoveFactor(ctx context.Context, userID, factorID id.ID) error
	// RemoveFactors removes all of a user, with the recovery codes, and returns how
	// many factors there were.
	RemoveFactors(ctx context.Context, userID id.ID) (int, error)
	// TakeOnce reports whether it was the first call with this key: what may be
	// answered once. It is durable, and forgets the key some time after expiresAt.
	TakeOnce(ctx context.Context, key []byte, expiresAt int64) (bool, error)
}

// Standing tells whether a user has a second factor, and whether they must have one,
// by one of their groups or by the policy: what SignInPolicy.Required asks for.
func (s *Factors) Standing(ctx context.Context, user *User) (has, needed bool, err error) {
	has, needed, err = s.Store.FactorPolicy(ctx, user.ID, s.now())
	if err != nil {
		return false, false, fmt.Errorf("factors of a user: %w", err)
	}
	return has, CurrentSettings(ctx, s.Settings).Policy.NeedsFactor(user, needed), nil
}

// MayChange says whether a session is good for a change of its person's factors, for
// the pages to ask before they show one. Errors: ErrStepUp.
func (s *Factors) MayChange(ctx context.Context, session *Session, user *User) error {
	has, _, err := s.Standing(ctx, user)
	if err == nil && has && !ACRAtLeast(session.ACR, ACRTwoFactors) {
		err = ErrStepUp
	}
	return err
}

// List returns what a user has.
func (s *Factors) List(ctx context.Context, user *User) (*FactorList, error) {
	_, needed, err := s.Standing(ctx, user)
	if err != nil {
		return nil, err
	}
	l := &FactorList{Needed: needed}
	if l.Passkeys, err = s.Passkeys.PasskeysOf(ctx, user.ID); err != nil {
		return nil, fmt.Errorf("list passkeys: %w", err)
	}
	if l.TOTPs, err = s.TOTPs.TOTPsOf(ctx, user.ID); err != nil {
		return nil, fmt.Errorf("list authenticator apps: %w", err)
	}
	codes, err := s.Recovery.RecoveryCodesOf(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("list recovery codes: %w", err)
	}
	l.RecoveryCodes = len(codes)
	now := s.now()
	devices, err := s.Devices.DevicesOf(ctx, user.ID, now)
	if err != nil {
		return nil, fmt.Errorf("list remembered browsers: %w", err)
	}
	for _, d := range devices {
		if s.good(&d, user, now) {
			l.Devices = append(l.Devices, d)
		}
	}
	return l, nil
}

// Rename gives one of the actor's own factors another name. Errors: ErrNotFound,
// ErrInvalid.
func (s *Factors) Rename(ctx context.Context, actor audit.Actor, factorID id.ID, name string) error {
	if err := label("name", name, maxFactorName); err != nil {
		return err
	}
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, actor.ID)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		own, err := s.List(ctx, u)
		if err != nil {
			return nil, err
		}
		_, was := own.find(factorID)
		if err := s.Store.RenameFactor(ctx, u.ID, factorID, name); err != nil {
			return nil, fmt.Errorf("rename factor: %w", err)
		}
		e := userEffect("user.factor.rename", u, map[string]any{"factor": factorID.String(), "name": name})
		return e.changed(values{"name": was}, values{"name": name}), nil
	})
}

// Remove takes one of the actor's own factors away; with the last one the recovery
// codes go. Errors: ErrNotFound, also if the session has ended, ErrLastFactor,
// ErrStepUp.
func (s *Factors) Remove(ctx context.Context, actor audit.Actor, session *Session, factorID id.ID) error {
	return s.change(ctx, actor, session, func(ctx context.Context, u *User, own *Session, now int64) (*effect, error) {
		before, err := s.List(ctx, u)
		if err != nil {
			return nil, err
		}
		kind, name := before.find(factorID)
		switch {
		case kind == "":
			return nil, ErrNotFound
		case before.Count() == 1 && before.Needed:
			return nil, ErrLastFactor
		case before.Count() == 1:
			_, err = s.Store.RemoveFactors(ctx, u.ID)
		default:
			err = s.Store.RemoveFactor(ctx, u.ID, factorID)
		}
		if err != nil {
			return nil, fmt.Errorf("remove factor: %w", err)
		}
		return s.factorEffect("user.factor.remove", u, own, factorID, kind, name, now), nil
	})
}

// find returns kind and name of a factor, empty if it is not in the list.
func (l *FactorList) find(factorID id.ID) (kind, name string) {
	for _, p := range l.Passkeys {
		if p.ID == factorID {
			return factorPasskey, p.Name
		}
	}
	for _, t := range l.TOTPs {
		if t.ID == factorID {
			return factorTOTP, t.Name
		}
	}
	return "", ""
}

// Reset takes all factors from a user, by an operator: the person has lost them. All
// their sessions end, with the grants bound to them. Errors: ErrNotFound.
func (s *Factors) Reset(ctx context.Context, actor audit.Actor, subject string) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		before, err := s.List(ctx, u)
		if err != nil {
			return nil, err
		}
		n, err := s.Store.RemoveFactors(ctx, u.ID)
		if err != nil {
			return nil, fmt.Errorf("remove factors: %w", err)
		}
		if n == 0 {
			return nil, nil
		}
		e := userEffect("user.factors.reset", u, map[string]any{"factors": n}).changed(values{"factors": n}, values{"factors": 0})
		if e.rows, err = s.end(ctx, u, id.ID{}, now); err != nil {
			return nil, err
		}
		for _, p := range before.Passkeys {
			e.mails = append(e.mails, s.mail(u, MailFactorRemoved, Meta{}, now, map[string]string{MailDataFactor: p.Name})...)
		}
		for _, t := range before.TOTPs {
			e.mails = append(e.mails, s.mail(u, MailFactorRemoved, Meta{}, now, map[string]string{MailDataFactor: t.Name})...)
		}
		if len(before.Passkeys) > 0 {
			e.signals = append(e.signals, Signal{Kind: SignalPasskeyRemoved, Subject: u.Subject, At: now})
		}
		if len(before.TOTPs) > 0 {
			e.signals = append(e.signals, Signal{Kind: SignalTOTPRemoved, Subject: u.Subject, At: now})
		}
		return e, nil
	})
}
