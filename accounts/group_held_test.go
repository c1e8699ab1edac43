package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestEffective(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.posts()
	u := w.user("alice")
	w.group("Staff", "posts:delete")
	w.group("Editors", "posts:add")
	w.group("Juniors", "posts:add")
	w.group("Readers", "posts:read")
	w.group("Ended", "posts:read")
	w.inside("Juniors", "Editors", "Staff")
	w.inside("Readers", "Staff")
	at := w.now().UnixMilli()
	w.must(w.groups.AddMember(ctx, operator(), "Juniors", u.Subject, at+1000))
	w.must(w.groups.AddMember(ctx, operator(), "Ended", u.Subject, at+1))
	w.must(w.groups.AddMember(ctx, operator(), "Readers", u.Subject, 0))
	w.pass(1_000_000) // nanoseconds: one millisecond
	want := []accounts.Held{
		{Permission: "posts:add", Through: []string{"Juniors"}, EndsAt: at + 1000},
		{Permission: "posts:add", Through: []string{"Juniors", "Editors"}, EndsAt: at + 1000},
		{Permission: "posts:delete", Through: []string{"Readers", "Staff"}},
		{Permission: "posts:delete", Through: []string{"Juniors", "Editors", "Staff"}, EndsAt: at + 1000},
		{Permission: "posts:read", Through: []string{"Readers"}},
	}
	got, err := w.groups.Effective(ctx, u.Subject)
	w.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	names, err := w.groups.EffectiveNames(ctx, u.Subject)
	w.must(err)
	if diff := cmp.Diff([]string{"posts:add", "posts:delete", "posts:read"}, names); diff != "" {
		t.Error(diff)
	}
	w.must(w.users.SetSuperuser(ctx, operator(), w.user("root").Subject, true))
	w.must(w.users.SetSuperuser(ctx, operator(), u.Subject, true))
	super, err := w.groups.Effective(ctx, u.Subject)
	w.must(err)
	builtin := 0
	for _, h := range super {
		if strings.HasPrefix(h.Permission, "revocations:") && h.Superuser && cmp.Equal(h.Through, []string{accounts.ThroughSuperuser}) {
			builtin++
		}
	}
	if builtin == 0 || len(super) < len(want)+4 {
		t.Errorf("a superuser holds %+v", super)
	}
	w.must(w.users.SetSuperuser(ctx, operator(), u.Subject, false))
	w.must(w.apis.Disable(ctx, operator(), postsAPI))
	if got, err := w.groups.Effective(ctx, u.Subject); err != nil || len(got) != 0 {
		t.Errorf("of a disabled API: %v, %v", got, err)
	}
	if _, err := w.groups.Effective(ctx, "nobody"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	holders, err := w.groups.Holders(ctx, "posts:delete", "", 2)
	w.must(err)
	more, err := w.groups.Holders(ctx, "posts:delete", holders[1].NameKey, 10)
	w.must(err)
	if diff := cmp.Diff([]accounts.Holder{
		{Group: "Editors", NameKey: "editors", Through: []string{"Staff"}}, {Group: "Juniors", NameKey: "juniors", Through: []string{"Editors"}},
		{Group: "Readers", NameKey: "readers", Through: []string{"Staff"}}, {Group: "Staff", NameKey: "staff", Direct: true},
	}, append(holders, more...)); diff != "" {
		t.Errorf("holders (-want +got):\n%s", diff)
	}
	if both, err := w.groups.Holders(ctx, "posts:add", "f", 1); err != nil || len(both) != 1 || !both[0].Direct || !cmp.Equal(both[0].Through, []string{"Editors"}) {
		t.Errorf("held twice: %+v, %v", both, err)
	}
}

func TestGroupPages(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{"Zebra", "Ärzte", "a%", "A_x", "ab", "Straße"} {
		w.group(name)
	}
	names := func(prefix, after string, limit int) string {
		t.Helper()
		page, err := w.groups.Page(ctx, prefix, after, limit)
		w.must(err)
		var list []string
		for _, g := range page {
			list = append(list, g.Name)
		}
		return strings.Join(list, " ")
	}
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"", "", 100, "a% A_x ab Straße Zebra Ärzte"},
		{"", "ab", 2, "Straße Zebra"},
		{"A", "", 9, "a% A_x ab"},
		{"a", "a%", 1, "A_x"},
		{"a%", "", 9, "a%"},
		{"a_", "", 9, "A_x"},
		{"STRASS", "", 9, "Straße"},
		{"ä", "", 0, "Ärzte"},
		{"x", "", 9, ""},
		{"\x00", "", 9, ""},
		{"a\xff", "", 9, ""},
	} {
		if got := names(tt.prefix, tt.after, tt.limit); got != tt.want {
			t.Errorf("%q after %q: %q, want %q", tt.prefix, tt.after, got, tt.want)
		}
	}
	u, v := w.user("u"), w.user("v")
	at := w.now().UnixMilli()
	w.must(w.groups.AddMember(ctx, operator(), "ab", v.Subject, at+5))
	w.must(w.groups.AddMember(ctx, operator(), "ab", u.Subject, 0))
	first, err := w.groups.MemberPage(ctx, "AB", id.ID{}, 1)
	w.must(err)
	rest, err := w.groups.MemberPage(ctx, "AB", first[0].UserID, 0)
	w.must(err)
	if diff := cmp.Diff([]accounts.Member{
		{UserID: u.ID, Subject: u.Subject, Username: "u", AddedAt: at}, {UserID: v.ID, Subject: v.Subject, Username: "v", EndsAt: at + 5, AddedAt: at},
	}, append(first, rest...)); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if _, err := w.groups.MemberPage(ctx, "nobody", id.ID{}, 1); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("of no group: %v", err)
	}
}
