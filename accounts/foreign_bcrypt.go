package accounts

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// maxBcryptCost is about a second.
	maxBcryptCost = 14
	minBcryptCost = 4
	bcryptText    = 60 // bytes of a bcrypt hash
	// bcryptReads is how many bytes of a password bcrypt looks at, without the NUL
	// that it puts behind them.
	bcryptReads = 72

	bcryptAlphabet     = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	djangoBcryptSHA256 = "bcrypt_sha256$"
)

// bcryptHash is bcrypt, kept as every program writes it.
type bcryptHash string

// parseBcrypt reads $2a$, $2b$ and $2y$, which differ in nothing for passwords
// that takes allows. $2x$ marks hashes of a library that was wrong about letters
// beyond ASCII and is refused.
func parseBcrypt(s string) (bcryptHash, error) {
	if len(s) != bcryptText || s[6] != '$' {
		return "", errForeign
	}
	if v := s[:4]; v != "$2a$" && v != "$2b$" && v != "$2y$" {
		return "", errForeign
	}
	if strings.Trim(s[4:6], "0123456789") != "" || strings.Trim(s[7:], bcryptAlphabet) != "" {
		return "", errForeign
	}
	cost := int(s[4]-'0')*10 + int(s[5]-'0')
	switch {
	case cost < minBcryptCost:
		return "", errForeign
	case cost > maxBcryptCost:
		return "", tooDear("bcrypt cost", uint64(cost), maxBcryptCost)
	}
	return bcryptHash(s), nil
}

// takes refuses what bcrypt would cut off: another password with the same first 72
// bytes must not open the account, nor one that ends at the same NUL (attack 205).
func (h bcryptHash) takes(password string) bool {
	return len(password) <= bcryptReads && noNUL(password)
}

func (h bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), []byte(password)) == nil
}

// String returns the text that is kept.
func (h bcryptHash) String() string { return string(h) }

// bcryptSHA256 is Django's BCryptSHA256PasswordHasher: nothing of the password is
// cut off.
type bcryptSHA256 bcryptHash

func (bcryptSHA256) takes(string) bool { return true }

func (h bcryptSHA256) matches(password string) bool {
	sum := sha256.Sum256([]byte(password))
	return bcryptHash(h).matches(hex.EncodeToString(sum[:]))
}

// String returns the text that is kept.
func (h bcryptSHA256) String() string { return djangoBcryptSHA256 + string(h) }
