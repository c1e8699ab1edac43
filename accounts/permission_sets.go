package accounts

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// PermissionSets makes and changes permission sets. They are named by their name in
// any case, clients by client_id. A client whose effective permissions shrink gets
// one row in the ledger; nobody else does (L19).
//
// A set's row is locked before those of its clients, and either by all who take
// something from a client: what two of them take at once is seen by the second.
type PermissionSets struct {
	Journal
	Store       PermissionSetStore
	Holdings    SetHoldingStore
	Permissions PermissionStore
	Clients     ClientStore
}

// Create makes an empty set. Errors: ErrInvalid, ErrConflict.
func (s *PermissionSets) Create(ctx context.Context, actor audit.Actor, name, description string) (*PermissionSet, error) {
	key, err := GroupKey(name)
	if err != nil {
		return nil, fmt.Errorf("name of the permission set: %w", err)
	}
	if err := describable(description); err != nil {
		return nil, err
	}
	p := &PermissionSet{ID: id.New(), Name: name, NameKey: key, Description: description}
	err = s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		p.CreatedAt = now
		if err := s.Store.InsertPermissionSet(ctx, p); err != nil {
			return nil, fmt.Errorf("insert permission set %q: %w", name, err)
		}
		return setEffect("permission_set.create", p, nil).changed(nil, setValues(p)), nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func describable(description string) error {
	if description == "" {
		return nil
	}
	return label("description", description, 500)
}

// Find returns a set with its permissions and clients. Errors: ErrNotFound.
func (s *PermissionSets) Find(ctx context.Context, name string) (*PermissionSet, error) {
	key, err := GroupKey(name)
	if err != nil {
		return nil, fmt.Errorf("permission set: %w", ErrNotFound)
	}
	p, err := s.Store.PermissionSetByName(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("permission set %q: %w", name, err)
	}
	return p, nil
}

// Page returns sets whose names begin with a prefix, in any case, in order, after a
// key (PermissionSet.NameKey of the last one), without their clients.
func (s *PermissionSets) Page(ctx context.Context, prefix, after string, limit int) ([]PermissionSet, error) {
	key := ""
	if prefix != "" {
		var err error
		if key, err = fold(prefix); err != nil {
			return nil, nil // no name can begin so
		}
	}
	page, err := s.Store.PermissionSetPage(ctx, key, after, pageLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("page of permission sets: %w", err)
	}
	return page, nil
}

// Describe changes a set's description. Errors: ErrInvalid, ErrNotFound.
func (s *PermissionSets) Describe(ctx context.Context, actor audit.Actor, name, description string) error {
	if err := describable(description); err != nil {
		return err
	}
	return s.change(ctx, actor, name, func(ctx context.Context, p *PermissionSet) (*effect, error) {
		if p.Description == description {
			return nil, nil
		}
		if err := s.Store.DescribePermissionSet(ctx, p.ID, description); err != nil {
			return nil, fmt.Errorf("describe permission set: %w", err)
		}
		e := setEffect("permission_set.update", p, map[string]any{"changed": []string{"description"}})
		before := setValues(p)
		p.Description = description
		return e.changed(before, setValues(p)), nil
	})
}

// Delete removes a set; its clients lose what nothing else gives them. Errors:
// ErrNotFound.
func (s *PermissionSets) Delete(ctx context.Context, actor audit.Actor, name string) error {
	return s.change(ctx, actor, name, func(ctx context.Context, p *PermissionSet) (*effect, error) {
		losers, err := s.losers(ctx, p, p.Permissions)
		if err != nil {
			return nil, err
		}
		if err := s.Store.DeletePermissionSet(ctx, p.ID); err != nil {
			return nil, fmt.Errorf("delete permission set: %w", err)
		}
		e := setEffect("permission_set.delete", p, map[string]any{"permissions": p.Permissions, "clients": p.Clients}).changed(setValues(p), nil)
		e.rows = reducedRows(losers)
		return e, nil
	})
}

// Grant puts a permission into a set. Errors: ErrNotFound if either does not exist.
func (s *PermissionSets) Grant(ctx context.Context, actor audit.Actor, name, permission string) error {
	return s.change(ctx, actor, name, func(ctx context.Context, p *PermissionSet) (*effect, error) {
		found, err := s.permission(ctx, permission)
		if err != nil {
			return nil, err
		}
		changed, err := s.Holdings.GrantToSet(ctx, p.ID, found.ID)
		if err != nil || !changed {
			return nil, err
		}
		e := setEffect("permission_set.permission.grant", p, map[string]any{"permission": found.Name})
		return e.changed(nil, values{"permission": found.Name}), nil
	})
}

// Revoke takes a permission out of a set. Errors: ErrNotFound if either does not
// exist.
func (s *PermissionSets) Revoke(ctx context.Context, actor audit.Actor, name, permission string) error {
	return s.change(ctx, actor, name, func(ctx context.Context, p *PermissionSet) (*effect, error) {
		found, err := s.permission(ctx, permission)
		if err != nil {
			return nil, err
		}
		losers, err := s.losers(ctx, p, []string{found.Name})
		if err != nil {
			return nil, err
		}
		held, err := s.Holdings.RevokeFromSet(ctx, p.ID, found.ID)
		if err != nil || !held {
			return nil, err
		}
		e := setEffect("permission_set.permission.revoke", p, map[string]any{"permission": found.Name}).changed(values{"permission": found.Name}, nil)
		e.rows = reducedRows(losers)
		return e, nil
	})
}

// Assign gives a set to a client. Errors: ErrNotFound if either does not exist,
// ErrInvalid for a client that cannot act for itself.
func (s *PermissionSets) Assign(ctx context.Context, actor audit.Actor, name, clientID string) error {
	return s.change(ctx, actor, name, func(ctx context.Context, p *PermissionSet) (*effect, error) {
		c, err := s.client(ctx, clientID)
		if err != nil {
			return nil, err
		}
		if !c.Allows(GrantClientCredentials) {
			return nil, invalid("permission sets are for clients with the grant type %s", GrantClientCredentials)
		}
		changed, err := s.Holdings.AssignSet(ctx, p.ID, c.ID)
		if err != nil || !changed {
			return nil, err
		}
		e := setEffect("permission_set.assign", p, map[string]any{"client_id": c.ClientID})
		return e.changed(nil, values{"client_id": c.ClientID}), nil
	})
}

// Unassign takes a set from a client. Errors: ErrNotFound if either does not exist.
func (s *PermissionSets) Unassign(ctx context.Context, actor audit.Actor, name, clientID string) error {
	return s.change(ctx, actor, name, func(ctx context.Context, p *PermissionSet) (*effect, error) {
		c, err := s.client(ctx, clientID)
		if err != nil {
			return nil, err
		}
		losers, err := s.losers(ctx, p, p.Permissions)
		if err != nil {
			return nil, err
		}
		had, err := s.Holdings.UnassignSet(ctx, p.ID, c.ID)
		if err != nil || !had {
			return nil, err
		}
		e := setEffect("permission_set.unassign", p, map[string]any{"client_id": c.ClientID}).changed(values{"client_id": c.ClientID}, nil)
		if slices.Contains(losers, c.ClientID) {
			e.rows = reducedRows([]string{c.ClientID})
		}
		return e, nil
	})
}

// change runs f on a set that is locked with its clients.
func (s *PermissionSets) change(ctx context.Context, actor audit.Actor, name string, f func(ctx context.Context, p *PermissionSet) (*effect, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		p, err := s.Find(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := s.Holdings.LockPermissionSet(ctx, p.ID); err != nil {
			return nil, fmt.Errorf("lock permission set: %w", err)
		}
		if p, err = s.Find(ctx, name); err != nil { // as it is under the lock
			return nil, err
		}
		return f(ctx, p)
	})
}

func (s *PermissionSets) client(ctx context.Context, clientID string) (*Client, error) {
	c, err := s.Clients.LockClient(ctx, clientID)
	if err != nil {
		return nil, fmt.Errorf("client %q: %w", clientID, err)
	}
	return c, nil
}

func (s *PermissionSets) permission(ctx context.Context, name string) (Permission, error) {
	found, err := s.Permissions.PermissionsByName(ctx, []string{name})
	if err != nil {
		return Permission{}, fmt.Errorf("find permission: %w", err)
	}
	p, ok := found[name]
	if !ok {
		return Permission{}, fmt.Errorf("permission %q: %w", name, ErrNotFound)
	}
	return p, nil
}

func (s *PermissionSets) losers(ctx context.Context, p *PermissionSet, permissions []string) ([]string, error) {
	losers, err := s.Holdings.HoldersThrough(ctx, p.ID, permissions)
	if err != nil {
		return nil, fmt.Errorf("clients that lose something: %w", err)
	}
	return losers, nil
}

func reducedRows(clients []string) []revocation.Entry {
	rows := make([]revocation.Entry, 0, len(clients))
	for _, c := range clients {
		rows = append(rows, revocation.Entry{Kind: revocation.Client, Key: c, Reason: reasonClientReduced})
	}
	return rows
}

func setEffect(action string, p *PermissionSet, details map[string]any) *effect {
	return &effect{action: action, kind: "permission_set", target: p.Name, details: details}
}
