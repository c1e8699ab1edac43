package accounts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Clients registers, changes and ends apps. They are named by client_id.
type Clients struct {
	Journal
	Store   ClientStore
	Secrets SecretStore
	Grants  GrantStore
	Keys    *secret.Keyring
	Hasher  *Hasher
}

// ErrOfAPI refuses to delete the client of an API's resource server: it goes with
// its API.
var ErrOfAPI = errors.New("the client belongs to an API")

// Registration is what a client is made of. Empty members take the defaults of
// the type: a web app has a secret, codes and refresh tokens; a single-page or
// native app has no secret; a machine has a secret and client credentials.
type Registration struct {
	Name  string
	Texts Texts
	Type  ClientType // not ResourceClient, which APIs.Create makes

	// ClientID and SecretHash (an argon2id PHC string) are kept from an import.
	ClientID   string
	SecretHash string

	AuthMethod             string
	JWKS                   string
	GrantTypes             []string
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	BackchannelLogoutURI   string
	// BackchannelLogoutSessionRequired is of use with BackchannelLogoutURI alone.
	BackchannelLogoutSessionRequired bool

	Scopes         []string // empty with codes: openid profile email offline_access
	OptionalScopes []string // asked besides Scopes, or among them; the person may untick them
	Permissions    []string
	VisibleGroups  []string

	HomeURI, LogoURI, PolicyURI, TermsURI string

	IDTokenAlgorithm      string // empty: RS256
	FirstParty            bool
	RequiredACR           string // empty: any
	WithoutPKCE           bool   // for old confidential OpenID Connect clients
	RequirePAR            bool
	WithoutRotation       bool // for FAPI clients, whose refresh tokens are bound
	TokenEndpointAudience bool

	// Lifetimes in milliseconds, zero for the default.
	AccessTokenLifetime, IDTokenLifetime, RefreshIdle, RefreshAbsolute int64

	Demo bool
}

// Register makes a client and returns its secret, this once, if it has one.
// Errors: ErrInvalid, ErrConflict when the client_id is taken.
func (s *Clients) Register(ctx context.Context, actor audit.Actor, r Registration) (*Client, secret.Text, error) {
	c := r.client()
	if r.Type == ResourceClient {
		return nil, "", invalid("type %q: such a client is made with its API", r.Type)
	}
	if err := validateClient(c); err != nil {
		return nil, "", err
	}
	var text secret.Text
	var sec ClientSecret
	switch {
	case r.SecretHash != "" && c.AuthMethod != AuthSecret:
		return nil, "", invalid("a secret for a client that authenticates by %s", c.AuthMethod)
	case r.SecretHash != "":
		if _, err := parsePHC(r.SecretHash); err != nil {
			return nil, "", fmt.Errorf("%w: secret hash: %w", ErrInvalid, err)
		}
		sec = ClientSecret{ID: id.New(), Hash: r.SecretHash}
	case c.AuthMethod == AuthSecret:
		text, sec = newSecret(s.Keys, c.ClientID)
	}
	err := s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		c.CreatedAt, c.UpdatedAt, c.Secrets = now, now, nil
		if err := s.Store.InsertClient(ctx, c); err != nil {
			return nil, fmt.Errorf("insert client %q: %w", c.ClientID, err)
		}
		if sec.Hash != "" {
			sec.CreatedAt = now
			if err := s.Secrets.InsertSecret(ctx, c.ID, sec); err != nil {
				return nil, fmt.Errorf("insert secret: %w", err)
			}
			c.Secrets = []ClientSecret{sec}
		}
		e := clientEffect("client.create", c, map[string]any{"name": c.Name, "type": c.Type})
		return e.changed(nil, clientValues(c)), nil
	})
	if err != nil {
		return nil, "", err
	}
	return c, text, nil
}

// client fills in the defaults of the type.
func (r Registration) client() *Client {
	c := &Client{
		ID: id.New(), ClientID: r.ClientID, Name: r.Name, Texts: maps.Clone(r.Texts), Type: r.Type, AuthMethod: r.AuthMethod, JWKS: r.JWKS,
		GrantTypes: union(nil, r.GrantTypes), RedirectURIs: union(nil, r.RedirectURIs),
		PostLogoutRedirectURIs: union(nil, r.PostLogoutRedirectURIs), BackchannelLogoutURI: r.BackchannelLogoutURI,
		BackchannelLogoutSessionRequired: r.BackchannelLogoutSessionRequired, Scopes: union(nil, r.Scopes),
		OptionalScopes: union(nil, r.OptionalScopes), Permissions: union(nil, r.Permissions), VisibleGroups: union(nil, r.VisibleGroups),
		HomeURI: r.HomeURI, LogoURI: r.LogoURI, PolicyURI: r.PolicyURI, TermsURI: r.TermsURI,
		IDTokenAlgorithm: r.IDTokenAlgorithm, FirstParty: r.FirstParty, RequiredACR: r.RequiredACR, RequirePKCE: !r.WithoutPKCE, RequirePAR: r.RequirePAR,
		RotateRefresh: !r.WithoutRotation, TokenEndpointAudience: r.TokenEndpointAudience,
		AccessTokenLifetime: r.AccessTokenLifetime, IDTokenLifetime: r.IDTokenLifetime,
		RefreshIdle: r.RefreshIdle, RefreshAbsolute: r.RefreshAbsolute, Demo: r.Demo,
	}
	if c.ClientID == "" {
		c.ClientID = newClientID()
	}
	if c.AuthMethod == "" {
		c.AuthMethod = AuthNone
		if c.Type == WebClient || c.Type == MachineClient {
			c.AuthMethod = AuthSecret
		}
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{GrantAuthorizationCode, GrantRefreshToken}
		if c.Type == MachineClient {
			c.GrantTypes = []string{GrantClientCredentials}
		}
	}
	if len(c.Scopes) == 0 && c.Allows(GrantAuthorizationCode) {
		c.Scopes = []string{"openid", "profile", "email", "offline_access"}
	}
	c.Scopes = union(c.Scopes, c.OptionalScopes)
	if c.IDTokenAlgorithm == "" {
		c.IDTokenAlgorithm = "RS256"
	}
	return c
}

// Update lets f change a client's settings; its identity, type, state and times
// are kept whatever f does. If the client may do less afterwards, its tokens are
// refreshed. Errors: ErrInvalid, ErrNotFound, and those of f.
func (s *Clients) Update(ctx context.Context, actor audit.Actor, clientID string, f func(c *Client) error) error {
	return s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
		before := cloneClient(c)
		if err := f(c); err != nil {
			return nil, err
		}
		c.Scopes = union(c.Scopes, c.OptionalScopes)
		c.ID, c.ClientID, c.Type, c.APIID, c.Demo = before.ID, before.ClientID, before.Type, before.APIID, before.Demo
		c.DisabledAt, c.ValidFrom, c.CreatedAt = before.DisabledAt, before.ValidFrom, before.CreatedAt
		c.PermissionSets, c.SetPermissions = before.PermissionSets, before.SetPermissions
		if err := validateClient(c); err != nil {
			return nil, err
		}
		lost, err := shrunk(&before, c)
		if err != nil {
			return nil, err
		}
		if sameClient(&before, c) {
			return nil, nil
		}
		if before.AuthMethod == AuthSecret && c.AuthMethod != AuthSecret {
			// Or they would hold again when the client comes back to secrets.
			if _, err := s.Secrets.ExpireSecrets(ctx, c.ID, now); err != nil {
				return nil, fmt.Errorf("expire secrets: %w", err)
			}
		}
		if before.FirstParty && !c.FirstParty {
			// The operator consented for the people; now they are asked themselves.
			if err := s.Grants.ForgetAsked(ctx, c.ID); err != nil {
				return nil, fmt.Errorf("forget consents: %w", err)
			}
		}
		c.UpdatedAt = now
		if err := s.Store.UpdateClient(ctx, c); err != nil {
			return nil, fmt.Errorf("update client: %w", err)
		}
		e := clientEffect("client.update", c, map[string]any{"lost": lost})
		if len(lost) > 0 {
			e.rows = []revocation.Entry{{Kind: revocation.Client, Key: c.ClientID, Reason: reasonClientReduced}}
		}
		return e, nil
	})
}

// shrunk names what a client had and has no more (L10). Whatever the gate asks of
// a client, or the scope formula, stands here.
func shrunk(before, after *Client) ([]string, error) {
	var lost []string
	sets := []struct {
		name   string
		before []string
		after  []string
	}{
		{"scopes", before.Scopes, after.Scopes},
		{"grant_types", before.GrantTypes, after.GrantTypes},
		{"redirect_uris", before.RedirectURIs, after.RedirectURIs},
		{"permissions", before.Held(), after.Held()},
	}
	for _, s := range sets {
		if slices.ContainsFunc(s.before, func(x string) bool { return !slices.Contains(s.after, x) }) {
			lost = append(lost, s.name)
		}
	}
	keys, err := lostKeys(before.JWKS, after.JWKS)
	if err != nil {
		return nil, err
	}
	if keys {
		lost = append(lost, "jwks")
	}
	if before.AuthMethod != after.AuthMethod {
		lost = append(lost, "auth_method")
	}
	if !ACRAtLeast(before.RequiredACR, after.RequiredACR) { // who got in by less must prove more
		lost = append(lost, "required_acr")
	}
	if before.FirstParty && !after.FirstParty { // consent is asked from now on
		lost = append(lost, "first_party")
	}
	return lost, nil
}

// Disable makes a client unknown to everyone until Enable; its grants and tokens
// end.
func (s *Clients) Disable(ctx context.Context, actor audit.Actor, clientID string) error {
	return s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
		if c.DisabledAt != 0 {
			return nil, nil
		}
		c.DisabledAt, c.UpdatedAt = now, now
		if err := s.Store.UpdateClient(ctx, c); err != nil {
			return nil, fmt.Errorf("update client: %w", err)
		}
		return s.die(ctx, "client.disable", c, now, reasonClientDisabled)
	})
}

// Enable ends a Disable; what that ended stays ended.
func (s *Clients) Enable(ctx context.Context, actor audit.Actor, clientID string) error {
	return s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
		if c.DisabledAt == 0 {
			return nil, nil
		}
		c.DisabledAt, c.UpdatedAt = 0, now
		if err := s.Store.UpdateClient(ctx, c); err != nil {
			return nil, fmt.Errorf("update client: %w", err)
		}
		return clientEffect("client.enable", c, nil), nil
	})
}

// Delete removes a client with its grants, consents and secrets. Errors:
// ErrNotFound, ErrOfAPI.
func (s *Clients) Delete(ctx context.Context, actor audit.Actor, clientID string) error {
	return s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
		if c.Type == ResourceClient {
			return nil, ErrOfAPI
		}
		e, err := s.die(ctx, actionClientDelete, c, now, reasonClientDeleted)
		if err != nil {
			return nil, err
		}
		e.stamps = nil // nothing is left to stamp
		if err := s.Store.DeleteClient(ctx, c.ID); err != nil {
			return nil, fmt.Errorf("delete client: %w", err)
		}
		return e, nil
	})
}

// change locks a client and lets f change it.
func (s *Clients) change(ctx context.Context, actor audit.Actor, clientID string, f func(ctx context.Context, c *Client, now int64) (*effect, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		c, err := s.Store.LockClient(ctx, clientID)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", clientID, err)
		}
		before := clientValues(c)
		e, err := f(ctx, c, now)
		if err != nil || e == nil {
			return nil, err
		}
		if e.action == actionClientDelete {
			return e.changed(before, nil), nil
		}
		return e.changed(before, clientValues(c)), nil
	})
}

const actionClientDelete = "client.delete"

func clientEffect(action string, c *Client, details map[string]any) *effect {
	return &effect{action: action, kind: "client", target: c.ClientID, details: details}
}
