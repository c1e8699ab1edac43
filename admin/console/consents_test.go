package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// website makes an app that people sign in to.
func (o *office) website(name string, redirects ...string) *accounts.Client {
	o.Helper()
	c, _, err := o.admin.Clients.Register(o.Context(), officeActor, accounts.Registration{
		Name: "The " + name, ClientID: name, Type: accounts.WebClient, RedirectURIs: redirects, Scopes: []string{"openid", "posts:add"},
	})
	o.must(err)
	return c
}

// TestConsents: whoever looks after an app sees who has allowed it what, page by page,
// and takes back what one of them allowed, or all.
func TestConsents(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	app := o.website("board", "https://board.example.com/back")
	other := o.website("other", "https://other.example.com/back")
	root.get("clients/show?id=board").sees(http.StatusOK, "Nobody has allowed this app anything.", "!Everybody who allowed it")
	var first *accounts.User
	for i := range 53 {
		u := o.person(accounts.NewUser{Username: fmt.Sprintf("person%02d", i)})
		o.must(o.admin.Consents.Allow(ctx, officeActor, u, app, app.Scopes, app.Scopes))
		if i == 0 {
			first = u
			o.must(o.admin.Consents.Allow(ctx, officeActor, u, other, other.Scopes, other.Scopes))
		}
	}
	left := func(clientID string) int {
		list, err := o.db.ListedConsents(ctx, admin.ConsentQuery{ClientID: clientID, Limit: 100})
		o.must(err)
		return len(list)
	}

	root.get("clients/show?id=board").sees(http.StatusOK, "person00", "person04", "!person05", "openid posts:add", "Everybody who allowed it")
	page := root.get("clients/consents?id=board").sees(http.StatusOK, "The board", "person00", "person49", "!person50", "More", "!Back to the beginning")
	var next string
	for n := range page.root.Descendants() {
		if attr(n, "rel") == "next" {
			next = strings.TrimPrefix(attr(n, "href"), "/admin/")
		}
	}
	root.get(next).sees(http.StatusOK, "person50", "person52", "!person49", "Back to the beginning", "!More")

	root.post(page, "", url.Values{"disconnect": {first.Subject}}).sees(http.StatusOK, "Revoked.", "!person00", "person50")
	root.post(page, "", url.Values{"disconnect": {"nobody"}}).sees(http.StatusOK, "There is no such thing")
	root.post(page, "action=disconnect", url.Values{"confirm": {"The board"}}).sees(http.StatusOK, "The confirmation does not match", "person01")
	root.post(page, "action=disconnect", url.Values{"action": {"other"}}).sees(http.StatusBadRequest)
	if left("board") != 52 || left("other") != 1 {
		t.Fatalf("%d and %d are left", left("board"), left("other"))
	}
	root.post(page, "action=disconnect", url.Values{"confirm": {"board"}}).sees(http.StatusOK, "Revoked.", "Nobody has allowed this app anything.")
	if left("board") != 0 || left("other") != 1 {
		t.Errorf("%d and %d are left", left("board"), left("other"))
	}
	if diff := cmp.Diff([]string{"board"}, o.rows(revocation.Client)); diff != "" {
		t.Error("one row, however many people: " + diff)
	}
	root.get("clients/consents?id=nobody").sees(http.StatusNotFound)
}

// TestConsentsAuthority: what people allowed is for those who may see it, and taken
// back by those alone who may take back.
func TestConsentsAuthority(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	app := o.website("board", "https://board.example.com/back")
	for name, permissions := range map[string][]string{"ada": nil, "keeper": {accounts.AdminKeysWrite}} {
		u := o.person(accounts.NewUser{Username: name}, permissions...)
		o.must(o.admin.Consents.Allow(t.Context(), officeActor, u, app, app.Scopes, app.Scopes))
	}
	clerk := o.clerk(o.person(accounts.NewUser{Username: "clerk", Staff: true}, accounts.AdminClientsRead, accounts.AdminConsentsRead, accounts.AdminConsentsWrite))
	reader := o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminClientsRead, accounts.AdminConsentsRead))
	other := o.clerk(o.person(accounts.NewUser{Username: "other", Staff: true}, accounts.AdminClientsRead))

	other.get("clients/show?id=board").sees(http.StatusOK, "The board", "!Who has allowed it", "!ada")
	other.get("clients/consents?id=board").sees(http.StatusForbidden)
	reader.get("clients/consents?id=board").sees(http.StatusOK, "ada", "!Take back", "!Disconnect everybody")

	page := clerk.get("clients/consents?id=board").sees(http.StatusOK, "Take back", "Disconnect everybody")
	keeper, err := o.admin.Users.Find(t.Context(), "keeper")
	o.must(err)
	clerk.post(page, "", url.Values{"disconnect": {keeper.Subject}}).sees(http.StatusOK, "holds more than you do", "keeper")
	target, form := page.form("action=disconnect")
	form.Set("confirm", "board")
	if got := reader.send(http.MethodPost, target, form); got.status != http.StatusForbidden {
		t.Errorf("a reader with somebody else's form: status %d", got.status)
	}
	clerk.post(page, "action=disconnect", url.Values{"confirm": {"board"}}).sees(http.StatusOK, "Nobody has allowed this app anything.")
}
