package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.CrowdStore = (*DB)(nil)

const (
	// In one order for everybody.
	lockSubjects = `SELECT u.sub, u.id FROM users u WHERE u.sub IN strings($1) ORDER BY u.id FOR NO KEY UPDATE`

	insertMembers = `INSERT INTO group_members (user_id, group_id, ends_at, added_at)
SELECT u.id, $2, $3, $4 FROM users u WHERE u.id IN ids($1) ON CONFLICT DO NOTHING RETURNING user_id`
	moveMembers = `SELECT m.user_id, m.ends_at FROM group_members m WHERE m.group_id = $1 AND m.user_id IN ids($2) AND m.ends_at <> $3`
	setEnds     = `UPDATE group_members SET ends_at = $3 WHERE group_id = $1 AND user_id IN ids($2)`
	dropMembers = `DELETE FROM group_members WHERE group_id = $1 AND user_id IN ids($2) RETURNING user_id, ends_at`

	// Found first and locked then, users before their memberships (L22): who is being
	// changed is left for the next time, and looked at again under the lock.
	dueMembers = `SELECT m.user_id FROM group_members m WHERE m.ends_at > 0 AND m.ends_at <= $1 ORDER BY m.ends_at LIMIT $2`
	lockDue    = `SELECT id FROM users WHERE id IN ids($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED`
	endedOf    = `SELECT m.user_id, u.sub, m.group_id, g.name, m.ends_at
FROM group_members m JOIN users u ON u.id = m.user_id JOIN groups g ON g.id = m.group_id
WHERE m.user_id IN ids($1) AND m.ends_at > 0 AND m.ends_at <= $2 ORDER BY m.ends_at, u.sub, g.name LIMIT $3`
	deleteEnded = `DELETE FROM group_members WHERE user_id = $1 AND group_id = $2 AND ends_at = $3`
)

// LockUsers implements accounts.CrowdStore.
func (d *DB) LockUsers(ctx context.Context, subjects []string) (map[string]id.ID, error) {
	if d.txOf(ctx) == nil {
		return nil, errLockOutsideTx
	}
	users := make(map[string]id.ID, len(subjects))
	err := d.query(ctx, lockSubjects, func(row scanner) error {
		var subject string
		var one id.ID
		err := row.Scan(&subject, &one)
		users[subject] = one
		return err
	}, subjects)
	if err != nil {
		return nil, fmt.Errorf("lock users: %w", err)
	}
	return users, nil
}

// SetMembers implements accounts.CrowdStore. A group that is gone is ErrNotFound. The
// users must be locked.
func (d *DB) SetMembers(ctx context.Context, groupID id.ID, users []id.ID, endsAt, now int64) ([]accounts.MemberChange, error) {
	var changes []accounts.MemberChange
	err := d.InTx(ctx, func(ctx context.Context) error {
		var moved []id.ID
		changes = nil
		err := d.query(ctx, insertMembers, func(row scanner) error {
			var m accounts.MemberChange
			err := row.Scan(&m.UserID)
			changes = append(changes, m)
			return err
		}, users, groupID, endsAt, now)
		if err != nil {
			return err
		}
		err = d.query(ctx, moveMembers, func(row scanner) error {
			m := accounts.MemberChange{Moved: true}
			err := row.Scan(&m.UserID, &m.EndedAt)
			m.Shortened = shortens(m.EndedAt, endsAt, now)
			changes, moved = append(changes, m), append(moved, m.UserID)
			return err
		}, groupID, users, endsAt)
		if err != nil || len(moved) == 0 {
			return err
		}
		_, err = d.exec(ctx, setEnds, groupID, moved, endsAt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("set members: %w", err)
	}
	return changes, nil
}

// DropMembers implements accounts.CrowdStore.
func (d *DB) DropMembers(ctx context.Context, groupID id.ID, users []id.ID, now int64) (removed, lost []id.ID, err error) {
	err = d.query(ctx, dropMembers, func(row scanner) error {
		var one id.ID
		var was int64
		err := row.Scan(&one, &was)
		removed = append(removed, one)
		if runs(was, now) {
			lost = append(lost, one)
		}
		return err
	}, groupID, users)
	if err != nil {
		return nil, nil, fmt.Errorf("drop members: %w", err)
	}
	return removed, lost, nil
}

// EndMembers implements accounts.CrowdStore.
func (d *DB) EndMembers(ctx context.Context, now int64, limit int) ([]accounts.EndedMembership, error) {
	if d.txOf(ctx) == nil {
		return nil, errLockOutsideTx
	}
	users, err := d.lockDue(ctx, now, limit)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	var ended []accounts.EndedMembership
	var groups []id.ID
	err = d.query(ctx, endedOf, func(row scanner) error {
		var m accounts.EndedMembership
		var group id.ID
		err := row.Scan(&m.UserID, &m.Subject, &group, &m.Group, &m.EndsAt)
		ended, groups = append(ended, m), append(groups, group)
		return err
	}, users, now, limit)
	if err != nil {
		return nil, fmt.Errorf("memberships that have ended: %w", err)
	}
	kept := ended[:0]
	for i, m := range ended {
		n, err := d.exec(ctx, deleteEnded, m.UserID, groups[i], m.EndsAt)
		if err != nil {
			return nil, fmt.Errorf("end membership: %w", err)
		}
		if n == 1 { // else the group was deleted meanwhile
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// lockDue locks the users of memberships whose time has come.
func (d *DB) lockDue(ctx context.Context, now int64, limit int) ([]id.ID, error) {
	due, err := d.idsOf(ctx, dueMembers, now, limit)
	if err != nil || len(due) == 0 || d.dialect == SQLite { // which has locked everything
		return due, err
	}
	return d.idsOf(ctx, lockDue, due)
}

// idsOf reads a column of ids.
func (d *DB) idsOf(ctx context.Context, sql string, args ...any) ([]id.ID, error) {
	var ids []id.ID
	err := d.query(ctx, sql, func(row scanner) error {
		var one id.ID
		err := row.Scan(&one)
		ids = append(ids, one)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("memberships that are due: %w", err)
	}
	return ids, nil
}
