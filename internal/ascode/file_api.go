package ascode

import (
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// API is an API as a file says it.
type API struct {
	Audience             string         `yaml:"audience" fact:"-"`
	Name                 string         `yaml:"name,omitempty"`
	Texts                accounts.Texts `yaml:"texts,omitempty"`
	Disabled             *bool          `yaml:"disabled,omitempty"`
	TokenLifetime        *Duration      `yaml:"token_lifetime,omitempty"`
	TokenAlgorithm       *string        `yaml:"token_algorithm,omitempty"`
	AuthenticationClaims *bool          `yaml:"authentication_claims,omitempty"`
	StatusList           *bool          `yaml:"status_list,omitempty"`
	// SecretPlace is that of the client of its resource server.
	SecretPlace `yaml:",inline"`
	Permissions []Permission `yaml:"permissions,omitzero" fact:"-"`

	line int
}

// Permission is a permission of an API as a file says it.
type Permission struct {
	Name        string         `yaml:"name"`
	Description string         `yaml:"description"`
	Texts       accounts.Texts `yaml:"texts,omitempty"`
}

func (a API) key() string {
	audience, err := accounts.CanonicalAudience(a.Audience)
	if err != nil {
		return a.Audience // which the domain refuses with a reason
	}
	return audience
}

func (a API) label() string { return a.Audience }
func (a API) place() int    { return a.line }

// facts also hold the names of the permissions, and of each what is said of it.
func (a API) facts() facts {
	f := factsOf(a)
	if a.Permissions == nil {
		return f
	}
	names := []string{}
	for _, p := range a.Permissions {
		names = append(names, p.Name)
		f["permissions."+p.Name+".description"] = p.Description
		if p.Texts != nil {
			f["permissions."+p.Name+".texts"] = p.Texts
		}
	}
	f["permissions"] = set(names)
	return f
}

// fileAPI is Export's view of an API.
func fileAPI(a *accounts.API) API {
	out := API{
		Audience: a.Audience, Name: a.Name, Texts: texts(a.Texts), Disabled: new(a.DisabledAt != 0),
		TokenLifetime: new(Duration(a.TokenLifetime)), TokenAlgorithm: new(a.TokenAlgorithm),
		AuthenticationClaims: new(a.AuthenticationClaims), StatusList: new(a.StatusList), Permissions: []Permission{},
	}
	for _, p := range a.Permissions {
		out.Permissions = append(out.Permissions, Permission{Name: p.Name, Description: p.Description, Texts: texts(p.Texts)})
	}
	slices.SortFunc(out.Permissions, func(a, b Permission) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// texts are never nil: the live object has none, which is not the same as a file
// that says nothing of them.
func texts(t accounts.Texts) accounts.Texts {
	if t == nil {
		return accounts.Texts{}
	}
	return t
}

// tidy leaves out what an object that is made new has anyway.
func (a API) tidy() API {
	a.Disabled, a.TokenLifetime, a.TokenAlgorithm = unlessZero(a.Disabled), unlessZero(a.TokenLifetime), unlessZero(a.TokenAlgorithm)
	return a
}

// unlessZero is nil for a member that says nothing.
func unlessZero[T comparable](v *T) *T {
	var zero T
	if v == nil || *v == zero {
		return nil
	}
	return v
}

// PermissionSet is a set of permissions for machine clients as a file says it.
type PermissionSet struct {
	Name        string   `yaml:"name" fact:"-"`
	Description *string  `yaml:"description,omitempty"`
	Permissions []string `yaml:"permissions,omitzero"`

	line int
}

func (p PermissionSet) key() string   { return folded(p.Name) }
func (p PermissionSet) label() string { return p.Name }
func (p PermissionSet) place() int    { return p.line }

// folded is the key of a group or a permission set.
func folded(name string) string {
	key, err := accounts.GroupKey(name)
	if err != nil {
		return name // which the domain refuses with a reason
	}
	return key
}
