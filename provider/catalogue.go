package provider

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Which API a permission belongs to, and what tokens for that API need, is in
// memory: it is the same for everybody and changes seldom. What a person's groups
// give them is read each time.

// knownPermissions bounds what is remembered. Only names that a client was
// registered with are looked up, so strangers cannot fill it.
const knownPermissions = 5_000

// permission remembers a name's API; nil if no enabled API has such a permission.
type permission struct{ api *granting.Audience }

// complete fills in what a standing leaves open: the API of each permission held
// among scopes, what a superuser holds besides, and the APIs among resources. The
// standing's mark becomes one at which all of it was true (L9).
func (p *Provider) complete(ctx context.Context, st *granting.Standing, scopes, resources []string) error {
	all := st.User != nil && st.User.Superuser
	var held []granting.Held
	for _, name := range scopes {
		if isPersonScope(name) {
			continue
		}
		n := slices.IndexFunc(st.Held, func(h granting.Held) bool { return h.Permission == name })
		if n < 0 && !all && len(resources) == 0 {
			continue
		}
		known, mark, err := p.permissions.at(ctx, name, st.Mark, p.readPermission(name))
		if err != nil {
			return err
		}
		st.Mark = mark
		if known.api == nil {
			continue
		}
		h := granting.Held{Permission: name, API: *known.api}
		switch {
		case all: // without end
		case n >= 0:
			h.EndsAt = st.Held[n].EndsAt
		}
		if all || n >= 0 {
			held = append(held, h)
		}
		st.APIs = addResource(st.APIs, resources, h.API)
	}
	st.Held = held
	return p.completeResources(ctx, st, resources)
}

// completeResources reads the resources that no scope led to. They are not kept:
// anybody may name anything.
func (p *Provider) completeResources(ctx context.Context, st *granting.Standing, resources []string) error {
	rest := slices.DeleteFunc(slices.Clone(resources), func(uri string) bool {
		return slices.ContainsFunc(st.APIs, func(a granting.Audience) bool { return a.URI == uri })
	})
	if len(rest) == 0 {
		return nil
	}
	c, err := p.catalogue(ctx, nil, rest)
	if err != nil {
		return err
	}
	if c.Change != st.Change {
		st.Mark = smaller(st.Mark, c.Mark)
	}
	st.APIs = append(st.APIs, c.APIs...)
	return nil
}

func addResource(apis []granting.Audience, resources []string, api granting.Audience) []granting.Audience {
	if !slices.Contains(resources, api.URI) || slices.Contains(apis, api) {
		return apis
	}
	return append(apis, api)
}

func (p *Provider) readPermission(name string) reader[permission] {
	return func(ctx context.Context) (permission, accounts.Mark, error) {
		c, err := p.catalogue(ctx, []string{name}, nil)
		if err != nil {
			return permission{}, accounts.Mark{}, err
		}
		if len(c.Permissions) == 0 {
			return permission{}, c.Mark, nil
		}
		return permission{api: &c.Permissions[0].API}, c.Mark, nil
	}
}

func (p *Provider) catalogue(ctx context.Context, permissions, resources []string) (c *granting.Catalogue, err error) {
	err = p.statement(func() (mark accounts.Mark, err error) {
		if c, err = p.Standings.Audiences(ctx, permissions, resources); err == nil {
			mark = c.Mark
		}
		return mark, err
	})
	return c, err
}
