package accounts

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ThroughSuperuser stands in Held.Through for what superusers hold without a group.
const ThroughSuperuser = "superuser"

// MaxPage is how many rows a page of groups, members or holders has at most.
const MaxPage = 1000

// Held is a permission that a person holds now, and one reason why.
type Held struct {
	Permission string
	// Through are the names of the groups by which they hold it: first the one that
	// they are a member of, last the one that holds the permission, each inside the
	// next. It is ThroughSuperuser alone when Superuser is set.
	Through   []string
	Superuser bool
	EndsAt    int64 // Unix milliseconds at which the membership ends; zero means without end
}

// Member is a person in a group.
type Member struct {
	UserID   id.ID
	Subject  string
	Username string
	Name     string
	EndsAt   int64 // Unix milliseconds, perhaps in the past; zero means without end
	AddedAt  int64 // Unix milliseconds
}

// Holder is a group that holds a permission.
type Holder struct {
	Group   string
	NameKey string
	Direct  bool     // given to the group itself
	Through []string // the groups that it is inside and that hold the permission, sorted
}

// Rights is what decides a person's permissions, in one snapshot.
type Rights struct {
	Superuser   bool
	Memberships []RunningMembership
	Edges       []GroupEdge // above the groups that they are a member of
	Groups      []GroupRights
	// All are the permissions of all enabled APIs, read for superusers alone.
	All []string
}

// RunningMembership is one whose time has not ended.
type RunningMembership struct {
	GroupID id.ID
	EndsAt  int64 // Unix milliseconds; zero means without end
}

// GroupRights is a group with what it holds itself of enabled APIs.
type GroupRights struct {
	ID          id.ID
	Name        string
	Permissions []string
}

// GroupReader reads groups for those who look after them.
type GroupReader interface {
	// GroupPage returns groups whose key begins with a prefix, in order of the key,
	// after one; members are not counted.
	GroupPage(ctx context.Context, prefix, after string, limit int) ([]Group, error)
	// MemberPage returns members in the order in which their accounts were made, after
	// a user; those whose time has ended are among them, those of children not.
	MemberPage(ctx context.Context, groupID, after id.ID, limit int) ([]Member, error)
	// RightsOf returns what decides a person's permissions; ErrNotFound.
	RightsOf(ctx context.Context, subject string, now int64) (*Rights, error)
	// HolderPage returns the groups that hold a permission, themselves or by what they
	// are inside, in order of their keys, after one.
	HolderPage(ctx context.Context, permission, after string, limit int) ([]Holder, error)
}

// Page returns groups whose names begin with a prefix, in any case, in order, after a
// key (Group.NameKey of the last one). Members are not counted.
func (s *Groups) Page(ctx context.Context, prefix, after string, limit int) ([]Group, error) {
	key := ""
	if prefix != "" {
		var err error
		if key, err = fold(prefix); err != nil {
			return nil, nil // no name can begin so
		}
	}
	groups, err := s.Reader.GroupPage(ctx, key, after, pageLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("page of groups: %w", err)
	}
	return groups, nil
}

// MemberPage returns members of a group after a user (Member.UserID of the last one;
// zero begins). Errors: ErrNotFound.
func (s *Groups) MemberPage(ctx context.Context, group string, after id.ID, limit int) ([]Member, error) {
	g, err := s.Find(ctx, group)
	if err != nil {
		return nil, err
	}
	page, err := s.Reader.MemberPage(ctx, g.ID, after, pageLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("page of members: %w", err)
	}
	return page, nil
}

// Holders returns the groups that hold a permission, in order, after a key
// (Holder.NameKey of the last one).
func (s *Groups) Holders(ctx context.Context, permission, after string, limit int) ([]Holder, error) {
	page, err := s.Reader.HolderPage(ctx, permission, after, pageLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("holders of %q: %w", permission, err)
	}
	return page, nil
}

func pageLimit(limit int) int { return min(max(limit, 1), MaxPage) }

// Effective returns what a person holds now and why, sorted by permission, shorter
// ways first; a permission stands there once for each group that they are a member of
// and each group that holds it. It is empty for nobody else than who holds nothing: a
// ban is not looked at. Errors: ErrNotFound.
func (s *Groups) Effective(ctx context.Context, subject string) ([]Held, error) {
	r, err := s.Reader.RightsOf(ctx, subject, s.now())
	if err != nil {
		return nil, fmt.Errorf("rights of a user: %w", err)
	}
	return r.held(), nil
}

// EffectiveNames returns the permissions of Effective, each once, sorted.
func (s *Groups) EffectiveNames(ctx context.Context, subject string) ([]string, error) {
	held, err := s.Effective(ctx, subject)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(held))
	for i, h := range held {
		names[i] = h.Permission
	}
	return slices.Compact(names), nil
}

func (r *Rights) held() []Held {
	var held []Held
	for _, p := range r.All {
		held = append(held, Held{Permission: p, Through: []string{ThroughSuperuser}, Superuser: true})
	}
	groups := make(map[id.ID]GroupRights, len(r.Groups))
	for _, g := range r.Groups {
		groups[g.ID] = g
	}
	n := newNesting(r.Edges)
	byName := func(a, b id.ID) int { return cmp.Compare(groups[a].Name, groups[b].Name) }
	for _, parents := range n.parents {
		slices.SortFunc(parents, byName)
	}
	for _, m := range r.Memberships {
		for _, way := range ways(m.GroupID, n.parents) {
			last := groups[way[len(way)-1]]
			names := make([]string, len(way))
			for i, g := range way {
				names[i] = groups[g].Name
			}
			for _, p := range last.Permissions {
				held = append(held, Held{Permission: p, Through: names, EndsAt: m.EndsAt})
			}
		}
	}
	slices.SortFunc(held, func(a, b Held) int {
		return cmp.Or(
			cmp.Compare(a.Permission, b.Permission), cmp.Compare(len(a.Through), len(b.Through)), slices.Compare(a.Through, b.Through),
		)
	})
	return held
}

// ways returns a shortest way to each group above one, itself first.
func ways(from id.ID, parents map[id.ID][]id.ID) [][]id.ID {
	found := [][]id.ID{{from}}
	seen := map[id.ID]bool{from: true}
	for i := 0; i < len(found); i++ {
		way := found[i]
		for _, parent := range parents[way[len(way)-1]] {
			if !seen[parent] {
				seen[parent] = true
				found = append(found, append(slices.Clone(way), parent))
			}
		}
	}
	return found
}
