package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.GroupReader = (*DB)(nil)

const (
	// Keys that begin with $1 are those up to $2, in the order of bytes.
	groupPage = `SELECT ` + groupColumns + ` FROM groups g
WHERE g.name_key COLLATE "C" >= $1 AND g.name_key COLLATE "C" < $2 AND g.name_key COLLATE "C" > $3
ORDER BY g.name_key COLLATE "C" LIMIT $4`

	memberPage = `SELECT u.id, u.sub, u.username, u.name, m.ends_at, m.added_at
FROM (SELECT * FROM group_members WHERE group_id = $1 AND user_id > $2 ORDER BY group_id, user_id` + mostListed + `) AS m
JOIN users u ON u.id = m.user_id ORDER BY m.user_id LIMIT $3`

	// Whatever is read of a person's rights is one snapshot, and so one statement. A
	// line each: memberships, edges, groups. Subqueries instead of joins: see personStanding.
	rightsOf = `SELECT u.superuser,
  COALESCE((SELECT string_agg(hexed(m.group_id) || ' ' || m.ends_at, '` + "\n" + `') FROM group_members m` + running + `), ''),
  (WITH RECURSIVE ` + groupsAround + ` SELECT COALESCE(string_agg((
      SELECT string_agg(hexed(e.parent_id) || ' ' || hexed(e.child_id), '` + "\n" + `') FROM group_children e WHERE e.child_id = around.id
    ), '` + "\n" + `'), '') FROM around),
  (WITH RECURSIVE ` + groupsAround + ` SELECT COALESCE(string_agg((
      SELECT hexed(g.id) || '` + "\t" + `' || g.name || '` + "\t" + `' ||
        COALESCE((SELECT string_agg(p.name, ' ') FROM group_permissions gp JOIN permissions p ON p.id = gp.permission_id
          JOIN apis a ON a.id = p.api_id AND a.disabled_at = 0 WHERE gp.group_id = g.id), '')
      FROM groups g WHERE g.id = around.id), '` + "\n" + `'), '') FROM around),
  CASE WHEN u.superuser THEN (SELECT COALESCE(string_agg(p.name, ' '), '') FROM permissions p
    JOIN apis a ON a.id = p.api_id AND a.disabled_at = 0) ELSE '' END
FROM users u WHERE u.sub = $1`

	// A group that holds the permission itself is there by way of itself, and once for
	// each group that it is inside and that holds it.
	holderPage = `WITH RECURSIVE holding (id, via) AS (SELECT gp.group_id, gp.group_id FROM permissions p
    JOIN group_permissions gp ON gp.permission_id = p.id WHERE p.name = $1
  UNION SELECT e.child_id, e.parent_id FROM holding JOIN group_children e ON e.parent_id = holding.id)
SELECT g.name, g.name_key, max(CASE WHEN holding.via = g.id THEN 1 ELSE 0 END) = 1,
  COALESCE(string_agg(n.name, '` + "\n" + `') FILTER (WHERE n.id <> g.id), '')
FROM holding CROSS JOIN groups g CROSS JOIN groups n
WHERE g.id = holding.id AND n.id = holding.via AND g.name_key COLLATE "C" > $2
GROUP BY g.id, g.name, g.name_key ORDER BY g.name_key COLLATE "C" LIMIT $3`
)

// behind is a text that sorts, byte by byte, behind all that begin with a prefix.
// UTF-8 holds no byte of 0xff, and no text of a database anything but UTF-8.
func behind(prefix string) string { return prefix + "\U0010ffff" }

// GroupPage implements accounts.GroupReader.
func (d *DB) GroupPage(ctx context.Context, prefix, after string, limit int) ([]accounts.Group, error) {
	var groups []accounts.Group
	err := d.query(ctx, groupPage, func(row scanner) error {
		var g accounts.Group
		err := scanGroup(row, &g, false)
		groups = append(groups, g)
		return err
	}, prefix, behind(prefix), after, limit)
	if err != nil {
		return nil, fmt.Errorf("group page: %w", err)
	}
	return groups, nil
}

// MemberPage implements accounts.GroupReader.
func (d *DB) MemberPage(ctx context.Context, groupID, after id.ID, limit int) ([]accounts.Member, error) {
	var page []accounts.Member
	err := d.query(ctx, memberPage, func(row scanner) error {
		var m accounts.Member
		err := row.Scan(&m.UserID, &m.Subject, &m.Username, &m.Name, &m.EndsAt, &m.AddedAt)
		page = append(page, m)
		return err
	}, groupID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("member page: %w", err)
	}
	return page, nil
}

// HolderPage implements accounts.GroupReader.
func (d *DB) HolderPage(ctx context.Context, permission, after string, limit int) ([]accounts.Holder, error) {
	var page []accounts.Holder
	err := d.query(ctx, holderPage, func(row scanner) error {
		var h accounts.Holder
		err := row.Scan(&h.Group, &h.NameKey, &h.Direct, (*lines)(&h.Through))
		slices.Sort(h.Through)
		page = append(page, h)
		return err
	}, permission, after, limit)
	if err != nil {
		return nil, fmt.Errorf("holder page: %w", err)
	}
	return page, nil
}

// RightsOf implements accounts.GroupReader.
func (d *DB) RightsOf(ctx context.Context, subject string, now int64) (*accounts.Rights, error) {
	var (
		r                           accounts.Rights
		memberships, edges, holding lines
	)
	err := d.queryRow(ctx, rightsOf, []any{subject, now}, &r.Superuser, &memberships, &edges, &holding, (*words)(&r.All))
	if err != nil {
		return nil, fmt.Errorf("rights of a user: %w", err)
	}
	for _, line := range memberships {
		var m accounts.RunningMembership
		digits, ends, _ := strings.Cut(line, " ")
		if err = hexID(&m.GroupID, digits); err == nil {
			m.EndsAt, err = strconv.ParseInt(ends, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("sqldb: membership %q: %w", line, err)
		}
		r.Memberships = append(r.Memberships, m)
	}
	for _, line := range edges {
		var e accounts.GroupEdge
		parent, child, _ := strings.Cut(line, " ")
		if err = hexID(&e.Parent, parent); err == nil {
			err = hexID(&e.Child, child)
		}
		if err != nil {
			return nil, fmt.Errorf("sqldb: edge %q: %w", line, err)
		}
		r.Edges = append(r.Edges, e)
	}
	for _, line := range holding {
		var g accounts.GroupRights
		digits, rest, _ := strings.Cut(line, "\t")
		name, permissions, _ := strings.Cut(rest, "\t")
		if err := hexID(&g.ID, digits); err != nil {
			return nil, fmt.Errorf("sqldb: group %q: %w", line, err)
		}
		g.Name, g.Permissions = name, strings.Fields(permissions)
		r.Groups = append(r.Groups, g)
	}
	return &r, nil
}
