package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/revocation"
)

type revokeCommand struct {
	Token   revokeToken   `cmd:"" help:"Revoke one access token."`
	Session revokeSession `cmd:"" help:"Sign one browser out, by the sid of its tokens."`
	Grant   revokeGrant   `cmd:"" help:"End what one person gave one app, by the gid of its tokens."`
	User    revokeUser    `cmd:"" help:"Sign a user out everywhere; all sessions, grants and tokens end."`
	All     revokeAll     `cmd:"" help:"Make every access token of the deployment refresh once."`
	Explain revokeExplain `cmd:"" help:"Tell of one revocation when it was written, why, and which resource servers have it."`
}

type revokeGrant struct {
	receipts
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
		return r.report(ctx, c, d, revocation.Grant, r.Grant, fmt.Sprintf("grant %s has ended", r.Grant))
	})
}

type revokeSession struct {
	receipts
	Session string `required:"" placeholder:"SID" help:"sid of a token of the session, or as session list shows it."`
}

// Run ends one session, whoever's it is.
func (r *revokeSession) Run(c *call) error {
	sid, err := id.Parse(r.Session)
	if err != nil {
		return fmt.Errorf("session %q: %w", r.Session, err)
	}
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		err := d.sessions.EndByID(ctx, by, sid)
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("there is no live session %s", r.Session)
		}
		if err != nil {
			return err
		}
		return r.report(ctx, c, d, revocation.Session, r.Session, fmt.Sprintf("session %s has ended", r.Session))
	})
}

type revokeUser struct {
	receipts
	whom
}

// Run ends everything that a user has under way.
func (r *revokeUser) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		u, err := r.find(ctx, d)
		if err != nil {
			return err
		}
		if err := d.users.SignOutEverywhere(ctx, by, u.Subject); err != nil {
			return err
		}
		return r.report(ctx, c, d, revocation.User, u.Subject, fmt.Sprintf("user %s signed out everywhere", plain(u.Username)))
	})
}

type revokeAll struct {
	receipts
	Reason string `default:"emergency" help:"For the log."`
}

// Run makes every access token refresh.
func (r *revokeAll) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.tokens.All(ctx, by, r.Reason); err != nil {
			return err
		}
		return r.report(ctx, c, d, revocation.All, "", "every access token must be refreshed")
	})
}

// maxToken is how much is read of what should be an access token.
const maxToken = 16 << 10

type revokeToken struct {
	receipts
	File string `name:"token-file" placeholder:"FILE" help:"File that holds the token; without it, standard input does. There is no flag for the token itself: command lines are seen by others."`
}

// Run revokes one access token of this deployment.
func (r *revokeToken) Run(c *call) error {
	raw, err := r.read(c)
	if err != nil {
		return err
	}
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		set, err := d.ring.Current(ctx)
		if err != nil {
			return err
		}
		a, err := token.ParseAccess(set, d.cfg.Issuer.String(), raw, d.now())
		if errors.Is(err, token.ErrExpired) {
			return errors.New("the token has expired already")
		}
		if err != nil {
			return fmt.Errorf("this is no access token of %s: %w (to take back a refresh token, end its grant: gatehouse revoke grant)", d.cfg.Issuer, err)
		}
		keys := revocation.Keys{
			ID: a.ID, SessionID: a.SessionID, GrantID: a.GrantID, Subject: a.Subject, ClientID: a.ClientID,
			KeyID: a.KeyID, Audience: a.Audience, Scopes: strings.Fields(a.Scope), Rev: a.Rev,
		}
		if err := d.tokens.Revoke(ctx, by, keys, a.Audience, time.Unix(a.ExpiresAt, 0).UnixMilli()); err != nil {
			return err
		}
		return r.report(ctx, c, d, revocation.Token, a.ID, fmt.Sprintf("token %s is revoked", a.ID))
	})
}

func (r *revokeToken) read(c *call) (string, error) {
	in := c.stdin
	if r.File != "" {
		f, err := os.Open(r.File)
		if err != nil {
			return "", fmt.Errorf("token: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxToken))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
