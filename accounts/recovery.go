package accounts

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	recoveryPurpose  = "recovery-code"
	recoveryCodes    = 10
	recoveryLength   = 12 // of 32 letters: 60 bits
	recoveryGroup    = 4
	recoveryLow      = 3                                  // from so many left on, each use is told by mail
	recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's: no i, l, o, u
)

// RecoveryStore keeps the keyed hashes of recovery codes.
type RecoveryStore interface {
	// ReplaceRecoveryCodes removes all codes of a user and keeps these.
	ReplaceRecoveryCodes(ctx context.Context, userID id.ID, hashes [][]byte, now int64) error
	// RecoveryCodesOf returns the hashes that are not spent.
	RecoveryCodesOf(ctx context.Context, userID id.ID) ([][]byte, error)
	// SpendRecoveryCode reports whether this call spent it: one of all callers does.
	SpendRecoveryCode(ctx context.Context, userID id.ID, hash []byte, now int64) (bool, error)
}

// NewRecoveryCodes makes ten codes in place of all earlier ones. They are shown
// once and kept as keyed hashes. The caller has asked MayChange. Errors: ErrNoFactor
// if there is nothing to recover, ErrNotFound.
func (s *Factors) NewRecoveryCodes(ctx context.Context, actor audit.Actor, user *User) ([]string, error) {
	var codes []string
	err := s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, user.Subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		has, _, err := s.Standing(ctx, u)
		if err != nil {
			return nil, err
		}
		if !has {
			return nil, ErrNoFactor
		}
		codes, err = s.recoveryCodes(ctx, u, now)
		return userEffect("user.recovery_codes.renew", u, nil), err
	})
	return codes, err
}

// recoveryCodes replaces a user's codes.
func (s *Factors) recoveryCodes(ctx context.Context, u *User, now int64) ([]string, error) {
	codes, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		var letters []byte
		for j, b := range secret.Random(recoveryLength) {
			if j > 0 && j%recoveryGroup == 0 {
				letters = append(letters, '-')
			}
			letters = append(letters, recoveryAlphabet[b%32]) // 256 is a multiple of 32
		}
		codes[i] = string(letters)
		key, _ := recoveryKey(codes[i])
		hashes[i] = s.Keys.MAC(recoveryPurpose, u.ID[:], key)
	}
	if err := s.Recovery.ReplaceRecoveryCodes(ctx, u.ID, hashes, now); err != nil {
		return nil, fmt.Errorf("keep recovery codes: %w", err)
	}
	return codes, nil
}

// recoveryKey is what counts of a code as somebody typed it: letters that look alike
// are one (Crockford's base 32). It reports false for what is no code.
func recoveryKey(typed string) ([]byte, bool) {
	if len(typed) > 4*recoveryLength {
		return nil, false
	}
	var key []byte
	for _, r := range strings.ToLower(typed) {
		switch r {
		case ' ', '-', '\t', 0xA0, 0x2010, 0x2011, 0x2013:
			continue
		case 'o':
			r = '0'
		case 'i', 'l':
			r = '1'
		}
		if !strings.ContainsRune(recoveryAlphabet, r) {
			return nil, false
		}
		key = append(key, byte(r))
	}
	return key, len(key) == recoveryLength
}

// useRecoveryCode spends one of the user's codes, and tells them when few are left.
// Errors: ErrCode.
func (s *Factors) useRecoveryCode(ctx context.Context, u *User, typed string, m Meta, now int64) error {
	key, ok := recoveryKey(typed)
	if !ok {
		return ErrCode
	}
	hashes, err := s.Recovery.RecoveryCodesOf(ctx, u.ID)
	if err != nil {
		return fmt.Errorf("find recovery codes: %w", err)
	}
	var found []byte
	for _, h := range hashes {
		if s.Keys.Verify(recoveryPurpose, h, u.ID[:], key) {
			found = h
		}
	}
	if found == nil {
		return ErrCode
	}
	spent, err := s.Recovery.SpendRecoveryCode(ctx, u.ID, found, now)
	if err != nil {
		return fmt.Errorf("spend recovery code: %w", err)
	}
	if !spent {
		return ErrCode
	}
	left := len(hashes) - 1
	actor := audit.Actor{Kind: audit.Person, ID: u.Subject, Name: u.Username}
	return s.record(ctx, actor, func(context.Context, int64) (*effect, error) {
		e := userEffect("user.recovery_code.use", u, map[string]any{"left": left})
		if left <= recoveryLow {
			e.mails = s.mail(u, MailRecoveryCodesLow, m, now, map[string]string{MailDataCount: strconv.Itoa(left)})
		}
		return e, nil
	})
}
