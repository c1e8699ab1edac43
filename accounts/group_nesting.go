package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Errors of putting one group inside another.
var (
	ErrNestingLoop  = errors.New("the groups would be inside each other")
	ErrNestingDepth = fmt.Errorf("more than %d groups would be inside one another", maxNesting)
)

// NestingStore keeps which groups are inside which.
type NestingStore interface {
	// LockNesting keeps others from changing any edge until the transaction ends.
	LockNesting(ctx context.Context) error
	// EdgesAround returns the edges above the groups, and above everything inside
	// them.
	EdgesAround(ctx context.Context, groups ...id.ID) ([]GroupEdge, error)
	// LockHoldings returns what the groups hold, in no order, and keeps others from
	// giving them permissions and new members until the transaction ends; it waits for
	// those who are about to. Groups that are gone are left out.
	LockHoldings(ctx context.Context, groups []id.ID) ([]GroupHolding, error)
	// InsertEdge and DeleteEdge report whether they changed anything.
	InsertEdge(ctx context.Context, e GroupEdge, now int64) (bool, error)
	DeleteEdge(ctx context.Context, e GroupEdge) (bool, error)
}

// AddChild puts a group inside another: its members become members of the parent,
// and of what that is inside. It takes nothing from anybody. Errors: ErrNotFound,
// ErrNestingLoop, ErrNestingDepth.
func (s *Groups) AddChild(ctx context.Context, actor audit.Actor, parent, child string) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		p, c, err := s.lockPair(ctx, parent, child)
		if err != nil {
			return nil, err
		}
		edges, err := s.Nesting.EdgesAround(ctx, p.ID, c.ID)
		if err != nil {
			return nil, fmt.Errorf("edges: %w", err)
		}
		n := newNesting(edges)
		if reach(p.ID, n.parents)[c.ID] {
			return nil, fmt.Errorf("%q inside %q: %w", c.Name, p.Name, ErrNestingLoop)
		}
		if longest(p.ID, n.parents)+longest(c.ID, n.children) > maxNesting {
			return nil, fmt.Errorf("%q inside %q: %w", c.Name, p.Name, ErrNestingDepth)
		}
		added, err := s.Nesting.InsertEdge(ctx, GroupEdge{Parent: p.ID, Child: c.ID}, now)
		if err != nil || !added {
			return nil, err
		}
		return groupEffect("group.child.add", p, map[string]any{"child": c.Name}).changed(nil, values{"child": c.Name}), nil
	})
}

// RemoveChild takes a group out of another. Each permission that members of it, or of
// a group inside it, held by that way alone gets one row. Errors: ErrNotFound if
// either group does not exist.
func (s *Groups) RemoveChild(ctx context.Context, actor audit.Actor, parent, child string) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		c, before, err := s.lockAround(ctx, child)
		if err != nil {
			return nil, err
		}
		p, err := s.Find(ctx, parent)
		if err != nil {
			return nil, err
		}
		gone := GroupEdge{Parent: p.ID, Child: c.ID}
		removed, err := s.Nesting.DeleteEdge(ctx, gone)
		if err != nil || !removed {
			return nil, err
		}
		after := before.without(func(e GroupEdge) bool { return e == gone })
		e := groupEffect("group.child.remove", p, map[string]any{"child": c.Name}).changed(values{"child": c.Name}, nil)
		e.rows, err = s.permissionRows(ctx, lost(before, after, c.ID), reasonGroupTakenOut)
		return e, err
	})
}

// lockPair finds two groups under the lock of nesting.
func (s *Groups) lockPair(ctx context.Context, parent, child string) (p, c *Group, err error) {
	if err := s.Nesting.LockNesting(ctx); err != nil {
		return nil, nil, fmt.Errorf("lock nesting: %w", err)
	}
	if p, err = s.Find(ctx, parent); err != nil {
		return nil, nil, err
	}
	if c, err = s.Find(ctx, child); err != nil {
		return nil, nil, err
	}
	return p, c, nil
}

// lockAround finds a group, with all that decides what its members and those of the
// groups inside it hold, and keeps it so until the transaction ends. Without the
// locks somebody could join one of these groups, or be given a permission with it,
// get a token and keep it, between the look at what is lost and the commit.
func (s *Groups) lockAround(ctx context.Context, name string) (*Group, nesting, error) {
	if err := s.Nesting.LockNesting(ctx); err != nil {
		return nil, nesting{}, fmt.Errorf("lock nesting: %w", err)
	}
	g, err := s.Find(ctx, name)
	if err != nil {
		return nil, nesting{}, err
	}
	edges, err := s.Nesting.EdgesAround(ctx, g.ID)
	if err != nil {
		return nil, nesting{}, fmt.Errorf("edges: %w", err)
	}
	n := newNesting(edges)
	holdings, err := s.Nesting.LockHoldings(ctx, n.groups(g.ID))
	if err != nil {
		return nil, nesting{}, fmt.Errorf("lock groups: %w", err)
	}
	for _, h := range holdings {
		n.holds[h.GroupID] = h
	}
	own, there := n.holds[g.ID]
	if !there { // deleted before the lock was there
		return nil, nesting{}, fmt.Errorf("group %q: %w", name, ErrNotFound)
	}
	g.Permissions = own.Permissions // as they are under the lock
	return g, n, nil
}
