package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// maxManagers bounds the managers of one group, who are listed without pages.
const maxManagers = 100

// ErrNotManager refuses what only a manager of the group may do, also to those who
// name a group that does not exist.
var ErrNotManager = errors.New("not a manager of the group")

// ManagerStore keeps who manages which group.
type ManagerStore interface {
	// InsertManager and DeleteManager report whether they changed anything.
	InsertManager(ctx context.Context, groupID, userID id.ID, now int64) (bool, error)
	DeleteManager(ctx context.Context, groupID, userID id.ID) (bool, error)
	// ManagesGroup reports whether a user, who is neither banned nor about to be
	// deleted, manages the group of a key.
	ManagesGroup(ctx context.Context, subject, nameKey string) (bool, error)
	// ManagedGroups returns the names of groups that a user, who is neither banned nor
	// about to be deleted, manages, in the order of their keys, after the given one.
	ManagedGroups(ctx context.Context, subject, after string, limit int) ([]string, error)
}

// AddManager lets a user manage the members of a group, whether they are in it or
// not. Errors: ErrNotFound, ErrInvalid when there are too many.
func (s *Groups) AddManager(ctx context.Context, actor audit.Actor, group, subject string) error {
	return s.member(ctx, actor, group, subject, func(ctx context.Context, g *Group, u *User, now int64) (*effect, error) {
		added, err := s.Managers.InsertManager(ctx, g.ID, u.ID, now)
		if err != nil || !added {
			return nil, err
		}
		if len(g.Managers) >= maxManagers {
			return nil, invalid("a group has at most %d managers", maxManagers)
		}
		return groupEffect("group.manager.add", g, map[string]any{"sub": u.Subject}).changed(nil, values{"manager": u.Subject}), nil
	})
}

// RemoveManager ends what AddManager began. Tokens say nothing of managers, so no row
// is due: the next thing they try is refused. Errors: ErrNotFound if either does not
// exist.
func (s *Groups) RemoveManager(ctx context.Context, actor audit.Actor, group, subject string) error {
	return s.member(ctx, actor, group, subject, func(ctx context.Context, g *Group, u *User, _ int64) (*effect, error) {
		removed, err := s.Managers.DeleteManager(ctx, g.ID, u.ID)
		if err != nil || !removed {
			return nil, err
		}
		return groupEffect("group.manager.remove", g, map[string]any{"sub": u.Subject}).changed(values{"manager": u.Subject}, nil), nil
	})
}

// IsManager reports whether a user manages a group now.
func (s *Groups) IsManager(ctx context.Context, subject, group string) (bool, error) {
	key, err := GroupKey(group)
	if err != nil {
		return false, nil
	}
	manages, err := s.Managers.ManagesGroup(ctx, subject, key)
	if err != nil {
		return false, fmt.Errorf("manager of a group: %w", err)
	}
	return manages, nil
}

// ManagedBy returns the names of groups that a user manages now, in the order of names
// and after one of them; after nothing is from the first.
func (s *Groups) ManagedBy(ctx context.Context, subject, after string, limit int) ([]string, error) {
	key := ""
	if after != "" {
		var err error
		if key, err = GroupKey(after); err != nil {
			return nil, fmt.Errorf("groups of a manager: %w", err)
		}
	}
	names, err := s.Managers.ManagedGroups(ctx, subject, key, limit)
	if err != nil {
		return nil, fmt.Errorf("groups of a manager: %w", err)
	}
	return names, nil
}

// GroupManager does what the managers of groups may do: to list the members of their
// groups, add and remove some. Everything else about a group is for operators: what
// it holds, what is inside it, who manages it.
type GroupManager struct {
	groups  *Groups
	actor   audit.Actor
	subject string
}

// Manage returns what a user may do as a manager, in the name of an actor, who is
// that user or an app that acts for them. That they manage the group is looked at
// again in the transaction of each change.
func (s *Groups) Manage(actor audit.Actor, subject string) *GroupManager {
	return &GroupManager{groups: s, actor: actor, subject: subject}
}

// Members returns a page of the members of a group. Errors: ErrNotManager.
func (m *GroupManager) Members(ctx context.Context, group string, after id.ID, limit int) ([]Member, error) {
	if err := m.check(ctx, group); err != nil {
		return nil, err
	}
	return m.groups.MemberPage(ctx, group, after, limit)
}

// AddMembers is Groups.AddMembers for a manager. Errors: ErrNotManager, ErrInvalid.
func (m *GroupManager) AddMembers(ctx context.Context, group string, subjects []string, endsAt int64) (report MemberReport, err error) {
	err = m.groups.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := m.check(ctx, group); err != nil {
			return err
		}
		report, err = m.groups.AddMembers(ctx, m.actor, group, subjects, endsAt)
		return err
	})
	return report, err
}

// RemoveMembers is Groups.RemoveMembers for a manager. Errors: ErrNotManager,
// ErrInvalid.
func (m *GroupManager) RemoveMembers(ctx context.Context, group string, subjects []string) (report MemberReport, err error) {
	err = m.groups.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := m.check(ctx, group); err != nil {
			return err
		}
		report, err = m.groups.RemoveMembers(ctx, m.actor, group, subjects)
		return err
	})
	return report, err
}

func (m *GroupManager) check(ctx context.Context, group string) error {
	manages, err := m.groups.IsManager(ctx, m.subject, group)
	if err == nil && !manages {
		err = ErrNotManager
	}
	return err
}
