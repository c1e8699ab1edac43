package ascode

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Client is an app as a file says it. It is found by client_id, or by name if the
// file leaves that to Gatehouse.
type Client struct {
	ClientID string         `yaml:"client_id,omitempty" fact:"-"`
	Name     string         `yaml:"name,omitempty"`
	Texts    accounts.Texts `yaml:"texts,omitempty"`
	Type     string         `yaml:"type,omitempty" fact:"-"`
	Disabled *bool          `yaml:"disabled,omitempty"`

	SecretPlace `yaml:",inline"`

	AuthMethod             *string  `yaml:"auth_method,omitempty"`
	JWKS                   *string  `yaml:"jwks,omitempty"`
	GrantTypes             []string `yaml:"grant_types,omitzero"`
	RedirectURIs           []string `yaml:"redirect_uris,omitzero"`
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris,omitzero"`
	BackchannelLogoutURI   *string  `yaml:"backchannel_logout_uri,omitempty"`
	BackchannelSession     *bool    `yaml:"backchannel_logout_session_required,omitempty"`
	Scopes                 []string `yaml:"scopes,omitzero"`
	OptionalScopes         []string `yaml:"optional_scopes,omitzero"`
	Permissions            []string `yaml:"permissions,omitzero"`
	PermissionSets         []string `yaml:"permission_sets,omitzero"`
	VisibleGroups          []string `yaml:"visible_groups,omitzero"`

	HomeURI   *string `yaml:"home_uri,omitempty"`
	LogoURI   *string `yaml:"logo_uri,omitempty"`
	PolicyURI *string `yaml:"policy_uri,omitempty"`
	TermsURI  *string `yaml:"terms_uri,omitempty"`

	IDTokenAlg            *string `yaml:"id_token_alg,omitempty"`
	FirstParty            *bool   `yaml:"first_party,omitempty"`
	RequirePKCE           *bool   `yaml:"require_pkce,omitempty"`
	RequirePAR            *bool   `yaml:"require_par,omitempty"`
	RotateRefresh         *bool   `yaml:"rotate_refresh,omitempty"`
	RequiredACR           *string `yaml:"required_acr,omitempty"`
	TokenEndpointAudience *bool   `yaml:"token_endpoint_audience,omitempty"`

	AccessTokenLifetime *Duration `yaml:"access_token_lifetime,omitempty"`
	IDTokenLifetime     *Duration `yaml:"id_token_lifetime,omitempty"`
	RefreshIdle         *Duration `yaml:"refresh_idle,omitempty"`
	RefreshAbsolute     *Duration `yaml:"refresh_absolute,omitempty"`

	line int
}

func (c Client) key() string {
	if c.ClientID == "" && c.Name != "" {
		return "named " + c.Name // a client_id holds no space
	}
	return c.ClientID
}

func (c Client) label() string { return cmp.Or(c.ClientID, c.Name) }
func (c Client) place() int    { return c.line }

// facts count the optional scopes among the scopes, as the domain does.
func (c Client) facts() facts {
	if c.Scopes != nil {
		c.Scopes = append(slices.Clone(c.Scopes), c.OptionalScopes...)
	}
	return factsOf(c)
}

// fileClient is Export's view of a client.
func fileClient(c *accounts.Client) Client {
	return Client{
		ClientID: c.ClientID, Name: c.Name, Texts: texts(c.Texts), Type: string(c.Type), Disabled: new(c.DisabledAt != 0),
		AuthMethod: new(c.AuthMethod), JWKS: new(c.JWKS), GrantTypes: set(c.GrantTypes),
		// Their order is the operator's: the first one is shown as an example.
		RedirectURIs: some(c.RedirectURIs), PostLogoutRedirectURIs: some(c.PostLogoutRedirectURIs),
		BackchannelLogoutURI: new(c.BackchannelLogoutURI), BackchannelSession: new(c.BackchannelLogoutSessionRequired),
		Scopes: set(c.Scopes), OptionalScopes: set(c.OptionalScopes), Permissions: set(c.Permissions),
		PermissionSets: set(c.PermissionSets), VisibleGroups: set(c.VisibleGroups),
		HomeURI: new(c.HomeURI), LogoURI: new(c.LogoURI), PolicyURI: new(c.PolicyURI), TermsURI: new(c.TermsURI),
		IDTokenAlg: new(c.IDTokenAlgorithm), FirstParty: new(c.FirstParty), RequirePKCE: new(c.RequirePKCE),
		RequirePAR: new(c.RequirePAR), RotateRefresh: new(c.RotateRefresh), RequiredACR: new(c.RequiredACR),
		TokenEndpointAudience: new(c.TokenEndpointAudience),
		AccessTokenLifetime:   new(Duration(c.AccessTokenLifetime)), IDTokenLifetime: new(Duration(c.IDTokenLifetime)),
		RefreshIdle: new(Duration(c.RefreshIdle)), RefreshAbsolute: new(Duration(c.RefreshAbsolute)),
	}
}

// some is a list that is never nil.
func some(list []string) []string { return append([]string{}, list...) }

// put writes what the file says into a client and leaves the rest. Permission sets
// and whether it is disabled are changed otherwise.
func (c Client) put(to *accounts.Client) {
	if c.Name != "" {
		to.Name = c.Name
	}
	if c.Texts != nil {
		to.Texts = maps.Clone(c.Texts)
	}
	put(&to.AuthMethod, c.AuthMethod)
	put(&to.JWKS, c.JWKS)
	putList(&to.GrantTypes, c.GrantTypes)
	putList(&to.RedirectURIs, c.RedirectURIs)
	putList(&to.PostLogoutRedirectURIs, c.PostLogoutRedirectURIs)
	put(&to.BackchannelLogoutURI, c.BackchannelLogoutURI)
	put(&to.BackchannelLogoutSessionRequired, c.BackchannelSession)
	putList(&to.Scopes, c.Scopes)
	putList(&to.OptionalScopes, c.OptionalScopes)
	putList(&to.Permissions, c.Permissions)
	putList(&to.VisibleGroups, c.VisibleGroups)
	put(&to.HomeURI, c.HomeURI)
	put(&to.LogoURI, c.LogoURI)
	put(&to.PolicyURI, c.PolicyURI)
	put(&to.TermsURI, c.TermsURI)
	put(&to.IDTokenAlgorithm, c.IDTokenAlg)
	put(&to.FirstParty, c.FirstParty)
	put(&to.RequirePKCE, c.RequirePKCE)
	put(&to.RequirePAR, c.RequirePAR)
	put(&to.RotateRefresh, c.RotateRefresh)
	put(&to.RequiredACR, c.RequiredACR)
	put(&to.TokenEndpointAudience, c.TokenEndpointAudience)
	put(&to.AccessTokenLifetime, (*int64)(c.AccessTokenLifetime))
	put(&to.IDTokenLifetime, (*int64)(c.IDTokenLifetime))
	put(&to.RefreshIdle, (*int64)(c.RefreshIdle))
	put(&to.RefreshAbsolute, (*int64)(c.RefreshAbsolute))
}

func put[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}

// putList writes a list that was given; one that means the same keeps its order.
func putList(to *[]string, given []string) {
	if given != nil && !slices.Equal(set(*to), set(given)) {
		*to = slices.Clone(given)
	}
}

// registration makes a client of what the file says.
func (c Client) registration() accounts.Registration {
	to := accounts.Client{RequirePKCE: true, RotateRefresh: true}
	c.put(&to)
	return accounts.Registration{
		ClientID: c.ClientID, Name: cmp.Or(c.Name, c.ClientID), Texts: to.Texts, Type: accounts.ClientType(c.Type),
		AuthMethod: to.AuthMethod, JWKS: to.JWKS, GrantTypes: to.GrantTypes, RedirectURIs: to.RedirectURIs,
		PostLogoutRedirectURIs: to.PostLogoutRedirectURIs, BackchannelLogoutURI: to.BackchannelLogoutURI,
		BackchannelLogoutSessionRequired: to.BackchannelLogoutSessionRequired,
		Scopes:                           to.Scopes, OptionalScopes: to.OptionalScopes, Permissions: to.Permissions, VisibleGroups: to.VisibleGroups,
		HomeURI: to.HomeURI, LogoURI: to.LogoURI, PolicyURI: to.PolicyURI, TermsURI: to.TermsURI,
		IDTokenAlgorithm: to.IDTokenAlgorithm, FirstParty: to.FirstParty, RequiredACR: to.RequiredACR,
		WithoutPKCE: !to.RequirePKCE, RequirePAR: to.RequirePAR, WithoutRotation: !to.RotateRefresh,
		TokenEndpointAudience: to.TokenEndpointAudience,
		AccessTokenLifetime:   to.AccessTokenLifetime, IDTokenLifetime: to.IDTokenLifetime,
		RefreshIdle: to.RefreshIdle, RefreshAbsolute: to.RefreshAbsolute,
	}
}

// tidy leaves out what a client of its type that is made new has anyway, and what
// has no place in it. Lists that give something are always written.
func (c Client) tidy() Client {
	c.Disabled, c.JWKS, c.BackchannelLogoutURI = unlessZero(c.Disabled), unlessZero(c.JWKS), unlessZero(c.BackchannelLogoutURI)
	c.BackchannelSession, c.RequiredACR = unlessZero(c.BackchannelSession), unlessZero(c.RequiredACR)
	c.HomeURI, c.LogoURI, c.PolicyURI, c.TermsURI = unlessZero(c.HomeURI), unlessZero(c.LogoURI), unlessZero(c.PolicyURI), unlessZero(c.TermsURI)
	c.TokenEndpointAudience = unlessZero(c.TokenEndpointAudience)
	c.AccessTokenLifetime, c.IDTokenLifetime = unlessZero(c.AccessTokenLifetime), unlessZero(c.IDTokenLifetime)
	c.RefreshIdle, c.RefreshAbsolute = unlessZero(c.RefreshIdle), unlessZero(c.RefreshAbsolute)
	c.PostLogoutRedirectURIs, c.OptionalScopes = nilIfEmpty(c.PostLogoutRedirectURIs), nilIfEmpty(c.OptionalScopes)
	if !slices.Contains(c.GrantTypes, accounts.GrantAuthorizationCode) {
		c.RedirectURIs, c.Scopes, c.VisibleGroups = nilIfEmpty(c.RedirectURIs), nilIfEmpty(c.Scopes), nilIfEmpty(c.VisibleGroups)
		c.FirstParty, c.IDTokenAlg, c.RequirePKCE, c.RequirePAR = unlessZero(c.FirstParty), unless(c.IDTokenAlg, "RS256"), unless(c.RequirePKCE, true), unlessZero(c.RequirePAR)
		c.RotateRefresh = unless(c.RotateRefresh, true)
	}
	if !slices.Contains(c.GrantTypes, accounts.GrantClientCredentials) {
		c.Permissions, c.PermissionSets = nilIfEmpty(c.Permissions), nilIfEmpty(c.PermissionSets)
	}
	return c
}

func nilIfEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// unless is nil for a member that says what is so anyway.
func unless[T comparable](v *T, anyway T) *T {
	if v == nil || *v == anyway {
		return nil
	}
	return v
}
