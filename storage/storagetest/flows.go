package storagetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Flows checks the stored requests for a sign-in.
func Flows(t *testing.T, s flow.Store) {
	t.Run("a flow is kept as it was", func(t *testing.T) { flowIsKept(t, s) })
	t.Run("a flow is updated", func(t *testing.T) { flowIsUpdated(t, s) })
	t.Run("a finished flow stays finished", func(t *testing.T) { flowStaysFinished(t, s) })
	t.Run("a flow that does not exist", func(t *testing.T) { flowNotFound(t, s) })
}

// NewFlow returns a flow that is not inserted yet.
func NewFlow(at int64) *flow.Flow {
	return &flow.Flow{
		ID: id.New(), BrowserHash: secretHash(5), ClientID: "app", Params: `{"state":"a b\u0000"}`, GrantID: id.New(),
		Pushed: true, RedirectURI: "https://app.example/cb?x=1", Scopes: []string{"openid", "posts:add"},
		LoginHint: "ä@example.org", UILocales: "de en", Reauthenticate: true, CreatedAt: at, ExpiresAt: at + 100,
	}
}

func mustInsertFlow(t *testing.T, s flow.Store) *flow.Flow {
	t.Helper()
	f := NewFlow(1000)
	if err := s.InsertFlow(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	return f
}

func wantFlow(t *testing.T, s flow.Store, want *flow.Flow) {
	t.Helper()
	got, err := s.FlowByID(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flow (-want +got):\n%s", diff)
	}
}

func flowIsKept(t *testing.T, s flow.Store) { wantFlow(t, s, mustInsertFlow(t, s)) }

func flowIsUpdated(t *testing.T, s flow.Store) {
	f, other := mustInsertFlow(t, s), mustInsertFlow(t, s)
	f.Reauthenticate, f.AccountChosenAt, f.ConsentedBy, f.DeniedAt, f.FinishedAt = false, 1, "ada", 3, 4
	changed := *f
	changed.Params, changed.GrantID, changed.ClientID = "another request", id.New(), "another app"
	if err := s.UpdateFlow(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	wantFlow(t, s, f) // who asked for what is not open to change
	wantFlow(t, s, other)
}

func flowStaysFinished(t *testing.T, s flow.Store) {
	f := mustInsertFlow(t, s)
	stale := *f
	f.FinishedAt = 9
	if err := s.UpdateFlow(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	stale.ConsentedBy = "ada"
	if err := s.UpdateFlow(t.Context(), &stale); err != nil {
		t.Fatal(err)
	}
	f.ConsentedBy = "ada"
	wantFlow(t, s, f)
}

func flowNotFound(t *testing.T, s flow.Store) {
	if _, err := s.FlowByID(t.Context(), id.New()); !errors.Is(err, flow.ErrNotFound) {
		t.Errorf("FlowByID: %v", err)
	}
	if err := s.UpdateFlow(t.Context(), NewFlow(1)); !errors.Is(err, flow.ErrNotFound) {
		t.Errorf("UpdateFlow: %v", err)
	}
}
