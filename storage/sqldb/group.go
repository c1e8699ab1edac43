package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.GroupStore = (*DB)(nil)

const (
	insertGroup = `INSERT INTO groups (id, name, name_key, description, created_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`

	// Of a group, with what it holds and what it is inside. Names hold no line break.
	groupColumns = `g.id, g.name, g.name_key, g.description, g.second_factor, g.created_at,
  COALESCE((SELECT string_agg(p.name, ' ') FROM group_permissions gp JOIN permissions p ON p.id = gp.permission_id
    WHERE gp.group_id = g.id), ''),
  COALESCE((SELECT string_agg(n.name, '` + "\n" + `') FROM group_children e JOIN groups n ON n.id = e.parent_id
    WHERE e.child_id = g.id), ''),
  COALESCE((SELECT string_agg(n.name, '` + "\n" + `') FROM group_children e JOIN groups n ON n.id = e.child_id
    WHERE e.parent_id = g.id), '')`
	// Members whose time has not ended, but of so many that nobody waits for the count.
	groupPeople = `,
  (SELECT CASE WHEN count(*) > 1000 THEN 1001 ELSE count(CASE WHEN m.ends_at = 0 OR m.ends_at > $1 THEN 1 END) END
    FROM (SELECT f.group_id, f.user_id FROM group_members f WHERE f.group_id = g.id LIMIT 1001) AS n
    JOIN group_members m ON m.user_id = n.user_id AND m.group_id = n.group_id),
  COALESCE((SELECT string_agg(n.sub, '` + "\n" + `') FROM group_managers x JOIN users n ON n.id = x.user_id
    WHERE x.group_id = g.id), '')`
	groupByName = `SELECT ` + groupColumns + groupPeople + ` FROM groups g WHERE g.name_key = $2`
	listGroups  = `SELECT ` + groupColumns + groupPeople + ` FROM groups g ORDER BY g.name_key`

	updateGroup  = `UPDATE groups SET name = $2, name_key = $3, description = $4 WHERE id = $1`
	demandFactor = `UPDATE groups SET second_factor = $2 WHERE id = $1`
	deleteGroup  = `DELETE FROM groups WHERE id = $1`
)

// scanGroup scans groupColumns, and groupPeople if they are there.
func scanGroup(row scanner, g *accounts.Group, people bool) error {
	dest := []any{
		&g.ID, &g.Name, &g.NameKey, &g.Description, &g.SecondFactor, &g.CreatedAt, (*words)(&g.Permissions),
		(*lines)(&g.Parents), (*lines)(&g.Children),
	}
	if people {
		dest = append(dest, &g.Members, (*lines)(&g.Managers))
	}
	err := row.Scan(dest...)
	for _, names := range [][]string{g.Permissions, g.Parents, g.Children, g.Managers} {
		slices.Sort(names)
	}
	return err
}

// lines is a column of names, a line each.
type lines []string

// Scan implements sql.Scanner.
func (l *lines) Scan(v any) error {
	text, err := textOf(v)
	*l = nil
	if text != "" {
		*l = strings.Split(text, "\n")
	}
	return err
}

// InsertGroup implements accounts.GroupStore. A new group demands nothing: nodes need
// not be told of it.
func (d *DB) InsertGroup(ctx context.Context, g *accounts.Group) error {
	if err := d.inserted(ctx, insertGroup, g.ID, g.Name, g.NameKey, g.Description, g.CreatedAt); err != nil {
		return fmt.Errorf("insert group: %w", err)
	}
	return nil
}

// GroupByName implements accounts.GroupStore.
func (d *DB) GroupByName(ctx context.Context, nameKey string) (*accounts.Group, error) {
	var g *accounts.Group
	err := d.query(ctx, groupByName, func(row scanner) error {
		g = new(accounts.Group)
		return scanGroup(row, g, true)
	}, d.now(), nameKey)
	if err == nil && g == nil {
		err = accounts.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("group by name: %w", err)
	}
	return g, nil
}

// ListGroups implements accounts.GroupStore.
func (d *DB) ListGroups(ctx context.Context) ([]accounts.Group, error) {
	var groups []accounts.Group
	err := d.query(ctx, listGroups, func(row scanner) error {
		var g accounts.Group
		err := scanGroup(row, &g, true)
		groups = append(groups, g)
		return err
	}, d.now())
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return groups, nil
}

// UpdateGroup implements accounts.GroupStore; it writes name and description.
func (d *DB) UpdateGroup(ctx context.Context, g *accounts.Group) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, updateGroup, g.ID, g.Name, g.NameKey, g.Description)
	})
	if err != nil {
		return fmt.Errorf("update group: %w", err)
	}
	return nil
}

// DemandFactor implements accounts.GroupStore.
func (d *DB) DemandFactor(ctx context.Context, groupID id.ID, must bool) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, demandFactor, groupID, must)
	})
	if err != nil {
		return fmt.Errorf("demand a second factor: %w", err)
	}
	return nil
}

// DeleteGroup implements accounts.GroupStore.
func (d *DB) DeleteGroup(ctx context.Context, groupID id.ID) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, deleteGroup, groupID)
	})
	if err != nil {
		return fmt.Errorf("delete group: %w", err)
	}
	return nil
}
