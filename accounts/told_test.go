package accounts_test

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// TestManyAreNamed: however many people a change concerns at once, events name them
// all, and a search for any of them finds what was done to them.
func TestManyAreNamed(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.group("Admins")
	const many = 230
	var file strings.Builder
	var subs []string
	for i := range many {
		subs = append(subs, fmt.Sprintf("sub%03d", i))
		fmt.Fprintf(&file, `{"sub":"sub%03d","username":"u%03d","staff":%t,"superuser":%t}`+"\n", i, i, i != 7, i == 7 || i == 229)
	}
	if count, refused := w.take(file.String(), accounts.ImportOptions{}); count.Created != many {
		t.Fatal(count, refused)
	}
	made := w.latest("user.import", 3)
	if diff := cmp.Diff(without(subs, "sub007"), named(made, "staff_subs")); diff != "" {
		t.Errorf("staff (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"sub007", "sub229"}, named(made, "superuser_subs")); diff != "" {
		t.Errorf("superusers (-want +got):\n%s", diff)
	}
	end := w.now().Add(time.Hour).UnixMilli()
	all := func(action string, events int, change func() (accounts.MemberReport, error)) []auditlog.Entry {
		t.Helper()
		report, err := change()
		w.must(err)
		told := w.latest(action, events)
		for _, names := range [][]string{report.Changed, named(told, "subs")} {
			if diff := cmp.Diff(subs, names); diff != "" {
				t.Errorf("%s (-want +got):\n%s", action, diff)
			}
		}
		return told
	}
	_, err := w.groups.AddMembers(ctx, operator(), "Admins", subs[:110], end)
	w.must(err)
	// Two events for those whose end moves, two for those who are new.
	told := all("group.member.add", 4, func() (accounts.MemberReport, error) {
		return w.groups.AddMembers(ctx, operator(), "Admins", subs, end+1)
	})
	was := map[string]any{}
	for _, e := range told {
		before, _ := e.Before["ends_at"].(map[string]any)
		maps.Copy(was, before)
		if (len(before) > 0) == (e.After["members"] != nil) || (len(before) > 0) != (e.After["ends_at"] != nil) {
			t.Errorf("before %v, after %v", e.Before, e.After)
		}
	}
	for _, sub := range subs[:110] {
		if fmt.Sprint(int64(was[sub].(float64))) != fmt.Sprint(end) {
			t.Errorf("%s was to end at %v", sub, was[sub])
		}
	}
	all("group.member.remove", 3, func() (accounts.MemberReport, error) {
		return w.groups.RemoveMembers(ctx, operator(), "Admins", subs)
	})
	w.must(w.groups.AddManager(ctx, operator(), "Admins", "sub229"))
	if diff := cmp.Diff([]string{"group.manager.add", "group.member.remove", "group.member.add", "user.import"}, w.found("sub229")); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

// TestMovedEnd: the event of one membership whose end moves tells both ends.
func TestMovedEnd(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.group("Admins")
	ada := w.user("ada").Subject
	at := w.now().Add(time.Hour).UnixMilli()
	for i, step := range []struct {
		endsAt int64
		want   string
	}{
		{at, "map[] map[members:[" + ada + "]]"},
		{at + 1000, fmt.Sprintf("map[ends_at:%v] map[ends_at:%v]", float64(at), float64(at+1000))},
		{0, fmt.Sprintf("map[ends_at:%v] map[]", float64(at+1000))},
		{at, fmt.Sprintf("map[] map[ends_at:%v]", float64(at))},
	} {
		w.must(w.groups.AddMember(ctx, operator(), "Admins", ada, step.endsAt))
		e := w.latest("group.member.add", 1)[0]
		if got := fmt.Sprint(e.Before, e.After); got != step.want || e.Details["sub"] != ada {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
}

// TestInvitationTold: the log tells who invited whom into which groups, and that it was
// they who accepted; with the person the address leaves all invitations.
func TestInvitationTold(t *testing.T) {
	d, ctx := newDoors(t), t.Context()
	_, err := d.groups.Create(ctx, operator(), "Editors", "")
	d.must(err)
	const email = "bob@unproven.example"
	_, err = d.invites.Invite(ctx, operator(), accounts.Invitation{Email: email})
	d.must(err)
	link, err := d.invites.Invite(ctx, operator(), accounts.Invitation{Email: email, Groups: []string{"editors"}})
	d.must(err)
	token := tokenIn(t, link, accounts.PathInvitation)
	theirs := audit.WithOrigin(ctx, audit.Origin{Address: "192.0.2.77", RequestID: "of-bob"})
	entry, err := d.invites.Accept(theirs, token, accounts.Invited{Username: "bob", Password: goodPassword, Asker: elsewhere()})
	d.must(err)
	bob := entry.User.Subject
	added := d.latest("group.member.add", 1)[0]
	if added.Actor.Kind != audit.Person || added.Actor.ID != bob || added.Address != "192.0.2.77" ||
		added.Details["invited_by"] != "root" || added.Details["invited_by_kind"] != audit.CommandLine {
		t.Errorf("accepted: %+v", added)
	}
	for i, e := range d.latest("user.invite", 2) {
		groups := fmt.Sprint(e.Details["groups"])
		if e.TargetID != bob || e.Actor != operator() || e.Details["email"] != email || (i == 0) != (groups == "[Editors]") {
			t.Errorf("invitation %d: %+v", i, e)
		}
	}
	if got := d.found("Editors"); !slices.Contains(got, "user.invite") {
		t.Errorf("found of the group: %q", got)
	}
	d.must(d.users.Delete(ctx, operator(), bob))
	keys, err := secret.NewKeyring(secret.Text(strings.Repeat("k", 32)))
	d.must(err)
	d.must((&auditlog.Sealer{Store: d.db, Keyring: keys, Now: d.now, Log: slog.New(slog.DiscardHandler)}).CatchUp(ctx))
	tail, err := d.db.AuditTail(ctx, 1000)
	d.must(err)
	if all := fmt.Sprint(tail); strings.Contains(all, email) || strings.Contains(all, "192.0.2.77") {
		t.Errorf("after the person was deleted: %s", all)
	}
	if e := d.latest("user.invite", 1)[0]; e.ErasedAt == 0 || fmt.Sprint(e.Details["groups"]) != "[Editors]" {
		t.Errorf("%+v", e)
	}
}

// latest are the last events of an action, newest first; one more would be too many.
func (w *world) latest(action string, n int) []auditlog.Entry {
	w.t.Helper()
	tail, err := w.db.AuditTail(w.t.Context(), 1000)
	w.must(err)
	tail = slices.DeleteFunc(tail, func(e auditlog.Entry) bool { return e.Action != action })
	if len(tail) < n {
		w.t.Fatalf("%d events %s, want %d", len(tail), action, n)
	}
	return tail[:n]
}

// found are the actions that a search for an id finds, each once in a row, newest
// first.
func (w *world) found(text string) []string {
	w.t.Helper()
	p, err := (&auditlog.Log{Store: w.db}).Search(w.t.Context(), auditlog.Query{Text: text}, auditlog.Cursor{}, 100)
	w.must(err)
	var actions []string
	for _, e := range p.Entries {
		actions = append(actions, e.Action)
	}
	return slices.Compact(actions)
}

// named are the texts of a list in the details of events, sorted.
func named(events []auditlog.Entry, detail string) []string {
	var names []string
	for _, e := range events {
		list, _ := e.Details[detail].([]any)
		for _, one := range list {
			names = append(names, one.(string))
		}
	}
	slices.Sort(names)
	return names
}

func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == one })
}
