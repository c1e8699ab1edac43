package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.NestingStore = (*DB)(nil)

const (
	// A name of its own, which no sub or client_id can be (see lockName).
	nestingLock = "\x01nesting of groups"

	edgesAround = `WITH RECURSIVE below (id) AS (SELECT g.id FROM groups g WHERE g.id IN ids($1)
  UNION SELECT e.child_id FROM below JOIN group_children e ON e.parent_id = below.id),
above (id) AS (SELECT below.id FROM below
  UNION SELECT e.parent_id FROM above JOIN group_children e ON e.child_id = above.id)
SELECT e.parent_id, e.child_id FROM above CROSS JOIN group_children e WHERE e.child_id = above.id`

	// Who adds a member or gives a permission holds FOR KEY SHARE by the foreign key.
	lockGroups = `SELECT id FROM groups WHERE id IN ids($1) ORDER BY id FOR UPDATE`
	holdingsOf = `SELECT g.id, EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = g.id),
  COALESCE((SELECT string_agg(p.name, ' ') FROM group_permissions gp JOIN permissions p ON p.id = gp.permission_id
    WHERE gp.group_id = g.id), '')
FROM groups g WHERE g.id IN ids($1)`

	insertEdge = `INSERT INTO group_children (parent_id, child_id, added_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	deleteEdge = `DELETE FROM group_children WHERE parent_id = $1 AND child_id = $2`
)

// LockNesting implements accounts.NestingStore.
func (d *DB) LockNesting(ctx context.Context) error {
	if d.txOf(ctx) == nil {
		return errLockOutsideTx
	}
	if d.dialect == SQLite { // its transaction has locked everything
		return nil
	}
	if _, err := d.exec(ctx, lockName, nestingLock); err != nil {
		return fmt.Errorf("lock nesting: %w", err)
	}
	return nil
}

// EdgesAround implements accounts.NestingStore.
func (d *DB) EdgesAround(ctx context.Context, groups ...id.ID) ([]accounts.GroupEdge, error) {
	var edges []accounts.GroupEdge
	err := d.query(ctx, edgesAround, func(row scanner) error {
		var e accounts.GroupEdge
		err := row.Scan(&e.Parent, &e.Child)
		edges = append(edges, e)
		return err
	}, groups)
	if err != nil {
		return nil, fmt.Errorf("edges around groups: %w", err)
	}
	return edges, nil
}

// LockHoldings implements accounts.NestingStore.
func (d *DB) LockHoldings(ctx context.Context, groups []id.ID) ([]accounts.GroupHolding, error) {
	if d.txOf(ctx) == nil {
		return nil, errLockOutsideTx
	}
	if d.dialect == Postgres {
		if _, err := d.exec(ctx, lockGroups, groups); err != nil {
			return nil, fmt.Errorf("lock groups: %w", err)
		}
	}
	var holdings []accounts.GroupHolding
	err := d.query(ctx, holdingsOf, func(row scanner) error {
		var h accounts.GroupHolding
		err := row.Scan(&h.GroupID, &h.Occupied, (*words)(&h.Permissions))
		slices.Sort(h.Permissions)
		holdings = append(holdings, h)
		return err
	}, groups)
	if err != nil {
		return nil, fmt.Errorf("holdings of groups: %w", err)
	}
	return holdings, nil
}

// InsertEdge implements accounts.NestingStore. A group that is gone is ErrNotFound.
func (d *DB) InsertEdge(ctx context.Context, e accounts.GroupEdge, now int64) (bool, error) {
	n, err := d.changesIfAny(ctx, insertEdge, e.Parent, e.Child, now)
	if err != nil {
		return false, fmt.Errorf("insert edge: %w", err)
	}
	return n > 0, nil
}

// DeleteEdge implements accounts.NestingStore.
func (d *DB) DeleteEdge(ctx context.Context, e accounts.GroupEdge) (bool, error) {
	n, err := d.changesIfAny(ctx, deleteEdge, e.Parent, e.Child)
	if err != nil {
		return false, fmt.Errorf("delete edge: %w", err)
	}
	return n > 0, nil
}
