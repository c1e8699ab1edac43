package console_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// machine makes an app that acts for itself.
func (o *office) machine(name string) *accounts.Client {
	o.Helper()
	c, _, err := o.admin.Clients.Register(o.Context(), officeActor, accounts.Registration{Name: name, ClientID: name, Type: accounts.MachineClient})
	o.must(err)
	return c
}

// TestPermissionSets: a set is made, filled, given to an app on either page, and taken
// again; tokens that counted on it are refused.
func TestPermissionSets(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	o.machine("importer")
	held := func() []string {
		app, _, err := o.db.ClientByID(t.Context(), "importer", 1)
		o.must(err)
		return app.Held()
	}

	root.get("sets").sees(http.StatusOK, "None yet.", "Permission sets")
	page := root.post(root.get("sets/new"), "", url.Values{"name": {"Writers' tools"}, "description": {"For imports"}})
	page.sees(http.StatusOK, "Done", "Writers' tools", "For imports", "holds no permission yet", "Can add post", "No app has this set")
	root.post(root.get("sets/new"), "", url.Values{"name": {"WRITERS' tools"}}).sees(http.StatusOK, "That name is taken")
	root.get("sets/show?id=Writers%27+tools&q=drop").sees(http.StatusOK, "Can drop post", "!Can add post")
	root.post(page, "", url.Values{"give": {"posts:add"}}).sees(http.StatusOK, "Given.")
	root.post(page, "action=assign", url.Values{"client": {"nobody"}}).sees(http.StatusOK, "There is no such thing")
	root.post(page, "action=assign", url.Values{"client": {"importer"}}).sees(http.StatusOK, "Given.", "importer", "!No app has this set")
	if got := held(); !slices.Equal(got, []string{"posts:add"}) {
		t.Errorf("holds %v", got)
	}

	app := root.get("clients/show?id=importer").sees(http.StatusOK, "Permission sets", "Writers' tools")
	root.post(app, "", url.Values{"take_set": {"Writers' tools"}}).sees(http.StatusOK, "Taken away", "The app has no permission set", "Give this set")
	if got := held(); len(got) != 0 {
		t.Errorf("still holds %v", got)
	}
	if diff := cmp.Diff([]string{"importer"}, o.rows(revocation.Client)); diff != "" {
		t.Error(diff)
	}
	root.post(root.get("clients/show?id=importer"), "action=give_set", url.Values{"set": {"Writers' tools"}}).sees(http.StatusOK, "Given.", "!has no permission set")
	root.post(page, "", url.Values{"unassign": {"importer"}}).sees(http.StatusOK, "Taken away", "No app has this set")
	root.post(page, "", url.Values{"take": {"posts:add"}}).sees(http.StatusOK, "Taken away", "holds no permission yet")
	root.post(page, "action=edit", url.Values{"description": {"Other"}}).sees(http.StatusOK, "Saved.", "Other")
	root.post(page, "action=delete", url.Values{"confirm": {"another"}}).sees(http.StatusOK, "The confirmation does not match")
	root.post(page, "action=delete", url.Values{"confirm": {"writers' tools"}}).sees(http.StatusOK, "Deleted.", "None yet.")
	root.post(page, "action=edit", url.Values{"action": {"other"}}).sees(http.StatusBadRequest)
}

// TestPermissionSetsAuthority: nobody gives by a set what they do not hold, and who may
// only read has no forms.
func TestPermissionSetsAuthority(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	clerk := o.clerk(o.person(accounts.NewUser{Username: "clerk", Staff: true}, accounts.AdminClientsRead, accounts.AdminClientsWrite, accounts.AdminAPIsRead, "posts:add"))
	reader := o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminClientsRead))
	o.machine("importer")
	for name, permission := range map[string]string{"Keys": accounts.AdminKeysWrite, "Drop": "posts:drop", "Add": "posts:add"} {
		_, err := o.admin.Sets.Create(ctx, officeActor, name, "")
		o.must(err)
		o.must(o.admin.Sets.Grant(ctx, officeActor, name, permission))
	}
	clerk.get("clients/show?id=importer").sees(http.StatusOK, "Add", "!Drop", "!Keys")
	page := clerk.get("sets/show?id=Drop")
	clerk.post(page, "action=assign", url.Values{"client": {"importer"}}).sees(http.StatusOK, "That would give more than you hold yourself.")
	clerk.post(page, "", url.Values{"give": {accounts.AdminKeysWrite}}).sees(http.StatusOK, "That would give more than you hold yourself.")
	clerk.post(clerk.get("sets/show?id=Keys"), "action=delete", url.Values{"confirm": {"Keys"}}).sees(http.StatusOK, "holds more than you do")

	// Nor by the app's own permissions.
	app := clerk.get("clients/show?id=importer")
	clerk.post(app, "action=edit", url.Values{"permissions": {"posts:add posts:drop"}}).sees(http.StatusOK, "That would give more than you hold yourself.")
	clerk.post(app, "action=edit", url.Values{"permissions": {"posts:add"}}).sees(http.StatusOK, "Saved.")
	if app, _, err := o.db.ClientByID(ctx, "importer", 1); err != nil || !slices.Equal(app.Permissions, []string{"posts:add"}) {
		t.Errorf("holds %v, %v", app.Permissions, err)
	}

	shown := reader.get("sets/show?id=Add").sees(http.StatusOK, "posts:add", "!Delete this set", "!Permissions to give")
	if len(shown.boxes()) != 0 {
		t.Error("a reader has boxes")
	}
	reader.get("sets/new").sees(http.StatusForbidden)
	target, form := page.form("action=assign")
	form.Set("client", "importer")
	if got := reader.send(http.MethodPost, target, form); got.status != http.StatusForbidden {
		t.Errorf("a reader with somebody else's form: status %d", got.status)
	}
	o.clerk(o.person(accounts.NewUser{Username: "other", Staff: true}, accounts.AdminUsersRead)).get("sets").sees(http.StatusForbidden)
}
