package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Addresses changes the mail addresses of accounts: confirmed at the new address,
// told to the old one, from where the change can be taken back for a week.
type Addresses struct {
	*Proofs
	Factors *Factors // what Undo looks through; nil where nobody has a second factor
}

// Ask mails a link and a code to the new address, and returns the id of the proof.
// The caller has seen a fresh sign-in. If the address belongs to another account, its
// owner is told by mail, and the person of this one learns nothing. Errors: *BadField
// (ErrConflict: it is the account's already), *Throttled.
func (s *Addresses) Ask(ctx context.Context, u *User, email string, a Asker) (proofID string, err error) {
	email = strings.TrimSpace(email)
	key, err := EmailKey(email)
	if err != nil {
		return "", &BadField{Field: "new_email", Err: err}
	}
	if key == u.EmailKey && u.EmailVerified {
		return "", &BadField{Field: "new_email", Err: ErrConflict}
	}
	if _, err := s.pay(ctx, key, a.Address); err != nil {
		return "", err
	}
	other, _, err := s.Users.Store.UserByLogin(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("find user of an address: %w", err)
	}
	o := order{purpose: ProofAddress, user: u, email: email, emailKey: key, asker: a, life: lifeVerify}
	m, err := s.issue(ctx, actorOf(u), "user.email.change.ask", o, func(m *made) Mail {
		if other != nil {
			return s.exists(other, a.Language)
		}
		return Mail{Kind: MailVerifyAddress, To: email, Language: languageOf(u, a.Language), Data: greeting(u, map[string]string{
			MailDataLink: s.Links.token(PathEmailConfirm, m.token), MailDataCode: m.code, MailDataUntil: until(m.ExpiresAt),
		})}
	})
	if err != nil {
		return "", err
	}
	return m.ID.String(), nil
}

// Look returns the address that a link would give to the account. Errors:
// ErrProofVoid, also if the link is about another account.
func (s *Addresses) Look(ctx context.Context, u *User, token string) (email string, err error) {
	return s.lookFor(ctx, ProofAddress, u, token)
}

// Confirm changes the address, and tells the old one if it was proven. Errors:
// ErrProofVoid, *WrongCode, *BadField "email" with ErrConflict if the address belongs
// to another account.
func (s *Addresses) Confirm(ctx context.Context, u *User, e Evidence) error {
	h, err := s.takeFor(ctx, ProofAddress, u, e)
	if err != nil {
		return err
	}
	err = s.Users.change(ctx, actorOf(u), u.Subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		if err := s.spend(ctx, h, u, now); err != nil {
			return nil, err
		}
		effect := userEffect("user.email.change", u, nil)
		if u.EmailVerified {
			told, err := s.tell(ctx, u, h.data.Email, now)
			if err != nil {
				return nil, err
			}
			effect.mails = append(effect.mails, *told)
		}
		u.Email, u.EmailKey, u.EmailVerified = h.data.Email, h.EmailKey, true
		u.Did(ActionVerifyEmail)
		return effect, nil
	})
	if errors.Is(err, ErrConflict) {
		return &BadField{Field: "email", Err: ErrConflict}
	}
	return gone(err)
}

// tell makes the mail to the old address, with the link that takes the change back.
func (s *Addresses) tell(ctx context.Context, u *User, changed string, now int64) (*Mail, error) {
	m, err := s.make(order{purpose: ProofUndo, user: u, email: u.Email, emailKey: u.EmailKey, life: lifeUndo})
	if err != nil {
		return nil, err
	}
	if err := s.Store.InsertProof(ctx, m.Proof); err != nil {
		return nil, fmt.Errorf("keep proof: %w", err)
	}
	return &Mail{Kind: MailAddressChanged, To: u.Email, Language: languageOf(u, ""), Data: greeting(u, map[string]string{
		MailDataLink: s.Links.token(PathEmailUndo, m.token), MailDataUntil: until(m.ExpiresAt),
		MailDataAddress: changed, MailDataWhen: until(now),
	})}, nil
}
