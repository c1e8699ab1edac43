package provider

import (
	"slices"
	"strings"
)

// Scopes of OpenID Connect, which no group has to hold.
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeAddress = "address"
	scopePhone   = "phone"
	scopeOffline = "offline_access"
	scopeGroups  = "groups"
)

var personScopes = []string{scopeOpenID, scopeProfile, scopeEmail, scopeAddress, scopePhone, scopeOffline, scopeGroups}

// maxScopes bounds what one request may ask for.
const maxScopes = 100

func isPersonScope(s string) bool { return slices.Contains(personScopes, s) }

// parseScope reads a scope parameter (RFC 6749 §3.3): names of printable ASCII
// without quote and backslash, one space between them. Duplicates are dropped,
// the order is kept.
func parseScope(raw string) ([]string, error) {
	if raw == "" {
		return nil, nil
	}
	var scopes []string
	for name := range strings.SplitSeq(raw, " ") {
		if !validScopeToken(name) {
			return nil, invalidScope("The scope holds an empty name or a character that RFC 6749 section 3.3 does not allow")
		}
		if slices.Contains(scopes, name) {
			continue
		}
		if len(scopes) == maxScopes {
			return nil, invalidScope("The scope holds too many names")
		}
		scopes = append(scopes, name)
	}
	return scopes, nil
}

func validScopeToken(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// intersect keeps those of a, in a's order, that b holds.
func intersect(a, b []string) []string {
	var both []string
	for _, s := range a {
		if slices.Contains(b, s) {
			both = append(both, s)
		}
	}
	return both
}

// without returns those of a that b does not hold.
func without(a, b []string) []string {
	var rest []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			rest = append(rest, s)
		}
	}
	return rest
}
