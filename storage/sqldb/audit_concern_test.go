package sqldb

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// TestAuditConcerns: an id is found wherever an event names it: also where it is
// neither actor nor target. Events that name nobody else cost nothing more, and what
// finds an event leaves with it.
func TestAuditConcerns(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		h := newAuditHouse(t, open(t))
		d, ctx := h.d, t.Context()
		ada, app := audit.Actor{Kind: audit.Person, ID: "ada", Name: "Ada"}, audit.Actor{Kind: audit.Client, ID: "app"}
		for i, e := range []struct {
			event audit.Event
			from  audit.Origin
			rows  int64
		}{
			{audit.Event{Actor: ada, Action: "user.sign_in", TargetKind: "user", TargetID: "ada", Details: map[string]any{"session": "sid"}}, audit.Origin{}, 0},
			{audit.Event{Actor: ada, Action: "session.sign_out", TargetKind: "session", TargetID: "sid", Details: map[string]any{"sub": "ada"}}, audit.Origin{Session: "sid"}, 0},
			{audit.Event{Actor: ada, Action: "group.member.add", TargetKind: "group", TargetID: "Admins", Details: map[string]any{"subs": []string{"bob", "eve", "bob"}}}, audit.Origin{Session: "sid"}, 2},
			{audit.Event{Actor: ada, Action: "group.manager.add", TargetKind: "group", TargetID: "Admins", Details: map[string]any{"sub": "bob"}}, audit.Origin{Session: "sid", Client: "console"}, 2},
			{audit.Event{Actor: app, Action: "token.revoke", TargetKind: "token", TargetID: "jti", Details: map[string]any{"sub": "bob", "client_id": "app"}}, audit.Origin{Client: "app"}, 1},
			{audit.Event{Actor: ada, Action: "group.child.add", TargetKind: "group", TargetID: "Admins", Details: map[string]any{"child": "Staff"}}, audit.Origin{}, 1},
		} {
			var before, after int64
			must(t, d.queryRow(ctx, `SELECT count(*) FROM audit_concerns`, nil, &before))
			must(t, d.WriteAudit(audit.WithOrigin(ctx, e.from), e.event))
			must(t, d.queryRow(ctx, `SELECT count(*) FROM audit_concerns`, nil, &after))
			if after-before != e.rows {
				t.Errorf("event %d, %s: %d rows, want %d", i, e.event.Action, after-before, e.rows)
			}
		}
		l := &auditlog.Log{Store: d}
		for name, tt := range map[string]struct {
			q    auditlog.Query
			want []string
		}{
			"a person":           {auditlog.Query{Text: "bob"}, []string{"token.revoke", "group.manager.add", "group.member.add"}},
			"one of several":     {auditlog.Query{Text: "eve"}, []string{"group.member.add"}},
			"a session":          {auditlog.Query{Text: "sid"}, []string{"group.manager.add", "group.member.add", "session.sign_out"}},
			"through an app":     {auditlog.Query{Text: "console"}, []string{"group.manager.add"}},
			"an app":             {auditlog.Query{Text: "app"}, []string{"token.revoke"}},
			"a group in a group": {auditlog.Query{Text: "Staff"}, []string{"group.child.add"}},
			"and an action":      {auditlog.Query{Text: "bob", Action: "group."}, []string{"group.manager.add", "group.member.add"}},
			"and an actor":       {auditlog.Query{Text: "bob", ActorKind: audit.Client, ActorID: "app"}, []string{"token.revoke"}},
			"and a target":       {auditlog.Query{Text: "sid", TargetKind: "group", TargetID: "Admins"}, []string{"group.manager.add", "group.member.add"}},
			"nobody":             {auditlog.Query{Text: "mallory"}, nil},
		} {
			for _, limit := range []int{1, 10} {
				var got []string
				for after := (auditlog.Cursor{}); ; {
					p, err := l.Search(ctx, tt.q, after, limit)
					must(t, err)
					for _, e := range p.Entries {
						got = append(got, e.Action)
					}
					if after = p.Next; after.IsZero() || len(p.Entries) > limit {
						break
					}
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s, pages of %d: %s", name, limit, diff)
				}
			}
		}
		// A walk that stops before it has found enough says where.
		for _, by := range []auditlog.By{auditlog.BySession, auditlog.ByConcern} {
			w := auditlog.Walk{By: by, Key: map[auditlog.By]string{auditlog.BySession: "sid", auditlog.ByConcern: "bob"}[by], Limit: 5, Scan: 2}
			w.Match.Action = "group.member.add"
			found, floor, err := d.AuditWalk(ctx, w)
			all, _, errAll := d.AuditWalk(ctx, auditlog.Walk{By: by, Key: w.Key, Limit: 2, Scan: 10})
			must(t, errAll)
			if err != nil || len(all) != 2 || floor != all[1].ID || (len(found) == 1) != (by == auditlog.BySession) {
				t.Errorf("index %d: found %d, stopped at %v, %v", by, len(found), floor, err)
			}
		}
		h.seal()
		r := h.retention()
		if n, err := r.Cut(ctx); n != 6 || err != nil {
			t.Fatalf("%d left, %v", n, err)
		}
		var left int64
		must(t, d.queryRow(ctx, `SELECT count(*) FROM audit_concerns`, nil, &left))
		if left != 0 {
			t.Errorf("%d rows are left of events that have left", left)
		}
	})
}
