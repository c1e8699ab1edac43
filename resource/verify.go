package resource

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// maxTokenBytes bounds the work that a stranger can ask for. Tokens of
// Gatehouse are below 1 KB.
const maxTokenBytes = 16 << 10

// Verify returns what the access token raw says, once everything about it has
// been proven and, when the ledger is followed, nothing has taken it back. A
// refusal is always an [*Error] that matches [ErrInvalidToken] (and [ErrRevoked],
// if the ledger says so), or [ErrUnavailable] when what to decide with cannot be
// had, also because ctx ended. The Token is the caller's own.
//
// What was proven about a token is remembered by its digest; its time, its key and
// the ledger are asked each time (H20).
func (v *Verifier) Verify(ctx context.Context, raw string) (*Token, error) {
	token, err := v.verify(ctx, raw)
	if err != nil {
		v.refused(err)
	}
	return token, err
}

func (v *Verifier) verify(ctx context.Context, raw string) (*Token, error) {
	if len(raw) > maxTokenBytes {
		return nil, invalidToken("the access token is too long", nil)
	}
	digest := sha256.Sum256([]byte(raw))
	p, err := v.recall(ctx, digest)
	if err != nil {
		return nil, err
	}
	known := p != nil
	if !known {
		if p, err = v.prove(ctx, raw, digest); err != nil {
			return nil, err
		}
	}
	now := v.now()
	if err := v.checkTimes(p.claims, v.latest(now)); err != nil {
		return nil, err
	}
	if err := checkSender(p.claims); err != nil {
		return nil, err
	}
	if !known {
		v.proofs.put(p, now)
	}
	if err := v.judge(ctx, raw, p, now); err != nil {
		return nil, err
	}
	return p.token.clone(), nil
}

// recall returns what was proven about a token before; nil if that must be done
// anew, also because the issuer's keys have been fetched since: who removed a key
// wants its tokens refused.
func (v *Verifier) recall(ctx context.Context, digest [sha256.Size]byte) (*proof, error) {
	p := v.proofs.find(digest)
	if p == nil {
		return nil, nil
	}
	key, err := v.keys.find(ctx, p.token.KeyID)
	if err != nil {
		return nil, err
	}
	if key != p.key {
		return nil, nil
	}
	return p, nil
}

// prove establishes everything about a token that stays so: its signature, and
// that it is of this issuer for this API.
func (v *Verifier) prove(ctx context.Context, raw string, digest [sha256.Size]byte) (*proof, error) {
	head, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	key, err := v.keys.find(ctx, head.KeyID)
	if err != nil {
		return nil, err
	}
	payload, err := verifySignature(raw, head.Algorithm, key)
	if err != nil {
		return nil, err
	}
	claims, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	if err := v.checkClaims(claims); err != nil {
		return nil, err
	}
	return &proof{digest: digest, key: key, claims: claims, token: claims.token(head.KeyID)}, nil
}

// header is what of a JOSE header takes part in the decision. The last three
// are kept raw, because their presence alone refuses the token.
type header struct {
	Type      string                  `json:"typ"`
	Algorithm jose.SignatureAlgorithm `json:"alg"`
	KeyID     string                  `json:"kid"`
	Critical  json.RawMessage         `json:"crit"`
	Base64    json.RawMessage         `json:"b64"`
	Zip       json.RawMessage         `json:"zip"`
}

func parseHeader(raw string) (header, error) {
	var head header
	// RawURLEncoding skips line breaks and, unless strict, stray bits: both
	// would give one token several spellings.
	if strings.Count(raw, ".") != 2 || strings.ContainsAny(raw, "\r\n") {
		return head, invalidToken("the access token is no signed JWT", nil)
	}
	encoding := base64.RawURLEncoding.Strict()
	parts := strings.Split(raw, ".")
	for _, part := range parts[1:] {
		if _, err := encoding.DecodeString(part); err != nil {
			return head, invalidToken("the access token is no signed JWT", err)
		}
	}
	decoded, err := encoding.DecodeString(parts[0])
	if err != nil {
		return head, invalidToken("the access token is no signed JWT", err)
	}
	// This decoder tells upper from lower case and refuses a name that comes
	// twice (RFC 7515 §4), unlike encoding/json.
	if err := json.Unmarshal(decoded, &head); err != nil {
		return head, invalidToken("the access token's header is malformed", err)
	}
	return head, head.check()
}

func (h header) check() error {
	switch {
	case h.Type != "at+jwt" && h.Type != "application/at+jwt":
		return invalidToken("the token is not of the type at+jwt", nil)
	case !isAllowed(h.Algorithm):
		return invalidToken("the access token's algorithm is not accepted", nil)
	case h.KeyID == "":
		return invalidToken("the access token names no key", nil)
	case len(h.Critical)+len(h.Base64)+len(h.Zip) > 0:
		return invalidToken("the access token's header has extensions that are not accepted", nil)
	}
	return nil
}

// isAllowed reports whether alg is one of the asymmetric algorithms that
// Gatehouse signs access tokens with.
func isAllowed(alg jose.SignatureAlgorithm) bool {
	switch alg {
	case jose.ES256, jose.EdDSA, jose.PS256, jose.RS256:
		return true
	}
	return false
}

// verifySignature returns the payload of raw once key has proven it.
func verifySignature(raw string, alg jose.SignatureAlgorithm, key *publicKey) ([]byte, error) {
	// RFC 8725 §3.1: one key, one algorithm, and the key says which.
	if alg != key.algorithm {
		return nil, invalidToken("the access token's algorithm is not its key's", nil)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{key.algorithm})
	if err != nil {
		return nil, invalidToken("the access token is malformed", err)
	}
	payload, err := jws.Verify(key.key)
	if err != nil {
		return nil, invalidToken("the access token's signature is wrong", err)
	}
	if len(payload) == 0 {
		return nil, invalidToken("the access token is empty", errors.New("no payload"))
	}
	return payload, nil
}
