package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// asks sends a form and reports whether a sign-in is asked for instead; then it follows
// the way back from there, as who has signed in.
func (c *clerk) asks(page *sheet, field string, more url.Values) (bool, *sheet) {
	c.Helper()
	target, form := page.form(field)
	for name, values := range more {
		form[name] = values
	}
	answer := c.send(http.MethodPost, target, form)
	to, found := strings.CutPrefix(answer.header.Get("Location"), c.issuer+"/signin?")
	if !found {
		return false, answer
	}
	query, err := url.ParseQuery(to)
	c.must(err)
	if query.Get("again") != "1" {
		c.Errorf("leads to %s", to)
	}
	was := c.late
	c.late = 0 // signed in again
	back := c.send(http.MethodGet, query.Get("return"), nil)
	c.late = was
	return true, back
}

// TestFreshness: a change needs a sign-in within the hour, and what could take over an
// account, an app or the deployment one within ten minutes. Whoever comes back from it
// is told that nothing was done.
func TestFreshness(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	ada := o.person(accounts.NewUser{Username: "ada", Email: "ada@example.com", EmailVerified: true})
	o.website("board", "https://board.example.com/back")
	o.machine("importer")
	for name, permission := range map[string]string{"Admins": accounts.AdminKeysWrite, "Editors": "posts:add"} {
		o.group(name, permission)
		_, err := o.admin.Sets.Create(ctx, officeActor, name, "")
		o.must(err)
		o.must(o.admin.Sets.Grant(ctx, officeActor, name, permission))
	}
	pages := map[string]*sheet{}
	open := func(path string) *sheet {
		if pages[path] == nil {
			pages[path] = root.get(path).sees(http.StatusOK)
		}
		return pages[path]
	}
	own := "groups/matrix?api=" + url.QueryEscape(o.issuer)
	person, matrix := "users/show?id="+ada.Subject, "groups/matrix"
	const ten, hour = 10 * time.Minute, time.Hour
	for _, tt := range []struct {
		page, form string
		more       url.Values
		within     time.Duration
	}{
		{person, "action=edit", url.Values{"name": {"Ada"}}, hour},
		{person, "action=edit", url.Values{"username": {"ada2"}}, ten},
		{person, "action=edit", url.Values{"email": {"evil@example.com"}}, ten},
		{person, "action=edit", url.Values{"verified": nil}, ten},
		{person, "action=staff", nil, ten},
		{person, "action=superuser", nil, ten},
		{person, "action=password", url.Values{"password": {"x"}}, ten},
		{person, "action=factors", nil, ten},
		{person, "action=ban", nil, hour},
		{person, "action=join", url.Values{"group": {"Admins"}}, ten},
		{person, "action=join", url.Values{"group": {"Editors"}}, hour},
		{"users/new", "", url.Values{"username": {"x"}, "email": {"x@example.com"}, "verified": {"yes"}}, ten},
		{"users/new", "", url.Values{"username": {"x"}, "email": {"x@example.com"}}, hour},
		{"users", "step=plan", url.Values{"do": {"ban"}, "person": {ada.Subject}}, hour},
		{"users", "step=plan", url.Values{"do": {"join"}, "person": {ada.Subject}, "group": {"Admins"}}, ten},
		{"users", "step=plan", url.Values{"do": {"join"}, "person": {ada.Subject}, "group": {"Admins"}, "step": {"do"}}, ten},
		{"users", "step=plan", url.Values{"do": {"join"}, "person": {ada.Subject}, "group": {"Editors"}}, hour},
		{"groups/show?id=Admins", "action=add", url.Values{"who": {"ada"}}, ten},
		{"groups/show?id=Editors", "action=add", url.Values{"who": {"ada"}}, hour},
		{"groups/show?id=Admins", "action=nest", url.Values{"child": {"Editors"}}, ten},
		{"groups/show?id=Admins", "action=nest", url.Values{"child": {"Editors"}, "out": {"yes"}}, hour},
		{"groups/show?id=Admins", "action=manage", url.Values{"manager": {"ada"}}, ten},
		{"groups/show?id=Editors", "", url.Values{"give": {accounts.AdminKeysWrite}}, ten},
		{"groups/show?id=Editors", "", url.Values{"give": {"posts:drop"}}, hour},
		{"groups/show?id=Editors", "", url.Values{"take": {"posts:add"}}, hour},
		{matrix, "action=review", url.Values{"cell": {"0.0"}}, hour},
		{own, "action=review", url.Values{"cell": {"1.0"}}, ten},
		{matrix, "action=review", url.Values{"action": {"save"}, "changes": {packed(`[{"g":"Editors","p":"` + accounts.AdminKeysWrite + `","y":true}]`)}}, ten},
		{"sets/show?id=Editors", "", url.Values{"give": {accounts.AdminKeysWrite}}, ten},
		{"sets/show?id=Admins", "action=assign", url.Values{"client": {"importer"}}, ten},
		{"sets/show?id=Editors", "action=assign", url.Values{"client": {"importer"}}, hour},
		{"clients/show?id=importer", "action=give_set", url.Values{"set": {"Admins"}}, ten},
		{"clients/show?id=importer", "action=edit", url.Values{"permissions": {accounts.AdminKeysWrite}}, ten},
		{"clients/show?id=importer", "action=edit", url.Values{"permissions": {"posts:add"}}, hour},
		{"clients/show?id=board", "action=edit", url.Values{"name": {"Board"}}, hour},
		{"clients/show?id=board", "action=edit", url.Values{"redirect_uris": {"https://board.example.com/back https://evil.example.com/"}}, ten},
		{"clients/show?id=board", "action=edit", url.Values{"scopes": {"openid " + accounts.AdminKeysWrite}}, ten},
		{"clients/show?id=board", "action=edit", url.Values{"first_party": {"yes"}}, ten},
		{"clients/show?id=board", "", press("action", "secret"), ten},
		{"clients/show?id=board", "", press("add", "https://evil.example.com/"), ten},
		{"clients/show?id=board", "action=compromised", nil, hour},
		{"settings", "action=sign_in", url.Values{"superuser_second_factor": {"true"}}, ten},
		{"settings", "action=sign_in", url.Values{"password_min_length": {"12"}}, hour},
		{"clients/new?kind=machine", "", url.Values{"name": {"X"}, "permissions": {accounts.AdminKeysWrite}}, ten},
		{"clients/new?kind=web", "", url.Values{"name": {"X"}, "redirect_uris": {"https://x.example.com/"}, "scopes": {accounts.AdminKeysWrite}}, ten},
		{"clients/new?kind=web", "", url.Values{"name": {"X"}, "redirect_uris": {"https://x.example.com/"}}, hour},
	} {
		o.late = 0
		page := open(tt.page)
		o.late = tt.within + time.Minute
		asked, back := root.asks(page, tt.form, tt.more)
		if !asked {
			t.Errorf("%s with %s %v: done %s after the sign-in", tt.page, tt.form, tt.more, o.late)
			continue
		}
		back.sees(http.StatusOK, "You have confirmed that it is you. Nothing was changed yet: please do it again.")
	}
	// What needs no more than the hour is done within it.
	o.late = 59 * time.Minute
	root.post(open(person), "action=edit", url.Values{"name": {"Ada L."}}).sees(http.StatusOK, "Saved.")
	root.post(open("clients/show?id=board"), "action=edit", url.Values{"name": {"Board"}}).sees(http.StatusOK, "Saved.")
	root.post(open("groups/show?id=Editors"), "", url.Values{"give": {"posts:drop"}}).sees(http.StatusOK, "Given.")
	if u := o.readUser(ada); u.Email != "ada@example.com" || !u.EmailVerified || u.Superuser || u.Staff || u.PasswordHash != "" {
		t.Errorf("%+v", u)
	}
	if c := o.readClient("board"); len(c.RedirectURIs) != 1 || c.FirstParty || len(c.Secrets) != 1 {
		t.Errorf("%+v", c)
	}
}

// TestUnsent: what somebody typed is there again when they come back from the sign-in,
// but no secret, and not for anybody else or on another page; and it counts as typed.
func TestUnsent(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	rootUser := o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true})
	root, other := o.clerk(rootUser), o.clerk(o.person(accounts.NewUser{Username: "other", Superuser: true, Staff: true}))
	ada := o.person(accounts.NewUser{Username: "ada", Name: "Adda", Email: "ada@example.com", EmailVerified: true})
	page := root.get("users/show?id=" + ada.Subject)
	o.late = 11 * time.Minute
	target, form := page.form("action=edit")
	form.Set("email", "new@example.com")
	to, err := url.Parse(root.send(http.MethodPost, target, form).header.Get("Location"))
	o.must(err)
	back := to.Query().Get("return")
	if len(back) < 100 || strings.Contains(back, "new%40") || strings.Contains(back, "new@") {
		t.Fatalf("the way back: %s", back)
	}
	// Nobody has signed in again.
	root.send(http.MethodGet, back, nil).sees(http.StatusOK, "!You have confirmed").lacks(`value="new@example.com"`)
	o.late = 0
	other.send(http.MethodGet, back, nil).sees(http.StatusOK, "You have confirmed").lacks(`value="new@example.com"`)
	root.send(http.MethodGet, strings.Replace(back, "users/show", "users/new", 1), nil).sees(http.StatusOK, "You have confirmed").lacks(`value="new@example.com"`)
	root.send(http.MethodGet, back+"AAAA", nil).sees(http.StatusOK, "You have confirmed").lacks(`value="new@example.com"`)
	// The person changes their name meanwhile: it stays.
	o.changed(ada, func(a *accounts.Amendment) { a.Name = "Ada" })
	filled := root.send(http.MethodGet, back, nil).sees(http.StatusOK, "You have confirmed")
	root.post(filled, "action=edit", nil).sees(http.StatusOK, "Saved.", "!You have confirmed")
	if u := o.readUser(ada); u.Email != "new@example.com" || u.EmailVerified || u.Name != "Ada" {
		t.Errorf("%s, proven %v, %s", u.Email, u.EmailVerified, u.Name)
	}
	o.late = 2 * time.Hour
	form.Set("email", "late@example.com")
	root.send(http.MethodGet, back, nil).sees(http.StatusOK, "!You have confirmed")

	// A filled form for a new app, and a password, which is not kept.
	o.late = 0
	fresh := root.get("clients/new?kind=web")
	people := root.get("users/new")
	o.late = 61 * time.Minute
	_, back1 := root.asks(fresh, "", url.Values{"name": {"My app"}, "redirect_uris": {"https://my.example.com/back"}})
	if _, form := back1.form(""); form.Get("name") != "My app" || !strings.Contains(form.Get("redirect_uris"), "https://my.example.com/back") {
		t.Errorf("%v", form)
	}
	_, back2 := root.asks(people, "", url.Values{"username": {"eve"}, "password": {"correct horse battery"}})
	if _, form := back2.form(""); form.Get("username") != "eve" || form.Get("password") != "" {
		t.Errorf("%v", form)
	}
	// What is too long for an address is not kept, and the word is there all the same.
	_, long := root.asks(fresh, "", url.Values{"name": {"My app"}, "redirect_uris": {noise(4000)}})
	long.sees(http.StatusOK, "You have confirmed").lacks(`value="My app"`)
	// The session has ended: the sign-in leads back with the word too.
	o.late = 0
	c := &clerk{office: o, cookies: root.cookies[1:]}
	if to := c.send(http.MethodPost, "/admin/users/new", form).header.Get("Location"); to != o.issuer+"/signin?return=%2Fadmin%2Fusers%2Fnew%3Fconfirmed%3D1" {
		t.Errorf("leads to %s", to)
	}
}
