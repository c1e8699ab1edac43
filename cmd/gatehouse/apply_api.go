package main

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// wantedAPI is an API as a file says it.
type wantedAPI struct {
	Audience             string             `yaml:"audience"`
	Name                 string             `yaml:"name"`
	TokenLifetime        *milliseconds      `yaml:"token_lifetime"`
	TokenAlgorithm       *string            `yaml:"token_algorithm"`
	AuthenticationClaims *bool              `yaml:"authentication_claims"`
	StatusList           *bool              `yaml:"status_list"`
	Permissions          []wantedPermission `yaml:"permissions"`
}

type wantedPermission struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
}

func (p wantedPermission) domain() accounts.NewPermission {
	return accounts.NewPermission{Name: p.Name, Description: p.Description}
}

// api makes an API or brings it up to what is wanted.
func (a *applier) api(ctx context.Context, w wantedAPI) error {
	found, err := a.apis.Find(ctx, w.Audience)
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return a.createAPI(ctx, w)
	case err != nil:
		return err
	}
	what, err := a.updateAPI(ctx, found, w)
	if err != nil {
		return err
	}
	if w.Permissions != nil {
		more, err := a.permissions(ctx, found, w.Permissions)
		if err != nil {
			return err
		}
		what = append(what, more...)
	}
	a.changed("API", found.Audience, what)
	return nil
}

func (a *applier) createAPI(ctx context.Context, w wantedAPI) error {
	n := accounts.NewAPI{
		Audience: w.Audience, Name: w.Name, TokenLifetime: int64(value(w.TokenLifetime)),
		TokenAlgorithm: value(w.TokenAlgorithm), AuthenticationClaims: value(w.AuthenticationClaims),
		StatusList: value(w.StatusList),
	}
	for _, p := range w.Permissions {
		n.Permissions = append(n.Permissions, p.domain())
	}
	made, client, text, err := a.apis.Create(ctx, a.by, n)
	if err != nil {
		return err
	}
	a.changes = append(a.changes, applied{Kind: "API", Name: made.Audience, Change: "created", ClientID: client.ClientID, secret: text})
	return nil
}

// updateAPI writes the settings that differ.
func (a *applier) updateAPI(ctx context.Context, found *accounts.API, w wantedAPI) ([]string, error) {
	next := accounts.APISettings{
		TokenLifetime: (*int64)(w.TokenLifetime), TokenAlgorithm: w.TokenAlgorithm, AuthenticationClaims: w.AuthenticationClaims,
		StatusList: w.StatusList,
	}
	if w.Name != "" {
		next.Name = &w.Name
	}
	return a.apis.Update(ctx, a.by, found.Audience, next)
}

// permissions brings the permissions of an API to exactly those that are wanted.
func (a *applier) permissions(ctx context.Context, found *accounts.API, want []wantedPermission) ([]string, error) {
	var what []string
	for _, p := range want {
		i := slices.IndexFunc(found.Permissions, func(have accounts.Permission) bool { return have.Name == p.Name })
		switch {
		case i < 0:
			if err := a.apis.AddPermission(ctx, a.by, found.Audience, p.domain()); err != nil {
				return nil, err
			}
			what = append(what, "added permission "+p.Name)
		case found.Permissions[i].Description != p.Description:
			if err := a.apis.DescribePermission(ctx, a.by, found.Audience, p.domain()); err != nil {
				return nil, err
			}
			what = append(what, "described permission "+p.Name)
		}
	}
	for _, have := range found.Permissions {
		if slices.ContainsFunc(want, func(p wantedPermission) bool { return p.Name == have.Name }) {
			continue
		}
		if err := a.apis.DeletePermission(ctx, a.by, found.Audience, have.Name); err != nil {
			return nil, err
		}
		what = append(what, "removed permission "+have.Name)
	}
	return what, nil
}
