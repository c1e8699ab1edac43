package sqldb

import (
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/admin"
)

var _ admin.GroupStore = (*DB)(nil)

const (
	// What disabled APIs would give counts: they may be enabled again.
	groupHolds = `WITH RECURSIVE above (id) AS (
  SELECT g.id FROM groups g WHERE g.name_key = $1
  UNION SELECT n.parent_id FROM above a JOIN group_children n ON n.child_id = a.id
)
SELECT p.name FROM permissions p
WHERE p.id IN (SELECT gp.permission_id FROM group_permissions gp WHERE gp.group_id IN (SELECT a.id FROM above a))`
	// Rows are bounded before they are made unique: somebody may be in two groups. SQLite
	// would read all memberships first if the join left it the choice.
	groupCrowd = `WITH RECURSIVE below (id) AS (
  SELECT g.id FROM groups g WHERE g.name_key = $1
  UNION SELECT n.child_id FROM below JOIN group_children n ON n.parent_id = below.id
)
SELECT count(*), count(DISTINCT x.user_id) FROM (
  SELECT m.user_id FROM below CROSS JOIN group_members m
  WHERE m.group_id = below.id AND (m.ends_at = 0 OR m.ends_at > $2) LIMIT $3) x`
	lockGroup = `SELECT name FROM groups WHERE name_key = $1 FOR NO KEY UPDATE`
	lockAPI   = `SELECT audience FROM apis WHERE audience = $1 FOR NO KEY UPDATE`
)

// GroupHolds implements admin.GroupStore.
func (d *DB) GroupHolds(ctx context.Context, nameKey string) ([]string, error) {
	held, err := d.texts(ctx, groupHolds, nameKey)
	if err != nil {
		return nil, fmt.Errorf("what a group holds: %w", err)
	}
	slices.Sort(held)
	return held, nil
}

// GroupCrowd implements admin.GroupStore.
func (d *DB) GroupCrowd(ctx context.Context, nameKey string, most int) (people int, more bool, err error) {
	var rows int
	if err := d.queryRow(ctx, groupCrowd, []any{nameKey, d.now(), most + 1}, &rows, &people); err != nil {
		return 0, false, fmt.Errorf("people of a group: %w", err)
	}
	return min(people, most), rows > most, nil
}

// LockGroup implements admin.GroupStore.
func (d *DB) LockGroup(ctx context.Context, nameKey string) error {
	return d.lockNamed(ctx, lockGroup, nameKey)
}

// LockAPI implements admin.GroupStore.
func (d *DB) LockAPI(ctx context.Context, audience string) error {
	return d.lockNamed(ctx, lockAPI, audience)
}

func (d *DB) lockNamed(ctx context.Context, sql, name string) error {
	if d.txOf(ctx) == nil {
		return errLockOutsideTx
	}
	var found string
	if err := d.queryRow(ctx, sql, []any{name}, &found); err != nil {
		return fmt.Errorf("lock %q: %w", name, err)
	}
	return nil
}
