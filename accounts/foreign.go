package accounts

import (
	"crypto/pbkdf2"
	"crypto/sha1" // PBKDF2 with HMAC-SHA-1 is what old systems kept; nothing new is made with it
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/scrypt"
)

// foreignHash is a password's hash that another program made. It is checked until
// its owner's first right sign-in, which replaces it by ours (Result.newHash).
//
// One text is kept for each hash, whatever program it came from (ImportedHash):
//
//	$pbkdf2-sha256$i=600000$salt$key      also -sha1 and -sha512
//	$scrypt$ln=14,r=8,p=5$salt$key
//	$argon2i$v=19$m=4096,t=3,p=1$salt$key
//	$2b$12$...                            bcrypt, also $2a$ and $2y$
//	bcrypt_sha256$$2b$12$...              bcrypt of the SHA-256 in hexadecimal (Django)
type foreignHash interface {
	// matches reports whether the password is the one, in constant time as far as
	// the algorithm goes. It takes memory and time within the bounds below.
	matches(password string) bool
	// takes reports whether the algorithm tells this password from every other one.
	takes(password string) bool
	String() string
}

// Bounds of what is taken over: the dearest hash takes about a second of one core
// and 128 MiB. Django's and Keycloak's present defaults are far below.
const (
	maxPBKDF2Rounds = 4 << 20 // times the blocks of the key
	maxScryptMemory = 128 << 20
	maxScryptWork   = 256 << 20 // memory times p
	maxForeignSalt  = 128
	maxForeignKey   = 128
)

// errForeign says nothing about the hash itself, as errPHC.
var errForeign = errors.New("not a password hash that can be checked")

// tooDear refuses a hash whose check could be used against the server.
func tooDear(what string, n, most uint64) error {
	return invalid("%s: %d is more than %d, too dear to check", what, n, most)
}

// parseForeign reads what ImportedHash writes.
func parseForeign(s string) (foreignHash, error) {
	if len(s) > maxForeignText {
		return nil, errForeign
	}
	if inner, ok := strings.CutPrefix(s, djangoBcryptSHA256); ok {
		h, err := parseBcrypt(inner)
		return bcryptSHA256(h), err
	}
	parts := strings.Split(s, "$")
	if len(parts) < 4 || parts[0] != "" {
		return nil, errForeign
	}
	switch scheme := parts[1]; {
	case strings.HasPrefix(scheme, "pbkdf2-") && len(parts) == 5:
		return parsePBKDF2(scheme, parts[2:])
	case scheme == "scrypt" && len(parts) == 5:
		return parseScrypt(parts[2:])
	case scheme == "argon2i":
		p, err := parsePHC("$argon2id" + strings.TrimPrefix(s, "$argon2i"))
		return argon2i(p), err
	case strings.HasPrefix(scheme, "2"):
		h, err := parseBcrypt(s)
		return h, err
	}
	return nil, errForeign
}

const maxForeignText = 512

// foreignBytes reads base64 as PHC strings hold it: without padding, and one text
// for each value.
func foreignBytes(s string, least, most int) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < least || len(b) > most || base64.RawStdEncoding.EncodeToString(b) != s {
		return nil, errForeign
	}
	return b, nil
}

// noNUL is what schemes on HMAC take: it pads short keys with zeros, so that a
// password and the same one with a NUL behind it are one.
func noNUL(password string) bool { return strings.IndexByte(password, 0) < 0 }

// pbkdf2Hash is PBKDF2 (RFC 8018) with HMAC.
type pbkdf2Hash struct {
	digest    string // sha1, sha256, sha512
	rounds    uint64
	salt, key []byte
}

func newPBKDF2(digest string, rounds uint64, salt, key []byte) (*pbkdf2Hash, error) {
	h := &pbkdf2Hash{digest: digest, rounds: rounds, salt: salt, key: key}
	f := h.hash()
	switch {
	case f == nil:
		return nil, invalid("PBKDF2 with a digest other than SHA-1, SHA-256 and SHA-512")
	case len(salt) == 0 || len(salt) > maxForeignSalt || len(key) < minKey || len(key) > maxForeignKey:
		return nil, invalid("PBKDF2: a salt or key of a length that it does not have")
	case rounds == 0:
		return nil, invalid("PBKDF2 of no rounds")
	}
	blocks := uint64((len(key) + f().Size() - 1) / f().Size())
	if rounds > maxPBKDF2Rounds/blocks {
		return nil, tooDear("PBKDF2 rounds", rounds, maxPBKDF2Rounds/blocks)
	}
	return h, nil
}

func parsePBKDF2(scheme string, parts []string) (foreignHash, error) {
	rounds, ok := foreignNumber(parts[0], "i=")
	salt, errS := foreignBytes(parts[1], 1, maxForeignSalt)
	key, errK := foreignBytes(parts[2], minKey, maxForeignKey)
	if !ok || errors.Join(errS, errK) != nil {
		return nil, errForeign
	}
	h, err := newPBKDF2(strings.TrimPrefix(scheme, "pbkdf2-"), rounds, salt, key)
	if err != nil {
		return nil, err // not as *pbkdf2Hash(nil), which is a foreignHash
	}
	return h, nil
}

// foreignNumber reads a decimal without leading zeros.
func foreignNumber(s, name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil && strconv.FormatUint(n, 10) == digits
}

func (h *pbkdf2Hash) hash() func() hash.Hash {
	switch h.digest {
	case "sha1":
		return sha1.New
	case "sha256":
		return sha256.New
	case "sha512":
		return sha512.New
	}
	return nil
}

func (h *pbkdf2Hash) takes(password string) bool { return noNUL(password) }

func (h *pbkdf2Hash) matches(password string) bool {
	key, err := pbkdf2.Key(h.hash(), password, h.salt, int(h.rounds), len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

// String returns the text that is kept.
func (h *pbkdf2Hash) String() string {
	return fmt.Sprintf("$pbkdf2-%s$i=%d$%s$%s", h.digest, h.rounds,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// scryptHash is scrypt (RFC 7914).
type scryptHash struct {
	n, r, p   uint64
	salt, key []byte
}

func newScrypt(n, r, p uint64, salt, key []byte) (*scryptHash, error) {
	switch {
	case n < 2 || n&(n-1) != 0 || r == 0 || p == 0:
		return nil, invalid("scrypt: N is no power of two, or r or p is zero")
	case len(salt) == 0 || len(salt) > maxForeignSalt || len(key) < minKey || len(key) > maxForeignKey:
		return nil, invalid("scrypt: a salt or key of a length that it does not have")
	case n > maxScryptMemory/128 || r > maxScryptMemory/128/n:
		return nil, tooDear("scrypt memory in bytes", saturated(128, n, r), maxScryptMemory)
	case p > maxScryptWork/(128*n*r):
		return nil, tooDear("scrypt memory times p", saturated(128, n, r, p), maxScryptWork)
	}
	return &scryptHash{n: n, r: r, p: p, salt: salt, key: key}, nil
}

// saturated multiplies, and stays at the top where it would overflow.
func saturated(factors ...uint64) uint64 {
	product := uint64(1)
	for _, f := range factors {
		high, low := bits.Mul64(product, f)
		if high != 0 {
			return 1<<64 - 1
		}
		product = low
	}
	return product
}

func parseScrypt(parts []string) (foreignHash, error) {
	params := strings.Split(parts[0], ",")
	if len(params) != 3 {
		return nil, errForeign
	}
	log, okN := foreignNumber(params[0], "ln=")
	r, okR := foreignNumber(params[1], "r=")
	p, okP := foreignNumber(params[2], "p=")
	salt, errS := foreignBytes(parts[1], 1, maxForeignSalt)
	key, errK := foreignBytes(parts[2], minKey, maxForeignKey)
	if !okN || !okR || !okP || log > 62 || errors.Join(errS, errK) != nil {
		return nil, errForeign
	}
	h, err := newScrypt(1<<log, r, p, salt, key)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (h *scryptHash) takes(password string) bool { return noNUL(password) }

func (h *scryptHash) matches(password string) bool {
	key, err := scrypt.Key([]byte(password), h.salt, int(h.n), int(h.r), int(h.p), len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

// String returns the text that is kept.
func (h *scryptHash) String() string {
	return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d$%s$%s", bits.TrailingZeros64(h.n), h.r, h.p,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// argon2i is the variant that early releases of many programs used; argon2id is
// ours and no foreign hash.
type argon2i phc

func (argon2i) takes(string) bool { return true }

func (h argon2i) matches(password string) bool {
	key := argon2.Key([]byte(password), h.salt, h.passes, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

// String returns the text that is kept.
func (h argon2i) String() string {
	return "$argon2i" + strings.TrimPrefix(phc(h).String(), "$argon2id")
}
