package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	sealPurpose = "signing-key"
	rsaBits     = 2048 // RFC 7518 §3.3: the least that may be used
)

// generateAll makes one key for each name, several at a time. The records have no
// state and no times yet.
func (k *Keeper) generateAll(ctx context.Context, algorithms []string) (*pool, error) {
	made := make([]Record, len(algorithms))
	g, ctx := errgroup.WithContext(ctx)
	for i, algorithm := range algorithms {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := generate(k.Keyring, algorithm)
			made[i] = r
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("generate signing keys: %w", err)
	}
	p := &pool{}
	for _, r := range made {
		p.put(r)
	}
	return p, nil
}

// pool holds generated keys until a transaction knows what becomes of them.
type pool struct{ byAlgorithm map[string][]Record }

func (p *pool) put(r Record) {
	if p.byAlgorithm == nil {
		p.byAlgorithm = map[string][]Record{}
	}
	p.byAlgorithm[r.Algorithm] = append(p.byAlgorithm[r.Algorithm], r)
}

// take returns a key that is now published, or false if none is left.
func (p *pool) take(algorithm string, state State, now int64) (Record, bool) {
	left := p.byAlgorithm[algorithm]
	if len(left) == 0 {
		return Record{}, false
	}
	p.byAlgorithm[algorithm] = left[1:]
	r := left[0]
	r.State, r.CreatedAt, r.PublishedAt = state, now, now
	if state == Active {
		r.ActivatedAt = now
	}
	return r, true
}

func generate(keyring *secret.Keyring, algorithm string) (Record, error) {
	private, err := generatePrivate(algorithm)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w", algorithm, err)
	}
	r := Record{KID: newKID(), Algorithm: algorithm}
	if r.Public, err = publicJWK(r.KID, algorithm, private.Public()); err != nil {
		return Record{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Record{}, fmt.Errorf("encode %s key: %w", algorithm, err)
	}
	defer clear(pkcs8)
	if r.Sealed, err = keyring.Seal(sealPurpose, pkcs8, sealedWith(r.KID, algorithm)); err != nil {
		return Record{}, fmt.Errorf("seal %s key: %w", algorithm, err)
	}
	return r, nil
}

func generatePrivate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, ErrUnknownAlgorithm
}

// newKID returns 8 random characters. They do not begin with a dash, or the kid
// could not be named on a command line.
func newKID() string {
	for {
		kid := base64.RawURLEncoding.EncodeToString(secret.Random(6))
		if kid[0] != '-' {
			return kid
		}
	}
}

// sealedWith binds a sealed key to its place: a row's key cannot be moved to
// another row. Neither part can hold a NUL.
func sealedWith(kid, algorithm string) []byte {
	return []byte(kid + "\x00" + algorithm)
}

func publicJWK(kid, algorithm string, public crypto.PublicKey) ([]byte, error) {
	jwk := jose.JSONWebKey{Key: public, KeyID: kid, Algorithm: algorithm, Use: "sig"}
	if !jwk.Valid() || !jwk.IsPublic() {
		return nil, fmt.Errorf("%w: key %s is not a valid public key", ErrDamaged, kid)
	}
	b, err := json.Marshal(jwk)
	if err != nil {
		return nil, fmt.Errorf("encode public key %s: %w", kid, err)
	}
	return b, nil
}
