package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.PermissionStore = (*DB)(nil)

const (
	insertPermission = `INSERT INTO permissions (id, api_id, name, description, texts, created_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`
	permissionsByName = `SELECT id, api_id, name, description, texts, created_at FROM permissions WHERE name IN strings($1)`
	// Name and API are what tokens carry: another name is another permission.
	updatePermission = `UPDATE permissions SET description = $2, texts = $3 WHERE id = $1`
	deletePermission = `DELETE FROM permissions WHERE id = $1`

	// A name of its own, as nestingLock.
	permissionsLock = "\x01permissions"
	shareName       = `SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))`
)

// InsertPermission implements accounts.PermissionStore. An API that is gone is
// ErrNotFound.
func (d *DB) InsertPermission(ctx context.Context, p *accounts.Permission) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.inserted(ctx, insertPermission, p.ID, p.APIID, p.Name, p.Description, texts(p.Texts), p.CreatedAt)
	})
	if err != nil {
		return fmt.Errorf("insert permission: %w", err)
	}
	return nil
}

// PermissionsByName implements accounts.PermissionStore.
func (d *DB) PermissionsByName(ctx context.Context, names []string) (map[string]accounts.Permission, error) {
	found := make(map[string]accounts.Permission, len(names))
	err := d.query(ctx, permissionsByName, func(row scanner) error {
		var p accounts.Permission
		err := row.Scan(&p.ID, &p.APIID, &p.Name, &p.Description, (*texts)(&p.Texts), &p.CreatedAt)
		found[p.Name] = p
		return err
	}, names)
	if err != nil {
		return nil, fmt.Errorf("permissions by name: %w", err)
	}
	return found, nil
}

// UpdatePermission implements accounts.PermissionStore; it writes the descriptions
// alone.
func (d *DB) UpdatePermission(ctx context.Context, p *accounts.Permission) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, updatePermission, p.ID, p.Description, texts(p.Texts))
	})
	if err != nil {
		return fmt.Errorf("update permission: %w", err)
	}
	return nil
}

// DeletePermission implements accounts.PermissionStore.
func (d *DB) DeletePermission(ctx context.Context, permissionID id.ID) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, deletePermission, permissionID)
	})
	if err != nil {
		return fmt.Errorf("delete permission: %w", err)
	}
	return nil
}

// LockPermissions implements accounts.PermissionStore.
func (d *DB) LockPermissions(ctx context.Context, alone bool) error {
	if d.txOf(ctx) == nil {
		return errLockOutsideTx
	}
	if d.dialect == SQLite { // its transaction has locked everything
		return nil
	}
	text := shareName
	if alone {
		text = lockName
	}
	if _, err := d.exec(ctx, text, permissionsLock); err != nil {
		return fmt.Errorf("lock permissions: %w", err)
	}
	return nil
}
