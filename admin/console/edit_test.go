package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// changed changes somebody as another operator does, or they themselves.
func (o *office) changed(u *accounts.User, change func(a *accounts.Amendment)) {
	o.Helper()
	o.must(o.admin.Users.Amend(o.Context(), officeActor, u.Subject, func(_ *accounts.User, a *accounts.Amendment) error {
		change(a)
		return nil
	}))
}

// TestProvenAddress: a proof belongs to the address for which it was given. A box that
// was ticked for the old one says nothing of another.
func TestProvenAddress(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	ada := o.person(accounts.NewUser{Username: "ada", Email: "ada@example.com", EmailVerified: true})
	page := "users/show?id=" + ada.Subject
	is := func(email string, verified bool) {
		t.Helper()
		if u := o.readUser(ada); u.Email != email || u.EmailVerified != verified {
			t.Errorf("%s, proven %v; want %s, %v", u.Email, u.EmailVerified, email, verified)
		}
	}
	save := func(s *sheet, more url.Values) *sheet { t.Helper(); return root.post(s, "action=edit", more) }
	save(root.get(page), url.Values{"email": {"other@example.com"}}).sees(http.StatusOK, "Saved.", "not proven")
	is("other@example.com", false)
	save(root.get(page), url.Values{"verified": {"yes"}}).sees(http.StatusOK, "Saved.")
	is("other@example.com", true)
	save(root.get(page), url.Values{"name": {"Ada"}}).sees(http.StatusOK, "Saved.")
	is("other@example.com", true)
	o.changed(ada, func(a *accounts.Amendment) { a.EmailVerified = false })
	save(root.get(page), url.Values{"email": {"third@example.com"}, "verified": {"yes"}}).sees(http.StatusOK, "Saved.")
	is("third@example.com", true) // ticked anew, for this one
	save(root.get(page), url.Values{"email": {""}}).sees(http.StatusOK, "Saved.")
	is("", false)

	// A tick for an address that its owner has left meanwhile proves nothing, also when
	// the form is sent once more.
	o.changed(ada, func(a *accounts.Amendment) { a.Email = "fourth@example.com" })
	stale := root.get(page)
	o.changed(ada, func(a *accounts.Amendment) { a.Email = "fifth@example.com" })
	again := save(stale, url.Values{"verified": {"yes"}}).sees(http.StatusOK, "It has changed since you saw it")
	is("fifth@example.com", false)
	save(again, nil).sees(http.StatusOK, "Saved.")
	is("fifth@example.com", false)
}

// TestStaleForms: an edit form changes what was changed in it, whatever has become of
// the rest since its page was drawn. If two change the same, the second is asked.
func TestStaleForms(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))

	t.Run("a person", func(t *testing.T) {
		root := root.within(t)
		ada := o.person(accounts.NewUser{Username: "ada", Name: "Adda", Email: "old@example.com", EmailVerified: true})
		page := root.get("users/show?id=" + ada.Subject)
		o.changed(ada, func(a *accounts.Amendment) { a.Email, a.EmailVerified = "new@example.com", false })
		root.post(page, "action=edit", url.Values{"name": {"Ada"}}).sees(http.StatusOK, "Saved.")
		if u := o.readUser(ada); u.Name != "Ada" || u.Email != "new@example.com" || u.EmailVerified {
			t.Errorf("%s, %s, proven %v", u.Name, u.Email, u.EmailVerified)
		}
		again := root.post(page, "action=edit", url.Values{"name": {"Ada L."}, "email": {"old2@example.com"}}).sees(
			http.StatusOK, "It has changed since you saw it", "It is now: Ada. If you save again", "It is now: new@example.com")
		if u := o.readUser(ada); u.Name != "Ada" || u.Email != "new@example.com" {
			t.Errorf("%s, %s", u.Name, u.Email)
		}
		root.post(again, "action=edit", nil).sees(http.StatusOK, "Saved.")
		if u := o.readUser(ada); u.Name != "Ada L." || u.Email != "old2@example.com" {
			t.Errorf("%s, %s", u.Name, u.Email)
		}
		// What is asked of somebody: they do it while the page is open.
		o.must(o.admin.Users.Require(ctx, officeActor, ada.Subject, accounts.ActionVerifyEmail))
		page = root.get("users/show?id=" + ada.Subject)
		o.must(o.admin.Users.Require(ctx, officeActor, ada.Subject))
		root.post(page, "action=require", url.Values{"required": {"verify_email", "change_password"}}).sees(http.StatusOK, "Saved.")
		if got := o.readUser(ada).RequiredActions; !slices.Equal(got, []accounts.Action{accounts.ActionChangePassword}) {
			t.Errorf("asked: %v", got)
		}
	})
	t.Run("an app", func(t *testing.T) {
		root := root.within(t)
		o.website("board", "https://board.example.com/back")
		page := root.get("clients/show?id=board")
		o.must(o.admin.Clients.Update(ctx, officeActor, "board", func(c *accounts.Client) error {
			c.RedirectURIs, c.Scopes = append(c.RedirectURIs, "https://board.example.com/back/"), []string{"openid"}
			return nil
		}))
		root.post(page, "action=edit", url.Values{"name": {"Board"}}).sees(http.StatusOK, "Saved.")
		if c := o.readClient("board"); c.Name != "Board" || len(c.RedirectURIs) != 2 || !slices.Equal(c.Scopes, []string{"openid"}) {
			t.Errorf("%s, %v, %v", c.Name, c.RedirectURIs, c.Scopes)
		}
		again := root.post(page, "action=edit", url.Values{"redirect_uris": {"https://board.example.com/two"}, "scopes": {"openid posts:add email"}}).sees(
			http.StatusOK, "It has changed since you saw it", "It is now: https://board.example.com/back https://board.example.com/back/", "It is now: openid.")
		if c := o.readClient("board"); len(c.RedirectURIs) != 2 || len(c.Scopes) != 1 {
			t.Errorf("%v, %v", c.RedirectURIs, c.Scopes)
		}
		// Also when it is only checked, and then sent.
		checked := root.post(page, "action=edit", url.Values{"redirect_uris": {"https://board.example.com/two"}, "check": {"all"}}).sees(http.StatusOK, "It has changed since you saw it")
		for _, page := range []*sheet{again, checked} {
			root.post(page, "action=edit", nil).sees(http.StatusOK, "Saved.")
			if c := o.readClient("board"); !slices.Equal(c.RedirectURIs, []string{"https://board.example.com/two"}) {
				t.Errorf("%v", c.RedirectURIs)
			}
		}
		// A checked form keeps what was typed.
		fine := root.post(root.get("clients/show?id=board"), "action=edit", url.Values{"name": {"Other"}, "check": {"all"}}).sees(http.StatusOK, "Nothing stands against it")
		root.post(fine, "action=edit", nil).sees(http.StatusOK, "Saved.", "Other")
	})
	t.Run("a machine", func(t *testing.T) {
		root := root.within(t)
		o.machine("importer")
		page := root.get("clients/show?id=importer")
		o.must(o.admin.Clients.Update(ctx, officeActor, "importer", func(c *accounts.Client) error {
			c.Permissions = []string{"posts:add"}
			return nil
		}))
		root.post(page, "action=edit", url.Values{"name": {"Import"}}).sees(http.StatusOK, "Saved.")
		root.post(page, "action=edit", url.Values{"permissions": {"posts:drop"}}).sees(http.StatusOK, "It is now: posts:add.")
		if c := o.readClient("importer"); c.Name != "Import" || !slices.Equal(c.Permissions, []string{"posts:add"}) {
			t.Errorf("%s, %v", c.Name, c.Permissions)
		}
	})
	t.Run("a group and a set", func(t *testing.T) {
		root := root.within(t)
		o.group("Editors")
		page := root.get("groups/show?id=Editors")
		o.must(o.admin.Groups.SetSecondFactor(ctx, officeActor, "Editors", true))
		root.post(page, "action=edit", url.Values{"description": {"Write"}}).sees(http.StatusOK, "Saved.")
		if g := o.readGroup("Editors"); g.Description != "Write" || !g.SecondFactor {
			t.Errorf("%+v", g)
		}
		root.post(page, "action=edit", url.Values{"description": {"Read"}}).sees(http.StatusOK, "It is now: Write.")

		_, err := o.admin.Sets.Create(ctx, officeActor, "Tools", "")
		o.must(err)
		page = root.get("sets/show?id=Tools")
		o.must(o.admin.Sets.Describe(ctx, officeActor, "Tools", "For importers"))
		root.post(page, "action=edit", url.Values{"description": {"For others"}}).sees(http.StatusOK, "It has changed since you saw it", "It is now: For importers.")
	})
	t.Run("a form of before", func(t *testing.T) {
		root := root.within(t)
		// What its page showed is not known.
		page := root.get("groups/show?id=Editors")
		target, form := page.form("action=edit")
		_, token, _ := strings.Cut(form.Get("flow"), ".")
		form.Set("flow", "."+token)
		if got := root.send(http.MethodPost, target, form); got.status != http.StatusForbidden {
			t.Errorf("what came along was cut off: status %d", got.status)
		}
	})
}

// failing is a store that gives some permissions to groups, and then none.
type failing struct {
	accounts.MembershipStore
	left int
}

func (f *failing) GrantPermission(ctx context.Context, groupID, permissionID id.ID) (bool, error) {
	if f.left--; f.left < 0 {
		return false, errors.New("no disk")
	}
	return f.MembershipStore.GrantPermission(ctx, groupID, permissionID)
}

// TestMatrixFault: each box is a transaction of its own, so a fault in the midst leaves
// some done, and the page says which.
func TestMatrixFault(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	for _, name := range []string{"A", "B", "C"} {
		o.group(name)
	}
	page := root.get("groups/matrix")
	cells := url.Values{}
	for _, name := range []string{"A", "B", "C"} {
		cells.Add("cell", attr(page.boxes()["posts:add for "+name], "value"))
	}
	asked := root.post(page, "action=review", cells).sees(http.StatusOK, "Make these 3 changes")
	o.admin.Groups.Members = &failing{o.db, 1}
	root.post(asked, "action=save", nil).sees(http.StatusInternalServerError,
		"2 changes were not made.", "Give posts:add to A done", "Give posts:add to B not done Something went wrong on our side", "Give posts:add to C not done Something went wrong", "!nothing was changed", "!no disk")
	for name, want := range map[string]int{"A": 1, "B": 0, "C": 0} {
		if n := len(o.readGroup(name).Permissions); n != want {
			t.Errorf("%s holds %d", name, n)
		}
	}
}

// TestSecretOfAFault: a secret that was made is shown, also if its page cannot be drawn.
func TestSecretOfAFault(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	o.website("board", "https://board.example.com/back")
	page := root.get("clients/show?id=board")
	o.admin.Lists = noLists{}
	made := root.post(page, "", press("action", "secret")).sees(http.StatusInternalServerError, "The page cannot be shown now", "It is shown only now", "!nothing was changed")
	if n := len(o.readClient("board").Secrets); n != 2 || !strings.Contains(made.raw, `id="secret-0"`) {
		t.Errorf("%d secrets, %s", n, made.text)
	}
	root.get("clients/show?id=board").sees(http.StatusInternalServerError, "!The page cannot be shown now")
}

// noLists is a store that cannot list consents.
type noLists struct{ admin.ListStore }

func (noLists) ListedConsents(context.Context, admin.ConsentQuery) ([]admin.ListedConsent, error) {
	return nil, errors.New("no disk")
}
