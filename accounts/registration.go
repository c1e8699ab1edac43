package accounts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"crypto"

	"github.com/go-jose/go-jose/v4"
)

// Grant types that a client may be registered for.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
)

// LongestAccessToken bounds the lifetime of access tokens, of every client and
// API. Verifiers refuse more (L1), and rows of the ledger live at least as long
// (L12).
const LongestAccessToken = time.Hour

const (
	longestIDToken = 24 * time.Hour
	longestRefresh = 10 * 365 * 24 * time.Hour

	maxClientIDBytes = 2048
	maxScopes        = 200
	maxScopeBytes    = 128
	maxKeys          = 10
	maxJWKSBytes     = 32 * 1024
)

// kind is what the type of a client allows.
type kind struct {
	auth   []string
	grants []string
	needs  string // the grant type that it cannot do without
}

func kindOf(t ClientType) (kind, bool) {
	user := []string{GrantAuthorizationCode, GrantRefreshToken}
	confidential := []string{AuthSecret, AuthPrivateKeyJWT}
	switch t {
	case WebClient:
		return kind{confidential, append(user, GrantClientCredentials), GrantAuthorizationCode}, true
	case SPAClient, NativeClient:
		return kind{[]string{AuthNone}, user, GrantAuthorizationCode}, true
	case MachineClient, ResourceClient:
		return kind{confidential, []string{GrantClientCredentials}, GrantClientCredentials}, true
	}
	return kind{}, false
}

// validateClient holds for what is registered and for what is changed: the same
// policy on both ways.
func validateClient(c *Client) error {
	k, ok := kindOf(c.Type)
	if !ok {
		return invalid("type %q: one of web, spa, native, machine", c.Type)
	}
	if !slices.Contains(k.auth, c.AuthMethod) {
		return invalid("a client of type %q authenticates by %v, not %q", c.Type, k.auth, c.AuthMethod)
	}
	for _, g := range c.GrantTypes {
		if !slices.Contains(k.grants, g) {
			return invalid("a client of type %q may have the grant types %v, not %q", c.Type, k.grants, g)
		}
	}
	if !c.Allows(k.needs) {
		return invalid("a client of type %q needs the grant type %s", c.Type, k.needs)
	}
	if !c.RequirePKCE && c.Public() {
		return invalid("a public client cannot do without PKCE") // RFC 9700 §2.1.1
	}
	if len(c.ClientID) > maxClientIDBytes || !printable(c.ClientID) {
		return invalid("client_id: at most %d printable ASCII characters without spaces", maxClientIDBytes)
	}
	if err := label("name", c.Name, maxClientName); err != nil {
		return err
	}
	for _, check := range []func(*Client) error{validateRedirects, validateBackchannel, validateScopes, validateKeys, validatePages, validateAssurance, validateTokens} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func validateRedirects(c *Client) error {
	if c.Allows(GrantAuthorizationCode) && len(c.RedirectURIs) == 0 {
		return invalid("a redirect URI is needed")
	}
	for what, list := range map[string][]string{"redirect URI": c.RedirectURIs, "post-logout redirect URI": c.PostLogoutRedirectURIs} {
		if len(list) > MaxRedirectURIs {
			return invalid("at most %d %ss", MaxRedirectURIs, what)
		}
		for _, u := range list {
			if err := ValidateRedirectURI(c.Type, u); err != nil {
				return &AddressError{What: what, Address: u, Err: err}
			}
		}
	}
	return nil
}

// validateBackchannel checks where logout tokens go: an absolute URI without a
// fragment, https, or http on loopback, which reaches a client only if the
// operator lets Gatehouse call private addresses (OpenID Connect Back-Channel
// Logout 1.0 §2.2). What its name leads to is decided anew at each call.
func validateBackchannel(c *Client) error {
	if c.BackchannelLogoutURI == "" {
		if c.BackchannelLogoutSessionRequired {
			return invalid("a session required for back-channel logout, but no back-channel logout URI")
		}
		return nil
	}
	if !c.Allows(GrantAuthorizationCode) {
		return invalid("only a client that people sign in to has a back-channel logout URI")
	}
	u, err := parseURI(c.BackchannelLogoutURI)
	if err != nil {
		return &AddressError{What: "back-channel logout URI", Address: c.BackchannelLogoutURI, Err: err}
	}
	if u.scheme != "https" && (u.scheme != "http" || !isLoopback(u.host)) {
		return invalid("back-channel logout URI: https, or http on loopback")
	}
	return nil
}

func validateScopes(c *Client) error {
	if len(c.Scopes) > maxScopes || len(c.Permissions) > maxScopes || len(c.VisibleGroups) > maxScopes {
		return invalid("at most %d scopes, permissions and visible groups", maxScopes)
	}
	for _, s := range c.Scopes {
		if !isScopeToken(s) {
			return invalid("scope %q", s)
		}
	}
	for _, s := range c.OptionalScopes {
		if s == "openid" {
			return invalid("the scope openid cannot be optional")
		}
	}
	if len(c.Permissions) > 0 && !c.Allows(GrantClientCredentials) {
		return invalid("only a client with client credentials holds permissions itself")
	}
	return nil
}

// isScopeToken checks the syntax of RFC 6749 §3.3.
func isScopeToken(s string) bool {
	if s == "" || len(s) > maxScopeBytes || !printable(s) {
		return false
	}
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

func validateKeys(c *Client) error {
	if c.AuthMethod != AuthPrivateKeyJWT {
		if c.JWKS != "" {
			return invalid("keys for a client that authenticates by %s", c.AuthMethod)
		}
		return nil
	}
	set, err := parseJWKS(c.JWKS)
	if err != nil {
		return err
	}
	if len(set.Keys) == 0 {
		return invalid("private_key_jwt needs a JWK Set with at least one key")
	}
	return nil
}

// parseJWKS reads public keys that are strong enough; an empty text is an empty
// set. A private or symmetric key is refused: it should not have left its owner.
func parseJWKS(text string) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if text == "" {
		return set, nil
	}
	if len(text) > maxJWKSBytes {
		return set, invalid("a JWK Set has at most %d bytes", maxJWKSBytes)
	}
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		return set, invalid("not a JWK Set") // the parser's words might repeat a key
	}
	if len(set.Keys) > maxKeys {
		return set, invalid("at most %d keys", maxKeys)
	}
	for i, k := range set.Keys {
		if !k.Valid() || !strongPublicKey(k.Key) || k.Use == "enc" {
			return set, invalid("key %d: not a public signature key of RSA (2048 bits and more), P-256, P-384, P-521 or Ed25519", i+1)
		}
	}
	return set, nil
}

func strongPublicKey(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048 && k.N.BitLen() <= 8192
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// lostKeys reports whether a key of the one set is missing from the other.
func lostKeys(before, after string) (bool, error) {
	was, err := thumbprints(before)
	if err != nil {
		return false, err
	}
	is, err := thumbprints(after)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(was, func(t string) bool { return !slices.Contains(is, t) }), nil
}

func thumbprints(text string) ([]string, error) {
	set, err := parseJWKS(text)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(set.Keys))
	for i, k := range set.Keys {
		t, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, invalid("key %d has no thumbprint", i+1)
		}
		out[i] = string(t)
	}
	return out, nil
}

// validatePages checks what becomes a link or a picture on our pages.
func validatePages(c *Client) error {
	for what, raw := range map[string]string{"home": c.HomeURI, "logo": c.LogoURI, "policy": c.PolicyURI, "terms": c.TermsURI} {
		if raw == "" {
			continue
		}
		if err := checkPage(what, raw); err != nil {
			return err
		}
	}
	return checkClientTexts(c.Texts)
}

func checkPage(what, raw string) error {
	u, err := parseURI(raw)
	if err != nil {
		return &AddressError{What: what + " URI", Address: raw, Err: err}
	}
	if u.scheme != "https" && (u.scheme != "http" || !isLoopback(u.host)) {
		return invalid("%s URI: https, or http on loopback", what)
	}
	return nil
}

func validateAssurance(c *Client) error {
	switch c.RequiredACR {
	case "":
		return nil
	case ACRPassword, ACRTwoFactors:
		if !c.Allows(GrantAuthorizationCode) {
			return invalid("only a client that people sign in to can require an acr")
		}
		return nil
	}
	return invalid("required acr %q: %s, %s, or none", c.RequiredACR, ACRPassword, ACRTwoFactors)
}

func validateTokens(c *Client) error {
	if !slices.Contains([]string{"RS256", "ES256", "EdDSA", "PS256"}, c.IDTokenAlgorithm) {
		return invalid("ID token algorithm %q: one of RS256, ES256, EdDSA, PS256", c.IDTokenAlgorithm)
	}
	for _, l := range []struct {
		what string
		ms   int64
		most time.Duration
	}{
		{"access token", c.AccessTokenLifetime, LongestAccessToken},
		{"ID token", c.IDTokenLifetime, longestIDToken},
		{"idle refresh token", c.RefreshIdle, longestRefresh},
		{"refresh token", c.RefreshAbsolute, longestRefresh},
	} {
		if l.ms < 0 || l.ms > l.most.Milliseconds() {
			return invalid("lifetime of the %s: at most %s", l.what, l.most)
		}
	}
	return nil
}

// cloneClient copies a client so deeply that changing one leaves the other.
func cloneClient(c *Client) Client {
	d := *c
	d.Texts = maps.Clone(d.Texts)
	for _, l := range d.lists() {
		*l = slices.Clone(*l)
	}
	return d
}

// sameClient compares settings; lists are sets.
func sameClient(a, b *Client) bool {
	x, y := cloneClient(a), cloneClient(b)
	x.UpdatedAt, x.APIAud, x.Secrets = y.UpdatedAt, y.APIAud, y.Secrets
	for _, c := range []*Client{&x, &y} {
		if len(c.Texts) == 0 {
			c.Texts = nil
		}
		for _, l := range c.lists() {
			if len(*l) == 0 {
				*l = nil
			}
			slices.Sort(*l)
		}
	}
	return reflect.DeepEqual(x, y)
}

func (c *Client) lists() []*[]string {
	return []*[]string{
		&c.GrantTypes, &c.RedirectURIs, &c.PostLogoutRedirectURIs, &c.Scopes, &c.OptionalScopes, &c.Permissions, &c.VisibleGroups,
	}
}
