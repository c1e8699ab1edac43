package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// User returns somebody by their sub. Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) User(ctx context.Context, c *Caller, subject string) (*accounts.User, error) {
	if err := c.need(accounts.AdminUsersRead); err != nil {
		return nil, err
	}
	u, err := a.findUser(ctx, subject)
	if err == nil {
		a.saw(ctx, c, "account", subject)
	}
	return u, err
}

// UserRights returns what somebody holds now and why. Errors: *Forbidden,
// accounts.ErrNotFound.
func (a *Admin) UserRights(ctx context.Context, c *Caller, subject string) ([]accounts.Held, error) {
	if err := c.need(accounts.AdminUsersRead); err != nil {
		return nil, err
	}
	held, err := a.Groups.Effective(ctx, subject)
	if err == nil {
		a.saw(ctx, c, "permissions", subject)
	}
	return held, err
}

// CreateUser makes an account. An address or a phone number can be given as proven,
// and a password be set, by those alone who may handle credentials: apps that know
// people by their addresses or numbers would let the account in. Only superusers make superusers and staff.
// Errors: *Forbidden, ErrSuperuserOnly, and those of accounts.Users.Create.
func (a *Admin) CreateUser(ctx context.Context, c *Caller, n accounts.NewUser) (*accounts.User, error) {
	if err := c.need(accounts.AdminUsersWrite); err != nil {
		return nil, err
	}
	if n.EmailVerified || n.Profile.PhoneVerified || n.Password != "" {
		if err := c.need(accounts.AdminUsersCredentials); err != nil {
			return nil, err
		}
	}
	if n.Staff || n.Superuser {
		if err := c.mayCrown(); err != nil {
			return nil, err
		}
	}
	return a.Users.Create(ctx, c.Actor, accounts.NewUser{
		Username: n.Username, Email: n.Email, EmailVerified: n.EmailVerified, Name: n.Name, Profile: n.Profile,
		Password: n.Password, Staff: n.Staff, Superuser: n.Superuser,
	})
}

// UserChange is what may change about somebody; nil members stay as they are.
type UserChange struct {
	Username      *string
	Email         *string
	EmailVerified *bool
	Name          *string
	// Profile changes what it likes of the claims.
	Profile func(p *accounts.Profile)
}

// credentials reports whether a change could take the account over, or another one
// elsewhere: who has its address can have its password reset, its name is what its
// owner signs in with, and apps know people by what counts as proven.
func (n UserChange) credentials(u *accounts.User) bool {
	if n.Profile != nil {
		next := u.Profile
		n.Profile(&next)
		if next.PhoneVerified && (!u.Profile.PhoneVerified || next.PhoneNumber != u.Profile.PhoneNumber) {
			return true
		}
	}
	return n.Email != nil && *n.Email != u.Email || n.EmailVerified != nil && *n.EmailVerified != u.EmailVerified ||
		n.Username != nil && *n.Username != u.Username
}

// UpdateUser changes an account, which is locked meanwhile, if match lets it. Another
// username, address or proof of it, and a phone number that counts as proven, need
// accounts.AdminUsersCredentials. An address
// that is given without a word about its proof is not proven. Errors: *Forbidden,
// ErrSuperior, those of accounts.Users.Amend and of match.
func (a *Admin) UpdateUser(ctx context.Context, c *Caller, subject string, change UserChange, match func(u *accounts.User) error) (*accounts.User, error) {
	if err := c.need(accounts.AdminUsersWrite); err != nil {
		return nil, err
	}
	if err := a.mayTouchPerson(ctx, c, subject); err != nil {
		return nil, err
	}
	err := a.Users.Amend(ctx, c.Actor, subject, func(u *accounts.User, am *accounts.Amendment) error {
		if err := match(u); err != nil {
			return err
		}
		if change.credentials(u) {
			if err := a.mayTakeOverPerson(ctx, c, subject); err != nil {
				return err
			}
		}
		change.apply(u, am)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.findUser(ctx, subject)
}

func (n UserChange) apply(u *accounts.User, am *accounts.Amendment) {
	if n.Username != nil {
		am.Username = *n.Username
	}
	if n.Email != nil {
		am.Email = *n.Email
		if am.Email != u.Email {
			am.EmailVerified = false
		}
	}
	if n.EmailVerified != nil {
		am.EmailVerified = *n.EmailVerified
	}
	if n.Name != nil {
		am.Name = *n.Name
	}
	if n.Profile != nil {
		n.Profile(&am.Profile)
	}
}

// SetStaff lets somebody enter the console, or no longer. Errors: *Forbidden,
// ErrSuperuserOnly, accounts.ErrNotFound.
func (a *Admin) SetStaff(ctx context.Context, c *Caller, subject string, staff bool) error {
	if err := c.need(accounts.AdminUsersWrite); err != nil {
		return err
	}
	if err := c.mayCrown(); err != nil {
		return err
	}
	return a.Users.SetStaff(ctx, c.Actor, subject, staff)
}

// SetSuperuser gives somebody every permission, or takes that away. Errors:
// *Forbidden, ErrSuperuserOnly, accounts.ErrNotFound, accounts.ErrLastSuperuser.
func (a *Admin) SetSuperuser(ctx context.Context, c *Caller, subject string, superuser bool) error {
	if err := c.need(accounts.AdminUsersWrite); err != nil {
		return err
	}
	if err := c.mayCrown(); err != nil {
		return err
	}
	return a.Users.SetSuperuser(ctx, c.Actor, subject, superuser)
}

func (a *Admin) findUser(ctx context.Context, subject string) (*accounts.User, error) {
	u, err := a.Users.Store.UserBySubject(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("user: %w", err)
	}
	return u, nil
}

// saw notes in the log that personal data was read.
func (a *Admin) saw(ctx context.Context, c *Caller, what, subject string) {
	a.Log.InfoContext(ctx, "administrator reads personal data", "what", what, "sub", subject,
		"actor_kind", c.Actor.Kind, "actor", c.Actor.ID, "client_id", c.ClientID)
}
