package admin

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// ListPermissionSets returns sets whose names begin with a prefix, after a key
// (accounts.PermissionSet.NameKey), without their clients. Errors: *Forbidden.
func (a *Admin) ListPermissionSets(ctx context.Context, c *Caller, prefix, after string, limit int) ([]accounts.PermissionSet, error) {
	if err := c.need(accounts.AdminClientsRead); err != nil {
		return nil, err
	}
	return a.Sets.Page(ctx, prefix, after, limit)
}

// PermissionSet returns a set. Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) PermissionSet(ctx context.Context, c *Caller, name string) (*accounts.PermissionSet, error) {
	if err := c.need(accounts.AdminClientsRead); err != nil {
		return nil, err
	}
	return a.Sets.Find(ctx, name)
}

// CreatePermissionSet makes an empty set. Errors: *Forbidden, accounts.ErrInvalid,
// accounts.ErrConflict.
func (a *Admin) CreatePermissionSet(ctx context.Context, c *Caller, name, description string) (*accounts.PermissionSet, error) {
	if err := c.need(accounts.AdminClientsWrite); err != nil {
		return nil, err
	}
	return a.Sets.Create(ctx, c.Actor, name, description)
}

// changeSet runs f in a transaction on a set that is locked, if allowed lets it.
func (a *Admin) changeSet(ctx context.Context, c *Caller, name string, allowed func(set *accounts.PermissionSet) error, f func(ctx context.Context) error) error {
	if err := c.need(accounts.AdminClientsWrite); err != nil {
		return err
	}
	return a.Sets.Tx.InTx(ctx, func(ctx context.Context) error {
		set, err := a.Sets.Find(ctx, name)
		if err != nil {
			return err
		}
		if err := a.Sets.Holdings.LockPermissionSet(ctx, set.ID); err != nil {
			return err
		}
		if set, err = a.Sets.Find(ctx, name); err != nil { // as it is under the lock
			return err
		}
		if err := allowed(set); err != nil {
			return err
		}
		return f(ctx)
	})
}

func (c *Caller) mayChangeSet(set *accounts.PermissionSet) error {
	return c.mayTouch(false, set.Permissions)
}

// DescribePermissionSet changes a set's description, unless it is nil, if match lets
// it. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound, accounts.ErrInvalid, those of match.
func (a *Admin) DescribePermissionSet(ctx context.Context, c *Caller, name string, description *string, match func(*accounts.PermissionSet) error) (*accounts.PermissionSet, error) {
	allowed := func(set *accounts.PermissionSet) error {
		if err := c.mayChangeSet(set); err != nil {
			return err
		}
		return match(set)
	}
	err := a.changeSet(ctx, c, name, allowed, func(ctx context.Context) error {
		if description == nil {
			return nil
		}
		return a.Sets.Describe(ctx, c.Actor, name, *description)
	})
	if err != nil {
		return nil, err
	}
	return a.Sets.Find(ctx, name)
}

// DeletePermissionSet removes a set from all that hold it. Errors: *Forbidden,
// ErrSuperior, accounts.ErrNotFound.
func (a *Admin) DeletePermissionSet(ctx context.Context, c *Caller, name string) error {
	return a.changeSet(ctx, c, name, c.mayChangeSet, func(ctx context.Context) error {
		return a.Sets.Delete(ctx, c.Actor, name)
	})
}

// GiveToSet puts a permission into a set. Errors: *Forbidden, ErrMoreThanHeld,
// ErrSuperior, accounts.ErrNotFound.
func (a *Admin) GiveToSet(ctx context.Context, c *Caller, name, permission string) error {
	allowed := func(set *accounts.PermissionSet) error {
		if err := c.mayChangeSet(set); err != nil {
			return err
		}
		return c.mayGive([]string{permission})
	}
	return a.changeSet(ctx, c, name, allowed, func(ctx context.Context) error {
		return a.Sets.Grant(ctx, c.Actor, name, permission)
	})
}

// TakeFromSet takes a permission out of a set. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) TakeFromSet(ctx context.Context, c *Caller, name, permission string) error {
	return a.changeSet(ctx, c, name, c.mayChangeSet, func(ctx context.Context) error {
		return a.Sets.Revoke(ctx, c.Actor, name, permission)
	})
}

// AssignSet lets a client hold what a set holds, now and later. Errors: *Forbidden,
// ErrMoreThanHeld, ErrSuperior, accounts.ErrNotFound, accounts.ErrInvalid.
func (a *Admin) AssignSet(ctx context.Context, c *Caller, name, clientID string) error {
	allowed := func(set *accounts.PermissionSet) error { return c.mayGive(set.Permissions) }
	return a.changeSet(ctx, c, name, allowed, func(ctx context.Context) error {
		return a.lockedClient(ctx, c, clientID, c.mayChangeApp, func(ctx context.Context) error {
			return a.Sets.Assign(ctx, c.Actor, name, clientID)
		})
	})
}

// UnassignSet takes a set from a client. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) UnassignSet(ctx context.Context, c *Caller, name, clientID string) error {
	return a.changeSet(ctx, c, name, c.mayChangeSet, func(ctx context.Context) error {
		return a.lockedClient(ctx, c, clientID, c.mayChangeApp, func(ctx context.Context) error {
			return a.Sets.Unassign(ctx, c.Actor, name, clientID)
		})
	})
}
