package main

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type clientUpdate struct {
	whichClient
	Name      *string `help:"What people know it by."`
	PolicyURI *string `name:"policy-uri" placeholder:"URI" help:"Its page about privacy; empty for none."`
	TermsURI  *string `name:"terms-uri" placeholder:"URI" help:"Its page about the terms of use; empty for none."`
	textOptions
}

// Run changes what people read about an app.
func (u *clientUpdate) Run(c *call) error {
	if u.Name == nil && u.PolicyURI == nil && u.TermsURI == nil && len(u.Text) == 0 {
		return errors.New("say what to change: --name, --policy-uri, --terms-uri or --text (gatehouse apply changes the rest)")
	}
	return u.change(c, "changed", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.clients.Update(ctx, by, u.Client, func(c *accounts.Client) error {
			for target, given := range map[*string]*string{&c.Name: u.Name, &c.PolicyURI: u.PolicyURI, &c.TermsURI: u.TermsURI} {
				if given != nil {
					*target = *given
				}
			}
			texts, err := u.edit(c.Texts)
			c.Texts = texts
			return err
		})
	})
}
