package accounts

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// PasskeyOptions asks for a passkey: of the account of a pending sign-in, or with
// an empty pending any that the device offers, by which somebody signs in without a
// password (also for conditional mediation). options is JSON for
// PublicKeyCredential.parseRequestOptionsFromJSON. ceremony goes back to Passkey
// within 5 minutes; it holds the challenge, sealed, and without a pending sign-in it
// is the caller who ties it to the browser, by the form's ticket. Errors:
// ErrNotFound, ErrBanned, ErrNoFactor if the account has no passkey, ErrNoPasskeys.
func (s *SignIns) PasskeyOptions(ctx context.Context, pending string) (options []byte, ceremony string, err error) {
	if s.Factors.WebAuthn == nil {
		return nil, "", ErrNoPasskeys
	}
	var (
		w   *WaitingSignIn
		u   *User
		has []Passkey
	)
	if pending != "" {
		if w, u, err = s.waiting(ctx, pending); err != nil {
			return nil, "", err
		}
		if has, err = s.Factors.Passkeys.PasskeysOf(ctx, u.ID); err != nil {
			return nil, "", fmt.Errorf("find passkeys: %w", err)
		}
		if len(has) == 0 {
			return nil, "", ErrNoFactor
		}
	}
	options, state, err := s.Factors.WebAuthn.Ask(u, has)
	if err != nil {
		return nil, "", err
	}
	ceremony, err = s.Factors.sealCeremony(state, assertionOf(w))
	return options, ceremony, err
}

// Factorless reports whether somebody has neither a passkey nor an authenticator app:
// then a session of a password is enough to add one (Factors.MayChange).
func (s *SignIns) Factorless(ctx context.Context, user *User) (bool, error) {
	has, _, err := s.Factors.Standing(ctx, user)
	return !has && err == nil, err
}

// Passkey takes the passkey's answer (JSON as PublicKeyCredential.toJSON makes it).
// With a pending sign-in it completes that; without one it is a whole sign-in, for
// which the device must have verified its user. A ceremony is taken once, whatever
// comes of it. remember counts with a pending sign-in only. Errors: ErrPasskey,
// *UnknownPasskey, *Throttled, ErrNotFound (the pending sign-in is over), ErrBanned,
// ErrNoPasskeys.
func (s *SignIns) Passkey(ctx context.Context, pending, ceremony string, response []byte, m Meta, remember bool) (*Passage, error) {
	if s.Factors.WebAuthn == nil {
		return nil, ErrNoPasskeys
	}
	var (
		w   *WaitingSignIn
		u   *User
		err error
	)
	if pending != "" {
		if w, u, err = s.waiting(ctx, pending); err != nil {
			return nil, err
		}
	}
	// Keys cannot be guessed: the limit only bounds how much a stranger can write.
	limits := throttle{s.Limiter, s.Keys, s.Logger}
	paid, err := limits.take(ctx, payment{limits.key("address", addressBucket(m.Address)), anyAccount()})
	if err != nil {
		return nil, err
	}
	if w != nil {
		if err := s.count(ctx, w); err != nil {
			limits.giveBack(ctx, paid)
			return nil, err
		}
	}
	answer, err := s.answered(ctx, ceremony, response, w)
	var p *Passage
	switch {
	case err != nil:
	case w == nil:
		u = answer.owner
		p, err = s.whole(ctx, answer, m)
	default:
		p, err = s.complete(ctx, w, u, m, remember, func(ctx context.Context, u *User, now int64) ([]string, error) {
			return answer.amr(), s.use(ctx, u, answer, now)
		})
	}
	switch {
	case err == nil:
		limits.giveBack(ctx, paid)
	case errors.Is(err, ErrPasskey):
		s.Logger.InfoContext(ctx, "passkey refused", "cause", err)
		return nil, s.refuse(ctx, u, err, "passkey")
	}
	return p, err
}

// passkeyAnswer is an answer that was checked.
type passkeyAnswer struct {
	*PasskeyUse
	owner    *User
	position int64 // at which the passkey was read (L2)
}

func (a *passkeyAnswer) amr() []string {
	if a.Verified {
		return []string{amrPasskey, amrVerified}
	}
	return []string{amrPasskey}
}

// answered takes the ceremony and checks the answer to it. Errors: ErrPasskey,
// *UnknownPasskey.
func (s *SignIns) answered(ctx context.Context, ceremony string, response []byte, w *WaitingSignIn) (*passkeyAnswer, error) {
	state, err := s.Factors.takeCeremony(ctx, ceremony, assertionOf(w))
	if err != nil {
		return nil, err
	}
	answer := &passkeyAnswer{}
	answer.PasskeyUse, err = s.Factors.WebAuthn.Answered(state, response, func(credentialID []byte) (*Passkey, error) {
		p, owner, position, err := s.Factors.Passkeys.PasskeyOwner(ctx, credentialID)
		if errors.Is(err, ErrNotFound) {
			return nil, s.unknown(credentialID)
		}
		if err != nil {
			return nil, fmt.Errorf("find passkey: %w", err)
		}
		answer.owner, answer.position = owner, position
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	if w != nil && answer.owner.ID != w.UserID {
		return nil, fmt.Errorf("%w: of another account", ErrPasskey)
	}
	if w == nil && !answer.Verified {
		return nil, fmt.Errorf("%w: its user was not verified", ErrPasskey)
	}
	return answer, nil
}

func (s *SignIns) unknown(credentialID []byte) error {
	return &UnknownPasskey{
		CredentialID: base64.RawURLEncoding.EncodeToString(credentialID), RelyingParty: s.Factors.WebAuthn.RelyingParty(),
	}
}

// whole is a sign-in by passkey alone: two factors, what one has and the PIN or
// finger by which the device knew its user.
func (s *SignIns) whole(ctx context.Context, answer *passkeyAnswer, m Meta) (*Passage, error) {
	u := answer.owner
	r := &Result{User: u, Position: answer.position, AMR: joined(answer.amr()), Known: knownValue(s.Keys, u.Subject)}
	var p *Passage
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		locked, err := s.Sessions.stillProven(ctx, r)
		if errors.Is(err, ErrCredentials) {
			return fmt.Errorf("%w: the account has changed meanwhile", ErrPasskey)
		}
		if err != nil {
			return err
		}
		if err := s.use(ctx, locked, answer, s.now()); err != nil {
			return err
		}
		p, err = s.start(ctx, r, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// use writes down that a passkey was used, under the lock of its user: it may have
// been removed since its answer was checked, or have answered elsewhere. A counter
// that does not rise is a risk that is told and recorded, no refusal: synchronized
// passkeys do not count, and some count badly (WebAuthn Level 3 §6.1.1).
func (s *SignIns) use(ctx context.Context, u *User, answer *passkeyAnswer, now int64) error {
	current, owner, _, err := s.Factors.Passkeys.PasskeyOwner(ctx, answer.Passkey.CredentialID)
	if errors.Is(err, ErrNotFound) || err == nil && owner.ID != u.ID {
		return s.unknown(answer.Passkey.CredentialID)
	}
	if err != nil {
		return fmt.Errorf("find passkey: %w", err)
	}
	used := *answer.Passkey
	regressed := answer.Regressed || current.LastUsedAt != used.LastUsedAt && used.SignCount != 0 && used.SignCount <= current.SignCount
	used.SignCount, used.LastUsedAt = max(used.SignCount, current.SignCount), now
	if err := s.Factors.Passkeys.UsePasskey(ctx, &used); err != nil {
		return fmt.Errorf("note use of a passkey: %w", err)
	}
	if !regressed {
		return nil
	}
	s.Logger.WarnContext(ctx, "signature counter of a passkey did not rise", "sub", u.Subject, "factor", used.ID)
	return s.record(ctx, audit.Actor{Kind: audit.System, ID: "sign-in"}, func(context.Context, int64) (*effect, error) {
		return userEffect("user.passkey.regress", u, map[string]any{"factor": used.ID.String(), "counter": current.SignCount}), nil
	})
}
