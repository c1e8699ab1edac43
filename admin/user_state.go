package admin

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// BanUser blocks an account and ends all that it has. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound, accounts.ErrLastSuperuser.
func (a *Admin) BanUser(ctx context.Context, c *Caller, subject string) error {
	return a.changeUser(ctx, c, subject, func() error { return a.Users.Ban(ctx, c.Actor, subject) })
}

// UnbanUser lets somebody sign in again. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) UnbanUser(ctx context.Context, c *Caller, subject string) error {
	return a.changeUser(ctx, c, subject, func() error { return a.Users.Unban(ctx, c.Actor, subject) })
}

// DeleteUser removes an account at once. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound, accounts.ErrLastSuperuser.
func (a *Admin) DeleteUser(ctx context.Context, c *Caller, subject string) error {
	return a.changeUser(ctx, c, subject, func() error { return a.Users.Delete(ctx, c.Actor, subject) })
}

// PlanDeletion signs an account out, and has it deleted after the time in which its
// owner can come back; it returns when that is, in Unix milliseconds. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound, accounts.ErrLastSuperuser,
// accounts.ErrDeletionPlanned.
func (a *Admin) PlanDeletion(ctx context.Context, c *Caller, subject string) (at int64, err error) {
	err = a.changeUser(ctx, c, subject, func() error {
		at, err = a.Deletion.Plan(ctx, c.Actor, subject)
		return err
	})
	return at, err
}

// CancelDeletion keeps an account that was to be deleted. Errors: *Forbidden,
// ErrSuperior, accounts.ErrNotFound also if no deletion was planned.
func (a *Admin) CancelDeletion(ctx context.Context, c *Caller, subject string) error {
	return a.changeUser(ctx, c, subject, func() error { return a.Deletion.Undo(ctx, c.Actor, subject) })
}

// RequireActions replaces what somebody has to do before anything else. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound, accounts.ErrInvalid.
func (a *Admin) RequireActions(ctx context.Context, c *Caller, subject string, actions []accounts.Action) error {
	return a.changeUser(ctx, c, subject, func() error { return a.Users.Require(ctx, c.Actor, subject, actions...) })
}

// ChangeRequired asks somebody for some actions as well, and no longer for others. Errors
// as of RequireActions.
func (a *Admin) ChangeRequired(ctx context.Context, c *Caller, subject string, also, noLonger []accounts.Action) error {
	return a.changeUser(ctx, c, subject, func() error { return a.Users.ChangeRequired(ctx, c.Actor, subject, also, noLonger) })
}

// changeUser does what needs accounts.AdminUsersWrite, and no more than that the
// caller stands above the account.
func (a *Admin) changeUser(ctx context.Context, c *Caller, subject string, f func() error) error {
	if err := c.need(accounts.AdminUsersWrite); err != nil {
		return err
	}
	if err := a.mayTouchPerson(ctx, c, subject); err != nil {
		return err
	}
	return f()
}

// SignOutUser ends every session, grant and token of somebody. Errors: *Forbidden,
// ErrSuperior, accounts.ErrNotFound.
func (a *Admin) SignOutUser(ctx context.Context, c *Caller, subject string) error {
	if err := c.need(accounts.AdminSessionsWrite); err != nil {
		return err
	}
	if err := a.mayTouchPerson(ctx, c, subject); err != nil {
		return err
	}
	return a.Users.SignOutEverywhere(ctx, c.Actor, subject)
}
