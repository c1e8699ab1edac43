package accounts

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	pendingLife     = 10 * time.Minute
	pendingAttempts = 10
)

var (
	// ErrCode is the one answer to a wrong code, one that was used before, and one
	// whose time has passed.
	ErrCode = errors.New("wrong code")
	// ErrPasskey is returned for a passkey's answer that proves nothing: to another
	// question, for another site, by a key that is not the account's.
	ErrPasskey = errors.New("the passkey's answer is not valid")
	// ErrNoFactor is returned by Raise for somebody who has no factor with which
	// their session could reach two factors.
	ErrNoFactor = errors.New("no factor to raise the session with")
	// ErrNoPasskeys is returned where this deployment has no passkeys, because its
	// issuer has no domain name (WebAuthn Level 3 §5.1.2).
	ErrNoPasskeys = errors.New("no passkeys at this address")
)

// UnknownPasskey is returned for a passkey that no account has (any more). The page
// may tell the person's device, with PublicKeyCredential.signalUnknownCredential,
// to offer it no longer. It wraps ErrPasskey.
type UnknownPasskey struct {
	CredentialID string // base64url without padding, at most 1364 characters; it came from the browser
	RelyingParty string // RP ID
}

// Error implements error.
func (e *UnknownPasskey) Error() string { return "a passkey of no account" }

// Unwrap returns ErrPasskey.
func (e *UnknownPasskey) Unwrap() error { return ErrPasskey }

// SignIns leads from the first proof to the session: at once for those without a
// second factor, and for the others by way of a pending sign-in. There is no
// session before the second factor, and a pending sign-in dies with what it was
// proven by: when meanwhile the user is banned, signed out everywhere, given
// another password or other factors (L2).
//
// A pending sign-in is a cookie's value (flow.PendingCookie). It lives 10 minutes,
// takes 10 attempts and is spent once. Codes are also counted per account, over all
// its pending sign-ins, and neither a right password nor a known browser forgives
// wrong ones.
type SignIns struct {
	Journal
	Users    UserStore
	Sessions *Sessions
	Factors  *Factors
	Waiting  WaitingStore
	Limiter  Limiter
	Keys     *secret.Keyring
	Logger   *slog.Logger
}

// Passage is how far somebody has come: either signed in (Token and Session), or
// up to the second factor (Pending).
type Passage struct {
	User *User

	Token   string // for the session's cookie; empty until the sign-in is complete
	Session *Session
	// Known is the new value for the known-browser cookie, empty if there is
	// nothing to set. It is only given to who has completed a sign-in.
	Known string
	// Device is the new value for the cookie of a remembered browser (flow name
	// "device"), which lasts RememberedFor; empty if there is nothing to set.
	Device string

	Pending      string // for the pending cookie, while a factor is missing
	PendingUntil int64  // Unix milliseconds
}

// PendingSignIn tells what somebody can go on with.
type PendingSignIn struct {
	User          *User
	TOTP          bool
	Passkeys      bool
	RecoveryCodes int  // left
	StepUp        bool // a session lives, and is to be raised
	Until         int64
}

// WaitingSignIn is a pending sign-in as it is kept.
type WaitingSignIn struct {
	ID        id.ID
	TokenHash []byte
	UserID    id.ID
	SessionID id.ID // of a step-up: the session that is raised; else zero
	Rev       int64 // position at which the first proof was read (L2)
	Binding   []byte
	AMR       []string
	Known     string // value for the known-browser cookie, once complete
	Attempts  int64
	CreatedAt int64
	ExpiresAt int64
	SpentAt   int64
}

// WaitingStore keeps pending sign-ins.
type WaitingStore interface {
	InsertWaiting(ctx context.Context, w *WaitingSignIn) error
	// WaitingByToken returns a pending sign-in and its user, spent or expired or not.
	WaitingByToken(ctx context.Context, tokenHash []byte) (*WaitingSignIn, *User, error)
	// CountAttempt counts one attempt, in one durable statement, and reports false
	// if the sign-in is spent or expired, or has had that many attempts.
	CountAttempt(ctx context.Context, waitingID id.ID, most, now int64) (bool, error)
	// SpendWaiting reports whether this call spent it: one of all callers does.
	SpendWaiting(ctx context.Context, waitingID id.ID, now int64) (bool, error)
	// EndWaiting spends all that a user has.
	EndWaiting(ctx context.Context, userID id.ID, now int64) error
}

// Proceed goes on after Authenticate: with a session, or with a pending sign-in if
// the account has a second factor and device, the remembered browser's cookie, does
// not spare it. A remembered browser spares nobody who must have two factors, nor
// who holds a session of two factors in this browser, which would be lowered.
// Errors: ErrCredentials if the proof no longer holds, ErrBanned.
func (s *SignIns) Proceed(ctx context.Context, r *Result, m Meta, device string) (*Passage, error) {
	var p *Passage
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		u, err := s.Sessions.stillProven(ctx, r)
		if err != nil {
			return err
		}
		// Under the lock that every change of factors takes: whoever enrols one
		// meanwhile is asked for it, or their change ends this session.
		asked, err := s.asked(ctx, u, r, m, device)
		if err != nil {
			return err
		}
		if asked {
			p, err = s.wait(ctx, u, r, id.ID{})
		} else {
			p, err = s.start(ctx, r, m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Proved is Proceed for who proved themselves by something else than the password,
// such as a code sent by mail (amr "otp"). user and position are what one statement
// read before the proof was checked. Errors: those of Proceed.
func (s *SignIns) Proved(ctx context.Context, user *User, position int64, amr []string, m Meta, device string) (*Passage, error) {
	r := &Result{User: user, Position: position, AMR: amr, Known: knownValue(s.Keys, user.Subject)}
	return s.Proceed(ctx, r, m, device)
}

// Raise begins the second factor of somebody who is signed in with one: a pending
// sign-in that, when complete, raises their session, with another token, more amr
// and a new auth_time. Errors: ErrNotFound if the session has ended, ErrNoFactor if
// nothing that they have would make it two factors (then they enrol one, or, after a
// sign-in by mail, sign in again with their password).
func (s *SignIns) Raise(ctx context.Context, session *Session, user *User, _ Meta) (*Passage, error) {
	var p *Passage
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		u, err := s.Users.LockUser(ctx, user.Subject)
		if err != nil {
			return fmt.Errorf("lock user: %w", err)
		}
		raised, err := s.raised(ctx, u, session.ID)
		if err != nil {
			return err
		}
		factors, err := s.Factors.List(ctx, u)
		if err != nil {
			return err
		}
		if !factors.raise(raised.AMR) {
			return ErrNoFactor
		}
		p, err = s.wait(ctx, u, &Result{User: u, Position: raised.Rev, AMR: raised.AMR}, raised.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Pending returns what can complete a pending sign-in. Errors: ErrNotFound if it is
// none, spent, expired, or no longer proven.
func (s *SignIns) Pending(ctx context.Context, pending string) (*PendingSignIn, error) {
	w, u, err := s.waiting(ctx, pending)
	if errors.Is(err, ErrBanned) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	factors, err := s.Factors.List(ctx, u)
	if err != nil {
		return nil, err
	}
	found := &PendingSignIn{User: u, StepUp: !w.SessionID.IsZero(), Until: w.ExpiresAt}
	found.Passkeys = len(factors.Passkeys) > 0 && s.Factors.WebAuthn != nil
	if !found.StepUp || reaches(w.AMR, amrCode) {
		found.TOTP, found.RecoveryCodes = len(factors.TOTPs) > 0, factors.RecoveryCodes
	}
	return found, nil
}

// asked reports whether a proof has to be followed by a second factor.
func (s *SignIns) asked(ctx context.Context, u *User, r *Result, m Meta, device string) (bool, error) {
	has, needed, err := s.Factors.Standing(ctx, u)
	if err != nil || !has || Assurance(r.AMR) == ACRTwoFactors {
		return false, err
	}
	if needed {
		return true, nil
	}
	replaced, err := s.Sessions.earlier(ctx, m.Replaces)
	if err != nil {
		return false, err
	}
	if replaced != nil && replaced.UserID == u.ID && replaced.ACR == ACRTwoFactors && replaced.Live(s.now(), u.ValidFrom) {
		return true, nil
	}
	spared, err := s.Factors.remembers(ctx, u, device)
	return !spared, err
}

// start begins the session of a complete sign-in, or raises the one that it replaces.
func (s *SignIns) start(ctx context.Context, r *Result, m Meta) (*Passage, error) {
	r.ACR = Assurance(r.AMR)
	token, session, err := s.Sessions.Start(ctx, r, m)
	if err != nil {
		return nil, err
	}
	if err := s.tellOfBrowser(ctx, r.User, m, session.AuthTime); err != nil {
		return nil, err
	}
	return &Passage{User: r.User, Token: token, Session: session, Known: r.Known}, nil
}

// tellOfBrowser mails whoever has signed in before, and now with a browser that this
// account has not been used with.
func (s *SignIns) tellOfBrowser(ctx context.Context, u *User, m Meta, at int64) error {
	if u.LastSignInAt == 0 || !u.EmailVerified || knownBrowserOf(s.Keys, u.Subject, m.Known) != "" {
		return nil
	}
	data := greeting(u, map[string]string{
		MailDataLink: s.Factors.SecurityURL, MailDataWhen: until(at), MailDataAddress: clip(m.Address), MailDataZone: u.Profile.Zoneinfo,
	})
	if s.Factors.Device != nil {
		data[MailDataDevice] = s.Factors.Device(m.UserAgent)
	}
	err := s.mail(ctx, []Mail{{Kind: MailNewDevice, To: u.Email, Language: languageOf(u, ""), Data: data}})
	if err != nil {
		return fmt.Errorf("mail about a new browser: %w", err)
	}
	return nil
}

// wait begins a pending sign-in.
func (s *SignIns) wait(ctx context.Context, u *User, r *Result, sessionID id.ID) (*Passage, error) {
	raw := secret.Random(sessionToken)
	token := base64.RawURLEncoding.EncodeToString(raw)
	hash, _ := HashSessionToken(token)
	if r.newHash != "" { // no session begins that would write it
		u.PasswordHash = r.newHash
		if err := s.Users.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
	}
	w := &WaitingSignIn{
		ID: id.New(), TokenHash: hash, UserID: u.ID, SessionID: sessionID, Rev: r.Position, Binding: binding(s.Keys, u),
		AMR: r.AMR, Known: r.Known,
	}
	actor := audit.Actor{Kind: audit.Person, ID: u.Subject, Name: u.Username}
	err := s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		w.CreatedAt, w.ExpiresAt = now, now+pendingLife.Milliseconds()
		if err := s.Waiting.InsertWaiting(ctx, w); err != nil {
			return nil, fmt.Errorf("begin a pending sign-in: %w", err)
		}
		return userEffect("user.sign_in.first_factor", u, map[string]any{"amr": w.AMR, "step_up": !sessionID.IsZero()}), nil
	})
	if err != nil {
		return nil, err
	}
	return &Passage{User: u, Pending: token, PendingUntil: w.ExpiresAt}, nil
}

// waiting returns a pending sign-in that can be completed, and its user. Errors:
// ErrNotFound, ErrBanned.
func (s *SignIns) waiting(ctx context.Context, pending string) (*WaitingSignIn, *User, error) {
	hash, ok := HashSessionToken(pending)
	if !ok {
		return nil, nil, ErrNotFound
	}
	w, u, err := s.Waiting.WaitingByToken(ctx, hash)
	if err != nil {
		return nil, nil, fmt.Errorf("find pending sign-in: %w", err)
	}
	if w.SpentAt != 0 || s.now() >= w.ExpiresAt || w.Attempts >= pendingAttempts {
		return nil, nil, ErrNotFound
	}
	if err := s.holds(w, u); err != nil {
		return nil, nil, err
	}
	if !w.SessionID.IsZero() {
		if _, err := s.raised(ctx, u, w.SessionID); err != nil {
			return nil, nil, err
		}
	}
	return w, u, nil
}

// holds is Result.holds for a pending sign-in.
func (s *SignIns) holds(w *WaitingSignIn, u *User) error {
	if !u.Active() {
		return ErrBanned
	}
	if w.Rev < u.ValidFrom || !bound(s.Keys, w.Binding, u) {
		return ErrNotFound
	}
	return nil
}

// raised returns the live session of a step-up; ErrNotFound if it has ended.
func (s *SignIns) raised(ctx context.Context, u *User, sessionID id.ID) (*Session, error) {
	session, err := s.Sessions.Store.SessionByID(ctx, sessionID)
	if err != nil {
		return nil, fmt.Errorf("find the session to raise: %w", err)
	}
	if session.UserID != u.ID || !u.Active() || !session.Live(s.now(), u.ValidFrom) {
		return nil, ErrNotFound
	}
	return session, nil
}

const bindingPurpose = "password-binding"

// binding ties something to the password that its user has now, also to having none.
func binding(keys *secret.Keyring, u *User) []byte {
	return keys.MAC(bindingPurpose, u.ID[:], []byte(u.PasswordHash))
}

func bound(keys *secret.Keyring, mac []byte, u *User) bool {
	return keys.Verify(bindingPurpose, mac, u.ID[:], []byte(u.PasswordHash))
}

// reaches reports whether methods and more together are two factors.
func reaches(amr []string, more ...string) bool { return Assurance(joined(amr, more)) == ACRTwoFactors }

// raise reports whether one of the factors makes the methods of a session two factors.
func (l *FactorList) raise(amr []string) bool {
	return len(l.Passkeys) > 0 && reaches(amr, amrPasskey, amrVerified) || len(l.TOTPs) > 0 && reaches(amr, amrCode)
}
