package token

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// ID is the claims of an ID token (OpenID Connect Core §2). Times are Unix seconds.
type ID struct {
	Issuer          string   `json:"iss"`
	Subject         string   `json:"sub"`
	Audience        string   `json:"aud"`
	AuthorizedParty string   `json:"azp,omitempty"`
	ExpiresAt       int64    `json:"exp"`
	IssuedAt        int64    `json:"iat"`
	AuthTime        int64    `json:"auth_time,omitempty"`
	Nonce           string   `json:"nonce,omitempty"`
	ACR             string   `json:"acr,omitempty"`
	AMR             []string `json:"amr,omitempty"`
	AccessTokenHash string   `json:"at_hash,omitempty"` // made by SignID
	CodeHash        string   `json:"c_hash,omitempty"`  // made by SignID
	SessionID       string   `json:"sid,omitempty"`

	// Extra holds further claims, such as name or groups. None may have the name
	// of a claim above.
	Extra map[string]any `json:"-"`
	// AccessToken and Code are what is issued along with the ID token, if at all.
	AccessToken string `json:"-"`
	Code        string `json:"-"`
}

// MarshalJSON writes the claims in order, then the extra ones by name.
func (i ID) MarshalJSON() ([]byte, error) {
	type plain ID
	b, err := json.Marshal(plain(i))
	if err != nil || len(i.Extra) == 0 {
		return b, err
	}
	for name := range i.Extra {
		if slices.Contains(idClaims, name) {
			return nil, fmt.Errorf("extra claim %q would replace one of the protocol's", name)
		}
	}
	extra, err := json.Marshal(i.Extra)
	if err != nil {
		return nil, err
	}
	return slices.Concat(b[:len(b)-1], []byte{','}, extra[1:]), nil
}

// idClaims are the names that Extra must not use: those of ID, and those by which
// other kinds of tokens are known.
var idClaims = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "auth_time", "nonce", "acr", "amr",
	"at_hash", "c_hash", "s_hash", "sid", "client_id", "scope", "gid", "rev", "cnf", "events",
}

// SignID mints an ID token with the active key of the algorithm and puts the hashes
// of AccessToken and Code into it. Errors: keys.ErrNoKey, or claims that no ID
// token may have.
func SignID(set *keys.Set, algorithm string, claims ID) (string, error) {
	if claims.Issuer == "" || claims.Subject == "" || claims.Audience == "" {
		return "", errors.New("mint ID token: a required claim is missing")
	}
	if claims.IssuedAt <= 0 || claims.ExpiresAt <= claims.IssuedAt {
		return "", errors.New("mint ID token: it expires before it is issued")
	}
	var err error
	if claims.AccessTokenHash, err = halfHash(algorithm, claims.AccessToken); err != nil {
		return "", err
	}
	if claims.CodeHash, err = halfHash(algorithm, claims.Code); err != nil {
		return "", err
	}
	return sign(set, algorithm, keys.TypeID, claims)
}

// halfHash is the left half of the value's hash (OpenID Connect Core §3.1.3.6), by
// the hash of the algorithm that signs the ID token, whatever signed the value; for
// Ed25519 that is SHA-512. Nothing has no hash.
func halfHash(algorithm, value string) (string, error) {
	if value == "" {
		return "", nil
	}
	switch algorithm {
	case keys.RS256, keys.PS256, keys.ES256:
		sum := sha256.Sum256([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:16]), nil
	case keys.EdDSA:
		sum := sha512.Sum512([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:32]), nil
	}
	return "", fmt.Errorf("%w %q", keys.ErrUnknownAlgorithm, algorithm)
}

// ParseHint reads an id_token_hint: an ID token of ours, however long expired, as
// long as we still have its key (OpenID Connect Core §3.1.2.1). It says who was
// meant and proves nothing about who sends it. Extra claims are left out. Error:
// ErrInvalid.
func ParseHint(set *keys.Set, issuer, raw string) (ID, error) {
	e, err := readEnvelope(raw, ourAlgorithms)
	if err != nil {
		return ID{}, err
	}
	if e.typ != keys.TypeID && e.typ != "" {
		return ID{}, invalid("it is not an ID token")
	}
	var claims ID
	if err := e.verifyOurs(set, &claims); err != nil {
		return ID{}, err
	}
	if claims.Issuer != issuer || claims.Subject == "" || claims.Audience == "" {
		return ID{}, invalid("it is not an ID token of this issuer")
	}
	return claims, nil
}
