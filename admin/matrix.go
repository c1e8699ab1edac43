package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// MatrixGroup is a column of the matrix of groups and permissions.
type MatrixGroup struct {
	accounts.Group
	// Holds is what members hold through the group: its own permissions, and those of
	// the groups that it is inside.
	Holds map[string]bool
	// Refused says why the caller may change nothing about what the group holds; nil if
	// they may. Then MayGive decides about each permission.
	Refused error
}

// Has reports whether the group itself holds a permission.
func (g *MatrixGroup) Has(permission string) bool { return slices.Contains(g.Permissions, permission) }

// MatrixGroups returns groups with what they hold and whether the caller may change
// it, as ListGroups does. Errors: *Forbidden.
func (a *Admin) MatrixGroups(ctx context.Context, c *Caller, prefix, after string, limit int) ([]MatrixGroup, error) {
	groups, err := a.ListGroups(ctx, c, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	list := make([]MatrixGroup, len(groups))
	for i := range groups {
		one, err := a.matrixGroup(ctx, c, &groups[i])
		if err != nil {
			return nil, err
		}
		list[i] = *one
	}
	return list, nil
}

// MatrixGroup returns one group as MatrixGroups does. Errors: *Forbidden,
// accounts.ErrNotFound.
func (a *Admin) MatrixGroup(ctx context.Context, c *Caller, name string) (*MatrixGroup, error) {
	g, err := a.Group(ctx, c, name)
	if err != nil {
		return nil, err
	}
	return a.matrixGroup(ctx, c, g)
}

func (a *Admin) matrixGroup(ctx context.Context, c *Caller, g *accounts.Group) (*MatrixGroup, error) {
	held, err := a.holdsThrough(ctx, g.Name)
	if err != nil {
		return nil, err
	}
	column := &MatrixGroup{Group: *g, Holds: setOf(held), Refused: c.need(accounts.AdminGroupsWrite)}
	if column.Refused == nil {
		column.Refused = c.touches(held)
	}
	return column, nil
}

// ChangeCell gives a group a permission, or takes it, if the group is the one that the
// caller saw and does not have it so already. Errors: *Forbidden, ErrMoreThanHeld,
// ErrSuperior, ErrChanged, accounts.ErrNotFound.
func (a *Admin) ChangeCell(ctx context.Context, c *Caller, group string, groupID id.ID, permission string, give bool) error {
	return a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		key, err := accounts.GroupKey(group)
		if err != nil {
			return fmt.Errorf("group %q: %w", group, accounts.ErrNotFound)
		}
		if err := a.Reach.LockGroup(ctx, key); err != nil {
			return fmt.Errorf("group %q: %w", group, err)
		}
		g, err := a.Groups.Find(ctx, group)
		if err != nil {
			return err
		}
		if g.ID != groupID || slices.Contains(g.Permissions, permission) == give {
			return ErrChanged
		}
		if !give {
			return a.Groups.RevokePermission(ctx, c.Actor, group, permission)
		}
		if err := c.MayGive(permission); err != nil {
			return err
		}
		return a.Groups.GrantPermission(ctx, c.Actor, group, permission)
	}, group)
}

// MayGive says why the caller cannot give a permission to anybody; nil if they can.
// Errors: ErrMoreThanHeld.
func (c *Caller) MayGive(permission string) error { return c.mayGive([]string{permission}) }

// Crowd is a number of people that is not counted to its end.
type Crowd struct {
	People int
	More   bool // there may be more than these
}

// crowdCounted is how far people are counted.
const crowdCounted = 20_000

// GroupCrowd tells how many people a change of what a group holds concerns: its
// members, and those of the groups inside it. Errors: *Forbidden,
// accounts.ErrNotFound.
func (a *Admin) GroupCrowd(ctx context.Context, c *Caller, name string) (Crowd, error) {
	if err := c.need(accounts.AdminGroupsRead); err != nil {
		return Crowd{}, err
	}
	key, err := accounts.GroupKey(name)
	if err != nil {
		return Crowd{}, fmt.Errorf("group %q: %w", name, accounts.ErrNotFound)
	}
	people, more, err := a.Reach.GroupCrowd(ctx, key, crowdCounted)
	if err != nil {
		return Crowd{}, err
	}
	return Crowd{People: people, More: more}, nil
}
