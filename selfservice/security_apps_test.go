package selfservice_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Apps and what they may do are named in the language of the page, and stand in the
// order of the names that are shown.
func TestApps_InTheLanguageOfThePage(t *testing.T) {
	w := newHouse(t)
	b := w.visitor(w.ada)
	zebra := w.register("Zebra")
	w.must(w.clients.Update(t.Context(), rootOperator(), zebra.ClientID, func(c *accounts.Client) error {
		c.Texts = accounts.Texts{"de": {Name: "Ameise"}}
		return nil
	}))
	w.allow(w.ada, w.board, b.session, false)
	w.allow(w.ada, zebra, b.session, false)
	wantHTML(t, b.get("/account/apps"), http.StatusOK, "Post Board", "!Deutsches", "Write posts in your name")
	profiles := &accounts.Profiles{Journal: w.users.Journal, Users: w.db}
	w.must(profiles.SetLocale(t.Context(), rootOperator(), w.ada.Subject, "de-AT"))
	page := b.get("/account/apps")
	wantHTML(t, page, http.StatusOK, `<html lang="de"`, "Deutsches Post Board", "Beiträge in deinem Namen schreiben", "!Write posts", "!Zebra")
	if body := page.Body.String(); strings.Index(body, "Ameise") > strings.Index(body, "Deutsches Post Board") {
		t.Error("the apps are not in the order of their names")
	}
	wantHTML(t, b.get("/account/seen"), http.StatusOK, "Deutsches Post Board", "Ameise", "!Zebra")
	form := filled(t, page, "action", "disconnect", "client", w.board.ClientID)
	wantTo(t, b.post("/account/apps", form), "/account/apps?gone="+w.board.ClientID)
	wantHTML(t, b.get("/account/apps?gone="+w.board.ClientID), http.StatusOK, "Deutsches Post Board")
	wantHTML(t, b.get("/account/security"), http.StatusOK, "Deutsches Post Board", "!>Post Board")
}
