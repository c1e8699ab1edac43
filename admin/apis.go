package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// ListAPIs returns APIs whose audience or name holds a text, in any case, in order of
// their audiences, after one. A deployment has few enough APIs to be kept in memory by
// each node, so they are read as a whole. Errors: *Forbidden.
func (a *Admin) ListAPIs(ctx context.Context, c *Caller, text, after string, limit int) ([]accounts.API, error) {
	if err := c.need(accounts.AdminAPIsRead); err != nil {
		return nil, err
	}
	all, err := a.APIs.Store.ListAPIs(ctx)
	if err != nil {
		return nil, err
	}
	text = strings.ToLower(text)
	slices.SortFunc(all, func(x, y accounts.API) int { return strings.Compare(x.Audience, y.Audience) })
	var found []accounts.API
	for _, api := range all {
		if api.Audience > after && (strings.Contains(strings.ToLower(api.Audience), text) || strings.Contains(strings.ToLower(api.Name), text)) {
			found = append(found, api)
		}
		if len(found) == limit {
			break
		}
	}
	return found, nil
}

// API returns an API with its permissions. Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) API(ctx context.Context, c *Caller, audience string) (*accounts.API, error) {
	if err := c.need(accounts.AdminAPIsRead); err != nil {
		return nil, err
	}
	return a.APIs.Find(ctx, audience)
}

// CreateAPI makes an API, and the client of its resource server, whose secret is
// returned this once. That client may follow the revocations that concern its
// audience, which is no more than the caller could read of their own tokens. Errors:
// *Forbidden, accounts.ErrInvalid, accounts.ErrConflict.
func (a *Admin) CreateAPI(ctx context.Context, c *Caller, n accounts.NewAPI) (*accounts.API, *accounts.Client, secret.Text, error) {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return nil, nil, "", err
	}
	return a.APIs.Create(ctx, c.Actor, n)
}

// UpdateAPI changes settings of an API, which is locked meanwhile: next says which, from
// what it is. Errors: *Forbidden, accounts.ErrNotFound, accounts.ErrInvalid,
// accounts.ErrBuiltin, those of next.
func (a *Admin) UpdateAPI(ctx context.Context, c *Caller, audience string, next func(*accounts.API) (accounts.APISettings, error)) (*accounts.API, error) {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return nil, err
	}
	var found *accounts.API
	err := a.APIs.Tx.InTx(ctx, func(ctx context.Context) error {
		before, err := a.APIs.Find(ctx, audience)
		if err != nil {
			return err
		}
		if err := a.Reach.LockAPI(ctx, before.Audience); err != nil {
			return err
		}
		if before, err = a.APIs.Find(ctx, audience); err != nil { // as it is under the lock
			return err
		}
		settings, err := next(before)
		if err != nil {
			return err
		}
		if _, err := a.APIs.Update(ctx, c.Actor, audience, settings); err != nil {
			return err
		}
		found, err = a.APIs.Find(ctx, audience)
		return err
	})
	return found, err
}

// DisableAPI makes an API give nothing. Errors: *Forbidden, accounts.ErrNotFound,
// accounts.ErrBuiltin.
func (a *Admin) DisableAPI(ctx context.Context, c *Caller, audience string) error {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return err
	}
	return a.APIs.Disable(ctx, c.Actor, audience)
}

// EnableAPI ends a DisableAPI. Errors as there.
func (a *Admin) EnableAPI(ctx context.Context, c *Caller, audience string) error {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return err
	}
	return a.APIs.Enable(ctx, c.Actor, audience)
}

// DeleteAPI removes an API with its permissions and its resource server's client.
// Errors: *Forbidden, ErrSuperior, accounts.ErrNotFound, accounts.ErrBuiltin.
func (a *Admin) DeleteAPI(ctx context.Context, c *Caller, audience string) error {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return err
	}
	return a.APIs.Tx.InTx(ctx, func(ctx context.Context) error {
		// Or the resource server could be given more between the look and the deed.
		if err := a.APIs.Permissions.LockPermissions(ctx, true); err != nil {
			return err
		}
		found, err := a.APIs.Find(ctx, audience)
		if err != nil {
			return err
		}
		if found.ResourceServer != "" {
			app, err := a.findClient(ctx, found.ResourceServer)
			if err != nil {
				return err
			}
			if err := c.mayChangeApp(app); err != nil {
				return err
			}
		}
		return a.APIs.Delete(ctx, c.Actor, audience)
	})
}

// AddPermission gives an API another permission, which nobody holds yet. Errors:
// *Forbidden, accounts.ErrNotFound, accounts.ErrInvalid, accounts.ErrConflict,
// accounts.ErrBuiltin.
func (a *Admin) AddPermission(ctx context.Context, c *Caller, audience string, n accounts.NewPermission) error {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return err
	}
	return a.APIs.AddPermission(ctx, c.Actor, audience, n)
}

// DescribePermission gives a permission another description. Errors as those of
// AddPermission.
func (a *Admin) DescribePermission(ctx context.Context, c *Caller, audience string, n accounts.NewPermission) error {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return err
	}
	return a.APIs.DescribePermission(ctx, c.Actor, audience, n)
}

// DeletePermission takes a permission from everyone and removes it. Errors:
// *Forbidden, accounts.ErrNotFound, accounts.ErrBuiltin.
func (a *Admin) DeletePermission(ctx context.Context, c *Caller, audience, name string) error {
	if err := c.need(accounts.AdminAPIsWrite); err != nil {
		return err
	}
	return a.APIs.DeletePermission(ctx, c.Actor, audience, name)
}
