package accounts

import (
	"context"
	"errors"
)

// Verifications lets the person of an account prove its address. It is done in a
// session of the account: else somebody could write the address of somebody else into
// an account of their own, and let them confirm it.
type Verifications struct{ *Proofs }

// Ask mails a link and a code to the address of an account, and returns the id of
// the proof. Errors: *BadField without an address, *Throttled.
func (s *Verifications) Ask(ctx context.Context, u *User, a Asker) (proofID string, err error) {
	if u.EmailKey == "" {
		return "", &BadField{Field: "email", Err: ErrNotFound}
	}
	if _, err := s.pay(ctx, u.EmailKey, a.Address); err != nil {
		return "", err
	}
	o := order{purpose: ProofVerify, user: u, email: u.Email, emailKey: u.EmailKey, asker: a, life: lifeVerify}
	m, err := s.issue(ctx, actorOf(u), "user.email.verify.ask", o, func(m *made) Mail {
		return Mail{Kind: MailVerifyAddress, To: u.Email, Language: languageOf(u, a.Language), Data: greeting(u, map[string]string{
			MailDataLink: s.Links.token(PathVerifyAddress, m.token), MailDataCode: m.code, MailDataUntil: until(m.ExpiresAt),
		})}
	})
	if err != nil {
		return "", err
	}
	return m.ID.String(), nil
}

// Look returns the address that a link would prove. Errors: ErrProofVoid, also if
// the link is about another account.
func (s *Verifications) Look(ctx context.Context, u *User, token string) (email string, err error) {
	return s.lookFor(ctx, ProofVerify, u, token)
}

// Confirm proves the address and returns the flow to go on with. Errors:
// ErrProofVoid, *WrongCode, *BadField "email" with ErrConflict if another account has
// proven the address since.
func (s *Verifications) Confirm(ctx context.Context, u *User, e Evidence) (flow string, err error) {
	h, err := s.takeFor(ctx, ProofVerify, u, e)
	if err != nil {
		return "", err
	}
	err = s.Users.change(ctx, actorOf(u), u.Subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		if err := s.spend(ctx, h, u, now); err != nil {
			return nil, err
		}
		u.EmailVerified = true
		u.Did(ActionVerifyEmail)
		return userEffect("user.email.verify", u, nil), nil
	})
	if errors.Is(err, ErrConflict) {
		return "", &BadField{Field: "email", Err: ErrConflict}
	}
	return h.flow(), gone(err)
}

// lookFor is what a link is about, for the user of whom it is.
func (p *Proofs) lookFor(ctx context.Context, purpose Purpose, u *User, token string) (email string, err error) {
	h, err := p.byToken(ctx, purpose, token, "")
	if err != nil {
		return "", err
	}
	if h.UserID != u.ID {
		return "", ErrProofVoid
	}
	return h.data.Email, nil
}

// takeFor is take for the user of whom the proof is. Another account's is never
// tried.
func (p *Proofs) takeFor(ctx context.Context, purpose Purpose, u *User, e Evidence) (*held, error) {
	if e.Token == "" {
		h, err := p.peek(ctx, purpose, e)
		if err != nil {
			return nil, err
		}
		if h.UserID != u.ID {
			return nil, ErrProofVoid
		}
	}
	h, err := p.take(ctx, purpose, e)
	if err != nil {
		return nil, err
	}
	if h.UserID != u.ID {
		return nil, ErrProofVoid
	}
	return h, nil
}
