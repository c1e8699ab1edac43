package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

const reasonAddressUndone = "address-undone"

// LookUndo returns the address that a link would bring back. Errors: ErrProofVoid.
func (s *Addresses) LookUndo(ctx context.Context, token string) (email string, err error) {
	h, err := s.byToken(ctx, ProofUndo, token, "")
	if err != nil {
		return "", err
	}
	return h.data.Email, nil
}

// Undo brings the old address back, whatever has happened to the account since.
// Whoever changed it could sign in: so everything ends and the password is worth
// nothing any more; another one is chosen by a mail to the address that is back
// (Resets). Second factors that were added since the change go as well, for the mail
// that tells of them went to the new address. Those that were there before stay: the
// mails of the old address alone must not be enough to get past them. Errors: ErrProofVoid, *BadField "email" with ErrConflict if another
// account has proven the old address since.
func (s *Addresses) Undo(ctx context.Context, token string) error {
	h, err := s.byToken(ctx, ProofUndo, token, "")
	if err != nil {
		return err
	}
	u, _, err := s.subject(ctx, h)
	if err != nil {
		return err
	}
	err = s.Users.change(ctx, actorOf(u), u.Subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		if err := s.spend(ctx, h, u, now); err != nil {
			return nil, err
		}
		u.Email, u.EmailKey, u.EmailVerified = h.data.Email, h.EmailKey, true
		u.PasswordHash = ""
		if err := s.dropLate(ctx, u, h.CreatedAt, now); err != nil {
			return nil, err
		}
		return s.Users.die(ctx, "user.email.undo", u, now, reasonAddressUndone)
	})
	if errors.Is(err, ErrConflict) {
		return &BadField{Field: "email", Err: ErrConflict}
	}
	return gone(err)
}

// dropLate removes the second factors that were added since an instant, and all
// recovery codes: somebody else may know them.
func (s *Addresses) dropLate(ctx context.Context, u *User, since, now int64) error {
	if s.Factors == nil {
		return nil
	}
	list, err := s.Factors.List(ctx, u)
	if err != nil {
		return fmt.Errorf("list factors: %w", err)
	}
	var late []id.ID
	for _, p := range list.Passkeys {
		if p.CreatedAt >= since {
			late = append(late, p.ID)
		}
	}
	for _, t := range list.TOTPs {
		if t.CreatedAt >= since {
			late = append(late, t.ID)
		}
	}
	if len(late) == list.Count() {
		if _, err := s.Factors.Store.RemoveFactors(ctx, u.ID); err != nil {
			return fmt.Errorf("remove factors: %w", err)
		}
		return nil
	}
	for _, factorID := range late {
		if err := s.Factors.Store.RemoveFactor(ctx, u.ID, factorID); err != nil {
			return fmt.Errorf("remove factor: %w", err)
		}
	}
	if err := s.Factors.Recovery.ReplaceRecoveryCodes(ctx, u.ID, nil, now); err != nil {
		return fmt.Errorf("remove recovery codes: %w", err)
	}
	return nil
}
