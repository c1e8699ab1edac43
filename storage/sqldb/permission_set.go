package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ accounts.PermissionSetStore = (*DB)(nil)
	_ accounts.SetHoldingStore    = (*DB)(nil)
)

const (
	insertPermissionSet = `INSERT INTO permission_sets (id, name, name_key, description, created_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`
	describePermissionSet = `UPDATE permission_sets SET description = $2 WHERE id = $1`
	deletePermissionSet   = `DELETE FROM permission_sets WHERE id = $1`

	setColumns = `s.id, s.name, s.name_key, s.description, s.created_at,
  COALESCE((SELECT string_agg(p.name, ' ') FROM permission_set_permissions sp JOIN permissions p ON p.id = sp.permission_id
    WHERE sp.set_id = s.id), '')`
	permissionSetByName = `SELECT ` + setColumns + `,
  COALESCE((SELECT string_agg(c.client_id, ' ') FROM client_permission_sets cs JOIN clients c ON c.id = cs.client_id
    WHERE cs.set_id = s.id), '')
FROM permission_sets s WHERE s.name_key = $1`
	permissionSetPage = `SELECT ` + setColumns + ` FROM permission_sets s
WHERE s.name_key COLLATE "C" >= $1 AND s.name_key COLLATE "C" < $2 AND s.name_key COLLATE "C" > $3
ORDER BY s.name_key COLLATE "C" LIMIT $4`

	// Who gives the set to a client, or puts a permission into it, holds FOR KEY SHARE by the
	// foreign key.
	lockSet        = `SELECT id FROM permission_sets WHERE id = $1 FOR UPDATE`
	findSet        = `SELECT id FROM permission_sets WHERE id = $1`
	lockSetClients = `SELECT c.id FROM client_permission_sets cs JOIN clients c ON c.id = cs.client_id
WHERE cs.set_id = $1 ORDER BY c.id FOR NO KEY UPDATE OF c`

	grantToSet    = `INSERT INTO permission_set_permissions (set_id, permission_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	revokeFromSet = `DELETE FROM permission_set_permissions WHERE set_id = $1 AND permission_id = $2`
	assignSet     = `INSERT INTO client_permission_sets (set_id, client_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	unassignSet   = `DELETE FROM client_permission_sets WHERE set_id = $1 AND client_id = $2`

	holdersThrough = `SELECT c.client_id FROM client_permission_sets cs JOIN clients c ON c.id = cs.client_id
WHERE cs.set_id = $1 AND EXISTS (
  SELECT 1 FROM permission_set_permissions sp JOIN permissions p ON p.id = sp.permission_id
  WHERE sp.set_id = $1 AND p.name IN strings($2)
    AND NOT EXISTS (SELECT 1 FROM client_permissions cp WHERE cp.client_id = c.id AND cp.permission_id = p.id)
    AND NOT EXISTS (SELECT 1 FROM client_permission_sets o JOIN permission_set_permissions op ON op.set_id = o.set_id
      WHERE o.client_id = c.id AND o.set_id <> $1 AND op.permission_id = p.id))
ORDER BY c.client_id`
)

func scanSet(row scanner, p *accounts.PermissionSet, more ...any) error {
	err := row.Scan(append([]any{&p.ID, &p.Name, &p.NameKey, &p.Description, &p.CreatedAt, (*words)(&p.Permissions)}, more...)...)
	slices.Sort(p.Permissions)
	return err
}

// InsertPermissionSet implements accounts.PermissionSetStore. A new set holds nothing
// and nobody has it: nodes need not be told of it.
func (d *DB) InsertPermissionSet(ctx context.Context, p *accounts.PermissionSet) error {
	if err := d.inserted(ctx, insertPermissionSet, p.ID, p.Name, p.NameKey, p.Description, p.CreatedAt); err != nil {
		return fmt.Errorf("insert permission set: %w", err)
	}
	return nil
}

// PermissionSetByName implements accounts.PermissionSetStore.
func (d *DB) PermissionSetByName(ctx context.Context, nameKey string) (*accounts.PermissionSet, error) {
	var found *accounts.PermissionSet
	err := d.query(ctx, permissionSetByName, func(row scanner) error {
		found = new(accounts.PermissionSet)
		err := scanSet(row, found, (*words)(&found.Clients))
		slices.Sort(found.Clients)
		return err
	}, nameKey)
	if err == nil && found == nil {
		err = accounts.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("permission set by name: %w", err)
	}
	return found, nil
}

// PermissionSetPage implements accounts.PermissionSetStore.
func (d *DB) PermissionSetPage(ctx context.Context, prefix, after string, limit int) ([]accounts.PermissionSet, error) {
	var page []accounts.PermissionSet
	err := d.query(ctx, permissionSetPage, func(row scanner) error {
		var p accounts.PermissionSet
		err := scanSet(row, &p)
		page = append(page, p)
		return err
	}, prefix, behind(prefix), after, limit)
	if err != nil {
		return nil, fmt.Errorf("permission set page: %w", err)
	}
	return page, nil
}

// DescribePermissionSet implements accounts.PermissionSetStore.
func (d *DB) DescribePermissionSet(ctx context.Context, setID id.ID, description string) error {
	if err := d.touched(ctx, describePermissionSet, setID, description); err != nil {
		return fmt.Errorf("describe permission set: %w", err)
	}
	return nil
}

// DeletePermissionSet implements accounts.PermissionSetStore.
func (d *DB) DeletePermissionSet(ctx context.Context, setID id.ID) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, deletePermissionSet, setID)
	})
	if err != nil {
		return fmt.Errorf("delete permission set: %w", err)
	}
	return nil
}

// LockPermissionSet implements accounts.SetHoldingStore.
func (d *DB) LockPermissionSet(ctx context.Context, setID id.ID) error {
	if d.txOf(ctx) == nil {
		return errLockOutsideTx
	}
	if err := d.LockPermissions(ctx, false); err != nil {
		return err
	}
	var found id.ID
	if err := d.queryRow(ctx, d.either(lockSet, findSet), []any{setID}, &found); err != nil {
		return fmt.Errorf("lock permission set: %w", err)
	}
	if d.dialect == SQLite { // its transaction has locked everything
		return nil
	}
	if _, err := d.exec(ctx, lockSetClients, setID); err != nil {
		return fmt.Errorf("lock clients of a permission set: %w", err)
	}
	return nil
}

// GrantToSet implements accounts.SetHoldingStore. A set or permission that is gone is
// ErrNotFound.
func (d *DB) GrantToSet(ctx context.Context, setID, permissionID id.ID) (bool, error) {
	return d.changesSet(ctx, "grant to set", grantToSet, setID, permissionID)
}

// RevokeFromSet implements accounts.SetHoldingStore.
func (d *DB) RevokeFromSet(ctx context.Context, setID, permissionID id.ID) (bool, error) {
	return d.changesSet(ctx, "revoke from set", revokeFromSet, setID, permissionID)
}

// AssignSet implements accounts.SetHoldingStore. A set or client that is gone is
// ErrNotFound.
func (d *DB) AssignSet(ctx context.Context, setID, clientID id.ID) (bool, error) {
	return d.changesSet(ctx, "assign set", assignSet, setID, clientID)
}

// UnassignSet implements accounts.SetHoldingStore.
func (d *DB) UnassignSet(ctx context.Context, setID, clientID id.ID) (bool, error) {
	return d.changesSet(ctx, "unassign set", unassignSet, setID, clientID)
}

func (d *DB) changesSet(ctx context.Context, what, sql string, setID, other id.ID) (bool, error) {
	n, err := d.changesIfAny(ctx, sql, setID, other)
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return n > 0, nil
}

// HoldersThrough implements accounts.SetHoldingStore.
func (d *DB) HoldersThrough(ctx context.Context, setID id.ID, permissions []string) ([]string, error) {
	clients, err := d.texts(ctx, holdersThrough, setID, permissions)
	if err != nil {
		return nil, fmt.Errorf("holders through a set: %w", err)
	}
	return clients, nil
}
