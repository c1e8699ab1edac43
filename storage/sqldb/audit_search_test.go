package sqldb

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// TestAuditSearch: every way of asking finds its events, newest first, page by page.
func TestAuditSearch(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		ada, app := audit.Actor{Kind: audit.Person, ID: "ada", Name: "Ada"}, audit.Actor{Kind: audit.Client, ID: "app"}
		for i, e := range []audit.Event{
			{Actor: ada, Action: "user.sign_in", TargetKind: "user", TargetID: "ada"},
			{Actor: ada, Action: "user.ban", TargetKind: "user", TargetID: "bob"},
			{Actor: app, Action: "grant.revoke", TargetKind: "grant", TargetID: "gid"},
			{Actor: ada, Action: "group.create", TargetKind: "group", TargetID: "ada"},
			{Actor: app, Action: "user.sign_in", TargetKind: "user", TargetID: "bob"},
		} {
			ctx := audit.WithOrigin(t.Context(), audit.Origin{RequestID: fmt.Sprintf("r%d", i/2)})
			must(t, d.WriteAudit(ctx, e))
		}
		l := &auditlog.Log{Store: d}
		all, err := l.Search(t.Context(), auditlog.Query{}, auditlog.Cursor{}, 10)
		must(t, err)
		at := all.Entries[0].At
		for name, tt := range map[string]struct {
			q    auditlog.Query
			want []int
		}{
			"all":                 {auditlog.Query{}, []int{4, 3, 2, 1, 0}},
			"actor":               {auditlog.Query{ActorID: "ada"}, []int{3, 1, 0}},
			"actor and kind":      {auditlog.Query{ActorID: "ada", ActorKind: audit.Client}, nil},
			"kind of actor":       {auditlog.Query{ActorKind: audit.Client}, []int{4, 2}},
			"target":              {auditlog.Query{TargetID: "ada"}, []int{3, 0}},
			"target and kind":     {auditlog.Query{TargetKind: "user", TargetID: "ada"}, []int{0}},
			"kind of target":      {auditlog.Query{TargetKind: "user"}, []int{4, 1, 0}},
			"target and actor":    {auditlog.Query{TargetID: "bob", ActorID: "ada"}, []int{1}},
			"actions":             {auditlog.Query{Action: "user."}, []int{4, 1, 0}},
			"an action":           {auditlog.Query{Action: "user.sign_in"}, []int{4, 0}},
			"actions of somebody": {auditlog.Query{Action: "user.", ActorID: "ada"}, []int{1, 0}},
			"no action":           {auditlog.Query{Action: "%"}, nil},
			"request":             {auditlog.Query{RequestID: "r1"}, []int{3, 2}},
			"text":                {auditlog.Query{Text: "ada"}, []int{3, 1, 0}},
			"text of a request":   {auditlog.Query{Text: "r0"}, []int{1, 0}},
			"text and action":     {auditlog.Query{Text: "ada", Action: "user.b"}, []int{1}},
			"its own id":          {auditlog.Query{Text: all.Entries[2].ID.String()}, []int{2}},
			"its own id, other":   {auditlog.Query{Text: all.Entries[2].ID.String(), ActorID: "ada"}, nil},
			"since later":         {auditlog.Query{Since: at + 1}, nil},
			"until earlier":       {auditlog.Query{Until: all.Entries[4].At}, nil},
			"between":             {auditlog.Query{Since: all.Entries[4].At, Until: at + 1, TargetID: "bob"}, []int{4, 1}},
		} {
			for _, limit := range []int{1, 2, 10} {
				var got []int
				for q, after := tt.q, (auditlog.Cursor{}); ; {
					p, err := l.Search(t.Context(), q, after, limit)
					must(t, err)
					for _, e := range p.Entries {
						got = append(got, 4-slices.IndexFunc(all.Entries, func(a auditlog.Entry) bool { return a.ID == e.ID }))
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
		e, err := l.Event(t.Context(), all.Entries[1].ID)
		must(t, err)
		if diff := cmp.Diff(all.Entries[1], *e); diff != "" {
			t.Error(diff)
		}
		// A walk that stops before it has found enough says where.
		w := auditlog.Walk{Match: auditlog.Query{TargetID: "ada"}, Limit: 5, Scan: 3}
		found, floor, err := d.AuditWalk(context.Background(), w)
		if len(found) != 1 || floor != all.Entries[2].ID || err != nil {
			t.Errorf("found %d, stopped at %v, %v", len(found), floor, err)
		}
	})
}
