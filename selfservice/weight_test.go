package selfservice_test

import (
	"net/http"
	"testing"
)

// The profile is the longest page of an account; it is small all the same.
func TestProfile_Weight(t *testing.T) {
	w := newHouse(t)
	page := w.visitor(w.ada).get("/account/profile")
	wantHTML(t, page, http.StatusOK)
	if size := page.Body.Len(); size > 12<<10 {
		t.Errorf("%d bytes", size)
	}
}
