package main

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

type revokeCommand struct {
	Grant revokeGrant `cmd:"" help:"End what one person gave one app, by the gid of its tokens."`
	User  revokeUser  `cmd:"" help:"Sign a user out everywhere; all sessions, grants and tokens end."`
	All   revokeAll   `cmd:"" help:"Make every access token of the deployment refresh once."`
}

type revokeGrant struct {
	Grant string `required:"" placeholder:"GID" help:"gid of a token of the grant."`
}

// Run ends one grant.
func (r *revokeGrant) Run(c *call) error {
	gid, err := id.Parse(r.Grant)
	if err != nil {
		return fmt.Errorf("grant %q: %w", r.Grant, err)
	}
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.consents.RevokeGrant(ctx, by, gid, accounts.ReasonRevoked); err != nil {
			return err
		}
		return c.done("grant %s has ended", r.Grant)
	})
}

type revokeUser struct{ whom }

// Run ends everything that a user has under way.
func (r *revokeUser) Run(c *call) error {
	return r.change(c, "signed out everywhere", func(ctx context.Context, d *domain, by audit.Actor, u *accounts.User) error {
		return d.users.SignOutEverywhere(ctx, by, u.Subject)
	})
}

type revokeAll struct {
	Reason string `default:"emergency" help:"For the log."`
}

// Run makes every access token refresh.
func (r *revokeAll) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.tokens.All(ctx, by, r.Reason); err != nil {
			return err
		}
		return c.done("every access token must be refreshed")
	})
}
