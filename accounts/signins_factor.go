package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// secondFactor is the bucket of all codes that are tried at an account, whichever
// kind and in however many pending sign-ins: 10 at once and then one in 5 minutes,
// 300 a day of a million. A right password does not fill it, or who has the password
// would buy codes with it, and neither does a right code. It is not the bucket of the
// password: that one can be emptied by strangers, and its owner, let past it by a
// known browser, would stop here. This one can be emptied only by who has the
// password; against them there are passkeys, which do not pay from it, and a new
// password.
func secondFactor() bucket { return bucket{"second-factor", 10, 5 * time.Minute, false} }

// Code completes a pending sign-in with a code of an authenticator app; spaces in it
// do not count. remember asks for Passage.Device. Errors: ErrCode, *Throttled,
// ErrNotFound (begin again), ErrBanned.
func (s *SignIns) Code(ctx context.Context, pending, code string, m Meta, remember bool) (*Passage, error) {
	return s.guess(ctx, pending, m, "code", remember, func(ctx context.Context, u *User, now int64) error {
		return s.Factors.useTOTP(ctx, u, code, now)
	})
}

// RecoveryCode completes a pending sign-in with one of the codes that were shown
// once; case, spaces and dashes in it do not count. Errors: those of Code.
func (s *SignIns) RecoveryCode(ctx context.Context, pending, code string, m Meta) (*Passage, error) {
	return s.guess(ctx, pending, m, "recovery-code", false, func(ctx context.Context, u *User, now int64) error {
		return s.Factors.useRecoveryCode(ctx, u, code, m, now)
	})
}

// guess completes a pending sign-in with what can be guessed. prove runs under the
// user's lock and returns ErrCode for a wrong one.
func (s *SignIns) guess(ctx context.Context, pending string, m Meta, kind string, remember bool, prove func(ctx context.Context, u *User, now int64) error) (*Passage, error) {
	w, u, err := s.waiting(ctx, pending)
	if err != nil {
		return nil, err
	}
	limits := throttle{s.Limiter, s.Keys, s.Logger}
	paid, err := limits.take(ctx,
		payment{limits.key("second-factor", "sub:"+u.Subject), secondFactor()},
		payment{limits.key("address", addressBucket(m.Address)), anyAccount()})
	if err != nil {
		return nil, err
	}
	// Counted before it is judged, and outside the transaction that a wrong one undoes.
	if err := s.count(ctx, w); err != nil {
		limits.giveBack(ctx, paid)
		return nil, err
	}
	p, err := s.complete(ctx, w, u, m, remember, func(ctx context.Context, u *User, now int64) ([]string, error) {
		return []string{amrCode}, prove(ctx, u, now)
	})
	switch {
	case err == nil:
		limits.giveBack(ctx, paid)
	case errors.Is(err, ErrCode):
		return nil, s.refuse(ctx, u, err, kind)
	}
	return p, err
}

func (s *SignIns) count(ctx context.Context, w *WaitingSignIn) error {
	ok, err := s.Waiting.CountAttempt(ctx, w.ID, pendingAttempts, s.now())
	if err != nil {
		return fmt.Errorf("count an attempt: %w", err)
	}
	if !ok {
		return ErrNotFound
	}
	return nil
}

// complete spends a pending sign-in and begins or raises its session, if prove finds
// the second factor right, all in one transaction under the user's lock.
func (s *SignIns) complete(ctx context.Context, w *WaitingSignIn, u *User, m Meta, remember bool, prove func(ctx context.Context, u *User, now int64) (amr []string, err error)) (*Passage, error) {
	var p *Passage
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		now := s.now()
		u, err := s.Users.LockUser(ctx, u.Subject)
		if err != nil {
			return fmt.Errorf("lock user: %w", err)
		}
		if err := s.holds(w, u); err != nil {
			return err
		}
		more, err := prove(ctx, u, now)
		if err != nil {
			return err
		}
		spent, err := s.Waiting.SpendWaiting(ctx, w.ID, now)
		if err != nil {
			return fmt.Errorf("spend a pending sign-in: %w", err)
		}
		if !spent {
			return ErrNotFound
		}
		r := &Result{User: u, Position: w.Rev, Known: w.Known, AMR: joined(w.AMR, more)}
		if p, err = s.arrive(ctx, w, r, m); err != nil {
			return err
		}
		if remember {
			p.Device, err = s.Factors.remember(ctx, u, w.Rev, m, now)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// arrive begins the session of a pending sign-in, or raises the one of a step-up:
// with what it had reached before, so that it is never lowered.
func (s *SignIns) arrive(ctx context.Context, w *WaitingSignIn, r *Result, m Meta) (*Passage, error) {
	if w.SessionID.IsZero() {
		return s.start(ctx, r, m)
	}
	session, err := s.raised(ctx, r.User, w.SessionID)
	if err != nil {
		return nil, err
	}
	r.AMR, r.Position = joined(session.AMR, r.AMR), min(r.Position, session.Rev)
	m.Replaces = w.SessionID
	p, err := s.start(ctx, r, m)
	if err == nil && p.Session.ID != w.SessionID { // it ended in this moment
		return nil, ErrNotFound
	}
	return p, err
}

// refuse records a second factor that failed, and returns the answer to it.
func (s *SignIns) refuse(ctx context.Context, u *User, answer error, cause string) error {
	target := ""
	if u != nil {
		target = u.Subject
	}
	err := s.record(ctx, audit.Actor{Kind: audit.System, ID: "sign-in"}, func(context.Context, int64) (*effect, error) {
		return &effect{action: "user.sign_in.refuse", kind: "user", target: target, details: map[string]any{"cause": cause}}, nil
	})
	if err != nil {
		return fmt.Errorf("record refused second factor: %w", err)
	}
	return answer
}

// addressBucket is the name under which attempts from an address are counted, the
// same as in Attempt.Address: an IPv6 address counts by its /64.
func addressBucket(address string) string {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	p, _ := addr.Prefix(64)
	return p.String()
}
