package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// ListClients returns a page of clients, without their secrets. Errors: *Forbidden.
func (a *Admin) ListClients(ctx context.Context, c *Caller, q ClientQuery) ([]ListedClient, error) {
	if err := c.need(accounts.AdminClientsRead); err != nil {
		return nil, err
	}
	return a.Lists.ListedClients(ctx, q)
}

// Client returns a client with its live secrets, whose hashes must not be shown.
// Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) Client(ctx context.Context, c *Caller, clientID string) (*accounts.Client, error) {
	if err := c.need(accounts.AdminClientsRead); err != nil {
		return nil, err
	}
	return a.findClient(ctx, clientID)
}

func (a *Admin) findClient(ctx context.Context, clientID string) (*accounts.Client, error) {
	found, _, err := a.Clients.Store.ClientByID(ctx, clientID, a.now())
	if err != nil {
		return nil, fmt.Errorf("client %q: %w", clientID, err)
	}
	return found, nil
}

// CreateClient registers a client and returns its secret, this once, if it has one.
// Errors: *Forbidden, ErrMoreThanHeld, those of accounts.Clients.Register.
func (a *Admin) CreateClient(ctx context.Context, c *Caller, r accounts.Registration) (*accounts.Client, secret.Text, error) {
	if err := c.need(accounts.AdminClientsWrite); err != nil {
		return nil, "", err
	}
	wanted := &accounts.Client{
		Type: r.Type, FirstParty: r.FirstParty, Scopes: r.Scopes, OptionalScopes: r.OptionalScopes, Permissions: r.Permissions,
	}
	if err := c.mayGive(reach(wanted)); err != nil {
		return nil, "", err
	}
	if err := c.mayShow(nil, r.VisibleGroups); err != nil {
		return nil, "", err
	}
	return a.Clients.Register(ctx, c.Actor, r)
}

// UpdateClient lets change alter the settings of a client, which is locked meanwhile,
// and returns it as it is then. Errors: *Forbidden, ErrSuperior, ErrMoreThanHeld,
// those of change and of accounts.Clients.Update.
func (a *Admin) UpdateClient(ctx context.Context, c *Caller, clientID string, change func(app *accounts.Client) error) (*accounts.Client, error) {
	if err := c.need(accounts.AdminClientsWrite); err != nil {
		return nil, err
	}
	err := a.Clients.Update(ctx, c.Actor, clientID, func(app *accounts.Client) error {
		before := *app
		for _, list := range []*[]string{&before.RedirectURIs, &before.GrantTypes, &before.Scopes, &before.OptionalScopes, &before.Permissions, &before.VisibleGroups} {
			*list = slices.Clone(*list) // change may write into them
		}
		if err := change(app); err != nil {
			return err
		}
		return c.mayTurn(&before, app)
	})
	if err != nil {
		return nil, err
	}
	return a.findClient(ctx, clientID)
}

// lockedClient runs f while a client is locked, if allowed lets it.
func (a *Admin) lockedClient(ctx context.Context, c *Caller, clientID string, allowed func(app *accounts.Client) error, f func(ctx context.Context) error) error {
	if err := c.need(accounts.AdminClientsWrite); err != nil {
		return err
	}
	return a.Clients.Tx.InTx(ctx, func(ctx context.Context) error {
		app, err := a.Clients.Store.LockClient(ctx, clientID)
		if err != nil {
			return fmt.Errorf("client %q: %w", clientID, err)
		}
		if err := allowed(app); err != nil {
			return err
		}
		return f(ctx)
	})
}

// DisableClient makes a client unknown to everyone; its grants and tokens end.
// Errors: *Forbidden, ErrSuperior, accounts.ErrNotFound.
func (a *Admin) DisableClient(ctx context.Context, c *Caller, clientID string) error {
	return a.lockedClient(ctx, c, clientID, c.mayChangeApp, func(ctx context.Context) error {
		return a.Clients.Disable(ctx, c.Actor, clientID)
	})
}

// EnableClient ends a DisableClient. Errors as there.
func (a *Admin) EnableClient(ctx context.Context, c *Caller, clientID string) error {
	return a.lockedClient(ctx, c, clientID, c.mayChangeApp, func(ctx context.Context) error {
		return a.Clients.Enable(ctx, c.Actor, clientID)
	})
}

// DeleteClient removes a client with its grants, consents and secrets. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound, accounts.ErrOfAPI.
func (a *Admin) DeleteClient(ctx context.Context, c *Caller, clientID string) error {
	return a.lockedClient(ctx, c, clientID, c.mayChangeApp, func(ctx context.Context) error {
		return a.Clients.Delete(ctx, c.Actor, clientID)
	})
}
