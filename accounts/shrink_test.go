package accounts

import (
	"reflect"
	"testing"
)

// L10: every column of a client is known to shrink with a row, or known not to
// matter to tokens that were issued. A new one fails here until somebody decides.
func TestShrunk_WalksEveryColumn(t *testing.T) {
	const (
		fixed   = "Update cannot change it"
		nothing = "no token that was issued depends on it"
	)
	reduce := map[string]func(c *Client){
		"AuthMethod":   func(c *Client) { c.AuthMethod, c.JWKS = AuthSecret, "" },
		"JWKS":         func(c *Client) { c.JWKS = "" },
		"GrantTypes":   func(c *Client) { c.GrantTypes = c.GrantTypes[:1] },
		"RedirectURIs": func(c *Client) { c.RedirectURIs = c.RedirectURIs[:1] },
		"Scopes":       func(c *Client) { c.Scopes = c.Scopes[:1] },
		"Permissions":  func(c *Client) { c.Permissions = nil },
		"FirstParty":   func(c *Client) { c.FirstParty = false },
		"RequiredACR":  func(c *Client) { c.RequiredACR = ACRTwoFactors },
	}
	others := map[string]string{
		"ID": fixed, "ClientID": fixed, "Type": fixed, "APIID": fixed, "APIAud": fixed, "Demo": fixed,
		"DisabledAt": fixed, "ValidFrom": fixed, "CreatedAt": fixed, "UpdatedAt": fixed, "Secrets": fixed, "PermissionSets": fixed, "SetPermissions": fixed,
		"Name": nothing, "Texts": nothing, "HomeURI": nothing, "LogoURI": nothing, "PolicyURI": nothing, "TermsURI": nothing,
		"PostLogoutRedirectURIs": nothing,
		"BackchannelLogoutURI":   nothing, "BackchannelLogoutSessionRequired": nothing,
		"OptionalScopes":        nothing, // what may be unticked at the next consent
		"VisibleGroups":         nothing, // ID token and userinfo, never the access token
		"IDTokenAlgorithm":      nothing,
		"RequirePKCE":           nothing, // for the next code
		"RequirePAR":            nothing,
		"RotateRefresh":         nothing,
		"TokenEndpointAudience": nothing,
		"AccessTokenLifetime":   nothing, // what ends by time writes nothing (L11)
		"IDTokenLifetime":       nothing,
		"RefreshIdle":           nothing,
		"RefreshAbsolute":       nothing,
	}
	const key = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	full := Client{
		AuthMethod: AuthPrivateKeyJWT, JWKS: key, GrantTypes: []string{"authorization_code", "client_credentials"},
		RedirectURIs: []string{"https://a.example/1", "https://a.example/2"}, Scopes: []string{"openid", "a"},
		Permissions: []string{"p"}, FirstParty: true,
	}
	columns := reflect.TypeFor[Client]()
	for i := range columns.NumField() {
		name := columns.Field(i).Name
		f := reduce[name]
		if f == nil {
			if others[name] == "" {
				t.Errorf("column %s: does it shrink what a token may do? Say so here, and in shrunk", name)
			}
			continue
		}
		after := cloneClient(&full)
		f(&after)
		if lost, err := shrunk(&full, &after); err != nil || len(lost) == 0 {
			t.Errorf("column %s: %v, %v; a row is due", name, lost, err)
		}
		if lost, err := shrunk(&after, &full); name != "AuthMethod" && (err != nil || len(lost) != 0) {
			t.Errorf("column %s: giving is %v, %v; no row is due", name, lost, err)
		}
	}
}
