package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type apiUpdate struct {
	whichAPI
	Name       *string `help:"What people know it by."`
	StatusList *bool   `negatable:"" help:"Whether tokens name their place in a token status list."`
	SaysHow    *bool   `name:"authentication-claims" negatable:"" help:"Whether tokens say when and how their person signed in."`
	textOptions
}

// Run changes an API.
func (a *apiUpdate) Run(c *call) error {
	next := accounts.APISettings{Name: a.Name, StatusList: a.StatusList, AuthenticationClaims: a.SaysHow}
	if next.Name == nil && next.StatusList == nil && next.AuthenticationClaims == nil && len(a.Text) == 0 {
		return errors.New("say what to change: --name, --text, --status-list or --authentication-claims (with no- before it to end it)")
	}
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := a.texts(ctx, d, &next); err != nil {
			return a.explain(err)
		}
		changed, err := d.apis.Update(ctx, by, a.Audience, next)
		if err != nil {
			return a.explain(err)
		}
		if len(changed) == 0 {
			return c.done("API %s is so already", plain(a.Audience))
		}
		return c.done("API %s changed: %s", plain(a.Audience), words(changed))
	})
}

// texts carries out what was said about texts on those that are there.
func (a *apiUpdate) texts(ctx context.Context, d *domain, next *accounts.APISettings) error {
	if len(a.Text) == 0 {
		return nil
	}
	found, err := d.apis.Find(ctx, a.Audience)
	if err != nil {
		return err
	}
	next.Texts, err = a.edit(found.Texts)
	return err
}

type apiDescribePermission struct {
	whichAPI
	whichPermission
	Description string `help:"What it lets people do."`
	textOptions
}

// Run changes what people read about a permission.
func (a *apiDescribePermission) Run(c *call) error {
	if a.Description == "" && len(a.Text) == 0 {
		return errors.New("say what to change: --description or --text")
	}
	return a.change(c, "has other words for "+a.Permission, func(ctx context.Context, d *domain, by audit.Actor) error {
		found, err := d.apis.Find(ctx, a.Audience)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(found.Permissions, func(p accounts.Permission) bool { return p.Name == a.Permission })
		if i < 0 {
			return accounts.ErrNotFound
		}
		n := accounts.NewPermission{Name: a.Permission, Description: cmp.Or(a.Description, found.Permissions[i].Description)}
		if n.Texts, err = a.edit(found.Permissions[i].Texts); err != nil {
			return err
		}
		return d.apis.DescribePermission(ctx, by, a.Audience, n)
	})
}
