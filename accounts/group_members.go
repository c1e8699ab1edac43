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
	// SetMembers makes memberships or moves their ends, as AddMember does for one. It
	// returns those that this changed.
	SetMembers(ctx context.Context, groupID id.ID, users []id.ID, endsAt, now int64) ([]MemberChange, error)
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
// for the group, ErrInvalid for more than MaxMembersAtOnce, *BadField for an end that
// has passed.
func (s *Groups) AddMembers(ctx context.Context, actor audit.Actor, group string, subjects []string, endsAt int64) (MemberReport, error) {
	return s.crowd(ctx, actor, group, subjects, func(ctx context.Context, g *Group, c *crowd, now int64) (*effect, error) {
		if err := endsLater(endsAt, now); err != nil {
			return nil, err
		}
		changes, err := s.Crowds.SetMembers(ctx, g.ID, c.ids(), endsAt, now)
		if err != nil {
			return nil, fmt.Errorf("set members: %w", err)
		}
		return c.set(g, changes, endsAt), nil
	})
}

// endsLater refuses the end of a membership that has passed: a year that was mistyped
// would take the group from all of them.
func endsLater(endsAt, now int64) error {
	if endsAt != 0 && endsAt <= now {
		return &BadField{Field: "ends_at", Err: invalid("the membership would have ended already")}
	}
	return nil
}

// RemoveMembers takes users out of a group, all in one transaction. Errors as those
// of AddMembers but the last.
func (s *Groups) RemoveMembers(ctx context.Context, actor audit.Actor, group string, subjects []string) (MemberReport, error) {
	return s.crowd(ctx, actor, group, subjects, func(ctx context.Context, g *Group, c *crowd, now int64) (*effect, error) {
		removed, lost, err := s.Crowds.DropMembers(ctx, g.ID, c.ids(), now)
		if err != nil {
			return nil, fmt.Errorf("drop members: %w", err)
		}
		c.report.Changed = c.named(removed)
		e := together(inEvents(c.report.Changed, func(some []string) *effect {
			return groupEffect("group.member.remove", g, map[string]any{"subs": some}).changed(values{"members": some}, nil)
		}))
		if e != nil {
			e.rows = c.rows(lost, reasonMembershipRemoved)
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

// named are the subs of some of them, sorted.
func (c *crowd) named(users []id.ID) []string {
	var subs []string
	for _, one := range users {
		subs = append(subs, c.subjects[one])
	}
	slices.Sort(subs)
	return subs
}

// set tells of memberships that were made and, apart from them, of those whose end was
// moved: when each of them was to end before.
func (c *crowd) set(g *Group, changes []MemberChange, endsAt int64) *effect {
	var made, moved, shortened []id.ID
	ends := map[string]int64{}
	for _, m := range changes {
		if m.Shortened {
			shortened = append(shortened, m.UserID)
		}
		if !m.Moved {
			made = append(made, m.UserID)
			continue
		}
		moved = append(moved, m.UserID)
		ends[c.subjects[m.UserID]] = m.EndedAt
	}
	event := func(some []string) *effect {
		return groupEffect("group.member.add", g, map[string]any{"subs": some, "ends_at": endsAt})
	}
	events := inEvents(c.named(made), func(some []string) *effect { return event(some).changed(nil, values{"members": some}) })
	events = append(events, inEvents(c.named(moved), func(some []string) *effect {
		before, were := values{}, map[string]int64{}
		for _, sub := range some {
			if ends[sub] != 0 {
				were[sub] = ends[sub]
			}
		}
		before.put("ends_at", were)
		return event(some).changed(before, endValues(endsAt))
	})...)
	c.report.Changed = c.named(append(made, moved...))
	e := together(events)
	if e != nil {
		e.rows = c.rows(shortened, reasonMembershipShorter)
	}
	return e
}

// endValues are those of the end of a membership.
func endValues(endsAt int64) values {
	v := values{}
	v.put("ends_at", endsAt)
	return v
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
