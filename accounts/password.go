package accounts

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
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

// Hasher hashes passwords with argon2id and checks them, also against the hashes of
// other programs that were imported. Each hash takes 19 MiB and one
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

// Verify reports whether a password belongs to a stored hash, and whether the hash
// should be made again because it is foreign or the parameters have changed. It
// does the work of exactly one hash whatever it is given: an empty string (a user
// without password, or no user at all) and a password that is too long cost as much
// as a wrong one. Errors: ErrBusy, the context's, and one for a string that is not a
// hash, after the same work.
//
// A foreign hash costs what its algorithm costs, so that an account that nobody has
// signed in to since an import can be told, by the time of a wrong password, from
// one that does not exist. Nothing but hashing every imported hash once more at the
// import could hide it; throttling bounds how many can be asked for, and the first
// right sign-in ends it (docs/import.md).
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
		} else if foreign, err := parseForeign(hash); err == nil {
			ok, err := h.verifyForeign(ctx, foreign, password)
			return ok, ok, err
		} else {
			usable, broken = false, errPHC
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

// verifyForeign checks a password by its own algorithm, byte for byte as it was
// typed: other programs do not normalize.
func (h *Hasher) verifyForeign(ctx context.Context, hash foreignHash, password secret.Text) (bool, error) {
	text := password.Reveal()
	usable := len(text) <= MaxPassword && hash.takes(text)
	if !usable {
		text = "unusable" // the work is done all the same
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	return hash.matches(text) && usable, nil
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
