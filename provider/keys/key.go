package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// The types of tokens that keys sign, as they stand in the header's typ.
const (
	TypeAccess = "at+jwt" // RFC 9068 §2.1
	TypeID     = "JWT"
	TypeLogout = "logout+jwt" // OpenID Connect Back-Channel Logout 1.0 §2.4
	// TypeStatusList is that of draft-ietf-oauth-status-list §5.1.
	TypeStatusList = "statuslist+jwt"
	TypeSET        = "secevent+jwt" // RFC 8417 §2.3
)

// Key is one key, ready for use. It never changes and is safe for concurrent use.
type Key struct {
	KID       string
	Algorithm string
	State     State
	Public    crypto.PublicKey // *ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey

	jwk     []byte // Public as JWK, made by us
	signers map[string]*signer
	sealed  []byte // what signers were made from
	stored  []byte // what Public was made from
}

// Sign returns payload as a compact JWS (RFC 7515 §7.1) with the key's kid and
// algorithm and the given type, one of those above, in its header. Only
// an active key signs.
func (k *Key) Sign(typ string, payload []byte) (string, error) {
	signer, ok := k.signers[typ]
	if !ok || k.State != Active {
		return "", fmt.Errorf("signing key %s (%s) does not sign %q", k.KID, k.State, typ)
	}
	token, err := signer.sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", k.KID, err)
	}
	return token, nil
}

// newKey parses a record. What is the same in the key known before is taken over:
// opening and checking an RSA key costs more than all the rest of a reload.
func newKey(r Record, keyring *secret.Keyring, known *Key) (*Key, error) {
	k := &Key{KID: r.KID, Algorithm: r.Algorithm, State: r.State, stored: r.Public}
	if known != nil && known.Algorithm == r.Algorithm && bytes.Equal(known.stored, r.Public) {
		k.Public, k.jwk = known.Public, known.jwk
	} else if err := k.readPublic(r); err != nil {
		return nil, err
	}
	if r.State == Retiring {
		return k, nil
	}
	if known != nil && known.signers != nil && bytes.Equal(known.sealed, r.Sealed) {
		k.sealed, k.signers = known.sealed, known.signers
		return k, nil
	}
	private, err := open(r, keyring)
	if err != nil {
		return nil, err
	}
	if !fits(r.Algorithm, k.Public) || !samePublic(private.Public(), k.Public) {
		return nil, fmt.Errorf("%w: the halves of key %s do not belong together", ErrDamaged, r.KID)
	}
	k.sealed = r.Sealed
	k.signers, err = newSigners(r.KID, r.Algorithm, private)
	return k, err
}

func (k *Key) readPublic(r Record) error {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(r.Public); err != nil || !jwk.Valid() || !jwk.IsPublic() {
		return fmt.Errorf("%w: the public half of key %s", ErrDamaged, r.KID)
	}
	if jwk.KeyID != r.KID || jwk.Algorithm != r.Algorithm || !fits(r.Algorithm, jwk.Key) {
		return fmt.Errorf("%w: the public half of key %s belongs to another key", ErrDamaged, r.KID)
	}
	// Published is what we encode of the key itself: no other member that may
	// stand in the stored text gets out.
	encoded, err := publicJWK(r.KID, r.Algorithm, jwk.Key)
	if err != nil {
		return err
	}
	k.Public, k.jwk = jwk.Key, encoded
	return nil
}

// fits reports whether a public key is of the kind that the algorithm uses.
func fits(algorithm string, public crypto.PublicKey) bool {
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		return algorithm == ES256 && p.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return algorithm == EdDSA
	case *rsa.PublicKey:
		return (algorithm == RS256 || algorithm == PS256) && p.N.BitLen() >= rsaBits
	}
	return false
}

func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

func open(r Record, keyring *secret.Keyring) (crypto.Signer, error) {
	pkcs8, err := keyring.Open(sealPurpose, r.Sealed, sealedWith(r.KID, r.Algorithm))
	switch {
	case errors.Is(err, secret.ErrUnknownVersion):
		return nil, fmt.Errorf("%w: key %s: GATEHOUSE_SECRET is not the one it was made with", ErrCannotOpen, r.KID)
	case err != nil:
		return nil, fmt.Errorf("%w: key %s: GATEHOUSE_SECRET is not the one it was made with, or the stored key is damaged", ErrCannotOpen, r.KID)
	}
	defer clear(pkcs8)
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		// The parser's error could quote the key.
		return nil, fmt.Errorf("%w: the private half of key %s", ErrDamaged, r.KID)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: the private half of key %s is of an unknown kind", ErrDamaged, r.KID)
	}
	return private, nil
}
