package accounts

import (
	"context"
	"strconv"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Group is a named set of people that holds permissions.
type Group struct {
	ID          id.ID
	Name        string
	NameKey     string // folded; unique
	Description string
	// SecondFactor makes two factors a must for members: without them they get into no
	// app, and can do nothing but to enrol one.
	SecondFactor bool
	CreatedAt    int64
	Members      int      // in the group itself now, up to one more than MaxCounted; filled by ListGroups and GroupByName
	Permissions  []string // names, held by the group itself, sorted
	// Parents are the groups that this one is inside, Children those inside it: names,
	// sorted. Members of a child are members of each of its parents.
	Parents, Children []string
	Managers          []string // subs, filled by ListGroups and GroupByName, sorted
}

// MaxCounted is up to how many members of a group are counted: nobody should wait
// while all of a large one are.
const MaxCounted = 1000

// Count tells how many members a group has: a number, or "more than 1000".
func (g *Group) Count() string {
	if g.Members > MaxCounted {
		return "more than " + strconv.Itoa(MaxCounted)
	}
	return strconv.Itoa(g.Members)
}

// GroupStore keeps groups, their members and their permissions. The methods
// that take something away report whether there was anything to take: a row is
// written to the ledger only if the effective set really shrank (L19).
type GroupStore interface {
	// InsertGroup writes all but SecondFactor; ErrConflict when the name is taken.
	InsertGroup(ctx context.Context, g *Group) error
	GroupByName(ctx context.Context, nameKey string) (*Group, error)
	ListGroups(ctx context.Context) ([]Group, error)
	// UpdateGroup writes names and description.
	UpdateGroup(ctx context.Context, g *Group) error
	// DemandFactor writes SecondFactor alone, so that nobody who describes the group
	// at the same time takes it back; ErrNotFound when the group is gone.
	DemandFactor(ctx context.Context, groupID id.ID, must bool) error
	// DeleteGroup removes the group, its memberships and its permissions.
	DeleteGroup(ctx context.Context, groupID id.ID) error
}

// MemberChange is a membership that was made, or whose end was moved.
type MemberChange struct {
	UserID id.ID
	Moved  bool
	// EndedAt is the end of one that was moved as it was before: Unix milliseconds, zero
	// is without end.
	EndedAt int64
	// Shortened says that it had not ended, and that its end moved closer.
	Shortened bool
}

// MembershipStore keeps who is in which group and what groups hold.
type MembershipStore interface {
	// AddMember makes a membership, or moves its end; endsAt (Unix milliseconds) zero
	// means without end. It returns what that changed, nil if nothing.
	AddMember(ctx context.Context, groupID, userID id.ID, endsAt, now int64) (*MemberChange, error)
	// RemoveMember reports whether the user was a member whose time had not ended.
	RemoveMember(ctx context.Context, groupID, userID id.ID, now int64) (bool, error)
	// Members returns the subs of at most limit members, in order, after a sub; those
	// of children are not among them.
	Members(ctx context.Context, groupID id.ID, after string, limit int) ([]string, error)
	// GroupsOf returns the names of the groups in which the user is now, also through
	// a child of theirs, sorted.
	GroupsOf(ctx context.Context, userID id.ID, now int64) ([]string, error)
	GrantPermission(ctx context.Context, groupID, permissionID id.ID) (bool, error)
	RevokePermission(ctx context.Context, groupID, permissionID id.ID) (bool, error)
}
