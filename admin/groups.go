package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// GroupStore reads what the decisions about groups need.
type GroupStore interface {
	// GroupHolds returns the permissions that the members of a group hold through it:
	// its own, and those of the groups that it is inside. A group that does not exist
	// holds nothing.
	GroupHolds(ctx context.Context, nameKey string) ([]string, error)
	// GroupCrowd counts the people in a group and in the groups inside it, as far as
	// most, and reports whether there may be more.
	GroupCrowd(ctx context.Context, nameKey string, most int) (people int, more bool, err error)
	// LockGroup and LockAPI keep others from changing one until the transaction ends;
	// ErrNotFound when there is none.
	LockGroup(ctx context.Context, nameKey string) error
	LockAPI(ctx context.Context, audience string) error
}

// holdsThrough returns what members hold through a group. Errors:
// accounts.ErrNotFound.
func (a *Admin) holdsThrough(ctx context.Context, group string) ([]string, error) {
	return holdsThrough(ctx, a.Reach, group)
}

func holdsThrough(ctx context.Context, reach GroupStore, group string) ([]string, error) {
	key, err := accounts.GroupKey(group)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", group, accounts.ErrNotFound)
	}
	held, err := reach.GroupHolds(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("what members of a group hold: %w", err)
	}
	return held, nil
}

// changeGroup runs f in a transaction, if what the groups hold lets allowed.
func (a *Admin) changeGroup(ctx context.Context, c *Caller, allowed func(held []string) error, f func(ctx context.Context) error, groups ...string) error {
	if err := c.need(accounts.AdminGroupsWrite); err != nil {
		return err
	}
	return a.Groups.Tx.InTx(ctx, func(ctx context.Context) error {
		for _, g := range groups {
			held, err := a.holdsThrough(ctx, g)
			if err != nil {
				return err
			}
			if err := allowed(held); err != nil {
				return err
			}
		}
		return f(ctx)
	})
}

// touches allows what takes from a group or describes it.
func (c *Caller) touches(held []string) error { return c.mayTouch(false, held) }

// ListGroups returns groups whose names begin with a prefix, after a key
// (accounts.Group.NameKey). Errors: *Forbidden.
func (a *Admin) ListGroups(ctx context.Context, c *Caller, prefix, after string, limit int) ([]accounts.Group, error) {
	if err := c.need(accounts.AdminGroupsRead); err != nil {
		return nil, err
	}
	return a.Groups.Page(ctx, prefix, after, limit)
}

// Group returns a group. Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) Group(ctx context.Context, c *Caller, name string) (*accounts.Group, error) {
	if err := c.need(accounts.AdminGroupsRead); err != nil {
		return nil, err
	}
	return a.Groups.Find(ctx, name)
}

// GroupHolds returns what the members of a group hold through it, sorted by name.
// Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) GroupHolds(ctx context.Context, c *Caller, name string) ([]string, error) {
	if err := c.need(accounts.AdminGroupsRead); err != nil {
		return nil, err
	}
	return a.holdsThrough(ctx, name)
}

// GivenBy returns what the members of a group hold through it, for the decision how sure
// of a caller one has to be who changes who is in it: it must not be shown. Errors:
// accounts.ErrNotFound.
func (a *Admin) GivenBy(ctx context.Context, group string) ([]string, error) {
	return a.holdsThrough(ctx, group)
}

// Holders returns the groups that hold a permission, after a key
// (accounts.Holder.NameKey). Errors: *Forbidden.
func (a *Admin) Holders(ctx context.Context, c *Caller, permission, after string, limit int) ([]accounts.Holder, error) {
	if err := c.need(accounts.AdminGroupsRead); err != nil {
		return nil, err
	}
	return a.Groups.Holders(ctx, permission, after, limit)
}

// CreateGroup makes a group without members and permissions. Errors: *Forbidden,
// accounts.ErrInvalid, accounts.ErrConflict.
func (a *Admin) CreateGroup(ctx context.Context, c *Caller, name, description string) (*accounts.Group, error) {
	if err := c.need(accounts.AdminGroupsWrite); err != nil {
		return nil, err
	}
	return a.Groups.Create(ctx, c.Actor, name, description)
}

// GroupChange is what may change about a group; nil members stay as they are.
type GroupChange struct {
	Description  *string
	SecondFactor *bool
}

// UpdateGroup changes a group, which is locked meanwhile, if match lets it. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound, those of match.
func (a *Admin) UpdateGroup(ctx context.Context, c *Caller, name string, change GroupChange, match func(*accounts.Group) error) (*accounts.Group, error) {
	var found *accounts.Group
	err := a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		key, err := accounts.GroupKey(name)
		if err != nil {
			return fmt.Errorf("group %q: %w", name, accounts.ErrNotFound)
		}
		if err := a.Reach.LockGroup(ctx, key); err != nil {
			return fmt.Errorf("group %q: %w", name, err)
		}
		before, err := a.Groups.Find(ctx, name)
		if err != nil {
			return err
		}
		if err := match(before); err != nil {
			return err
		}
		if change.Description != nil {
			if err := a.Groups.Describe(ctx, c.Actor, name, *change.Description); err != nil {
				return &Field{Name: "description", Err: err}
			}
		}
		if change.SecondFactor != nil {
			if err := a.Groups.SetSecondFactor(ctx, c.Actor, name, *change.SecondFactor); err != nil {
				return err
			}
		}
		found, err = a.Groups.Find(ctx, name)
		return err
	}, name)
	return found, err
}

// DeleteGroup removes a group; its members lose what it gave them. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound.
func (a *Admin) DeleteGroup(ctx context.Context, c *Caller, name string) error {
	return a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		return a.Groups.Delete(ctx, c.Actor, name)
	}, name)
}

// GivePermission lets a group hold a permission. Errors: *Forbidden, ErrMoreThanHeld,
// ErrSuperior, accounts.ErrNotFound.
func (a *Admin) GivePermission(ctx context.Context, c *Caller, group, permission string) error {
	return a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		if err := c.mayGive([]string{permission}); err != nil {
			return err
		}
		return a.Groups.GrantPermission(ctx, c.Actor, group, permission)
	}, group)
}

// TakePermission takes a permission from a group. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) TakePermission(ctx context.Context, c *Caller, group, permission string) error {
	return a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		return a.Groups.RevokePermission(ctx, c.Actor, group, permission)
	}, group)
}

// AddChild puts a group inside another, whose permissions its members get. Errors:
// *Forbidden, ErrMoreThanHeld, ErrSuperior, accounts.ErrNotFound, ErrState for what
// would be a loop or too deep.
func (a *Admin) AddChild(ctx context.Context, c *Caller, parent, child string) error {
	return a.changeGroup(ctx, c, c.mayGive, func(ctx context.Context) error {
		held, err := a.holdsThrough(ctx, child)
		if err != nil {
			return err
		}
		if err := c.touches(held); err != nil {
			return err
		}
		err = a.Groups.AddChild(ctx, c.Actor, parent, child)
		if errors.Is(err, accounts.ErrNestingLoop) || errors.Is(err, accounts.ErrNestingDepth) {
			return fmt.Errorf("%w: %w", ErrState, err)
		}
		return err
	}, parent)
}

// RemoveChild takes a group out of another. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) RemoveChild(ctx context.Context, c *Caller, parent, child string) error {
	return a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		return a.Groups.RemoveChild(ctx, c.Actor, parent, child)
	}, parent, child)
}

// AddManager lets a person manage the members of a group, and so give what it holds.
// Errors: *Forbidden, ErrMoreThanHeld, accounts.ErrNotFound, accounts.ErrInvalid.
func (a *Admin) AddManager(ctx context.Context, c *Caller, group, subject string) error {
	return a.changeGroup(ctx, c, c.mayGive, func(ctx context.Context) error {
		return a.Groups.AddManager(ctx, c.Actor, group, subject)
	}, group)
}

// RemoveManager ends what AddManager began. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) RemoveManager(ctx context.Context, c *Caller, group, subject string) error {
	return a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		return a.Groups.RemoveManager(ctx, c.Actor, group, subject)
	}, group)
}

// Members returns a page of the members of a group, after a user
// (accounts.Member.UserID), also to its managers. Errors: *Forbidden,
// accounts.ErrNotFound.
func (a *Admin) Members(ctx context.Context, c *Caller, group string, after id.ID, limit int) ([]accounts.Member, error) {
	err := c.need(accounts.AdminGroupsRead)
	if err == nil {
		return a.Groups.MemberPage(ctx, group, after, limit)
	}
	if m := a.manager(c, accounts.AdminGroupsRead); m != nil {
		members, managed := m.Members(ctx, group, after, limit)
		if !errors.Is(managed, accounts.ErrNotManager) {
			return members, managed
		}
	}
	return nil, err
}

// AddMembers puts people into a group until endsAt (Unix milliseconds; zero means
// without end), at most accounts.MaxMembersAtOnce. Errors: *Forbidden,
// ErrMoreThanHeld, accounts.ErrNotFound, accounts.ErrInvalid.
func (a *Admin) AddMembers(ctx context.Context, c *Caller, group string, subjects []string, endsAt int64) (report accounts.MemberReport, err error) {
	err = a.changeGroup(ctx, c, c.mayGive, func(ctx context.Context) error {
		report, err = a.Groups.AddMembers(ctx, c.Actor, group, subjects, endsAt)
		return err
	}, group)
	if refused(err) {
		if m := a.manager(c, accounts.AdminGroupsWrite); m != nil {
			added, managed := m.AddMembers(ctx, group, subjects, endsAt)
			if !errors.Is(managed, accounts.ErrNotManager) {
				return added, managed
			}
		}
	}
	return report, err
}

// RemoveMembers takes people out of a group. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound, accounts.ErrInvalid.
func (a *Admin) RemoveMembers(ctx context.Context, c *Caller, group string, subjects []string) (report accounts.MemberReport, err error) {
	err = a.changeGroup(ctx, c, c.touches, func(ctx context.Context) error {
		report, err = a.Groups.RemoveMembers(ctx, c.Actor, group, subjects)
		return err
	}, group)
	if refused(err) {
		if m := a.manager(c, accounts.AdminGroupsWrite); m != nil {
			removed, managed := m.RemoveMembers(ctx, group, subjects)
			if !errors.Is(managed, accounts.ErrNotManager) {
				return removed, managed
			}
		}
	}
	return report, err
}

// manager is what a person may do as the manager of a group; nil for a machine, and
// for a token that was not given for such things: an app to which somebody merely
// signed in must not manage their groups.
func (a *Admin) manager(c *Caller, scope string) *accounts.GroupManager {
	if c.Subject == "" || c.Scope != nil && !c.Scope[scope] {
		return nil
	}
	return a.Groups.Manage(c.Actor, c.Subject)
}

// refused reports whether a caller's authority is what lacks.
func refused(err error) bool {
	var forbidden *Forbidden
	return errors.As(err, &forbidden) || errors.Is(err, ErrMoreThanHeld) || errors.Is(err, ErrSuperior)
}
