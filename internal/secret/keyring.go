package secret

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
)

// MinLength is the least length of a secret, in bytes.
const MinLength = 32

// MACSize is the length of what MAC returns, in bytes.
const MACSize = 1 + sha256.Size

var (
	// ErrUnknownVersion says that no secret of the keyring has the version that
	// made the value: the secret was changed and the old one is not listed.
	ErrUnknownVersion = errors.New("made with a secret that is not known here")
	// ErrSealBroken says that a sealed value does not open: it was changed, or
	// sealed for another purpose or under other additional data.
	ErrSealBroken = errors.New("sealed value does not open")
)

// Keyring holds the current secret and the ones before it. It is safe for
// concurrent use.
type Keyring struct {
	current  *generation
	versions [256]*generation
}

// generation is one secret and what is derived from it.
type generation struct {
	version byte
	root    []byte
	macs    cache[*macKey]
	derives cache[*macKey]
	seals   cache[*sealKey]
}

// NewKeyring makes a keyring. The first secret is the current one; the others
// only verify, open and continue what they made. Each must have at least
// MinLength bytes, and no two may have the same version, which is derived from
// the secret: of 256 pairs one collides, and then another secret must be chosen.
func NewKeyring(secrets ...Text) (*Keyring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secret given")
	}
	k := &Keyring{}
	for i, s := range secrets {
		g, err := newGeneration(s)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		if k.versions[g.version] != nil {
			return nil, fmt.Errorf("secret %d is the same as an earlier one or shares its version; leave it out or choose another", i+1)
		}
		k.versions[g.version] = g
		if i == 0 {
			k.current = g
		}
	}
	return k, nil
}

func newGeneration(s Text) (*generation, error) {
	if len(s) < MinLength {
		return nil, fmt.Errorf("%d bytes, at least %d are needed", len(s), MinLength)
	}
	root, err := hkdf.Extract(sha256.New, []byte(s), []byte("gatehouse keyring 1"))
	if err != nil {
		return nil, fmt.Errorf("extract key: %w", err)
	}
	g := &generation{root: root}
	version, err := g.expand("version", "", 1)
	if err != nil {
		return nil, err
	}
	g.version = version[0]
	return g, nil
}

// expand derives a key for a use ("mac", "derive", "seal") and a purpose.
func (g *generation) expand(use, purpose string, length int) ([]byte, error) {
	key, err := hkdf.Expand(sha256.New, g.root, use+"\x00"+purpose, length)
	if err != nil {
		return nil, fmt.Errorf("derive %s key: %w", use, err)
	}
	return key, nil
}

// Current returns the version of the current secret.
func (k *Keyring) Current() byte { return k.current.version }

// MAC returns the version of the current secret and an HMAC-SHA-256 of the parts,
// MACSize bytes together. Purposes are constants of the program: one key is kept
// for each.
func (k *Keyring) MAC(purpose string, parts ...[]byte) []byte {
	out := make([]byte, 1, MACSize)
	out[0] = k.current.version
	return k.current.mac(purpose).sum(out, parts)
}

// Verify reports in constant time whether mac is what MAC returned for these
// parts, now or under an earlier secret of the keyring.
func (k *Keyring) Verify(purpose string, mac []byte, parts ...[]byte) bool {
	if len(mac) != MACSize {
		return false
	}
	g := k.versions[mac[0]]
	if g == nil {
		return false
	}
	var want [sha256.Size]byte
	return hmac.Equal(mac[1:], g.mac(purpose).sum(want[:0], parts))
}

// Derive returns 32 bytes that only the current secret makes of these parts: the
// same ones every time. Keep Current beside them to derive them again later.
func (k *Keyring) Derive(purpose string, parts ...[]byte) []byte {
	return k.current.derive(purpose).sum(make([]byte, 0, sha256.Size), parts)
}

// DeriveWith does as Derive did when the secret of that version was the current
// one, or returns ErrUnknownVersion.
func (k *Keyring) DeriveWith(version byte, purpose string, parts ...[]byte) ([]byte, error) {
	g := k.versions[version]
	if g == nil {
		return nil, ErrUnknownVersion
	}
	return g.derive(purpose).sum(make([]byte, 0, sha256.Size), parts), nil
}

// Seal encrypts plaintext with AES-256-GCM under the current secret, bound to the
// purpose and to additional, which is not stored. The nonce is random: a purpose
// must not seal more than 2^32 values under one secret (NIST SP 800-38D §8.3).
func (k *Keyring) Seal(purpose string, plaintext, additional []byte) ([]byte, error) {
	aead, err := k.current.seal(purpose)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1, 1+len(plaintext)+aead.Overhead())
	out[0] = k.current.version
	return aead.Seal(out, nil, plaintext, additional), nil
}

// Open returns what was sealed. Errors: ErrUnknownVersion, ErrSealBroken.
func (k *Keyring) Open(purpose string, sealed, additional []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrSealBroken
	}
	g := k.versions[sealed[0]]
	if g == nil {
		return nil, ErrUnknownVersion
	}
	aead, err := g.seal(purpose)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nil, sealed[1:], additional)
	if err != nil {
		return nil, ErrSealBroken
	}
	return plaintext, nil
}
