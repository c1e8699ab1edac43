package accounts

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// letters makes groups of letters: "ab" says that a is inside b, and "a:x*" that a
// holds x and has members.
func letters(edges, holdings string) nesting {
	n := newNesting(nil)
	for e := range strings.FieldsSeq(edges) {
		n.add(GroupEdge{Child: letter(e[0]), Parent: letter(e[1])})
	}
	for h := range strings.FieldsSeq(holdings) {
		permissions, occupied := strings.CutSuffix(h[2:], "*")
		n.holds[letter(h[0])] = GroupHolding{GroupID: letter(h[0]), Permissions: strings.Split(permissions, ""), Occupied: occupied}
	}
	return n
}

func letter(b byte) id.ID { return id.ID{b} }

func TestLost(t *testing.T) {
	const chain, diamond = "ab bc", "ab ac bd cd"
	for _, tt := range []struct {
		name, edges, holdings, change string
		want                          string
	}{
		{"the only way", chain, "a:x* b:y c:z", "-ab", "yz"},
		{"the upper edge", chain, "a:x* b:y c:z", "-bc", "z"},
		{"nobody below", chain, "a:x b:y c:z", "-ab", ""},
		{"members above do not lose", chain, "a: b:y* c:z*", "-ab", ""},
		{"held by the group itself", chain, "a:y* b:y c:z", "-ab", "z"},
		{"another way up", diamond, "a:* b: c: d:z", "-ab", ""},
		{"another way up, but for one", diamond, "a:* b:y c:x d:z", "-ab", "y"},
		{"who is in between loses", diamond, "a:* b:y* c:x d:z", "-bd", "z"},
		{"a group without members", chain, "a: b:y c:z", "b", ""},
		{"a group with members", chain, "a: b:y* c:z", "b", "yz"},
		{"a group in between", chain, "a:x* b:y c:z", "b", "yz"},
		{"a group above", chain, "a:x* b:y* c:z", "c", "z"},
		{"a group below", chain, "a:x* b:y* c:z*", "a", "xyz"},
		{"a group on one of two ways", diamond, "a:* b:y c:y d:z", "b", ""},
		{"a permission", chain, "a:x* b:y c:z", "b/y", "y"},
		{"a permission held above", chain, "a:x* b:z c:z", "b/z", ""},
		{"a permission held below", chain, "a:y* b:y c:z", "b/y", ""},
	} {
		before := letters(tt.edges, tt.holdings)
		from, after := letter(tt.change[0]), before
		switch {
		case tt.change[0] == '-':
			from = letter(tt.change[1])
			after = before.without(func(e GroupEdge) bool { return e.Child == from && e.Parent == letter(tt.change[2]) })
		case len(tt.change) == 1:
			after = before.withoutGroup(from)
		default:
			after = before.withoutPermission(from, tt.change[2:])
		}
		if got := strings.Join(lost(before, after, from), ""); got != tt.want {
			t.Errorf("%s: lost %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestLongest(t *testing.T) {
	n := letters("ab bc ac cd xc", "")
	for from, want := range map[byte]int{'a': 4, 'b': 3, 'd': 1, 'x': 3} {
		if got := longest(letter(from), n.parents); got != want {
			t.Errorf("up from %c: %d, want %d", from, got, want)
		}
	}
	if got := longest(letter('d'), n.children); got != 4 {
		t.Errorf("down from d: %d", got)
	}
	if got := n.groups(letter('q')); !slices.IsSortedFunc(got, func(a, b id.ID) int { return slices.Compare(a[:], b[:]) }) || len(got) != 6 {
		t.Errorf("groups %v", got)
	}
}

// Many ways lead from a group to another; each is found once, by the shortest.
func TestWays(t *testing.T) {
	n := letters("ab ac bd cd de ae", "")
	var got []string
	for _, way := range ways(letter('a'), n.parents) {
		text := ""
		for _, g := range way {
			text += string(rune(g[0]))
		}
		got = append(got, text)
	}
	if diff := cmp.Diff([]string{"a", "ab", "ac", "ae", "abd"}, got); diff != "" {
		t.Error(diff)
	}
}
