package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// LongestAccess bounds the lifetime of access tokens, whatever is configured. Who
// steals a signing key writes exp himself; a bound lets the row that revokes the
// key leave the ledger some day (ledger rule L1).
const LongestAccess = 24 * time.Hour

// skew is how far clocks of nodes and clients may be ahead of ours.
const skew = 60 * time.Second

// Access is the claims of an access token (RFC 9068 §2.2), in the order in which
// they are written. Times are Unix seconds.
type Access struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"` // one API, as a string: arrays cost bytes
	ClientID  string `json:"client_id"`
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
	Scope     string `json:"scope,omitempty"`
	SessionID string `json:"sid,omitempty"` // the signed-in browser
	GrantID   string `json:"gid,omitempty"` // what one user gave one client
	// Rev is the smallest ledger position at which every input of the decision was
	// known true.
	Rev int64 `json:"rev"`

	// For APIs that ask for them (step-up, RFC 9470).
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`

	Confirmation *Confirmation `json:"cnf,omitempty"`

	// For APIs that ask for it.
	Status *Status `json:"status,omitempty"`

	// KeyID is the kid of the key that signed the token: set by ParseAccess,
	// ignored by SignAccess.
	KeyID string `json:"-"`
}

// Confirmation binds a token to its sender's key (RFC 7800).
type Confirmation struct {
	JKT string `json:"jkt,omitempty"`      // DPoP (RFC 9449 §6.1)
	X5T string `json:"x5t#S256,omitempty"` // mutual TLS (RFC 8705 §3.1)
}

// Status says where a verifier that follows no feed finds whether the token was
// revoked (draft-ietf-oauth-status-list §6.2).
type Status struct {
	List StatusReference `json:"status_list"`
}

// StatusReference is a token's place in a status list.
type StatusReference struct {
	Index int64  `json:"idx"`
	URI   string `json:"uri"`
}

// SignAccess mints an access token with the active key of the algorithm. Errors:
// keys.ErrNoKey, or claims that no access token may have.
func SignAccess(set *keys.Set, algorithm string, claims Access) (string, error) {
	if err := claims.check(); err != nil {
		return "", fmt.Errorf("mint access token: %w", err)
	}
	return sign(set, algorithm, keys.TypeAccess, claims)
}

func sign(set *keys.Set, algorithm, typ string, claims any) (string, error) {
	key, err := set.Signer(algorithm)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	return key.Sign(typ, payload)
}

// check holds the claims to what RFC 9068 §2.2 and the ledger ask of any token.
func (a *Access) check() error {
	switch {
	case a.Issuer == "" || a.Subject == "" || a.Audience == "" || a.ClientID == "" || a.ID == "":
		return errors.New("a required claim is missing")
	case a.IssuedAt <= 0 || a.ExpiresAt <= a.IssuedAt:
		return errors.New("it expires before it is issued")
	case a.ExpiresAt-a.IssuedAt > int64(LongestAccess/time.Second):
		return errors.New("it lives longer than any access token may")
	case a.Rev < 0:
		return errors.New("rev is negative")
	}
	return nil
}

// ParseAccess reads one of our own access tokens, for introspection and userinfo.
// The audience is not checked: the caller knows who may ask about it. Errors:
// ErrExpired for a token that was good, else ErrInvalid.
func ParseAccess(set *keys.Set, issuer, raw string, now time.Time) (Access, error) {
	e, err := readEnvelope(raw, ourAlgorithms)
	if err != nil {
		return Access{}, err
	}
	if e.typ != keys.TypeAccess {
		return Access{}, invalid("it is not an access token")
	}
	// The shallower field wins, and can tell a missing rev from zero.
	var claims struct {
		Access
		Rev *int64 `json:"rev"`
	}
	if err := e.verifyOurs(set, &claims); err != nil {
		return Access{}, err
	}
	a := claims.Access
	if a.Issuer != issuer {
		return Access{}, invalid("the issuer is another")
	}
	if claims.Rev == nil {
		return Access{}, invalid("rev is missing")
	}
	a.Rev, a.KeyID = *claims.Rev, e.kid
	if err := a.check(); err != nil {
		return Access{}, invalid(err.Error())
	}
	if a.IssuedAt > now.Add(skew).Unix() {
		return Access{}, invalid("it was issued in the future")
	}
	if now.Unix() >= a.ExpiresAt {
		return Access{}, ErrExpired
	}
	return a, nil
}
