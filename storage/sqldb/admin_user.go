package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ admin.CallerStore = (*DB)(nil)
	_ admin.UserPages   = (*DB)(nil)
)

// Of disabled APIs too: they can be enabled again. Subqueries instead of joins: the
// planner cannot know how few groups somebody is in, and would read all permissions.
const personStanding = `SELECT u.username, u.banned_at = 0 AND u.delete_at = 0, u.superuser, u.staff,
  COALESCE((WITH RECURSIVE ` + groupsAround + ` SELECT string_agg((
    SELECT string_agg((SELECT p.name FROM permissions p WHERE p.id = gp.permission_id), ' ')
    FROM group_permissions gp WHERE gp.group_id = around.id), ' ') FROM around), '')
FROM users u WHERE u.sub = $1`

// PersonStanding implements admin.CallerStore.
func (d *DB) PersonStanding(ctx context.Context, subject string, now int64) (*admin.Standing, error) {
	var s admin.Standing
	err := d.queryRow(ctx, personStanding, []any{subject, now}, &s.Name, &s.Active, &s.Superuser, &s.Staff, (*words)(&s.Held))
	if err != nil {
		return nil, fmt.Errorf("standing of a person: %w", err)
	}
	return &s, nil
}

// MachineStanding implements admin.CallerStore.
func (d *DB) MachineStanding(ctx context.Context, clientID string) (*admin.Standing, error) {
	c, _, err := d.ClientByID(ctx, clientID, d.now())
	if err != nil {
		return nil, fmt.Errorf("standing of a machine: %w", err)
	}
	return &admin.Standing{Name: c.Name, Active: c.DisabledAt == 0, Held: c.Held()}, nil
}

const (
	groupID = `SELECT id FROM groups WHERE name_key = $1`
	// Whether a group has so many members that nobody should look at all of them.
	groupIsLarge = `SELECT count(*) = ` + smallRows + ` FROM (SELECT 1 FROM group_members m WHERE m.group_id = $1 LIMIT ` + smallRows + `) AS c`
)

// UserPage implements admin.UserPages.
func (d *DB) UserPage(ctx context.Context, q admin.UserQuery, after admin.UserPosition, limit int) ([]accounts.User, *admin.UserPosition, error) {
	list, err := d.userList(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	var users []accounts.User
	steps := 0
	for from := after; from.Stage >= 0 && from.Stage < len(list.walks); steps++ {
		if steps == maxSteps || len(users) == limit {
			return users, &from, nil
		}
		found, places, err := d.userStep(ctx, list.step(from, limit-len(users)+1), from.Stage)
		if err != nil {
			return nil, nil, fmt.Errorf("page of users: %w", err)
		}
		if len(users)+len(found) > limit { // one more than was wanted: something follows
			found = found[:limit-len(users)]
			return append(users, found...), &places[len(found)-1], nil
		}
		users = append(users, found...)
		if from, err = d.afterStep(ctx, list, from); err != nil {
			return nil, nil, fmt.Errorf("page of users: %w", err)
		}
	}
	return users, nil, nil
}

// userList finds out how to walk.
func (d *DB) userList(ctx context.Context, q admin.UserQuery) (*userList, error) {
	group, err := d.groupOf(ctx, q.Group)
	if err != nil {
		return nil, err
	}
	large := false
	if !group.IsZero() && (q.Search != "" || marked(q) != "") {
		if err := d.queryRow(ctx, groupIsLarge, []any{group}, &large); err != nil {
			return nil, fmt.Errorf("size of group %q: %w", q.Group, err)
		}
	}
	return &userList{UserQuery: q, group: group, walks: userWalks(q, group, !large)}, nil
}

// afterStep returns where the walk goes on after a step, or the next one begins.
func (d *DB) afterStep(ctx context.Context, list *userList, from admin.UserPosition) (admin.UserPosition, error) {
	next := admin.UserPosition{Stage: from.Stage + 1}
	if !list.walks[from.Stage].stepwise() {
		return next, nil
	}
	end := admin.UserPosition{Stage: from.Stage}
	text := list.end(from)
	switch err := d.queryRow(ctx, text.sql, text.args, &end.Key, &end.ID); {
	case errors.Is(err, accounts.ErrNotFound):
		return next, nil
	case err != nil:
		return next, err
	}
	return end, nil
}

func (d *DB) groupOf(ctx context.Context, name string) (id.ID, error) {
	var group id.ID
	if name == "" {
		return group, nil
	}
	key, err := accounts.GroupKey(name)
	if err != nil {
		return group, accounts.ErrNotFound
	}
	err = d.queryRow(ctx, groupID, []any{key}, &group)
	if errors.Is(err, accounts.ErrNotFound) {
		return group, fmt.Errorf("group %q: %w", name, err)
	}
	return group, err
}

// userStep runs one step, and returns with each user the position after them.
func (d *DB) userStep(ctx context.Context, text statementWith, stage int) (users []accounts.User, after []admin.UserPosition, err error) {
	err = d.query(ctx, text.sql, func(row scanner) error {
		var u accounts.User
		at := admin.UserPosition{Stage: stage}
		err := row.Scan(standingUserDest([]any{&at.Key}, &u)...)
		at.ID = u.ID
		users, after = append(users, u), append(after, at)
		return err
	}, text.args...)
	return users, after, err
}
