package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.ManagerStore = (*DB)(nil)

const (
	insertManager = `INSERT INTO group_managers (group_id, user_id, added_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	deleteManager = `DELETE FROM group_managers WHERE group_id = $1 AND user_id = $2`

	managesGroup = `SELECT EXISTS (SELECT 1 FROM users u JOIN group_managers x ON x.user_id = u.id JOIN groups g ON g.id = x.group_id
  WHERE u.sub = $1 AND u.banned_at = 0 AND u.delete_at = 0 AND g.name_key = $2)`
	managedGroups = `SELECT g.name FROM users u JOIN group_managers x ON x.user_id = u.id JOIN groups g ON g.id = x.group_id
WHERE u.sub = $1 AND u.banned_at = 0 AND u.delete_at = 0 AND g.name_key > $2 ORDER BY g.name_key LIMIT $3`
)

// InsertManager implements accounts.ManagerStore. A group or user that is gone is
// ErrNotFound.
func (d *DB) InsertManager(ctx context.Context, groupID, userID id.ID, now int64) (bool, error) {
	n, err := d.exec(ctx, insertManager, groupID, userID, now)
	if err != nil {
		return false, fmt.Errorf("insert manager: %w", err)
	}
	return n > 0, nil
}

// DeleteManager implements accounts.ManagerStore.
func (d *DB) DeleteManager(ctx context.Context, groupID, userID id.ID) (bool, error) {
	n, err := d.exec(ctx, deleteManager, groupID, userID)
	if err != nil {
		return false, fmt.Errorf("delete manager: %w", err)
	}
	return n > 0, nil
}

// ManagesGroup implements accounts.ManagerStore.
func (d *DB) ManagesGroup(ctx context.Context, subject, nameKey string) (manages bool, err error) {
	if err := d.queryRow(ctx, managesGroup, []any{subject, nameKey}, &manages); err != nil {
		return false, fmt.Errorf("manages group: %w", err)
	}
	return manages, nil
}

// ManagedGroups implements accounts.ManagerStore.
func (d *DB) ManagedGroups(ctx context.Context, subject, after string, limit int) ([]string, error) {
	names, err := d.texts(ctx, managedGroups, subject, after, limit)
	if err != nil {
		return nil, fmt.Errorf("managed groups: %w", err)
	}
	return names, nil
}
