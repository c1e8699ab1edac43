package accounts

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	totpPurpose      = "totp"
	totpEnrolPurpose = "totp-enrolment"
	totpPeriod       = 30 // seconds
	totpSecret       = 20 // bytes (RFC 4226 §4, R6)
	totpSkew         = 1  // steps before and after, for clocks and slow fingers (RFC 6238 §5.2)
	totpEnrolment    = time.Hour
)

// TOTP is an authenticator app (RFC 6238: SHA-1, 30 seconds, 6 digits, as all apps
// know it).
type TOTP struct {
	ID         id.ID
	UserID     id.ID
	Name       string
	Sealed     []byte // the secret, bound to ID and UserID
	LastStep   int64  // a code of this step or an earlier one is not taken again
	CreatedAt  int64  // Unix milliseconds, as all times here
	LastUsedAt int64
}

// TOTPStore keeps authenticator apps.
type TOTPStore interface {
	InsertTOTP(ctx context.Context, t *TOTP) error
	TOTPsOf(ctx context.Context, userID id.ID) ([]TOTP, error) // oldest first
	// UseTOTP moves the last step forward, in one statement, and reports false if
	// it is there already: a code is taken once.
	UseTOTP(ctx context.Context, totpID id.ID, step, now int64) (bool, error)
}

// enrolment is what BeginTOTP seals.
type enrolment struct {
	Secret    []byte `json:"secret"`
	ExpiresAt int64  `json:"expires_at"`
}

// BeginTOTP makes the secret of a new authenticator app: as text (base32, to be
// typed), as otpauth URI (for the QR code), and sealed, for the hidden field that
// brings it back to ConfirmTOTP within the hour. Nothing is kept yet.
func (s *Factors) BeginTOTP(ctx context.Context, user *User) (key, uri, sealed string, err error) {
	e := enrolment{Secret: secret.Random(totpSecret), ExpiresAt: s.now() + totpEnrolment.Milliseconds()}
	brand := strings.ReplaceAll(CurrentSettings(ctx, s.Settings).Brand, ":", " ") // it ends the issuer in the label
	if brand == "" {
		brand = "Gatehouse"
	}
	made, err := totp.Generate(totp.GenerateOpts{Issuer: brand, AccountName: user.Username, Secret: e.Secret})
	if err != nil {
		return "", "", "", fmt.Errorf("make an authenticator app's URI: %w", err)
	}
	plain, err := json.Marshal(e)
	if err != nil {
		return "", "", "", fmt.Errorf("write an enrolment: %w", err)
	}
	box, err := s.Keys.Seal(totpEnrolPurpose, plain, user.ID[:])
	if err != nil {
		return "", "", "", fmt.Errorf("seal an enrolment: %w", err)
	}
	return made.Secret(), made.URL(), base64.RawURLEncoding.EncodeToString(box), nil
}

// ConfirmTOTP adds the app whose code proves that it has the secret; an empty name
// becomes "Authenticator app". It returns recovery codes, to be shown once, if the
// person has none. Errors: ErrCode, ErrInvalid (the name, or a sealed text that is
// not this person's, was used, or is over), ErrStepUp, ErrNotFound if the session has
// ended, ErrConflict for too many factors.
func (s *Factors) ConfirmTOTP(ctx context.Context, actor audit.Actor, session *Session, name, sealed, code string) (recovery []string, err error) {
	if name == "" {
		name = "Authenticator app"
	}
	if err := label("name", name, maxFactorName); err != nil {
		return nil, err
	}
	err = s.change(ctx, actor, session, func(ctx context.Context, u *User, own *Session, now int64) (*effect, error) {
		e, box, err := s.opened(u, sealed, now)
		if err != nil {
			return nil, err
		}
		step, ok := totpStep(e.Secret, code, now, 0)
		if !ok {
			return nil, ErrCode
		}
		// Two apps of one secret would take one code twice.
		first, err := s.Store.TakeOnce(ctx, box, e.ExpiresAt)
		if err != nil {
			return nil, fmt.Errorf("spend an enrolment: %w", err)
		}
		if !first {
			return nil, invalid("this authenticator app was added before")
		}
		t := &TOTP{ID: id.New(), UserID: u.ID, Name: name, LastStep: step, CreatedAt: now}
		if t.Sealed, err = s.Keys.Seal(totpPurpose, e.Secret, totpBox(t)); err != nil {
			return nil, fmt.Errorf("seal a secret: %w", err)
		}
		if err := s.TOTPs.InsertTOTP(ctx, t); err != nil {
			return nil, fmt.Errorf("add authenticator app: %w", err)
		}
		recovery, err = s.added(ctx, u, own, []string{amrCode}, now)
		return s.factorEffect("user.factor.add", u, own, t.ID, factorTOTP, name, now), err
	})
	return recovery, err
}

// opened returns what BeginTOTP sealed for a user, and the bytes that name it.
func (s *Factors) opened(u *User, sealed string, now int64) (enrolment, []byte, error) {
	var e enrolment
	if len(sealed) > 1024 {
		return e, nil, invalid("not the secret of an authenticator app")
	}
	box, ok := unboxed(sealed)
	if !ok {
		return e, nil, invalid("not the secret of an authenticator app")
	}
	plain, err := s.Keys.Open(totpEnrolPurpose, box, u.ID[:])
	if err != nil {
		return e, nil, invalid("not the secret of an authenticator app of this account")
	}
	if err := json.Unmarshal(plain, &e); err != nil {
		return e, nil, fmt.Errorf("read an enrolment: %w", err)
	}
	if now >= e.ExpiresAt {
		return e, nil, invalid("the time to add this authenticator app is over")
	}
	return e, box, nil
}

// totpBox is what a sealed secret is bound to.
func totpBox(t *TOTP) []byte { return append(t.ID[:], t.UserID[:]...) }

// useTOTP takes a code of one of the user's apps, once. Errors: ErrCode.
func (s *Factors) useTOTP(ctx context.Context, u *User, code string, now int64) error {
	apps, err := s.TOTPs.TOTPsOf(ctx, u.ID)
	if err != nil {
		return fmt.Errorf("find authenticator apps: %w", err)
	}
	for i := range apps {
		key, err := s.Keys.Open(totpPurpose, apps[i].Sealed, totpBox(&apps[i]))
		if err != nil {
			s.Logger.ErrorContext(ctx, "secret of an authenticator app cannot be opened", "sub", u.Subject, "factor", apps[i].ID, "error", err)
			continue
		}
		step, ok := totpStep(key, code, now, apps[i].LastStep)
		if !ok {
			continue
		}
		used, err := s.TOTPs.UseTOTP(ctx, apps[i].ID, step, now)
		if err != nil {
			return fmt.Errorf("use authenticator app: %w", err)
		}
		if used {
			return nil
		}
	}
	return ErrCode
}

// totpStep returns the time step whose code this is, of those around now and after
// the last one that was used. Every step is compared, in constant time.
func totpStep(key []byte, code string, now, last int64) (step int64, ok bool) {
	code = strings.Map(func(r rune) rune {
		if r == ' ' || r == 0xA0 || r == 0x202F {
			return -1
		}
		return r
	}, code)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(key)
	current := now / 1000 / totpPeriod
	for at := max(current-totpSkew, 0); at <= current+totpSkew; at++ {
		want, err := hotp.GenerateCode(text, uint64(at))
		if err != nil {
			return 0, false
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && at > last && !ok {
			step, ok = at, true
		}
	}
	return step, ok
}
