package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// MailCodes lets people sign in by a code that they are sent, and people who are
// locked out by a link that an operator gives them. Either proves one thing: whoever
// has a second factor is asked for it afterwards (SignIns.Proved).
type MailCodes struct{ *Proofs }

// Ask mails a code to an address, if an account has proven it, and returns the id of
// the proof for the window in which it was asked for. For any other address it does
// the same work. Errors: *BadField, *Throttled.
func (s *MailCodes) Ask(ctx context.Context, email string, a Asker) (proofID string, err error) {
	return s.askByMail(ctx, email, a, ProofCode, lifeCode, "user.mail_code.ask", func(m *made, language string) (MailKind, map[string]string) {
		data := map[string]string{MailDataCode: m.code, MailDataUntil: until(m.ExpiresAt)}
		if app := a.App.In(language); app != "" {
			data[MailDataApp] = app
		}
		return MailCode, data
	})
}

// Enter takes a code, or the token of an operator's link. Tries of codes count with
// those of passwords: there is one counter for an account. Errors: ErrProofVoid,
// *WrongCode, *Throttled, ErrBanned.
func (s *MailCodes) Enter(ctx context.Context, e Evidence, known string) (*Entry, error) {
	if e.Token != "" {
		h, err := s.byToken(ctx, ProofSignInLink, e.Token, e.Asker.Browser)
		if err != nil {
			return nil, err
		}
		return s.enterAs(ctx, h, "user.sign_in_link.use")
	}
	limits := throttle{s.Limiter, s.Keys, s.Logger}
	account, browser, err := s.counter(ctx, e, known)
	if err != nil {
		return nil, err
	}
	paid, err := limits.pay(ctx, account, e.Asker.Address, browser)
	if err != nil {
		return nil, err
	}
	h, err := s.take(ctx, ProofCode, e)
	if err != nil {
		return nil, err
	}
	entry, err := s.enterAs(ctx, h, "user.mail_code.use")
	if err == nil {
		limits.forgive(ctx, paid)
	}
	return entry, err
}

// counter names the account under which a try counts, as at a sign-in by password.
func (s *MailCodes) counter(ctx context.Context, e Evidence, known string) (account, browser string, err error) {
	h, err := s.peek(ctx, ProofCode, e)
	if err != nil {
		return "", "", err
	}
	if h.UserID.IsZero() {
		return "login:" + h.EmailKey, "", nil
	}
	return "sub:" + h.data.Subject, knownBrowserOf(s.Keys, h.data.Subject, known), nil
}

// enterAs spends a proof for its account.
func (s *MailCodes) enterAs(ctx context.Context, h *held, action string) (*Entry, error) {
	found, position, err := s.subject(ctx, h)
	if err != nil {
		return nil, err
	}
	err = s.Users.record(ctx, actorOf(found), func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.Store.LockUser(ctx, found.Subject)
		if err != nil {
			return nil, gone(err)
		}
		if !u.Active() {
			return nil, ErrBanned
		}
		if err := s.spend(ctx, h, u, now); err != nil {
			return nil, err
		}
		return userEffect(action, u, nil), nil
	})
	if err != nil {
		return nil, err
	}
	return &Entry{User: found, Position: position, Flow: h.flow()}, nil
}

// Look returns the account that an operator's link would sign in to. Errors:
// ErrProofVoid.
func (s *MailCodes) Look(ctx context.Context, token string) (*User, error) {
	h, err := s.byToken(ctx, ProofSignInLink, token, "")
	if err != nil {
		return nil, err
	}
	u, _, err := s.subject(ctx, h)
	return u, err
}

// Link makes a link by which somebody signs in once, within half an hour, for an
// operator to hand over: it is not mailed. The account's second factor is asked for
// all the same. Errors: ErrNotFound, ErrBanned.
func (s *MailCodes) Link(ctx context.Context, actor audit.Actor, subject string) (link string, expires time.Time, err error) {
	u, err := s.Users.Store.UserBySubject(ctx, subject)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("find user: %w", err)
	}
	if !u.Active() {
		return "", time.Time{}, ErrBanned
	}
	o := order{purpose: ProofSignInLink, user: u, email: u.Email, emailKey: u.EmailKey, life: lifeSignInLink}
	m, err := s.issue(ctx, actor, "user.sign_in_link.make", o, nil)
	if err != nil {
		return "", time.Time{}, err
	}
	return s.Links.token(PathMailCode, m.token), time.UnixMilli(m.ExpiresAt), nil
}
