package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// What is here could take an account over, so it needs accounts.AdminUsersCredentials,
// and a caller who holds all that the account holds.

// SetPassword gives somebody another password; all that the account had ends. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound, *accounts.WeakPassword,
// accounts.ErrBusy.
func (a *Admin) SetPassword(ctx context.Context, c *Caller, subject string, password secret.Text) error {
	if err := a.mayTakeOverPerson(ctx, c, subject); err != nil {
		return err
	}
	if password == "" {
		return &Field{Name: "password", Err: accounts.Because(accounts.ErrInvalid, "empty")}
	}
	return a.Users.SetPassword(ctx, c.Actor, subject, password)
}

// SignInLink makes a link by which somebody signs in once. Errors: *Forbidden,
// ErrSuperior, accounts.ErrNotFound, accounts.ErrBanned.
func (a *Admin) SignInLink(ctx context.Context, c *Caller, subject string) (link secret.Text, expires time.Time, err error) {
	if err := a.mayTakeOverPerson(ctx, c, subject); err != nil {
		return "", time.Time{}, err
	}
	text, expires, err := a.SignInLinks.Link(ctx, c.Actor, subject)
	return secret.Text(text), expires, err
}

// UserFactors returns the second factors that somebody has, without what proves them.
// Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) UserFactors(ctx context.Context, c *Caller, subject string) (*accounts.FactorList, error) {
	if err := c.need(accounts.AdminUsersRead); err != nil {
		return nil, err
	}
	u, err := a.findUser(ctx, subject)
	if err != nil {
		return nil, err
	}
	a.saw(ctx, c, "factors", subject)
	return a.Factors.List(ctx, u)
}

// RemoveFactor takes one factor from somebody. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) RemoveFactor(ctx context.Context, c *Caller, subject string, factor id.ID) error {
	if err := a.mayTakeOverPerson(ctx, c, subject); err != nil {
		return err
	}
	return a.Factors.Take(ctx, c.Actor, subject, factor)
}

// ResetFactors takes all factors from somebody. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) ResetFactors(ctx context.Context, c *Caller, subject string) error {
	if err := a.mayTakeOverPerson(ctx, c, subject); err != nil {
		return err
	}
	return a.Factors.Reset(ctx, c.Actor, subject)
}

// Invitation is whom to invite.
type Invitation struct {
	Email    string
	Groups   []string
	Language string // of the mail, BCP 47
	// ShowLink asks for the link besides: whoever has it can make the account.
	ShowLink bool
}

// Invite mails somebody a link by which they make an account with their address as
// proven, as a member of groups. The link itself is for those who may handle
// credentials. Errors: *Forbidden, ErrMoreThanHeld, and those of
// accounts.Invites.Invite.
func (a *Admin) Invite(ctx context.Context, c *Caller, n Invitation) (link secret.Text, err error) {
	if err := c.mayInvite(ctx, a.Reach, n.Groups); err != nil {
		return "", err
	}
	if n.ShowLink {
		if err := c.need(accounts.AdminUsersCredentials); err != nil {
			return "", err
		}
	}
	text, err := a.Invites.Invite(ctx, c.Actor, accounts.Invitation{Email: n.Email, Groups: n.Groups, Language: n.Language, Scope: c.scope()})
	if err != nil || !n.ShowLink {
		return "", err
	}
	return secret.Text(text), nil
}

// mayTakeOverPerson refuses unless the caller may handle credentials and holds all
// that the person holds. Errors: *Forbidden, ErrSuperior, accounts.ErrNotFound.
func (a *Admin) mayTakeOverPerson(ctx context.Context, c *Caller, subject string) error {
	if err := c.need(accounts.AdminUsersCredentials); err != nil {
		return err
	}
	s, err := a.Callers.PersonStanding(ctx, subject, a.now())
	if err != nil {
		return fmt.Errorf("standing of a person: %w", err)
	}
	return c.mayTakeOver(s.Superuser, s.Held)
}
