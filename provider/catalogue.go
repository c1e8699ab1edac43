package provider

import (
	"bytes"
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// Which API a permission belongs to, what tokens for that API need, and which groups
// hold the permission is in memory: it is the same for everybody and changes seldom.
// Which groups a person is in is read each time.

// knownPermissions bounds what is remembered. Only names that a client was
// registered with are looked up, so strangers cannot fill it.
const knownPermissions = 5_000

// permission remembers what a name means; nil if no enabled API has such a
// permission.
type permission = *granting.Permission

// complete fills in what a standing of a person leaves open: which of the scopes they
// hold, and the APIs among resources. A superuser holds all. The standing's mark
// becomes one at which all of it was true (L9).
func (p *Provider) complete(ctx context.Context, st *granting.Standing, scopes, resources []string) error {
	return p.completeFor(ctx, st, st.User != nil && st.User.Superuser, scopes, resources)
}

// completeFor is complete; all says that whatever exists is held.
//
// A membership that the standing saw, and that ended before the permission was read,
// left a row above the mark, also if the group got the permission only in between: the
// token is dead on arrival.
func (p *Provider) completeFor(ctx context.Context, st *granting.Standing, all bool, scopes, resources []string) error {
	st.Held = nil
	for _, name := range scopes {
		if isPersonScope(name) {
			continue
		}
		if len(st.Groups) == 0 && !all && len(resources) == 0 {
			continue
		}
		known, mark, err := p.permissions.at(ctx, name, st.Mark, p.readPermission(name))
		if err != nil {
			return err
		}
		st.Mark = mark
		if known == nil {
			continue
		}
		endsAt, held := int64(0), true
		if !all {
			endsAt, held = heldUntil(st.Groups, known.Groups)
		}
		if held {
			st.Held = append(st.Held, granting.Held{Permission: name, EndsAt: endsAt, API: known.API})
		}
		st.APIs = addResource(st.APIs, resources, known.API)
	}
	return p.completeResources(ctx, st, resources)
}

// heldUntil reports whether one of the memberships is in one of the groups that hold
// something, and the latest end of those; zero, without end, is the latest.
func heldUntil(in []granting.Membership, holding []id.ID) (endsAt int64, held bool) {
	for _, m := range in {
		_, gives := slices.BinarySearchFunc(holding, m.Group, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
		switch {
		case !gives:
		case m.EndsAt == 0:
			return 0, true
		default:
			endsAt, held = max(endsAt, m.EndsAt), true
		}
	}
	return endsAt, held
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
			return nil, accounts.Mark{}, err
		}
		if len(c.Permissions) == 0 {
			return nil, c.Mark, nil
		}
		return &c.Permissions[0], c.Mark, nil
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
