package api

import (
	"github.com/gatehouse-id/gatehouse/accounts"
)

// NewClient is what an app is made of; what is left out takes the default of its type.
type NewClient struct {
	Type       string         `json:"type" enum:"web,spa,native,machine"`
	Name       string         `json:"name" minLength:"1" maxLength:"100"`
	Texts      Texts          `json:"texts,omitempty"`
	AuthMethod string         `json:"auth_method,omitempty" enum:"none,client_secret,private_key_jwt"`
	JWKS       map[string]any `json:"jwks,omitempty" doc:"Public keys for private_key_jwt, a JWK Set (RFC 7517)."`

	GrantTypes                       []string `json:"grant_types,omitempty" nullable:"false" maxItems:"10"`
	RedirectURIs                     []string `json:"redirect_uris,omitempty" nullable:"false" maxItems:"50"`
	PostLogoutRedirectURIs           []string `json:"post_logout_redirect_uris,omitempty" nullable:"false" maxItems:"50"`
	BackchannelLogoutURI             string   `json:"backchannel_logout_uri,omitempty" maxLength:"2048"`
	BackchannelLogoutSessionRequired bool     `json:"backchannel_logout_session_required,omitempty"`

	Scopes         []string `json:"scopes,omitempty" nullable:"false" maxItems:"200"`
	OptionalScopes []string `json:"optional_scopes,omitempty" nullable:"false" maxItems:"200"`
	Permissions    []string `json:"permissions,omitempty" nullable:"false" maxItems:"200"`
	VisibleGroups  []string `json:"visible_groups,omitempty" nullable:"false" maxItems:"200"`

	HomeURI   string `json:"home_uri,omitempty" maxLength:"2048"`
	LogoURI   string `json:"logo_uri,omitempty" maxLength:"2048"`
	PolicyURI string `json:"policy_uri,omitempty" maxLength:"2048"`
	TermsURI  string `json:"terms_uri,omitempty" maxLength:"2048"`

	IDTokenAlgorithm      string `json:"id_token_algorithm,omitempty" enum:"RS256,ES256,EdDSA,PS256"`
	FirstParty            bool   `json:"first_party,omitempty"`
	RequirePKCE           *bool  `json:"require_pkce,omitempty" doc:"True unless it is an old confidential app."`
	RequirePAR            bool   `json:"require_par,omitempty"`
	RotateRefresh         *bool  `json:"rotate_refresh,omitempty" doc:"True unless its refresh tokens are bound to it."`
	RequiredACR           string `json:"required_acr,omitempty" enum:"aal1,aal2"`
	TokenEndpointAudience bool   `json:"token_endpoint_audience,omitempty"`

	AccessTokenSeconds     int64 `json:"access_token_seconds,omitempty" minimum:"0" maximum:"3600"`
	IDTokenSeconds         int64 `json:"id_token_seconds,omitempty" minimum:"0" maximum:"86400"`
	RefreshIdleSeconds     int64 `json:"refresh_idle_seconds,omitempty" minimum:"0" maximum:"315360000"`
	RefreshAbsoluteSeconds int64 `json:"refresh_absolute_seconds,omitempty" minimum:"0" maximum:"315360000"`
}

func (n *NewClient) registration() (accounts.Registration, error) {
	jwks, err := jwksText(n.JWKS)
	isFalse := func(b *bool) bool { return b != nil && !*b }
	return accounts.Registration{
		Name: n.Name, Texts: n.Texts.texts(), Type: accounts.ClientType(n.Type), AuthMethod: n.AuthMethod, JWKS: jwks,
		GrantTypes: n.GrantTypes, RedirectURIs: n.RedirectURIs, PostLogoutRedirectURIs: n.PostLogoutRedirectURIs,
		BackchannelLogoutURI: n.BackchannelLogoutURI, BackchannelLogoutSessionRequired: n.BackchannelLogoutSessionRequired,
		Scopes: n.Scopes, OptionalScopes: n.OptionalScopes, Permissions: n.Permissions, VisibleGroups: n.VisibleGroups,
		HomeURI: n.HomeURI, LogoURI: n.LogoURI, PolicyURI: n.PolicyURI, TermsURI: n.TermsURI,
		IDTokenAlgorithm: n.IDTokenAlgorithm, FirstParty: n.FirstParty, RequiredACR: n.RequiredACR,
		WithoutPKCE: isFalse(n.RequirePKCE), RequirePAR: n.RequirePAR, WithoutRotation: isFalse(n.RotateRefresh),
		TokenEndpointAudience: n.TokenEndpointAudience,
		AccessTokenLifetime:   n.AccessTokenSeconds * msPerSecond, IDTokenLifetime: n.IDTokenSeconds * msPerSecond,
		RefreshIdle: n.RefreshIdleSeconds * msPerSecond, RefreshAbsolute: n.RefreshAbsoluteSeconds * msPerSecond,
	}, err
}

// ClientPatch is a change of an app.
type ClientPatch struct {
	Name       Change[string]         `json:"name,omitempty" maxLength:"100"`
	Texts      TextsPatch             `json:"texts,omitempty"`
	AuthMethod Change[string]         `json:"auth_method,omitempty"`
	JWKS       Change[map[string]any] `json:"jwks,omitempty"`

	GrantTypes                       Change[[]string] `json:"grant_types,omitempty"`
	RedirectURIs                     Change[[]string] `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs           Change[[]string] `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI             Change[string]   `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired Change[bool]     `json:"backchannel_logout_session_required,omitempty"`

	Scopes         Change[[]string] `json:"scopes,omitempty"`
	OptionalScopes Change[[]string] `json:"optional_scopes,omitempty"`
	Permissions    Change[[]string] `json:"permissions,omitempty"`
	VisibleGroups  Change[[]string] `json:"visible_groups,omitempty"`

	HomeURI   Change[string] `json:"home_uri,omitempty"`
	LogoURI   Change[string] `json:"logo_uri,omitempty"`
	PolicyURI Change[string] `json:"policy_uri,omitempty"`
	TermsURI  Change[string] `json:"terms_uri,omitempty"`

	IDTokenAlgorithm      Change[string] `json:"id_token_algorithm,omitempty"`
	FirstParty            Change[bool]   `json:"first_party,omitempty"`
	RequirePKCE           Change[bool]   `json:"require_pkce,omitempty"`
	RequirePAR            Change[bool]   `json:"require_par,omitempty"`
	RotateRefresh         Change[bool]   `json:"rotate_refresh,omitempty"`
	RequiredACR           Change[string] `json:"required_acr,omitempty"`
	TokenEndpointAudience Change[bool]   `json:"token_endpoint_audience,omitempty"`

	AccessTokenSeconds     Change[int64] `json:"access_token_seconds,omitempty"`
	IDTokenSeconds         Change[int64] `json:"id_token_seconds,omitempty"`
	RefreshIdleSeconds     Change[int64] `json:"refresh_idle_seconds,omitempty"`
	RefreshAbsoluteSeconds Change[int64] `json:"refresh_absolute_seconds,omitempty"`
}

// apply sets what the patch names; null takes a member back to what it is without:
// empty, false, the default lifetime, and for the few with a default of their own that.
func (p *ClientPatch) apply(c *accounts.Client) error {
	set(&c.Name, p.Name)
	patchTexts(&c.Texts, p.Texts)
	set(&c.AuthMethod, p.AuthMethod)
	if p.JWKS.Given {
		var jwks map[string]any
		if !p.JWKS.Null {
			jwks = merged(jwksOf(c), p.JWKS.Value)
		}
		text, err := jwksText(jwks)
		if err != nil {
			return err
		}
		c.JWKS = text
	}
	set(&c.GrantTypes, p.GrantTypes)
	set(&c.RedirectURIs, p.RedirectURIs)
	set(&c.PostLogoutRedirectURIs, p.PostLogoutRedirectURIs)
	set(&c.BackchannelLogoutURI, p.BackchannelLogoutURI)
	set(&c.BackchannelLogoutSessionRequired, p.BackchannelLogoutSessionRequired)
	set(&c.Scopes, p.Scopes)
	set(&c.OptionalScopes, p.OptionalScopes)
	set(&c.Permissions, p.Permissions)
	set(&c.VisibleGroups, p.VisibleGroups)
	set(&c.HomeURI, p.HomeURI)
	set(&c.LogoURI, p.LogoURI)
	set(&c.PolicyURI, p.PolicyURI)
	set(&c.TermsURI, p.TermsURI)
	set(&c.IDTokenAlgorithm, p.IDTokenAlgorithm)
	if p.IDTokenAlgorithm.Null {
		c.IDTokenAlgorithm = "RS256"
	}
	set(&c.FirstParty, p.FirstParty)
	set(&c.RequirePKCE, p.RequirePKCE)
	set(&c.RequirePAR, p.RequirePAR)
	set(&c.RotateRefresh, p.RotateRefresh)
	c.RequirePKCE, c.RotateRefresh = c.RequirePKCE || p.RequirePKCE.Null, c.RotateRefresh || p.RotateRefresh.Null
	set(&c.RequiredACR, p.RequiredACR)
	set(&c.TokenEndpointAudience, p.TokenEndpointAudience)
	setSeconds(&c.AccessTokenLifetime, p.AccessTokenSeconds)
	setSeconds(&c.IDTokenLifetime, p.IDTokenSeconds)
	setSeconds(&c.RefreshIdle, p.RefreshIdleSeconds)
	setSeconds(&c.RefreshAbsolute, p.RefreshAbsoluteSeconds)
	return nil
}

func set[T any](to *T, c Change[T]) {
	if c.Given {
		*to = c.Value
	}
}

// setSeconds sets milliseconds; what does not fit is left to be refused as too long.
func setSeconds(to *int64, c Change[int64]) {
	if c.Given {
		*to = max(min(c.Value, 1<<40), -1) * msPerSecond
	}
}
