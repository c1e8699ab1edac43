package accounts

import (
	"bytes"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// maxNesting is how many groups a chain may have, each inside the next.
const maxNesting = 10

// GroupEdge says that the members of Child are members of Parent.
type GroupEdge struct{ Parent, Child id.ID }

// GroupHolding is what a group holds itself.
type GroupHolding struct {
	GroupID     id.ID
	Permissions []string
	// Occupied says that there are rows of members, also of some whose time has ended:
	// it may be prolonged by who does not wait for a lock on the group.
	Occupied bool
}

// nesting is a part of the groups: who is inside whom, and what each holds.
type nesting struct {
	parents, children map[id.ID][]id.ID
	holds             map[id.ID]GroupHolding
}

func newNesting(edges []GroupEdge) nesting {
	n := nesting{parents: map[id.ID][]id.ID{}, children: map[id.ID][]id.ID{}, holds: map[id.ID]GroupHolding{}}
	for _, e := range edges {
		n.add(e)
	}
	return n
}

func (n nesting) add(e GroupEdge) {
	n.parents[e.Child] = append(n.parents[e.Child], e.Parent)
	n.children[e.Parent] = append(n.children[e.Parent], e.Child)
}

// groups are all that some edge names, and those given, in order.
func (n nesting) groups(besides ...id.ID) []id.ID {
	all := map[id.ID]bool{}
	for _, g := range besides {
		all[g] = true
	}
	for child := range n.parents {
		all[child] = true
	}
	for parent := range n.children {
		all[parent] = true
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
}

// without returns the nesting without some edges.
func (n nesting) without(gone func(GroupEdge) bool) nesting {
	left := newNesting(nil)
	for child, parents := range n.parents {
		for _, parent := range parents {
			if e := (GroupEdge{Parent: parent, Child: child}); !gone(e) {
				left.add(e)
			}
		}
	}
	left.holds = n.holds
	return left
}

// withoutGroup returns the nesting without a group and its edges.
func (n nesting) withoutGroup(g id.ID) nesting {
	left := n.without(func(e GroupEdge) bool { return e.Parent == g || e.Child == g })
	left.holds = maps.Clone(n.holds)
	delete(left.holds, g)
	return left
}

// withoutPermission returns the nesting with a group that holds one permission less.
func (n nesting) withoutPermission(g id.ID, name string) nesting {
	left := n
	left.holds = maps.Clone(n.holds)
	h := left.holds[g]
	h.Permissions = slices.DeleteFunc(slices.Clone(h.Permissions), func(p string) bool { return p == name })
	left.holds[g] = h
	return left
}

// reach returns a group and all that can be reached from it.
func reach(from id.ID, next map[id.ID][]id.ID) map[id.ID]bool {
	found := map[id.ID]bool{from: true}
	for todo := []id.ID{from}; len(todo) > 0; {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, n := range next[g] {
			if !found[n] {
				found[n] = true
				todo = append(todo, n)
			}
		}
	}
	return found
}

// longest returns how many groups the longest chain from a group has, itself among
// them. There must be no loop.
func longest(from id.ID, next map[id.ID][]id.ID) int {
	known := map[id.ID]int{}
	var length func(g id.ID) int
	length = func(g id.ID) int {
		if n, ok := known[g]; ok {
			return n
		}
		most := 0
		for _, n := range next[g] {
			most = max(most, length(n))
		}
		known[g] = most + 1
		return most + 1
	}
	return length(from)
}

// held are the permissions that the members of a group hold through it.
func (n nesting) held(g id.ID) map[string]bool {
	held := map[string]bool{}
	for above := range reach(g, n.parents) {
		for _, p := range n.holds[above].Permissions {
			held[p] = true
		}
	}
	return held
}

// lost names, in order, what the members of a group, or of a group inside it, hold
// before a change and not after it. Whoever is in another group besides may hold it
// still: nobody is looked at.
func lost(before, after nesting, g id.ID) []string {
	gone := map[string]bool{}
	for below := range reach(g, before.children) {
		if !before.holds[below].Occupied {
			continue
		}
		kept := after.held(below)
		if _, there := after.holds[below]; !there {
			kept = nil // the group itself goes
		}
		for p := range before.held(below) {
			if !kept[p] {
				gone[p] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(gone))
}
