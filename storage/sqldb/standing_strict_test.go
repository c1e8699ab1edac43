package sqldb

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func TestStrictGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, ctx := open(t), t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		want := func(want ...id.ID) accounts.Mark {
			t.Helper()
			got, mark, err := d.StrictGroups(ctx)
			must(err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("strict groups (-want +got):\n%s", diff)
			}
			return mark
		}
		before := want()
		g := &accounts.Group{ID: id.New(), Name: "Staff", NameKey: "staff", SecondFactor: true}
		must(d.InsertGroup(ctx, g))
		want() // a new group demands nothing, or nodes would have to be told of it
		must(d.DemandFactor(ctx, g.ID, true))
		after := want(g.ID)
		if after.Change <= before.Change {
			t.Errorf("the change was not counted: %+v after %+v", after, before)
		}
		must(d.DeleteGroup(ctx, g.ID))
		want()
	})
}
