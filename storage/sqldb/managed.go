package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.ManagedStore = (*DB)(nil)

const (
	managedColumns = `SELECT kind, name, object_id, manager, applied, applied_at FROM managed`
	listManaged    = managedColumns
	managedObjects = managedColumns + ` WHERE object_id IN ids($1)`

	putManaged = `INSERT INTO managed (kind, name, object_id, manager, applied, applied_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (kind, name) DO UPDATE SET object_id = excluded.object_id, manager = excluded.manager,
  applied = excluded.applied, applied_at = excluded.applied_at`
	dropManaged = `DELETE FROM managed WHERE kind = $1 AND name = $2`

	liveGrants = `SELECT count(*) FROM (SELECT 1 FROM grants WHERE client_id = $1 AND ended_at = 0 LIMIT $2) live`
)

// LockManaged implements accounts.ManagedStore.
func (d *DB) LockManaged(ctx context.Context) error {
	if d.txOf(ctx) == nil {
		return errLockOutsideTx
	}
	if d.dialect != Postgres { // SQLite's transaction has locked everything
		return nil
	}
	if _, err := d.exec(ctx, lockName, "\x01managed"); err != nil {
		return fmt.Errorf("lock what files manage: %w", err)
	}
	return nil
}

func scanManaged(row scanner) (accounts.Managed, error) {
	var m accounts.Managed
	err := row.Scan((*string)(&m.Kind), &m.Name, &m.Object, &m.Manager, object{&m.Applied}, &m.AppliedAt)
	return m, err
}

// ListManaged implements accounts.ManagedStore.
func (d *DB) ListManaged(ctx context.Context) ([]accounts.Managed, error) {
	var all []accounts.Managed
	err := d.query(ctx, listManaged, func(row scanner) error {
		m, err := scanManaged(row)
		all = append(all, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what files manage: %w", err)
	}
	return all, nil
}

// ManagedObjects implements accounts.ManagedStore.
func (d *DB) ManagedObjects(ctx context.Context, objects ...id.ID) (map[id.ID]accounts.Managed, error) {
	found := map[id.ID]accounts.Managed{}
	err := d.query(ctx, managedObjects, func(row scanner) error {
		m, err := scanManaged(row)
		found[m.Object] = m
		return err
	}, objects)
	if err != nil {
		return nil, fmt.Errorf("which files manage objects: %w", err)
	}
	return found, nil
}

// PutManaged implements accounts.ManagedStore.
func (d *DB) PutManaged(ctx context.Context, m *accounts.Managed) error {
	_, err := d.exec(ctx, putManaged, string(m.Kind), m.Name, m.Object, m.Manager, object{m.Applied}, m.AppliedAt)
	if err != nil {
		return fmt.Errorf("put a mark: %w", err)
	}
	return nil
}

// DropManaged implements accounts.ManagedStore.
func (d *DB) DropManaged(ctx context.Context, kind accounts.ManagedKind, name string) error {
	if err := d.touched(ctx, dropManaged, string(kind), name); err != nil {
		return fmt.Errorf("drop a mark: %w", err)
	}
	return nil
}

// LiveGrants counts the grants of a client that have not ended, up to most.
func (d *DB) LiveGrants(ctx context.Context, clientID id.ID, most int) (int, error) {
	var n int
	if err := d.queryRow(ctx, liveGrants, []any{clientID, most}, &n); err != nil {
		return 0, fmt.Errorf("count grants of a client: %w", err)
	}
	return n, nil
}
