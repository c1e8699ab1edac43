package resource

import (
	"context"
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
// been proven. A refusal is always an [*Error] that matches [ErrInvalidToken],
// or [ErrUnavailable] when the keys to decide with cannot be had, also because
// ctx ended. Cached keys make it work without any request.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Token, error) {
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
	return claims.token(), nil
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
	if len(raw) > maxTokenBytes {
		return head, invalidToken("the access token is too long", nil)
	}
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
func verifySignature(raw string, alg jose.SignatureAlgorithm, key publicKey) ([]byte, error) {
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
