package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/admin"
)

const membershipsOfOne = `SELECT g.id, g.name, g.description, m.ends_at
FROM (SELECT * FROM group_members WHERE user_id = (SELECT id FROM users WHERE sub = $1) AND group_id > $2
  AND (ends_at = 0 OR ends_at > $3) ORDER BY user_id, group_id` + mostListed + `) AS m
JOIN groups g ON g.id = m.group_id ORDER BY m.group_id LIMIT $4`

// ListedMemberships implements admin.ListStore.
func (d *DB) ListedMemberships(ctx context.Context, q admin.MembershipQuery) ([]admin.ListedMembership, error) {
	var list []admin.ListedMembership
	err := d.query(ctx, membershipsOfOne, func(row scanner) error {
		var m admin.ListedMembership
		err := row.Scan(&m.GroupID, &m.Group, &m.Description, &m.EndsAt)
		list = append(list, m)
		return err
	}, q.Subject, q.After, q.Now, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("listed memberships: %w", err)
	}
	return list, nil
}
