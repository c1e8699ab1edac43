package selfservice_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// TestConsoleIsLinked: the account's first page leads those to the console who may
// enter it, and nobody else.
func TestConsoleIsLinked(t *testing.T) {
	w := newHouse(t)
	ctx, b := t.Context(), w.visitor(w.ada)
	linked := func(want bool, when string) {
		t.Helper()
		page := b.get("/account/")
		wantHTML(t, page, http.StatusOK)
		if got := strings.Contains(page.Body.String(), `href="/admin/"`); got != want {
			t.Errorf("%s: linked %v", when, got)
		}
	}
	linked(false, "nobody special")
	group := &accounts.Group{ID: id.New(), Name: "Writers", NameKey: "writers"}
	w.must(w.db.InsertGroup(ctx, group))
	_, err := w.db.InsertManager(ctx, group.ID, w.ada.ID, 1)
	w.must(err)
	linked(true, "manager")
	_, err = w.db.DeleteManager(ctx, group.ID, w.ada.ID)
	w.must(err)
	linked(false, "no longer a manager")
	w.must(w.users.SetStaff(ctx, rootOperator(), w.ada.Subject, true))
	linked(true, "staff")
}
