package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.MembershipStore = (*DB)(nil)

const (
	insertMember = `INSERT INTO group_members (user_id, group_id, ends_at, added_at)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	memberEnd    = `SELECT ends_at FROM group_members WHERE user_id = $1 AND group_id = $2 FOR NO KEY UPDATE`
	setMemberEnd = `UPDATE group_members SET ends_at = $3 WHERE user_id = $1 AND group_id = $2`
	deleteMember = `DELETE FROM group_members WHERE user_id = $1 AND group_id = $2 RETURNING ends_at`

	members = `SELECT u.sub FROM group_members m JOIN users u ON u.id = m.user_id
WHERE m.group_id = $1 AND u.sub > $2 ORDER BY u.sub LIMIT $3`
	groupsOf = `WITH RECURSIVE ` + groupsAround1 + ` SELECT g.name FROM around JOIN groups g ON g.id = around.id ORDER BY g.name`

	grantPermission = `INSERT INTO group_permissions (group_id, permission_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	takePermission  = `DELETE FROM group_permissions WHERE group_id = $1 AND permission_id = $2`
)

// AddMember implements accounts.MembershipStore. A group or user that is gone is
// ErrNotFound.
func (d *DB) AddMember(ctx context.Context, groupID, userID id.ID, endsAt, now int64) (*accounts.MemberChange, error) {
	var change *accounts.MemberChange
	err := d.InTx(ctx, func(ctx context.Context) error {
		change = nil
		n, err := d.exec(ctx, insertMember, userID, groupID, endsAt, now)
		if err != nil {
			return err
		}
		if n > 0 {
			change = &accounts.MemberChange{UserID: userID}
			return nil
		}
		var was int64
		if err := d.queryRow(ctx, memberEnd, []any{userID, groupID}, &was); err != nil {
			return err
		}
		if was == endsAt {
			return nil
		}
		change = &accounts.MemberChange{UserID: userID, Moved: true, EndedAt: was, Shortened: shortens(was, endsAt, now)}
		_, err = d.exec(ctx, setMemberEnd, userID, groupID, endsAt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("add member: %w", err)
	}
	return change, nil
}

// runs reports whether something that ends at a time, or never if it is zero, has
// not ended.
func runs(endsAt, now int64) bool { return endsAt == 0 || endsAt > now }

// shortens reports whether an end takes something away from a membership.
func shortens(was, endsAt, now int64) bool {
	return runs(was, now) && endsAt != 0 && (was == 0 || endsAt < was)
}

// RemoveMember implements accounts.MembershipStore.
func (d *DB) RemoveMember(ctx context.Context, groupID, userID id.ID, now int64) (bool, error) {
	was := false
	err := d.query(ctx, deleteMember, func(row scanner) error {
		var endsAt int64
		err := row.Scan(&endsAt)
		was = runs(endsAt, now)
		return err
	}, userID, groupID)
	if err != nil {
		return false, fmt.Errorf("remove member: %w", err)
	}
	return was, nil
}

// Members implements accounts.MembershipStore; whose time has ended is among them.
func (d *DB) Members(ctx context.Context, groupID id.ID, after string, limit int) ([]string, error) {
	subs, err := d.texts(ctx, members, groupID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("members of a group: %w", err)
	}
	return subs, nil
}

// GroupsOf implements accounts.MembershipStore.
func (d *DB) GroupsOf(ctx context.Context, userID id.ID, now int64) ([]string, error) {
	names, err := d.texts(ctx, groupsOf, userID, now)
	if err != nil {
		return nil, fmt.Errorf("groups of a user: %w", err)
	}
	return names, nil
}

// texts reads a column of texts.
func (d *DB) texts(ctx context.Context, sql string, args ...any) ([]string, error) {
	var texts []string
	err := d.query(ctx, sql, func(row scanner) error {
		var t string
		err := row.Scan(&t)
		texts = append(texts, t)
		return err
	}, args...)
	return texts, err
}

// GrantPermission implements accounts.MembershipStore. A group or permission that
// is gone is ErrNotFound.
func (d *DB) GrantPermission(ctx context.Context, groupID, permissionID id.ID) (bool, error) {
	changed, err := d.changesIfAny(ctx, grantPermission, groupID, permissionID)
	if err != nil {
		return false, fmt.Errorf("grant permission: %w", err)
	}
	return changed > 0, nil
}

// RevokePermission implements accounts.MembershipStore.
func (d *DB) RevokePermission(ctx context.Context, groupID, permissionID id.ID) (bool, error) {
	changed, err := d.changesIfAny(ctx, takePermission, groupID, permissionID)
	if err != nil {
		return false, fmt.Errorf("revoke permission: %w", err)
	}
	return changed > 0, nil
}

// changesIfAny runs a statement and bumps the change counter if it touched a row.
func (d *DB) changesIfAny(ctx context.Context, sql string, args ...any) (int64, error) {
	var n int64
	err := d.InTx(ctx, func(ctx context.Context) (err error) {
		n, err = d.exec(ctx, sql, args...)
		if err == nil && n > 0 {
			err = d.BumpChange(ctx)
		}
		return err
	})
	return n, err
}
