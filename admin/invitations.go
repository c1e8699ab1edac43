package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Inviters implements accounts.Inviters: an invitation is good as long as whoever sent
// it may send it.
type Inviters struct {
	Callers *Callers
	Reach   GroupStore
}

var _ accounts.Inviters = (*Inviters)(nil)

// MayInvite implements accounts.Inviters, by the rule of Admin.Invite.
func (i *Inviters) MayInvite(ctx context.Context, inviter audit.Actor, scope, groups []string) (bool, error) {
	c, err := i.caller(ctx, inviter, scope)
	if err == nil {
		err = c.mayInvite(ctx, i.Reach, groups)
	}
	if errors.Is(err, ErrNoCaller) || refused(err) {
		return false, nil
	}
	return err == nil, err
}

func (i *Inviters) caller(ctx context.Context, inviter audit.Actor, scope []string) (*Caller, error) {
	switch inviter.Kind {
	case audit.Person:
		return i.Callers.Person(ctx, inviter.ID, "", scope)
	case audit.Client:
		return i.Callers.Machine(ctx, inviter.ID, scope)
	}
	return nil, ErrNoCaller
}

// mayInvite refuses unless the caller may invite people, and give them what the groups
// give. Errors: *Forbidden, ErrMoreThanHeld, accounts.ErrNotFound.
func (c *Caller) mayInvite(ctx context.Context, reach GroupStore, groups []string) error {
	if err := c.need(accounts.AdminUsersWrite); err != nil {
		return err
	}
	if len(groups) == 0 {
		return nil
	}
	if err := c.need(accounts.AdminGroupsWrite); err != nil {
		return err
	}
	for _, g := range groups {
		held, err := holdsThrough(ctx, reach, g)
		if err != nil {
			return err
		}
		if err := c.mayGive(held); err != nil {
			return err
		}
	}
	return nil
}

// scope is what the caller's token allows; nil without one.
func (c *Caller) scope() []string {
	if c.Scope == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(c.Scope))
}

// ListInvitations returns invitations that nobody has accepted, after an address
// (accounts.OpenInvitation.EmailKey). Errors: *Forbidden.
func (a *Admin) ListInvitations(ctx context.Context, c *Caller, after string, limit int) ([]accounts.OpenInvitation, error) {
	if err := c.need(accounts.AdminUsersRead); err != nil {
		return nil, err
	}
	list, err := a.Invites.Open(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("page of invitations: %w", err)
	}
	a.Log.InfoContext(ctx, "administrator lists invitations", "actor_kind", c.Actor.Kind, "actor", c.Actor.ID, "client_id", c.ClientID, "invitations", len(list))
	return list, nil
}

// WithdrawInvitation makes the invitation to an address void, whoever sent it: nothing
// is given by that. Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) WithdrawInvitation(ctx context.Context, c *Caller, email string) error {
	if err := c.need(accounts.AdminUsersWrite); err != nil {
		return err
	}
	return a.Invites.Withdraw(ctx, c.Actor, email)
}
