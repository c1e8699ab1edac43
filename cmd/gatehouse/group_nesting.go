package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// whichChild names a group inside another on the command line.
type whichChild struct {
	whichGroup
	Child string `required:"" placeholder:"G" help:"Name of the group inside it."`
}

func (w whichChild) explain(err error) error {
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return fmt.Errorf("there is no group %q", w.Child)
	case errors.Is(err, accounts.ErrNestingLoop):
		return fmt.Errorf("%q is inside %q already, or would be inside itself: groups form no circle", w.Group, w.Child)
	}
	return err
}

type groupAddChild struct{ whichChild }

// Run puts a group inside another.
func (g *groupAddChild) Run(c *call) error {
	return g.change(c, "has "+plain(g.Child)+" inside it", func(ctx context.Context, d *domain, by audit.Actor) error {
		return g.explain(d.groups.AddChild(ctx, by, g.Group, g.Child))
	})
}

type groupRemoveChild struct{ whichChild }

// Run takes a group out of another.
func (g *groupRemoveChild) Run(c *call) error {
	return g.change(c, "has "+plain(g.Child)+" inside it no more", func(ctx context.Context, d *domain, by audit.Actor) error {
		return g.explain(d.groups.RemoveChild(ctx, by, g.Group, g.Child))
	})
}

type groupAddManager struct {
	whichGroup
	whom
}

// Run makes a user a manager of a group.
func (g *groupAddManager) Run(c *call) error {
	return g.whichGroup.change(c, "is managed by "+plain(g.User), func(ctx context.Context, d *domain, by audit.Actor) error {
		u, err := g.whom.find(ctx, d)
		if err != nil {
			return err
		}
		return d.groups.AddManager(ctx, by, g.Group, u.Subject)
	})
}

type groupRemoveManager struct {
	whichGroup
	whom
}

// Run takes the members of a group out of a user's hands.
func (g *groupRemoveManager) Run(c *call) error {
	return g.whichGroup.change(c, "is managed by "+plain(g.User)+" no more", func(ctx context.Context, d *domain, by audit.Actor) error {
		u, err := g.whom.find(ctx, d)
		if err != nil {
			return err
		}
		return d.groups.RemoveManager(ctx, by, g.Group, u.Subject)
	})
}
