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
)

// The permissions of the built-in API.
const (
	// PermissionRevocationsRead lets a resource server follow the ledger.
	PermissionRevocationsRead = "revocations:read"
	// PermissionSignalsManage lets a client receive shared signals, about the
	// people whom it names.
	PermissionSignalsManage = "signals:manage"
	// PermissionSignalsAll lets a receiver of shared signals hear about everybody.
	PermissionSignalsAll = "signals:all"
)

// ErrBuiltin refuses to change the API that Gatehouse itself serves.
var ErrBuiltin = errors.New("part of the built-in API")

// APIs makes and changes APIs and their permissions. APIs are named by audience.
type APIs struct {
	Journal
	Store       APIStore
	Permissions PermissionStore
	Clients     ClientStore
	Secrets     SecretStore
	Keys        *secret.Keyring
}

// NewAPI is what an API is made of.
type NewAPI struct {
	Audience             string
	Name                 string
	Texts                Texts
	Permissions          []NewPermission
	TokenLifetime        int64 // milliseconds, zero for the client's or the default
	TokenAlgorithm       string
	AuthenticationClaims bool
	StatusList           bool
}

// NewPermission is what a permission is made of.
type NewPermission struct {
	Name        string
	Description string // "Can add post"
	// Texts are descriptions in other languages. To DescribePermission, nil leaves
	// them as they are.
	Texts Texts
}

// Create makes an API, its permissions, and its resource server's own client,
// whose secret is returned this once. Errors: ErrInvalid, ErrConflict when the
// audience or a permission's name is taken.
func (s *APIs) Create(ctx context.Context, actor audit.Actor, n NewAPI) (*API, *Client, secret.Text, error) {
	a, err := buildAPI(n)
	if err != nil {
		return nil, nil, "", err
	}
	for _, p := range n.Permissions {
		if err := validatePermission(p); err != nil {
			return nil, nil, "", err
		}
	}
	c, text, sec := s.resourceServer(a)
	err = s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		if err := s.insert(ctx, a, n.Permissions, now); err != nil {
			return nil, err
		}
		c.CreatedAt, c.UpdatedAt, sec.CreatedAt = now, now, now
		if err := s.Clients.InsertClient(ctx, c); err != nil {
			return nil, fmt.Errorf("insert the resource server's client: %w", err)
		}
		if err := s.Secrets.InsertSecret(ctx, c.ID, sec); err != nil {
			return nil, fmt.Errorf("insert the resource server's secret: %w", err)
		}
		e := apiEffect("api.create", a, map[string]any{"name": a.Name, "client_id": c.ClientID, "permissions": permissionNames(a.Permissions)})
		return e.changed(nil, apiValues(a)), nil
	})
	if err != nil {
		return nil, nil, "", err
	}
	a.ResourceServer = c.ClientID
	return a, c, text, nil
}

func checkAPI(a *API) error {
	if err := label("name", a.Name, maxAPIName); err != nil {
		return err
	}
	if err := checkAPITexts(a.Texts); err != nil {
		return err
	}
	if !slices.Contains([]string{"", "RS256", "ES256", "EdDSA", "PS256"}, a.TokenAlgorithm) {
		return invalid("token algorithm %q", a.TokenAlgorithm)
	}
	if a.TokenLifetime < 0 || a.TokenLifetime > LongestAccessToken.Milliseconds() {
		return invalid("token lifetime: at most %s", LongestAccessToken)
	}
	return nil
}

func buildAPI(n NewAPI) (*API, error) {
	audience, err := CanonicalAudience(n.Audience)
	if err != nil {
		return nil, fmt.Errorf("audience: %w", err)
	}
	a := &API{
		ID: id.New(), Audience: audience, Name: n.Name, Texts: n.Texts, TokenLifetime: n.TokenLifetime,
		TokenAlgorithm: n.TokenAlgorithm, AuthenticationClaims: n.AuthenticationClaims, StatusList: n.StatusList,
	}
	return a, checkAPI(a)
}

func (s *APIs) insert(ctx context.Context, a *API, permissions []NewPermission, now int64) error {
	a.CreatedAt, a.UpdatedAt, a.Permissions = now, now, nil
	if err := s.Store.InsertAPI(ctx, a); err != nil {
		return fmt.Errorf("insert API %q: %w", a.Audience, err)
	}
	for _, n := range permissions {
		p := Permission{ID: id.New(), APIID: a.ID, Name: n.Name, Description: n.Description, Texts: n.Texts, CreatedAt: now}
		if err := s.Permissions.InsertPermission(ctx, &p); err != nil {
			return fmt.Errorf("insert permission %q: %w", n.Name, err)
		}
		a.Permissions = append(a.Permissions, p)
	}
	return nil
}

// validatePermission also keeps the built-in API's names to itself: who may read
// the ledger must not depend on who was the first to use a name.
func validatePermission(n NewPermission) error {
	if err := ValidatePermissionName(n.Name); err != nil {
		return err
	}
	if IsBuiltinPermission(n.Name) {
		return invalid("permission %q: such names are kept for the built-in API", n.Name)
	}
	if err := label("description of "+n.Name, n.Description, maxPermissionDescription); err != nil {
		return err
	}
	if err := checkPermissionTexts(n.Texts); err != nil {
		return fmt.Errorf("permission %s: %w", n.Name, err)
	}
	return nil
}

// resourceServer builds the client by which the API's server introspects tokens
// and follows the ledger.
func (s *APIs) resourceServer(a *API) (*Client, secret.Text, ClientSecret) {
	c := &Client{
		ID: id.New(), ClientID: newClientID(), Name: a.Name, Type: ResourceClient, APIID: a.ID, APIAud: a.Audience,
		AuthMethod: AuthSecret, GrantTypes: []string{GrantClientCredentials}, Permissions: []string{PermissionRevocationsRead},
		IDTokenAlgorithm: "RS256", RequirePKCE: true, RotateRefresh: true,
	}
	text, sec := newSecret(s.Keys, c.ClientID)
	return c, text, sec
}

// EnsureBuiltin makes the API that Gatehouse itself serves, whose audience is the
// issuer, or brings it up to date. It is called at every start, by several nodes
// at once too.
func (s *APIs) EnsureBuiltin(ctx context.Context, issuer string) error {
	audience, err := CanonicalAudience(issuer)
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	for range 2 {
		err = s.ensureBuiltin(ctx, audience)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		// Another node was first: what it made is seen now.
	}
	return err
}

func (s *APIs) ensureBuiltin(ctx context.Context, audience string) error {
	actor := audit.Actor{Kind: audit.System, ID: "start"}
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		a, err := s.ofPermission(ctx, PermissionRevocationsRead)
		switch {
		case errors.Is(err, ErrNotFound):
			a = &API{ID: id.New(), Audience: audience, Name: "Gatehouse"}
			return apiEffect("api.create", a, nil).changed(nil, apiValues(a)), s.insert(ctx, a, BuiltinPermissions(), now)
		case err != nil:
			return nil, err
		}
		added, err := s.addMissing(ctx, a, now)
		if err != nil || a.Audience == audience && len(added) == 0 {
			return nil, err
		}
		// The operator gave the deployment another issuer, or a release another
		// permission. Nothing is revoked: tokens of the old one carry its name.
		e := apiEffect("api.update", a, map[string]any{"audience": audience, "added": added})
		before := apiValues(a)
		a.Audience, a.UpdatedAt = audience, now
		return e.changed(before, apiValues(a)), s.Store.UpdateAPI(ctx, a)
	})
}

// addMissing gives the built-in API what an earlier release did not know.
func (s *APIs) addMissing(ctx context.Context, a *API, now int64) (added []string, err error) {
	for _, n := range BuiltinPermissions() {
		if slices.ContainsFunc(a.Permissions, func(p Permission) bool { return p.Name == n.Name }) {
			continue
		}
		p := Permission{ID: id.New(), APIID: a.ID, Name: n.Name, Description: n.Description, Texts: n.Texts, CreatedAt: now}
		if err := s.Permissions.InsertPermission(ctx, &p); err != nil {
			return nil, fmt.Errorf("insert permission %q: %w", n.Name, err)
		}
		added = append(added, n.Name)
	}
	return added, nil
}

// ofPermission returns the API to which a permission belongs.
func (s *APIs) ofPermission(ctx context.Context, name string) (*API, error) {
	found, err := s.Permissions.PermissionsByName(ctx, []string{name})
	if err != nil {
		return nil, fmt.Errorf("find permission: %w", err)
	}
	p, ok := found[name]
	if !ok {
		return nil, fmt.Errorf("permission %q: %w", name, ErrNotFound)
	}
	apis, err := s.Store.ListAPIs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list APIs: %w", err)
	}
	i := slices.IndexFunc(apis, func(a API) bool { return a.ID == p.APIID })
	if i < 0 {
		return nil, fmt.Errorf("API of permission %q: %w", name, ErrNotFound)
	}
	return &apis[i], nil
}

// AddPermission gives an API another permission, which nobody holds yet. Errors:
// ErrInvalid, ErrNotFound, ErrConflict, ErrBuiltin.
func (s *APIs) AddPermission(ctx context.Context, actor audit.Actor, audience string, n NewPermission) error {
	if err := validatePermission(n); err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		// Or an API would be deleted with a permission of which it says nothing.
		if err := s.Permissions.LockPermissions(ctx, false); err != nil {
			return fmt.Errorf("lock permissions: %w", err)
		}
		return s.change(ctx, actor, audience, func(ctx context.Context, a *API, now int64) (*effect, error) {
			p := Permission{ID: id.New(), APIID: a.ID, Name: n.Name, Description: n.Description, Texts: n.Texts, CreatedAt: now}
			if err := s.Permissions.InsertPermission(ctx, &p); err != nil {
				return nil, fmt.Errorf("insert permission %q: %w", n.Name, err)
			}
			e := apiEffect("api.permission.add", a, map[string]any{"permission": n.Name})
			return e.changed(nil, permissionValues(&p)), nil
		})
	})
}

// DescribePermission gives a permission of an API another description, or others in
// other languages. Nothing is taken from anybody. Errors:
// ErrInvalid, ErrNotFound, ErrBuiltin.
func (s *APIs) DescribePermission(ctx context.Context, actor audit.Actor, audience string, n NewPermission) error {
	if err := validatePermission(n); err != nil {
		return err
	}
	return s.change(ctx, actor, audience, func(ctx context.Context, a *API, _ int64) (*effect, error) {
		i := slices.IndexFunc(a.Permissions, func(p Permission) bool { return p.Name == n.Name })
		if i < 0 {
			return nil, fmt.Errorf("permission %q: %w", n.Name, ErrNotFound)
		}
		p := a.Permissions[i]
		if n.Texts == nil {
			n.Texts = p.Texts
		}
		if p.Description == n.Description && maps.Equal(p.Texts, n.Texts) {
			return nil, nil
		}
		before := permissionValues(&p)
		p.Description, p.Texts = n.Description, n.Texts
		if err := s.Permissions.UpdatePermission(ctx, &p); err != nil {
			return nil, fmt.Errorf("update permission: %w", err)
		}
		e := apiEffect("api.permission.describe", a, map[string]any{"permission": n.Name})
		return e.changed(before, permissionValues(&p)), nil
	})
}

// Find returns an API with its permissions, by its audience in any form. Errors:
// ErrNotFound.
func (s *APIs) Find(ctx context.Context, audience string) (*API, error) {
	canonical, err := CanonicalAudience(audience)
	if err != nil {
		return nil, fmt.Errorf("API %q: %w", audience, ErrNotFound)
	}
	a, err := s.Store.APIByAudience(ctx, canonical)
	if err != nil {
		return nil, fmt.Errorf("API %q: %w", audience, err)
	}
	return a, nil
}

// change finds an API that is not the built-in one and lets f change it.
func (s *APIs) change(ctx context.Context, actor audit.Actor, audience string, f func(ctx context.Context, a *API, now int64) (*effect, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		a, err := s.Find(ctx, audience)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(a.Permissions, func(p Permission) bool { return p.Name == PermissionRevocationsRead }) {
			return nil, ErrBuiltin
		}
		before := apiValues(a)
		e, err := f(ctx, a, now)
		if err != nil || e == nil {
			return nil, err
		}
		if e.action == actionAPIDelete {
			return e.changed(before, nil), nil
		}
		return e.changed(before, apiValues(a)), nil
	})
}

const actionAPIDelete = "api.delete"

func apiEffect(action string, a *API, details map[string]any) *effect {
	return &effect{action: action, kind: "api", target: a.Audience, details: details}
}

// APISettings are what may change about an API; nil members stay as they are.
// Nothing is taken from anybody: tokens that live are good until they expire.
type APISettings struct {
	Name                 *string
	Texts                Texts  // exactly these; empty, but not nil, for none
	TokenLifetime        *int64 // milliseconds
	TokenAlgorithm       *string
	AuthenticationClaims *bool
	StatusList           *bool
}

// Update changes settings and returns the names of those that were different.
// Errors: ErrInvalid, ErrNotFound, ErrBuiltin.
func (s *APIs) Update(ctx context.Context, actor audit.Actor, audience string, next APISettings) ([]string, error) {
	var changed []string
	err := s.change(ctx, actor, audience, func(ctx context.Context, a *API, now int64) (*effect, error) {
		changed = next.apply(a)
		if len(changed) == 0 {
			return nil, nil
		}
		if err := checkAPI(a); err != nil {
			return nil, err
		}
		a.UpdatedAt = now
		if err := s.Store.UpdateAPI(ctx, a); err != nil {
			return nil, fmt.Errorf("update API: %w", err)
		}
		return apiEffect("api.update", a, map[string]any{"changed": changed}), nil
	})
	return changed, err
}

func (n APISettings) apply(a *API) []string {
	var changed []string
	if n.Name != nil && *n.Name != a.Name {
		a.Name, changed = *n.Name, append(changed, "name")
	}
	if n.Texts != nil && !maps.Equal(n.Texts, a.Texts) {
		a.Texts, changed = n.Texts, append(changed, "texts")
	}
	if n.TokenLifetime != nil && *n.TokenLifetime != a.TokenLifetime {
		a.TokenLifetime, changed = *n.TokenLifetime, append(changed, "token_lifetime")
	}
	if n.TokenAlgorithm != nil && *n.TokenAlgorithm != a.TokenAlgorithm {
		a.TokenAlgorithm, changed = *n.TokenAlgorithm, append(changed, "token_algorithm")
	}
	if n.AuthenticationClaims != nil && *n.AuthenticationClaims != a.AuthenticationClaims {
		a.AuthenticationClaims, changed = *n.AuthenticationClaims, append(changed, "authentication_claims")
	}
	if n.StatusList != nil && *n.StatusList != a.StatusList {
		a.StatusList, changed = *n.StatusList, append(changed, "status_list")
	}
	return changed
}
