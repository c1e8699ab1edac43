package sqldb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// adminCrowd: people of a group are counted once, those of the groups inside it too,
// and no further than asked. Whose time has ended does not count.
func adminCrowd(t *testing.T, d *DB, people []*accounts.User) {
	ctx := t.Context()
	var groups []id.ID
	for _, name := range []string{"outer", "inner", "other"} {
		g := &accounts.Group{ID: id.New(), Name: name, NameKey: name, CreatedAt: 1}
		must(t, d.InsertGroup(ctx, g))
		groups = append(groups, g.ID)
	}
	_, err := d.exec(ctx, insertEdge, groups[0], groups[1], int64(1))
	must(t, err)
	late := &accounts.User{ID: id.New(), Subject: "sub-late", Username: "late", UsernameKey: "late", CreatedAt: 1}
	must(t, d.InsertUser(ctx, late))
	for _, m := range []struct {
		group, user id.ID
		endsAt      int64
	}{{groups[0], people[0].ID, 0}, {groups[1], people[0].ID, 0}, {groups[1], people[1].ID, 1 << 50}, {groups[1], late.ID, 1}} {
		_, err := d.AddMember(ctx, m.group, m.user, m.endsAt, 1)
		must(t, err)
	}
	for _, tt := range []struct {
		group      string
		most, want int
		more       bool
	}{{"outer", 10, 2, false}, {"outer", 3, 2, false}, {"outer", 1, 1, true}, {"inner", 2, 2, false}, {"other", 10, 0, false}, {"none", 10, 0, false}} {
		n, more, err := d.GroupCrowd(ctx, tt.group, tt.most)
		if n != tt.want || more != tt.more || err != nil {
			t.Errorf("%s as far as %d: %d, more %v, %v", tt.group, tt.most, n, more, err)
		}
	}
	for _, tt := range []struct {
		q    admin.MembershipQuery
		want string
	}{
		{admin.MembershipQuery{Subject: "sub-ada", Now: 5, Limit: 9}, "outer/0 inner/0"},
		{admin.MembershipQuery{Subject: "sub-ada", Now: 5, Limit: 1}, "outer/0"},
		{admin.MembershipQuery{Subject: "sub-ada", Now: 5, After: groups[0], Limit: 9}, "inner/0"},
		{admin.MembershipQuery{Subject: "sub-bob", Now: 5, Limit: 9}, fmt.Sprint("inner/", 1<<50)},
		{admin.MembershipQuery{Subject: "sub-bob", Now: 1 << 50, Limit: 9}, ""},
		{admin.MembershipQuery{Subject: "sub-late", Now: 5, Limit: 9}, ""},
		{admin.MembershipQuery{Subject: "nobody", Now: 5, Limit: 9}, ""},
	} {
		list, err := d.ListedMemberships(ctx, tt.q)
		must(t, err)
		var got []string
		for _, m := range list {
			got = append(got, fmt.Sprintf("%s/%d", m.Group, m.EndsAt))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("groups of %+v: %q, want %q", tt.q, got, tt.want)
		}
	}
}
