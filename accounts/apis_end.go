package accounts

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// What everybody loses is decided while nobody else gives or takes permissions: else
// a client, or a set, could be given one after the clients that hold it were looked
// for and before the commit, and keep its tokens; or who changes a client that held it
// could give it back once a permission of the same name is made again. A group needs
// no such care: the row of the permission takes it from whoever has it by then.

// DeletePermission takes a permission from everyone and removes it. Errors:
// ErrNotFound, ErrBuiltin.
func (s *APIs) DeletePermission(ctx context.Context, actor audit.Actor, audience, name string) error {
	return s.changeAlone(ctx, actor, audience, func(ctx context.Context, a *API, _ int64) (*effect, error) {
		i := slices.IndexFunc(a.Permissions, func(p Permission) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("permission %q: %w", name, ErrNotFound)
		}
		rows, err := s.lossRows(ctx, a, a.Permissions[i:i+1], reasonPermissionDeleted)
		if err != nil {
			return nil, err
		}
		if err := s.Permissions.DeletePermission(ctx, a.Permissions[i].ID); err != nil {
			return nil, fmt.Errorf("delete permission: %w", err)
		}
		e := apiEffect("api.permission.delete", a, map[string]any{"permission": name})
		e.rows = rows
		return e.changed(permissionValues(&a.Permissions[i]), nil), nil
	})
}

// Disable makes an API give nothing: no tokens for it, none of its permissions.
func (s *APIs) Disable(ctx context.Context, actor audit.Actor, audience string) error {
	return s.changeAlone(ctx, actor, audience, func(ctx context.Context, a *API, now int64) (*effect, error) {
		if a.DisabledAt != 0 {
			return nil, nil
		}
		e := apiEffect("api.disable", a, nil)
		var err error
		if e.rows, err = s.endRows(ctx, a, reasonAPIDisabled); err != nil {
			return nil, err
		}
		a.DisabledAt, a.UpdatedAt = now, now
		return e, s.Store.UpdateAPI(ctx, a)
	})
}

// Enable ends a Disable.
func (s *APIs) Enable(ctx context.Context, actor audit.Actor, audience string) error {
	return s.change(ctx, actor, audience, func(ctx context.Context, a *API, now int64) (*effect, error) {
		if a.DisabledAt == 0 {
			return nil, nil
		}
		a.DisabledAt, a.UpdatedAt = 0, now
		return apiEffect("api.enable", a, nil), s.Store.UpdateAPI(ctx, a)
	})
}

// Delete removes an API with its permissions and its resource server's client.
func (s *APIs) Delete(ctx context.Context, actor audit.Actor, audience string) error {
	return s.changeAlone(ctx, actor, audience, func(ctx context.Context, a *API, _ int64) (*effect, error) {
		e := apiEffect(actionAPIDelete, a, map[string]any{"permissions": permissionNames(a.Permissions)})
		var err error
		if e.rows, err = s.endRows(ctx, a, reasonAPIDeleted); err != nil {
			return nil, err
		}
		if a.ResourceServer != "" {
			e.rows = append(e.rows, revocation.Entry{Kind: revocation.Client, Key: a.ResourceServer, Reason: reasonAPIDeleted})
		}
		return e, s.Store.DeleteAPI(ctx, a.ID)
	})
}

// changeAlone is change while nobody else changes what clients and sets hold, or what
// permissions there are.
func (s *APIs) changeAlone(ctx context.Context, actor audit.Actor, audience string, f func(ctx context.Context, a *API, now int64) (*effect, error)) error {
	return s.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := s.Permissions.LockPermissions(ctx, true); err != nil {
			return fmt.Errorf("lock permissions: %w", err)
		}
		return s.change(ctx, actor, audience, f)
	})
}

// endRows returns what an API leaves behind that gives nothing any more: the row by
// which every token for it is dead, also one that carries none of its permissions,
// and those of its permissions.
func (s *APIs) endRows(ctx context.Context, a *API, reason string) ([]revocation.Entry, error) {
	lost, err := s.lossRows(ctx, a, a.Permissions, reason)
	return append([]revocation.Entry{{Kind: revocation.All, Audience: a.Audience, Reason: reason}}, lost...), err
}

// lossRows returns a row for each permission that everyone loses, and one for
// each machine that held any of them: rows of the kind permission match only
// tokens of a grant (L19).
func (s *APIs) lossRows(ctx context.Context, a *API, lost []Permission, reason string) ([]revocation.Entry, error) {
	rows := make([]revocation.Entry, 0, len(lost))
	names := make([]string, 0, len(lost))
	for _, p := range lost {
		rows = append(rows, permissionRow(p.Name, a.Audience, reason))
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return nil, nil
	}
	const page = 500
	for after := ""; ; {
		clients, err := s.Clients.ListClients(ctx, after, page)
		if err != nil {
			return nil, fmt.Errorf("list clients: %w", err)
		}
		for _, c := range clients {
			after = c.ClientID
			if slices.ContainsFunc(c.Held(), func(p string) bool { return slices.Contains(names, p) }) {
				rows = append(rows, revocation.Entry{Kind: revocation.Client, Key: c.ClientID, Reason: reason})
			}
		}
		if len(clients) < page {
			return rows, nil
		}
	}
}
