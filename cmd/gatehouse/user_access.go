package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// links are built from the issuer that the deployment is served under.
func (d *domain) links() accounts.Links { return accounts.Links{Issuer: d.cfg.Issuer.String()} }

type userInvite struct {
	Email    string   `required:"" placeholder:"A@B" help:"Mail address to invite; it counts as proven by the link."`
	Group    []string `placeholder:"G" help:"Group to join; may be repeated."`
	Language string   `placeholder:"TAG" help:"Language of the mail, such as de."`
}

// Run invites somebody.
func (u *userInvite) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		// Whoever works at the shell may invite as many as they like.
		invites := &accounts.Invites{Proofs: d.proofs(nil), Groups: d.groups}
		link, err := invites.Invite(ctx, by, accounts.Invitation{Email: u.Email, Groups: u.Group, Language: u.Language})
		switch {
		case errors.Is(err, accounts.ErrClosed):
			return errors.New("nobody could accept it, for the setting sign_up is closed: set it to invitation first")
		case errors.Is(err, accounts.ErrConflict):
			return fmt.Errorf("%s has an account already", plain(u.Email))
		case errors.Is(err, accounts.ErrNotFound):
			return fmt.Errorf("one of the groups does not exist: %w", err)
		case err != nil:
			return err
		}
		if d.users.Mails == nil {
			c.note("no mail is sent from here: give the link to %s yourself", plain(u.Email))
		}
		return c.answer(map[string]string{"email": u.Email, "link": link}, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "%s is invited for a week:\n%s\n", plain(u.Email), link)
		})
	})
}

type userResetFactors struct{ whom }

// Run takes all second factors from an account.
func (u *userResetFactors) Run(c *call) error {
	return u.change(c, "has no second factor any more, and is signed out", func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		return d.factors.Reset(ctx, by, found.Subject)
	})
}

type userSignInLink struct{ whom }

// Run makes a link by which somebody signs in once.
func (u *userSignInLink) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		found, err := u.find(ctx, d)
		if err != nil {
			return err
		}
		codes := &accounts.MailCodes{Proofs: d.proofs(nil)}
		link, expires, err := codes.Link(ctx, by, found.Subject)
		if errors.Is(err, accounts.ErrBanned) {
			return fmt.Errorf("%s is banned: gatehouse user unban --user %s", plain(found.Username), plain(found.Username))
		}
		if err != nil {
			return err
		}
		c.note("whoever has this link signs in as %s; a second factor is still asked for", plain(found.Username))
		a := map[string]string{"username": found.Username, "link": link, "expires_at": expires.UTC().Format(time.RFC3339)}
		return c.answer(a, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "%s\ngood once, until %s\n", link, a["expires_at"])
		})
	})
}

type userDelete struct {
	whom
	Grace bool `name:"grace" help:"Sign the account out now and delete it in 14 days, unless its owner signs in and keeps it."`
}

// Run removes an account, at once or later.
func (u *userDelete) Run(c *call) error {
	if !u.Grace {
		return u.change(c, "deleted", func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
			return d.users.Delete(ctx, by, found.Subject)
		})
	}
	return u.change(c, "is signed out and will be deleted in 14 days", func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		_, err := d.deletion().Plan(ctx, by, found.Subject)
		if errors.Is(err, accounts.ErrDeletionPlanned) {
			return fmt.Errorf("%s is to be deleted already, on %s", plain(found.Username), when(found.DeleteAt))
		}
		return err
	})
}

type userUndelete struct{ whom }

// Run keeps an account that was to be removed.
func (u *userUndelete) Run(c *call) error {
	return u.change(c, "will not be deleted", func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		err := d.deletion().Undo(ctx, by, found.Subject)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("%s was not to be deleted", plain(found.Username))
		}
		return err
	})
}

type userRequire struct {
	whom
	Action []string `enum:"verify_email,change_password,enrol_factor,accept_terms" placeholder:"ACTION" help:"verify_email, change_password, enrol_factor or accept_terms; may be repeated; none takes everything back."`
}

// Run replaces what a person is asked to do when they next sign in, or go on.
func (u *userRequire) Run(c *call) error {
	actions := make([]accounts.Action, len(u.Action))
	did := "has nothing to do first"
	for i, a := range u.Action {
		actions[i] = accounts.Action(a)
		did = "has to do first: " + strings.Join(u.Action, ", ")
	}
	return u.change(c, did, func(ctx context.Context, d *domain, by audit.Actor, found *accounts.User) error {
		return d.users.Require(ctx, by, found.Subject, actions...)
	})
}
