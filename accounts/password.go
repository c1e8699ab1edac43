package accounts

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// MaxPassword is the longest password that is hashed, in bytes.
const MaxPassword = 1024

// Parameters of new hashes: RFC 9106 lets memory be traded for passes; these are
// the ones that OWASP recommends for servers.
const (
	hashMemory  = 19 * 1024 // KiB
	hashPasses  = 2
	hashThreads = 1
	hashSalt    = 16
	hashKey     = 32
)

// ErrBusy says that more passwords wait to be hashed than would be answered in
// time. The caller answers "try again in a moment" (503).
var ErrBusy = errors.New("too many passwords are being checked")

// Hasher hashes and checks passwords with argon2id. Each hash takes 19 MiB and one
// core for tens of milliseconds, so it runs few at once, lets some wait, and turns
// the rest away: a storm of sign-ins costs waiting, never the machine. It is safe
// for concurrent use.
type Hasher struct {
	slots   chan struct{}
	waiting atomic.Int64
	most    int64
	// run is argon2.IDKey, replaced by tests that count.
	run func(password, salt []byte, passes, memory uint32, threads uint8, length uint32) []byte
}

// NewHasher makes a Hasher that runs limit hashes at once and lets waiting more
// callers wait. Zero means the number of cores, and 32 times the limit.
func NewHasher(limit, waiting int) *Hasher {
	if limit <= 0 {
		limit = runtime.NumCPU()
	}
	if waiting <= 0 {
		waiting = 32 * limit
	}
	return &Hasher{slots: make(chan struct{}, limit), most: int64(waiting), run: argon2.IDKey}
}

// enter waits for a slot. Errors: ErrBusy, and the context's.
func (h *Hasher) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("hash a password: %w", err)
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	if h.waiting.Add(1) > h.most {
		h.waiting.Add(-1)
		return ErrBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
}

// Hash returns the PHC string of a password. Errors: ErrInvalid for one that is
// longer than MaxPassword, ErrBusy, and the context's.
func (h *Hasher) Hash(ctx context.Context, password secret.Text) (string, error) {
	if len(password) > MaxPassword {
		return "", invalid("a password has at most %d bytes", MaxPassword)
	}
	p := phc{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: secret.Random(hashSalt), key: make([]byte, hashKey)}
	key, err := h.derive(ctx, p, password)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// Verify reports whether a password belongs to a PHC string, and whether the
// string should be made again because the parameters have changed. It does the
// work of exactly one hash whatever it is given: an empty string (a user without
// password, or no user at all) and a password that is too long cost as much as a
// wrong one. Errors: ErrBusy, the context's, and one for a string that is not a
// hash, after the same work.
func (h *Hasher) Verify(ctx context.Context, hash string, password secret.Text) (ok, rehash bool, err error) {
	p := phc{
		memory: hashMemory, passes: hashPasses, threads: hashThreads,
		salt: []byte("salt of no user."), key: make([]byte, hashKey),
	}
	usable := hash != "" && len(password) <= MaxPassword
	var broken error
	if hash != "" {
		parsed, err := parsePHC(hash)
		if err == nil {
			p = parsed
		} else {
			usable, broken = false, err
		}
	}
	if len(password) > MaxPassword {
		password = "too long"
	}
	key, err := h.derive(ctx, p, password)
	if err != nil {
		return false, false, err
	}
	same := subtle.ConstantTimeCompare(key, p.key) == 1
	if broken != nil || !usable || !same {
		return false, false, broken
	}
	return true, p.memory != hashMemory || p.passes != hashPasses || p.threads != hashThreads || len(p.key) != hashKey, nil
}

// derive runs argon2id once. The password is brought to NFC first (RFC 8265 §4.2):
// keyboards of different systems send an é as one or as two characters.
func (h *Hasher) derive(ctx context.Context, p phc, password secret.Text) ([]byte, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-h.slots }()
	text := password.Reveal()
	if utf8.ValidString(text) {
		text = norm.NFC.String(text)
	}
	return h.run([]byte(text), p.salt, p.passes, p.memory, p.threads, uint32(len(p.key))), nil
}

// PasswordPolicy is what a new password must meet. Existing ones are never asked.
type PasswordPolicy struct {
	MinLength int // characters; zero means 8
}

// Why a password is weak.
const (
	PasswordTooShort = "short"
	PasswordTooLong  = "long"
	PasswordBlank    = "blank" // one character over and over, spaces for instance
	PasswordIsName   = "name"  // the username or the mail address
)

// WeakPassword is returned for a new password that the policy refuses.
type WeakPassword struct {
	Reason    string // one of the constants above
	MinLength int
}

// Error implements error.
func (e *WeakPassword) Error() string {
	switch e.Reason {
	case PasswordTooShort:
		return fmt.Sprintf("the password has fewer than %d characters", e.MinLength)
	case PasswordTooLong:
		return fmt.Sprintf("the password has more than %d bytes", MaxPassword)
	case PasswordBlank:
		return "the password is one character over and over"
	}
	return "the password is the name of the account"
}

// Check returns a *WeakPassword if the password is refused for an account with
// these names.
func (p PasswordPolicy) Check(password secret.Text, names ...string) error {
	least := p.MinLength
	if least == 0 {
		least = 8
	}
	text := password.Reveal()
	refuse := func(reason string) error { return &WeakPassword{Reason: reason, MinLength: least} }
	if len(text) > MaxPassword {
		return refuse(PasswordTooLong)
	}
	if utf8.RuneCountInString(norm.NFC.String(text)) < least {
		return refuse(PasswordTooShort)
	}
	first, _ := utf8.DecodeRuneInString(text)
	if strings.Trim(text, string(first)) == "" {
		return refuse(PasswordBlank)
	}
	for _, n := range names {
		if n != "" && strings.EqualFold(text, n) {
			return refuse(PasswordIsName)
		}
	}
	return nil
}
