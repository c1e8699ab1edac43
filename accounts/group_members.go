package accounts

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// MaxMembersAtOnce bounds AddMembers and RemoveMembers: all of it is one transaction,
// which holds a lock on each of the users.
const MaxMembersAtOnce = 1000

// MemberReport tells what became of a list of users.
type MemberReport struct {
	Changed []string // subs of those for whom anything changed, sorted
	Unknown []string // subs that nobody has, sorted
}

// EndedMembership is one whose time came.
type EndedMembership struct {
	UserID  id.ID
	Subject string
	Group   string
	EndsAt  int64 // Unix milliseconds
}

// CrowdStore keeps the memberships of many at once.
type CrowdStore interface {
	// LockUsers locks those of the users who exist, in one order for everybody, and
	// returns their ids by sub.
	LockUsers(ctx context.Context, subjects []string) (map[string]id.ID, error)
	// SetMembers adds or prolongs memberships, as AddMember does for one. It returns
	// for whom anything changed, and for whom the end of a membership that had not
	// ended moved closer.
	SetMembers(ctx context.Context, groupID id.ID, users []id.ID, endsAt, now int64) (changed, shortened []id.ID, err error)
	// DropMembers removes memberships. It returns whose there were, and whose had not
	// ended.
	DropMembers(ctx context.Context, groupID id.ID, users []id.ID, now int64) (removed, lost []id.ID, err error)
	// EndMembers removes at most limit memberships whose time has come, those that
	// came first before others, and keeps their users locked until the transaction
	// ends. Users whom another transaction holds are passed over.
	EndMembers(ctx context.Context, now int64, limit int) ([]EndedMembership, error)
}

// AddMembers puts users into a group until endsAt (Unix milliseconds; zero means
// without end), or moves the ends of their memberships, all in one transaction. Whom
// nobody knows is reported, and keeps nothing from the others. Errors: ErrNotFound
// for the group, ErrInvalid for more than MaxMembersAtOnce.
func (s *Groups) AddMembers(ctx context.Context, actor audit.Actor, group string, subjects []string, endsAt int64) (MemberReport, error) {
	return s.crowd(ctx, actor, group, subjects, func(ctx context.Context, g *Group, c *crowd, now int64) (*effect, error) {
		changed, shortened, err := s.Crowds.SetMembers(ctx, g.ID, c.ids(), endsAt, now)
		if err != nil {
			return nil, fmt.Errorf("set members: %w", err)
		}
		e := c.effect("group.member.add", g, changed, map[string]any{"ends_at": endsAt})
		if e != nil {
			e.rows = c.rows(shortened, reasonMembershipShorter)
			e.changed(nil, values{"members": c.report.Changed})
		}
		return e, nil
	})
}

// RemoveMembers takes users out of a group, all in one transaction. Errors as those
// of AddMembers.
func (s *Groups) RemoveMembers(ctx context.Context, actor audit.Actor, group string, subjects []string) (MemberReport, error) {
	return s.crowd(ctx, actor, group, subjects, func(ctx context.Context, g *Group, c *crowd, now int64) (*effect, error) {
		removed, lost, err := s.Crowds.DropMembers(ctx, g.ID, c.ids(), now)
		if err != nil {
			return nil, fmt.Errorf("drop members: %w", err)
		}
		e := c.effect("group.member.remove", g, removed, map[string]any{})
		if e != nil {
			e.rows = c.rows(lost, reasonMembershipRemoved)
			e.changed(values{"members": c.report.Changed}, nil)
		}
		return e, nil
	})
}

// crowd is the users of one call, by sub and by id.
type crowd struct {
	users    map[string]id.ID
	subjects map[id.ID]string
	report   MemberReport
}

func (c *crowd) ids() []id.ID { return slices.Collect(maps.Values(c.users)) }

// effect notes for whom anything changed; nil if for nobody.
func (c *crowd) effect(action string, g *Group, changed []id.ID, details map[string]any) *effect {
	for _, one := range changed {
		c.report.Changed = append(c.report.Changed, c.subjects[one])
	}
	slices.Sort(c.report.Changed)
	if len(changed) == 0 {
		return nil
	}
	details["subs"] = c.report.Changed
	return groupEffect(action, g, details)
}

func (c *crowd) rows(lost []id.ID, reason string) []revocation.Entry {
	rows := make([]revocation.Entry, 0, len(lost))
	for _, one := range lost {
		rows = append(rows, revocation.Entry{Kind: revocation.Membership, Key: c.subjects[one], Reason: reason})
	}
	return rows
}

// crowd locks the users before anything else (L22), finds the group and runs f.
func (s *Groups) crowd(ctx context.Context, actor audit.Actor, group string, subjects []string, f func(ctx context.Context, g *Group, c *crowd, now int64) (*effect, error)) (MemberReport, error) {
	subjects = slices.Compact(slices.Sorted(slices.Values(subjects)))
	if len(subjects) > MaxMembersAtOnce {
		return MemberReport{}, invalid("at most %d users at once", MaxMembersAtOnce)
	}
	var report MemberReport
	err := s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		users, err := s.Crowds.LockUsers(ctx, subjects)
		if err != nil {
			return nil, fmt.Errorf("lock users: %w", err)
		}
		g, err := s.Find(ctx, group)
		if err != nil {
			return nil, err
		}
		c := &crowd{users: users, subjects: make(map[id.ID]string, len(users))}
		for _, subject := range subjects {
			if one, known := users[subject]; known {
				c.subjects[one] = subject
			} else {
				c.report.Unknown = append(c.report.Unknown, subject)
			}
		}
		e, err := f(ctx, g, c, now)
		report = c.report
		return e, err
	})
	if err != nil {
		return MemberReport{}, err
	}
	return report, nil
}
