package storagetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Marked is what the contract of marks is about.
type Marked interface {
	accounts.ManagedStore
	accounts.Tx
}

// Managed is the contract of the store of what files manage. s holds nothing yet.
func Managed(t *testing.T, s Marked) {
	t.Helper()
	ctx := t.Context()
	board := accounts.Managed{
		Kind: accounts.ManagedClient, Name: "board", Object: id.New(), Manager: "ours", AppliedAt: 7,
		Applied: map[string]any{"name": "Board", "first_party": false, "scopes": []any{"openid"}, "texts": map[string]any{"de": map[string]any{"name": "Brett"}}},
	}
	// The same name of another kind is another object.
	group := accounts.Managed{Kind: accounts.ManagedGroup, Name: "board", Object: id.New(), Manager: "theirs", Applied: map[string]any{}, AppliedAt: 8}
	for _, m := range []accounts.Managed{board, group} {
		must(t, s.PutManaged(ctx, &m))
	}
	board.Object, board.Manager, board.AppliedAt = id.New(), "theirs", 9 // made again, and taken over
	must(t, s.PutManaged(ctx, &board))
	list, err := s.ListManaged(ctx)
	must(t, err)
	got := map[accounts.ManagedKind]accounts.Managed{}
	for _, m := range list {
		if m.Applied == nil {
			m.Applied = map[string]any{}
		}
		got[m.Kind] = m
	}
	want := map[accounts.ManagedKind]accounts.Managed{accounts.ManagedClient: board, accounts.ManagedGroup: group}
	if diff := cmp.Diff(want, got); diff != "" || len(list) != 2 {
		t.Errorf("%d marks (-want +got):\n%s", len(list), diff)
	}
	found, err := s.ManagedObjects(ctx, board.Object, id.New())
	must(t, err)
	if diff := cmp.Diff(map[id.ID]accounts.Managed{board.Object: board}, found); diff != "" {
		t.Errorf("of objects (-want +got):\n%s", diff)
	}
	must(t, s.DropManaged(ctx, group.Kind, group.Name))
	wantError(t, s.DropManaged(ctx, group.Kind, group.Name), accounts.ErrNotFound)
	if found, err = s.ManagedObjects(ctx, group.Object); err != nil || len(found) != 0 {
		t.Errorf("after it was dropped: %v, %v", found, err)
	}
	if s.LockManaged(ctx) == nil {
		t.Error("a lock outside a transaction")
	}
	must(t, s.InTx(ctx, func(ctx context.Context) error { return s.LockManaged(ctx) }))
}
