package resource

import (
	"slices"
	"time"
)

// Token is what a verified access token says.
type Token struct {
	// Issuer is the issuer's identifier (iss).
	Issuer string
	// Subject is the person, or the client itself in a machine's token (sub).
	// It is unique within the issuer and stays the same for ever.
	Subject string
	// Audience is whom the token is for (aud); this API is among them.
	Audience []string
	// ClientID is the app that holds the token (client_id).
	ClientID string
	// ID is the token's own id (jti).
	ID string
	// SessionID is the signed-in browser that the token hangs on (sid), empty
	// when it hangs on none.
	SessionID string
	// GrantID is what the person gave the app (gid), empty for machines.
	GrantID string
	// Scopes are the permissions that the token carries (scope).
	Scopes []string
	// IssuedAt and ExpiresAt have a grain of one second (iat, exp).
	IssuedAt, ExpiresAt time.Time
	// AuthTime is when the person last proved who they are (auth_time), and
	// the zero time when the token does not say.
	AuthTime time.Time
	// ACR is how well they did (acr), AMR by which methods (amr).
	ACR string
	AMR []string
	// Rev is the position of the issuer's ledger at which the token was
	// decided (rev).
	Rev int64
	// KeyID names the issuer's key that signed the token (kid).
	KeyID string
}

// clone returns a copy that shares nothing with t.
func (t *Token) clone() *Token {
	c := *t
	// One array for all: the lists cannot grow into one another.
	texts := make([]string, 0, len(t.Audience)+len(t.Scopes)+len(t.AMR))
	for _, list := range []*[]string{&c.Audience, &c.Scopes, &c.AMR} {
		if *list == nil {
			continue
		}
		start := len(texts)
		texts = append(texts, *list...)
		*list = texts[start:len(texts):len(texts)]
	}
	return &c
}

// HasScope reports whether the token carries scope.
func (t *Token) HasScope(scope string) bool {
	return slices.Contains(t.Scopes, scope)
}

// hasAll reports whether the token carries every one of scopes.
func (t *Token) hasAll(scopes []string) bool {
	for _, scope := range scopes {
		if !t.HasScope(scope) {
			return false
		}
	}
	return true
}

// isScopeToken reports whether s is one scope as RFC 6749 §3.3 spells it.
func isScopeToken(s string) bool {
	for i := range len(s) {
		if s[i] == ' ' || !isPrintable(s[i]) {
			return false
		}
	}
	return s != ""
}
