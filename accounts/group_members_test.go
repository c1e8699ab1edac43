package accounts_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestMembersAtOnce(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.group("Editors")
	var subs []string
	for _, name := range []string{"a", "b", "c"} {
		subs = append(subs, w.user(name).Subject)
	}
	slices.Sort(subs)
	add := func(subjects []string, endsAt int64) (accounts.MemberReport, error) {
		return w.groups.AddMembers(ctx, operator(), "editors", subjects, endsAt)
	}
	remove := func(subjects []string, _ int64) (accounts.MemberReport, error) {
		return w.groups.RemoveMembers(ctx, operator(), "editors", subjects)
	}
	soon := w.now().Add(time.Hour).UnixMilli()
	for i, step := range []struct {
		do       func([]string, int64) (accounts.MemberReport, error)
		subjects []string
		endsAt   int64
		want     accounts.MemberReport
		rows     []string
		events   []string
	}{
		{add, []string{"nobody", subs[1], subs[0], subs[0]}, 0, accounts.MemberReport{Changed: subs[:2], Unknown: []string{"nobody"}}, nil, []string{"group.member.add"}},
		{add, subs[:2], 0, accounts.MemberReport{}, nil, nil},
		{add, subs, soon, accounts.MemberReport{Changed: subs}, []string{"membership " + subs[0], "membership " + subs[1]}, []string{"group.member.add", "group.member.add"}},
		{add, subs, soon + 1, accounts.MemberReport{Changed: subs}, nil, []string{"group.member.add"}},
		{remove, []string{subs[2], "x"}, 0, accounts.MemberReport{Changed: subs[2:], Unknown: []string{"x"}}, []string{"membership " + subs[2]}, []string{"group.member.remove"}},
		{remove, subs[2:], 0, accounts.MemberReport{}, nil, nil},
		{remove, nil, 0, accounts.MemberReport{}, nil, nil},
	} {
		position, events := w.position(), len(w.events(1000))
		got, err := step.do(step.subjects, step.endsAt)
		w.must(err)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(step.rows, some(w.rows(position))); diff != "" {
			t.Errorf("step %d: rows (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(step.events, some(w.events(len(w.events(1000))-events))); diff != "" {
			t.Errorf("step %d: events (-want +got):\n%s", i, diff)
		}
	}
	// Who was a member whose time had ended loses nothing.
	w.pass(2 * time.Hour)
	position := w.position()
	got, err := remove(subs, 0)
	w.must(err)
	if rows := w.rows(position); len(rows) != 0 || len(got.Changed) != 2 {
		t.Errorf("ended memberships removed: %v, %v", got, rows)
	}
	if _, err := w.groups.AddMembers(ctx, operator(), "nobody", subs, 0); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("no group: %v", err)
	}
	for _, past := range []int64{w.now().UnixMilli(), -1} {
		_, err := add(subs, past)
		wantField(t, err, "ends_at", accounts.ErrInvalid)
		wantField(t, w.groups.AddMember(ctx, operator(), "Editors", subs[0], past), "ends_at", accounts.ErrInvalid)
	}
	many := make([]string, accounts.MaxMembersAtOnce+1)
	for i := range many {
		many[i] = fmt.Sprint("sub", i)
	}
	if _, err := add(many, 0); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("too many: %v", err)
	}
	if got, err := add(many[1:], 0); err != nil || len(got.Unknown) != accounts.MaxMembersAtOnce {
		t.Errorf("as many as may be: %d unknown, %v", len(got.Unknown), err)
	}
}

// Memberships end by themselves: with an event each and a row a person, once, however
// many nodes look.
func TestMembershipEnds(t *testing.T) {
	for name, w := range map[string]*world{"SQLite": newWorld(t), "PostgreSQL": newWorldOn(t, sqldbtest.Postgres(t))} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			ctx := t.Context()
			w.group("Editors")
			w.group("Others")
			var subs, want []string
			for i := range 130 { // more than a batch
				u := w.user(fmt.Sprint("user", i))
				subs = append(subs, u.Subject)
				if i > 0 {
					want = append(want, "membership "+u.Subject)
				}
			}
			slices.Sort(want)
			at := w.now().Add(time.Hour).UnixMilli()
			for group, endsAt := range map[string]int64{"Editors": at, "Others": at + 1} {
				_, err := w.groups.AddMembers(ctx, operator(), group, subs, endsAt)
				w.must(err)
			}
			w.must(w.groups.AddMember(ctx, operator(), "Editors", subs[0], at+10_000))
			w.must(w.groups.AddMember(ctx, operator(), "Others", subs[0], 0))
			ends := &accounts.MembershipEnds{Groups: w.groups, Log: slog.New(slog.DiscardHandler)}
			if n, err := ends.Round(ctx); n != 0 || err != nil {
				t.Fatalf("before their time %d ended, %v", n, err)
			}
			w.pass(time.Hour + time.Second)
			position, events := w.position(), len(w.events(10_000))
			var ended atomic.Int64
			var nodes sync.WaitGroup
			for range 3 {
				nodes.Go(func() {
					n, err := ends.Round(ctx)
					if err != nil {
						t.Error(err)
					}
					ended.Add(int64(n))
				})
			}
			nodes.Wait()
			n, err := ends.Round(ctx) // what they passed over because another held it
			w.must(err)
			if all := ended.Load() + int64(n); all != 258 {
				t.Errorf("%d memberships ended, want 258", all)
			}
			if diff := cmp.Diff(want, slices.Compact(w.rows(position))); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			added := len(w.events(10_000)) - events
			if added != 258 {
				t.Errorf("%d events", added)
			}
			last, err := w.db.AuditTail(ctx, 1)
			w.must(err)
			if e := last[0]; e.Action != "group.member.end" || e.Actor.Kind != audit.System || e.Details["sub"] == "" {
				t.Errorf("event %+v", e)
			}
			left, err := w.groups.MemberPage(ctx, "editors", id.ID{}, 10)
			w.must(err)
			if len(left) != 1 || left[0].Subject != subs[0] {
				t.Errorf("left %+v", left)
			}
		})
	}
}

func TestManagers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.group("Editors")
	w.group("Staff")
	w.inside("Editors", "Staff")
	ada, bob := w.user("ada"), w.user("bob")
	by := audit.Actor{Kind: audit.Person, ID: ada.Subject}
	m := w.groups.Manage(by, ada.Subject)
	tries := func(group string) []error {
		_, list := m.Members(ctx, group, id.ID{}, 10)
		_, add := m.AddMembers(ctx, group, []string{bob.Subject}, 0)
		_, remove := m.RemoveMembers(ctx, group, []string{bob.Subject})
		return []error{list, add, remove}
	}
	refused := func(when, group string) {
		t.Helper()
		events := len(w.events(1000))
		for i, err := range tries(group) {
			if !errors.Is(err, accounts.ErrNotManager) {
				t.Errorf("%s: try %d in %s: %v", when, i, group, err)
			}
		}
		if len(w.events(1000)) != events {
			t.Errorf("%s: something was changed in %s", when, group)
		}
	}
	refused("nobody's manager", "Editors")
	w.must(w.groups.AddManager(ctx, operator(), "editors", ada.Subject))
	w.must(w.groups.AddManager(ctx, operator(), "editors", ada.Subject))
	for i, err := range tries("EDITORS") {
		if err != nil {
			t.Errorf("try %d of a manager: %v", i, err)
		}
	}
	refused("manager of what is inside it", "Staff")
	refused("no such group", "nobody")
	refused("not a name", "\x00")
	got, err := m.AddMembers(ctx, "editors", []string{bob.Subject, "nobody"}, w.now().Add(time.Hour).UnixMilli())
	w.must(err)
	if diff := cmp.Diff(accounts.MemberReport{Changed: []string{bob.Subject}, Unknown: []string{"nobody"}}, got); diff != "" {
		t.Error(diff)
	}
	g, err := w.groups.Find(ctx, "editors")
	w.must(err)
	managed, err := w.groups.ManagedBy(ctx, ada.Subject, "", 10)
	w.must(err)
	if diff := cmp.Diff([][]string{{ada.Subject}, {"Editors"}}, [][]string{g.Managers, managed}); diff != "" {
		t.Error(diff)
	}
	w.must(w.users.Ban(ctx, operator(), ada.Subject))
	refused("banned", "Editors")
	w.must(w.users.Unban(ctx, operator(), ada.Subject))
	if manages, err := w.groups.IsManager(ctx, ada.Subject, "editors"); !manages || err != nil {
		t.Errorf("unbanned: %v, %v", manages, err)
	}
	w.must(w.groups.RemoveManager(ctx, operator(), "editors", ada.Subject))
	w.must(w.groups.RemoveManager(ctx, operator(), "editors", ada.Subject))
	refused("no longer", "Editors")
	w.must(w.groups.AddManager(ctx, operator(), "editors", ada.Subject))
	w.must(w.users.Delete(ctx, operator(), ada.Subject))
	refused("deleted", "Editors")
	if g, err := w.groups.Find(ctx, "editors"); err != nil || len(g.Managers) != 0 {
		t.Errorf("managers left: %v, %v", g.Managers, err)
	}
	if err := w.groups.AddManager(ctx, operator(), "editors", ada.Subject); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a deleted user: %v", err)
	}
}

func TestManagers_AreFew(t *testing.T) {
	w := newWorld(t)
	w.group("Editors")
	for i := range 100 {
		w.must(w.groups.AddManager(t.Context(), operator(), "editors", w.user(fmt.Sprint("m", i)).Subject))
	}
	if err := w.groups.AddManager(t.Context(), operator(), "editors", w.user("more").Subject); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("one more: %v", err)
	}
}
