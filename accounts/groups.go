package accounts

import (
	"context"
	"fmt"
	"maps"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Groups makes and changes groups: who is in them, which are inside which, and what
// they hold. Groups are named by their name in any case, users by sub.
type Groups struct {
	Journal
	Store       GroupStore
	Members     MembershipStore
	Crowds      CrowdStore
	Nesting     NestingStore
	Managers    ManagerStore
	Reader      GroupReader
	Permissions PermissionStore
	APIs        APIStore
	Users       UserStore
}

// Create makes a group without members and permissions. Errors: ErrInvalid,
// ErrConflict.
func (s *Groups) Create(ctx context.Context, actor audit.Actor, name, description string) (*Group, error) {
	key, err := GroupKey(name)
	if err != nil {
		return nil, fmt.Errorf("group name: %w", err)
	}
	if err := describable(description); err != nil {
		return nil, err
	}
	g := &Group{ID: id.New(), Name: name, NameKey: key, Description: description}
	err = s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		g.CreatedAt = now
		if err := s.Store.InsertGroup(ctx, g); err != nil {
			return nil, fmt.Errorf("insert group %q: %w", name, err)
		}
		return groupEffect("group.create", g, nil).changed(nil, groupValues(g)), nil
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Find returns a group with its permissions. Errors: ErrNotFound.
func (s *Groups) Find(ctx context.Context, name string) (*Group, error) {
	key, err := GroupKey(name)
	if err != nil {
		return nil, fmt.Errorf("group: %w", ErrNotFound)
	}
	g, err := s.Store.GroupByName(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", name, err)
	}
	return g, nil
}

// Describe changes a group's description, which nobody but operators reads. Errors:
// ErrInvalid, ErrNotFound.
func (s *Groups) Describe(ctx context.Context, actor audit.Actor, name, description string) error {
	if err := describable(description); err != nil {
		return err
	}
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		g, err := s.Find(ctx, name)
		if err != nil || g.Description == description {
			return nil, err
		}
		before := groupValues(g)
		g.Description = description
		if err := s.Store.UpdateGroup(ctx, g); err != nil {
			return nil, fmt.Errorf("update group: %w", err)
		}
		return groupEffect("group.update", g, map[string]any{"changed": []string{"description"}}).changed(before, groupValues(g)), nil
	})
}

// Delete removes a group. Each permission that members of it, or of a group inside
// it, lose gets one row, however many they are.
func (s *Groups) Delete(ctx context.Context, actor audit.Actor, name string) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		g, before, err := s.lockAround(ctx, name)
		if err != nil {
			return nil, err
		}
		e := groupEffect("group.delete", g, map[string]any{
			"permissions": g.Permissions, "parents": g.Parents, "children": g.Children,
		}).changed(groupValues(g), nil)
		if e.rows, err = s.permissionRows(ctx, lost(before, before.withoutGroup(g.ID), g.ID), reasonGroupDeleted); err != nil {
			return nil, err
		}
		if err := s.Store.DeleteGroup(ctx, g.ID); err != nil {
			return nil, fmt.Errorf("delete group: %w", err)
		}
		return e, nil
	})
}

// permissionRows returns a row for each of the permissions.
func (s *Groups) permissionRows(ctx context.Context, names []string, reason string) ([]revocation.Entry, error) {
	if len(names) == 0 {
		return nil, nil
	}
	found, err := s.Permissions.PermissionsByName(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("find permissions: %w", err)
	}
	apis, err := s.APIs.ListAPIs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list APIs: %w", err)
	}
	audiences := make(map[id.ID]string, len(apis))
	for _, a := range apis {
		audiences[a.ID] = a.Audience
	}
	rows := make([]revocation.Entry, 0, len(names))
	for _, n := range names {
		if p, ok := found[n]; ok {
			rows = append(rows, permissionRow(n, audiences[p.APIID], reason))
		}
	}
	return rows, nil
}

func permissionRow(name, audience, reason string) revocation.Entry {
	return revocation.Entry{Kind: revocation.Permission, Key: name, Audience: audience, Reason: reason}
}

// GrantPermission gives the members of a group a permission; it shows at their
// next refresh. Errors: ErrNotFound.
func (s *Groups) GrantPermission(ctx context.Context, actor audit.Actor, group, permission string) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		g, err := s.Find(ctx, group)
		if err != nil {
			return nil, err
		}
		p, err := s.permission(ctx, permission)
		if err != nil {
			return nil, err
		}
		changed, err := s.Members.GrantPermission(ctx, g.ID, p.ID)
		if err != nil || !changed {
			return nil, err
		}
		e := groupEffect("group.permission.grant", g, map[string]any{"permission": p.Name})
		return e.changed(nil, values{"permission": p.Name}), nil
	})
}

// RevokePermission takes a permission from a group. It gets a row if there is anybody
// in the group, or in one inside it, who held it by way of this group alone (L19).
// Errors: ErrNotFound if either does not exist.
func (s *Groups) RevokePermission(ctx context.Context, actor audit.Actor, group, permission string) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		g, before, err := s.lockAround(ctx, group)
		if err != nil {
			return nil, err
		}
		p, err := s.permission(ctx, permission)
		if err != nil {
			return nil, err
		}
		held, err := s.Members.RevokePermission(ctx, g.ID, p.ID)
		if err != nil || !held {
			return nil, err
		}
		e := groupEffect("group.permission.revoke", g, map[string]any{"permission": p.Name}).changed(values{"permission": p.Name}, nil)
		gone := lost(before, before.withoutPermission(g.ID, p.Name), g.ID)
		e.rows, err = s.permissionRows(ctx, gone, reasonPermissionRevoked)
		return e, err
	})
}

func (s *Groups) permission(ctx context.Context, name string) (Permission, error) {
	found, err := s.Permissions.PermissionsByName(ctx, []string{name})
	if err != nil {
		return Permission{}, fmt.Errorf("find permission: %w", err)
	}
	p, ok := found[name]
	if !ok {
		return Permission{}, fmt.Errorf("permission %q: %w", name, ErrNotFound)
	}
	return p, nil
}

// AddMember puts a user into a group until endsAt (Unix milliseconds; zero means
// without end), or moves the end of their membership. Errors: ErrNotFound, *BadField
// for an end that has passed.
func (s *Groups) AddMember(ctx context.Context, actor audit.Actor, group, subject string, endsAt int64) error {
	return s.addMember(ctx, actor, group, subject, endsAt, nil)
}

// addMember is AddMember with more details for its event.
func (s *Groups) addMember(ctx context.Context, actor audit.Actor, group, subject string, endsAt int64, more map[string]any) error {
	return s.member(ctx, actor, group, subject, func(ctx context.Context, g *Group, u *User, now int64) (*effect, error) {
		if err := endsLater(endsAt, now); err != nil {
			return nil, err
		}
		m, err := s.Members.AddMember(ctx, g.ID, u.ID, endsAt, now)
		if err != nil || m == nil {
			return nil, err
		}
		e := groupEffect("group.member.add", g, map[string]any{"sub": u.Subject, "ends_at": endsAt})
		maps.Copy(e.details, more)
		if m.Moved {
			e.changed(endValues(m.EndedAt), endValues(endsAt))
		} else {
			e.changed(nil, values{"members": []string{u.Subject}})
		}
		if m.Shortened { // tokens that counted on the later end live too long
			e.rows = []revocation.Entry{{Kind: revocation.Membership, Key: u.Subject, Reason: reasonMembershipShorter}}
		}
		return e, nil
	})
}

// RemoveMember takes a user out of a group. Errors: ErrNotFound if either does
// not exist.
func (s *Groups) RemoveMember(ctx context.Context, actor audit.Actor, group, subject string) error {
	return s.member(ctx, actor, group, subject, func(ctx context.Context, g *Group, u *User, now int64) (*effect, error) {
		was, err := s.Members.RemoveMember(ctx, g.ID, u.ID, now)
		if err != nil || !was {
			return nil, err
		}
		e := groupEffect("group.member.remove", g, map[string]any{"sub": u.Subject}).changed(values{"members": []string{u.Subject}}, nil)
		e.rows = []revocation.Entry{{Kind: revocation.Membership, Key: u.Subject, Reason: reasonMembershipRemoved}}
		return e, nil
	})
}

// member locks the user before anything else (L22) and finds the group.
func (s *Groups) member(ctx context.Context, actor audit.Actor, group, subject string, f func(ctx context.Context, g *Group, u *User, now int64) (*effect, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		g, err := s.Find(ctx, group)
		if err != nil {
			return nil, err
		}
		return f(ctx, g, u, now)
	})
}

// groupValues are what a group is by itself; what changes around it has events of its
// own.
func groupValues(g *Group) values {
	v := values{}
	v.put("name", g.Name)
	v.put("description", g.Description)
	v.put("second_factor", g.SecondFactor)
	v.put("permissions", g.Permissions)
	return v
}

func groupEffect(action string, g *Group, details map[string]any) *effect {
	return &effect{action: action, kind: "group", target: g.Name, details: details}
}
