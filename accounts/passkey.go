package accounts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	ceremonyPurpose = "passkey-ceremony"
	ceremonyLife    = 5 * time.Minute
	maxCeremony     = 96 << 10 // characters: the ids of all factors that one may have
)

// Passkey is a WebAuthn credential.
type Passkey struct {
	ID           id.ID
	UserID       id.ID
	CredentialID []byte // 1 to 1023 bytes, unique; chosen by the authenticator
	Credential   string // JSON that WebAuthn reads and writes: public key, flags
	Name         string
	SignCount    int64
	CreatedAt    int64
	LastUsedAt   int64
}

// PasskeyStore keeps passkeys.
type PasskeyStore interface {
	// InsertPasskey returns ErrConflict if the credential's id is known, whoever's
	// it is.
	InsertPasskey(ctx context.Context, p *Passkey) error
	PasskeysOf(ctx context.Context, userID id.ID) ([]Passkey, error) // oldest first
	// PasskeyOwner returns a passkey and its user, together with the ledger's
	// position in the same snapshot: the rev of a session that it proves (L2).
	PasskeyOwner(ctx context.Context, credentialID []byte) (p *Passkey, u *User, position int64, err error)
	// UsePasskey writes what has changed by a use: Credential, SignCount and
	// LastUsedAt. ErrNotFound if the passkey is gone.
	UsePasskey(ctx context.Context, p *Passkey) error
}

// WebAuthn speaks the language of passkeys (WebAuthn Level 3); internal/passkey
// does. state is what must come back with the answer, unseen by the browser.
// Answers come from outside: errors are ErrPasskey, with the cause for the log.
type WebAuthn interface {
	// RelyingParty is the RP ID.
	RelyingParty() string
	// Create asks for a new passkey of a user who has these already.
	Create(u *User, has []Passkey) (options, state []byte, err error)
	// Created checks the answer to Create, for the same user. The passkey has
	// CredentialID, Credential, SignCount, and for a Name that of its maker.
	Created(u *User, state, response []byte) (*Passkey, error)
	// Ask asks for one of these passkeys of a user, or with a nil user for any: then
	// the device must verify who uses it.
	Ask(u *User, has []Passkey) (options, state []byte, err error)
	// Answered checks the answer to Ask by the passkey, which find returns by the
	// credential's id. The user is the one asked or, if any was, the one who is
	// named in the answer.
	Answered(state, response []byte, find func(credentialID []byte) (*Passkey, error)) (*PasskeyUse, error)
}

// PasskeyUse is what a passkey's answer has proven.
type PasskeyUse struct {
	Passkey *Passkey // with its new Credential and SignCount
	// Verified says that the device made sure of its user (UV).
	Verified bool
	// Regressed says that the signature counter did not rise although it counts:
	// somebody may have a copy of the key (WebAuthn Level 3 §6.1.1).
	Regressed bool
}

// BeginPasskey asks for a new passkey. options is JSON for
// PublicKeyCredential.parseCreationOptionsFromJSON; ceremony goes back to
// FinishPasskey within 5 minutes. Errors: ErrNoPasskeys.
func (s *Factors) BeginPasskey(ctx context.Context, user *User) (options []byte, ceremony string, err error) {
	if s.WebAuthn == nil {
		return nil, "", ErrNoPasskeys
	}
	has, err := s.Passkeys.PasskeysOf(ctx, user.ID)
	if err != nil {
		return nil, "", fmt.Errorf("find passkeys: %w", err)
	}
	options, state, err := s.WebAuthn.Create(user, has)
	if err != nil {
		return nil, "", err
	}
	ceremony, err = s.sealCeremony(state, creationOf(user))
	return options, ceremony, err
}

// FinishPasskey adds the passkey that the device made; an empty name becomes that
// of its maker. It returns recovery codes as ConfirmTOTP does. Errors: ErrPasskey,
// ErrInvalid (the name), ErrStepUp, ErrNotFound if the session has ended, ErrConflict
// if the passkey is registered already, whoever's it is, or there are too many
// factors.
func (s *Factors) FinishPasskey(ctx context.Context, actor audit.Actor, session *Session, ceremony, name string, response []byte) (recovery []string, err error) {
	if s.WebAuthn == nil {
		return nil, ErrNoPasskeys
	}
	if name != "" {
		if err := label("name", name, maxFactorName); err != nil {
			return nil, err
		}
	}
	u, err := s.Users.UserBySubject(ctx, actor.ID)
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	state, err := s.takeCeremony(ctx, ceremony, creationOf(u))
	if err != nil {
		return nil, err
	}
	made, err := s.WebAuthn.Created(u, state, response)
	if err != nil {
		return nil, err
	}
	made.ID, made.UserID = id.New(), u.ID
	if name != "" {
		made.Name = name
	}
	err = s.change(ctx, actor, session, func(ctx context.Context, u *User, own *Session, now int64) (*effect, error) {
		made.CreatedAt = now
		if err := s.Passkeys.InsertPasskey(ctx, made); err != nil {
			return nil, fmt.Errorf("add passkey: %w", err)
		}
		recovery, err = s.added(ctx, u, own, []string{amrPasskey, amrVerified}, now)
		return s.factorEffect("user.factor.add", u, own, made.ID, factorPasskey, made.Name, now), err
	})
	return recovery, err
}

// sealedCeremony is what a browser holds between a passkey's question and its answer.
// The server keeps nothing meanwhile: whoever opens the sign-in page costs no row.
type sealedCeremony struct {
	State     []byte `json:"state"`
	ExpiresAt int64  `json:"expires_at"`
}

// creationOf and assertionOf are what a ceremony is bound to: a user who adds a
// passkey, or a pending sign-in. An answer to one is none to another.
func creationOf(u *User) []byte { return append([]byte("create "), u.ID[:]...) }

func assertionOf(w *WaitingSignIn) []byte {
	if w == nil {
		return []byte("sign-in")
	}
	return append([]byte("second factor "), w.ID[:]...)
}

func (s *Factors) sealCeremony(state, of []byte) (string, error) {
	plain, err := json.Marshal(sealedCeremony{State: state, ExpiresAt: s.now() + ceremonyLife.Milliseconds()})
	if err != nil {
		return "", fmt.Errorf("write a passkey ceremony: %w", err)
	}
	box, err := s.Keys.Seal(ceremonyPurpose, plain, of)
	if err != nil {
		return "", fmt.Errorf("seal a passkey ceremony: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(box), nil
}

// takeCeremony opens a ceremony and spends it, before its answer is looked at
// (WebAuthn Level 3 §13.4.3). Errors: ErrPasskey.
func (s *Factors) takeCeremony(ctx context.Context, text string, of []byte) (state []byte, err error) {
	if len(text) > maxCeremony {
		return nil, fmt.Errorf("%w: a ceremony of %d characters", ErrPasskey, len(text))
	}
	box, ok := unboxed(text)
	if !ok {
		return nil, fmt.Errorf("%w: not a ceremony", ErrPasskey)
	}
	plain, err := s.Keys.Open(ceremonyPurpose, box, of)
	if err != nil {
		return nil, fmt.Errorf("%w: another ceremony: %w", ErrPasskey, err)
	}
	var c sealedCeremony
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, fmt.Errorf("read a passkey ceremony: %w", err)
	}
	if s.now() >= c.ExpiresAt {
		return nil, fmt.Errorf("%w: the ceremony is over", ErrPasskey)
	}
	first, err := s.Store.TakeOnce(ctx, box, c.ExpiresAt)
	if err != nil {
		return nil, fmt.Errorf("spend a passkey ceremony: %w", err)
	}
	if !first {
		return nil, fmt.Errorf("%w: the ceremony was answered before", ErrPasskey)
	}
	return c.State, nil
}

// unboxed decodes a sealed text, which has one spelling: the decoder alone would skip
// line breaks.
func unboxed(text string) ([]byte, bool) {
	encoding := base64.RawURLEncoding.Strict()
	box, err := encoding.DecodeString(text)
	return box, err == nil && len(text) == encoding.EncodedLen(len(box))
}
