package token

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json" // refuses duplicate members and other case

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// MaxSize bounds every token that is read, in bytes.
const MaxSize = 16 << 10

var (
	// ErrInvalid says that a token is not one of ours, or no longer.
	ErrInvalid = errors.New("token is not valid")
	// ErrExpired says that a token was good until it expired. It is an ErrInvalid.
	ErrExpired = fmt.Errorf("%w: it has expired", ErrInvalid)
)

func invalid(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }

var ourAlgorithms = asymmetric(keys.Algorithms())

// asymmetric is the only list of algorithms that a signature is parsed with.
func asymmetric(names []string) []jose.SignatureAlgorithm {
	var list []jose.SignatureAlgorithm
	for _, name := range names {
		switch name {
		case keys.RS256, keys.PS256, keys.ES256, keys.EdDSA:
			list = append(list, jose.SignatureAlgorithm(name))
		}
	}
	return list
}

// envelope is a JWS whose form is right and whose signature nobody has verified.
type envelope struct {
	kid, algorithm string
	typ            string // empty if absent
	jws            *jose.JSONWebSignature
}

// readEnvelope reads the compact form (RFC 7515 §7.1) and refuses with ErrInvalid
// all that has no business in our tokens or in assertions.
func readEnvelope(raw string, algorithms []jose.SignatureAlgorithm) (envelope, error) {
	if len(raw) > MaxSize {
		return envelope{}, invalid("it is too large")
	}
	if !canonical(raw) {
		return envelope{}, invalid("it is not a compact JWS in canonical form")
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		// go-jose quotes what was sent.
		return envelope{}, invalid("its header is malformed or its algorithm not accepted")
	}
	header := jws.Signatures[0].Protected
	e := envelope{kid: header.KeyID, algorithm: header.Algorithm, jws: jws}
	for name, value := range header.ExtraHeaders {
		switch name {
		case "crit", "b64":
			// RFC 7515 §4.1.11: we understand no extension. go-jose would accept
			// b64 (RFC 7797).
			return envelope{}, invalid("it has critical extensions")
		case jose.HeaderType:
			typ, ok := value.(string)
			if !ok || typ == "" {
				return envelope{}, invalid("its typ is malformed")
			}
			e.typ = typ
		}
	}
	return e, nil
}

// canonical reports whether raw is three parts of base64url in the one way in which
// they can be written: go-jose skips line breaks and ignores unused bits, and then
// one token would have many spellings.
func canonical(raw string) bool {
	parts := 0
	for part := range strings.SplitSeq(raw, ".") {
		if parts++; parts > 3 || part == "" {
			return false
		}
		last := -1
		for i := range len(part) {
			if last = sextet(part[i]); last < 0 {
				return false
			}
		}
		switch len(part) % 4 {
		case 1:
			return false
		case 2:
			if last&0b1111 != 0 {
				return false
			}
		case 3:
			if last&0b11 != 0 {
				return false
			}
		}
	}
	return parts == 3
}

// sextet is the value of a base64url character (RFC 4648 §5), or -1.
func sextet(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '-':
		return 62
	case c == '_':
		return 63
	}
	return -1
}

// verifyOurs verifies the signature with the key of ours that the kid names, and
// then reads the claims.
func (e envelope) verifyOurs(set *keys.Set, claims any) error {
	key, ok := set.Verifier(e.kid)
	if !ok {
		return invalid("its key is not ours, or gone")
	}
	if key.Algorithm != e.algorithm {
		return invalid("its algorithm is not its key's")
	}
	payload, err := e.jws.Verify(key.Public)
	if err != nil {
		return invalid("its signature is wrong")
	}
	return readClaims(payload, claims)
}

func readClaims(payload []byte, claims any) error {
	if err := strict.Unmarshal(payload, claims); err != nil {
		return invalid("its claims are malformed")
	}
	return nil
}
