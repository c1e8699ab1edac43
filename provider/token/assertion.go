package token

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

const (
	// DefaultAssertionLifetime is how far ahead an assertion's exp may lie. An hour
	// is what widespread client libraries set and cannot change (Authlib); the jti
	// is remembered until then, so that a longer life gives nobody a second use.
	DefaultAssertionLifetime = time.Hour

	maxJTI      = 255
	maxAttempts = 10 // keys tried for an assertion that names none
)

var (
	// ErrAssertion says that a client assertion proves nothing.
	ErrAssertion = errors.New("client assertion is not valid")
	// ErrUnknownKey says that the assertion's kid is not in the JWK set: if that
	// was fetched, the client may have changed its keys. It is an ErrAssertion.
	ErrUnknownKey = fmt.Errorf("%w: its key is not in the client's JWK set", ErrAssertion)
)

// Assertion is what remains to be checked of a verified client assertion: that its
// JTI is used once until ExpiresAt.
type Assertion struct {
	JTI       string
	IssuedAt  time.Time // zero if the client did not say
	ExpiresAt time.Time
}

// AssertionRules is what an assertion must fulfil.
type AssertionRules struct {
	Issuer   string // ours, the only audience
	ClientID string // both iss and sub
	Now      time.Time
	// MaxLifetime is how far ahead exp may lie; zero means
	// DefaultAssertionLifetime.
	MaxLifetime time.Duration
	// Algs narrows the algorithms, by token_endpoint_auth_signing_alg; empty means
	// all of keys.Algorithms, and it cannot add any to them.
	Algs []string
	// AllowTokenEndpoint, if set, is a second audience for an old client that
	// cannot send the issuer. It opens the way for audience injection, so it is
	// off unless an operator wants it for that client.
	AllowTokenEndpoint string
}

// VerifyAssertion verifies a client assertion of the method private_key_jwt (RFC
// 7523 §3 as rfc7523bis amends it) with the client's JWK set. Errors: ErrUnknownKey,
// ErrAssertion, ErrClientKeys.
func VerifyAssertion(raw string, jwks []byte, want AssertionRules) (Assertion, error) {
	known, err := ParseClientKeys(jwks)
	if err != nil {
		return Assertion{}, err
	}
	algorithms := keys.Algorithms()
	if len(want.Algs) > 0 {
		algorithms = want.Algs
	}
	e, err := readEnvelope(raw, asymmetric(algorithms))
	if err != nil {
		return Assertion{}, fmt.Errorf("%w: %w", ErrAssertion, err)
	}
	if !assertionType(e.typ) {
		return Assertion{}, broken("it is a token of another kind")
	}
	payload, err := known.verify(e)
	if err != nil {
		return Assertion{}, err
	}
	var claims assertionClaims
	if err := readClaims(payload, &claims); err != nil {
		return Assertion{}, fmt.Errorf("%w: %w", ErrAssertion, err)
	}
	return claims.judge(want)
}

func broken(reason string) error { return fmt.Errorf("%w: %s", ErrAssertion, reason) }

// assertionType lets pass what clients send: nothing, JWT, or the type that
// rfc7523bis proposes and does not demand. Types compare as media types do, with
// "application/" left out or not (RFC 7515 §4.1.9).
func assertionType(typ string) bool {
	short := strings.TrimPrefix(strings.ToLower(typ), "application/")
	return typ == "" || short == "jwt" || short == "client-authentication+jwt"
}

// UnverifiedSubject returns the sub of an assertion without verifying anything: it
// says which client's keys to verify it with, when the request names no client_id.
// Error: ErrAssertion.
func UnverifiedSubject(raw string) (string, error) {
	e, err := readEnvelope(raw, ourAlgorithms)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrAssertion, err)
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := readClaims(e.jws.UnsafePayloadWithoutVerification(), &claims); err != nil {
		return "", fmt.Errorf("%w: %w", ErrAssertion, err)
	}
	if claims.Subject == "" {
		return "", broken("sub is missing")
	}
	return claims.Subject, nil
}

// verify tries the keys that the header's kid and algorithm allow.
func (k *ClientKeys) verify(e envelope) ([]byte, error) {
	attempts, named := 0, false
	for _, key := range k.keys {
		if e.kid != "" && key.kid != e.kid {
			continue
		}
		named = true
		if key.algorithm != "" && key.algorithm != e.algorithm {
			continue
		}
		if !slices.Contains(algorithmsOf(key.public), e.algorithm) {
			continue
		}
		if attempts++; attempts > maxAttempts {
			break
		}
		if payload, err := e.jws.Verify(key.public); err == nil {
			return payload, nil
		}
	}
	if !named {
		return nil, ErrUnknownKey
	}
	if attempts == 0 {
		return nil, broken("no key of the client fits its algorithm")
	}
	return nil, broken("its signature is wrong")
}

type assertionClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  any    `json:"aud"`
	ID        string `json:"jti"`
	ExpiresAt *date  `json:"exp"`
	IssuedAt  *date  `json:"iat"`
	NotBefore *date  `json:"nbf"`
}

func (c *assertionClaims) judge(want AssertionRules) (Assertion, error) {
	lifetime := want.MaxLifetime
	if lifetime == 0 {
		lifetime = DefaultAssertionLifetime
	}
	// One string: an array could hold another server's name beside ours.
	audience, _ := c.Audience.(string)
	ahead := want.Now.Add(skew)
	switch {
	case want.ClientID == "" || c.Issuer != want.ClientID || c.Subject != want.ClientID:
		return Assertion{}, broken("iss and sub are not both the client")
	case audience == "" || audience != want.Issuer && audience != want.AllowTokenEndpoint:
		return Assertion{}, broken("aud is not this issuer alone")
	case c.ID == "" || len(c.ID) > maxJTI || strings.ContainsFunc(c.ID, isControl):
		return Assertion{}, broken("jti is missing or malformed")
	case c.ExpiresAt == nil:
		return Assertion{}, broken("exp is missing")
	case !want.Now.Before(c.ExpiresAt.time()):
		return Assertion{}, broken("it has expired")
	case c.ExpiresAt.time().After(ahead.Add(lifetime)):
		return Assertion{}, broken("exp is too far ahead")
	case c.IssuedAt != nil && c.IssuedAt.time().After(ahead):
		return Assertion{}, broken("iat is in the future")
	case c.NotBefore != nil && c.NotBefore.time().After(ahead):
		return Assertion{}, broken("nbf is in the future")
	}
	a := Assertion{JTI: c.ID, ExpiresAt: c.ExpiresAt.time()}
	if c.IssuedAt != nil {
		a.IssuedAt = c.IssuedAt.time()
	}
	return a, nil
}

// isControl finds what no database keeps in a text, NUL above all.
func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// date is a NumericDate (RFC 7519 §2): seconds, which some clients send with a
// fraction. The fraction is dropped.
type date int64

func (d *date) time() time.Time { return time.Unix(int64(*d), 0) }

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// UnmarshalJSON accepts numbers in the range of dates.
func (d *date) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > maxDate {
		return errors.New("not a date")
	}
	*d = date(f)
	return nil
}
