package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Resets lets people who read the mails of an account's proven address choose
// another password. That ends everything the account had: sessions, grants and
// tokens. It signs nobody in: whoever has a second factor is asked for it at the
// sign-in that follows.
type Resets struct{ *Proofs }

// Ask mails a link and a code to an address, if an account has proven it, and
// returns the id of the proof for the window in which it was asked for. For any other
// address it does the same work, with a mail that is thrown away. Errors: *BadField,
// *Throttled.
func (s *Resets) Ask(ctx context.Context, email string, a Asker) (proofID string, err error) {
	return s.askByMail(ctx, email, a, ProofReset, lifeReset, "user.password.reset.ask", func(m *made, _ string) (MailKind, map[string]string) {
		return MailResetPassword, map[string]string{
			MailDataLink: s.Links.token(PathResetPassword, m.token), MailDataCode: m.code, MailDataUntil: until(m.ExpiresAt),
		}
	})
}

// askByMail makes a proof for whoever has an address, or for nobody.
func (p *Proofs) askByMail(
	ctx context.Context, email string, a Asker, purpose Purpose, life time.Duration, action string,
	mail func(m *made, language string) (MailKind, map[string]string),
) (proofID string, err error) {
	email = strings.TrimSpace(email)
	key, err := EmailKey(email)
	if err != nil {
		return "", &BadField{Field: "email", Err: err}
	}
	if _, err := p.pay(ctx, key, a.Address); err != nil {
		return "", err
	}
	u, _, err := p.Users.Store.UserByLogin(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("find user of an address: %w", err)
	}
	if u != nil && !u.Active() {
		u = nil // the answer tells nobody, and the mail nothing
	}
	o := order{purpose: purpose, user: u, email: email, emailKey: key, asker: a, life: life}
	m, err := p.issue(ctx, stranger(), action, o, func(m *made) Mail {
		language := languageOf(u, a.Language)
		kind, data := mail(m, language)
		if u == nil {
			return Mail{Kind: MailResetUnknown, To: email, Language: a.Language, Data: map[string]string{MailDataUntil: until(m.ExpiresAt)}}
		}
		return Mail{Kind: kind, To: u.Email, Language: language, Data: greeting(u, data)}
	})
	if err != nil {
		return "", err
	}
	return m.ID.String(), nil
}

// Exchange takes the code that was typed and returns the token of a link that is
// good for as long as the code was: the page of the new password knows tokens alone,
// so that nobody gets there without. Errors: ErrProofVoid, *WrongCode.
func (s *Resets) Exchange(ctx context.Context, e Evidence) (token string, err error) {
	h, err := s.take(ctx, ProofReset, e)
	if err != nil {
		return "", err
	}
	u, _, err := s.subject(ctx, h)
	if err != nil {
		return "", err
	}
	err = s.Users.record(ctx, actorOf(u), func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.Store.LockUser(ctx, u.Subject)
		if err != nil {
			return nil, gone(err)
		}
		if err := s.spend(ctx, h, u, now); err != nil {
			return nil, err
		}
		left := time.Duration(h.ExpiresAt-now) * time.Millisecond
		o := order{purpose: ProofReset, user: u, email: h.data.Email, emailKey: h.EmailKey, asker: e.Asker, life: left}
		o.asker.Flow = h.data.Flow
		m, err := s.make(o)
		if err != nil {
			return nil, err
		}
		if err := s.Store.InsertProof(ctx, m.Proof); err != nil {
			return nil, fmt.Errorf("keep proof: %w", err)
		}
		token = m.token
		return userEffect("user.password.reset.code", u, nil), nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// Look returns the account whose password a link would change. Errors:
// ErrProofVoid.
func (s *Resets) Look(ctx context.Context, token string) (*User, error) {
	h, err := s.byToken(ctx, ProofReset, token, "")
	if err != nil {
		return nil, err
	}
	u, _, err := s.subject(ctx, h)
	if err != nil {
		return nil, err
	}
	if !s.Keys.Verify(keyProofBinding, h.Binding, bindingOf(ProofReset, u)...) {
		return nil, ErrProofVoid
	}
	return u, nil
}

// Finish spends the proof of a link and gives its account another password. A
// password that is refused spends nothing. It returns the flow to sign in for.
// Errors: ErrProofVoid, *BadField, ErrBusy.
func (s *Resets) Finish(ctx context.Context, token string, password secret.Text, a Asker, m Meta) (flow string, err error) {
	h, err := s.byToken(ctx, ProofReset, token, a.Browser)
	if err != nil {
		return "", err
	}
	u, _, err := s.subject(ctx, h)
	if err != nil {
		return "", err
	}
	// Before the transaction: hashing takes longer than all of it.
	hash, err := s.Users.hashNew(ctx, password, false, u)
	if err != nil {
		return "", inField("new_password", err)
	}
	err = s.Users.change(ctx, actorOf(u), u.Subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		if err := s.spend(ctx, h, u, now); err != nil {
			return nil, err
		}
		u.PasswordHash, u.PasswordChangedAt = hash, now
		u.Did(ActionChangePassword)
		e, err := s.Users.die(ctx, "user.password.reset", u, now, reasonPasswordReset)
		if err != nil {
			return nil, err
		}
		e.mails = append(e.mails, s.notice(MailPasswordChanged, u, m, now))
		return e, nil
	})
	if err != nil {
		return "", gone(err)
	}
	return h.flow(), nil
}

// notice tells a person by mail what was done to their account, and from where.
func (p *Proofs) notice(kind MailKind, u *User, m Meta, now int64) Mail {
	data := map[string]string{
		MailDataLink: p.Links.To(PathLinkSecurity, nil), MailDataWhen: until(now), MailDataAddress: clip(m.Address),
	}
	if p.Device != nil {
		data[MailDataDevice] = p.Device(m.UserAgent)
	}
	return Mail{Kind: kind, To: u.Email, Language: languageOf(u, ""), Data: greeting(u, data)}
}

// gone turns the answer about an account that is not there any more into that of a
// proof that is worth nothing.
func gone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrProofVoid
	}
	return err
}
