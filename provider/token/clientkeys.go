package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

const (
	maxJWKS       = 64 << 10
	maxClientKeys = 100
	minRSABits    = 2048 // RFC 7518 §3.3
)

// ErrClientKeys says that a client's JWK set cannot be used.
var ErrClientKeys = errors.New("JWK set is not usable")

// ClientKeys is the public keys of a client that we can verify with.
type ClientKeys struct{ keys []clientKey }

type clientKey struct {
	kid       string
	algorithm string // the one it is restricted to, or empty
	public    crypto.PublicKey
}

// ParseClientKeys reads a client's JWK set (RFC 7517 §5). Keys of unknown kinds,
// for encryption, or too weak are left out, as the RFC asks. It refuses with
// ErrClientKeys a set that holds a private or symmetric key, as its secret is then
// known to strangers, one with an RSA key above 4096 bits (go-jose's bound on the
// time that strangers can cost us), and one in which no usable key is left.
func ParseClientKeys(jwks []byte) (*ClientKeys, error) {
	if len(jwks) > maxJWKS {
		return nil, fmt.Errorf("%w: it is too large", ErrClientKeys)
	}
	var doc struct {
		Keys []strict.RawMessage `json:"keys"`
	}
	if err := strict.Unmarshal(jwks, &doc); err != nil {
		return nil, fmt.Errorf("%w: it is malformed", ErrClientKeys)
	}
	if len(doc.Keys) > maxClientKeys {
		return nil, fmt.Errorf("%w: it holds too many keys", ErrClientKeys)
	}
	k := &ClientKeys{}
	for i, raw := range doc.Keys {
		var jwk jose.JSONWebKey
		err := strict.Unmarshal(raw, &jwk)
		if errors.Is(err, jose.ErrUnsupportedKeyType) {
			continue
		}
		if err != nil || !jwk.Valid() {
			return nil, fmt.Errorf("%w: key %d is malformed", ErrClientKeys, i+1)
		}
		if !jwk.IsPublic() {
			return nil, fmt.Errorf("%w: key %d is not a public key", ErrClientKeys, i+1)
		}
		if (jwk.Use == "" || jwk.Use == "sig") && len(algorithmsOf(jwk.Key)) > 0 {
			k.keys = append(k.keys, clientKey{jwk.KeyID, jwk.Algorithm, jwk.Key})
		}
	}
	if len(k.keys) == 0 {
		return nil, fmt.Errorf("%w: it holds no key that we can verify signatures with", ErrClientKeys)
	}
	return k, nil
}

// algorithmsOf returns the algorithms that a public key can be used with here.
func algorithmsOf(public crypto.PublicKey) []string {
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P256() {
			return []string{keys.ES256}
		}
	case ed25519.PublicKey:
		return []string{keys.EdDSA}
	case *rsa.PublicKey:
		// Exponent 1 verifies anything; even ones are no exponents.
		if p.N.BitLen() >= minRSABits && p.E >= 3 && p.E%2 == 1 {
			return []string{keys.RS256, keys.PS256}
		}
	}
	return nil
}
