package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestNewClientOnce: the third step shows the secret in the answer to the form, and the
// same form sent again leads to the app that it has made, with no other app and no secret.
func TestNewClientOnce(t *testing.T) {
	o := newOffice(t, "https://id.example.com")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Staff: true, Superuser: true}))
	other := o.clerk(o.person(accounts.NewUser{Username: "other", Staff: true, Superuser: true}))
	count := func() int {
		t.Helper()
		list, err := o.db.ListClients(t.Context(), "", 100)
		o.must(err)
		return len(list)
	}
	before := count()
	root.get("clients/new").sees(http.StatusOK, "Step 1 of 3")
	page := root.get("clients/new?kind=web").sees(http.StatusOK, "Step 2 of 3")
	target, form := page.form("")
	form.Set("name", "Board")
	form.Set("redirect_uris", "https://board.example.com/cb$(id)")
	made := root.send(http.MethodPost, target, form).sees(http.StatusOK, "Step 3 of 3", "shown only now", "Test sign-in",
		"OIDC_REDIRECT_URI='https://board.example.com/cb$(id)'", `OIDC_RP_SIGN_ALGO = "RS256"`)
	for range 2 {
		again := root.send(http.MethodPost, target, form)
		to := strings.TrimPrefix(again.header.Get("Location"), o.issuer)
		if again.status != http.StatusSeeOther || !strings.HasPrefix(to, "/admin/clients/show?done=created&id=") {
			t.Fatalf("sent again: %d, %s", again.status, to)
		}
		at, err := url.Parse(to)
		o.must(err)
		root.send(http.MethodGet, to, nil).sees(http.StatusOK, "Board", "!shown only now", "!Step 3 of 3")
		if id := at.Query().Get("id"); len(id) != 22 || !strings.Contains(made.text, "OIDC_CLIENT_ID="+id) {
			t.Errorf("leads to %q", id)
		}
	}
	if n := count(); n != before+1 {
		t.Errorf("%d apps", n-before)
	}
	// A form that was refused makes its app when it is sent again; nobody chooses the id,
	// and the number of somebody else's form leads nowhere but to an app of one's own.
	page = root.get("clients/new?kind=web")
	page = root.post(page, "", url.Values{"name": {"Wiki"}, "redirect_uris": {"http://wiki.example.com/"}}).sees(http.StatusOK, "Step 2 of 3")
	root.post(page, "", url.Values{"redirect_uris": {"https://wiki.example.com/"}}).sees(http.StatusOK, "Step 3 of 3", "Wiki")
	_, theirs := other.get("clients/new?kind=web").form("")
	theirs.Set("name", "Theirs")
	theirs.Set("redirect_uris", "https://theirs.example.com/")
	theirs.Set("number", form.Get("number"))
	other.send(http.MethodPost, target, theirs).sees(http.StatusOK, "Step 3 of 3", "Theirs")
	_, chosen := other.get("clients/new?kind=web").form("")
	chosen.Set("name", "Chosen")
	chosen.Set("redirect_uris", "https://chosen.example.com/")
	chosen.Set("number", "mine")
	other.send(http.MethodPost, target, chosen).sees(http.StatusOK, "Step 3 of 3", "Chosen", "!OIDC_CLIENT_ID=mine")
	if n := count(); n != before+4 {
		t.Errorf("%d apps", n-before)
	}
}
