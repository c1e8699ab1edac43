package console_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestMatrix: boxes are ticked and unticked, what would change is shown first, and
// then done, each change by itself.
func TestMatrix(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	o.group("Editors", "posts:drop")
	o.group("Interns")
	o.must(o.admin.Groups.AddChild(t.Context(), officeActor, "Editors", "Interns"))
	for _, name := range []string{"ada", "bob"} {
		u := o.person(accounts.NewUser{Username: name})
		o.must(o.admin.Groups.AddMember(t.Context(), officeActor, "Interns", u.Subject, 0))
	}

	page := root.get("groups/matrix").sees(http.StatusOK, "Posts", "Can add post", "by another group", "!admin:users:read")
	boxes := page.boxes()
	give, take := boxes["posts:add for Editors"], boxes["posts:drop for Editors"]
	if give == nil || take == nil || has(give, "checked") || !has(take, "checked") {
		t.Fatalf("boxes: %v", boxes)
	}
	root.post(page, "action=review", nil).sees(http.StatusOK, "You have changed nothing.")

	asked := root.post(page, "action=review", url.Values{"cell": {attr(give, "value")}}).sees(
		http.StatusOK, "Nothing has been changed yet", "Give posts:add to Editors 2 people", "Take posts:drop from Editors 2 people", "Make these 2 changes",
	)
	if got := o.readGroup("Editors").Permissions; !slices.Equal(got, []string{"posts:drop"}) {
		t.Fatalf("changed already: %v", got)
	}
	root.post(asked, "action=save", nil).sees(http.StatusOK, "Saved.")
	if got := o.readGroup("Editors").Permissions; !slices.Equal(got, []string{"posts:add"}) {
		t.Errorf("holds %v", got)
	}
	if diff := cmp.Diff([]string{"posts:drop"}, o.rows(revocation.Permission)); diff != "" {
		t.Error(diff)
	}

	t.Run("stale", func(t *testing.T) {
		// Both changes were made meanwhile, one by the form that was sent before.
		root.post(page, "action=review", url.Values{"cell": {attr(give, "value")}}).sees(
			http.StatusOK, "Somebody has done that meanwhile.", "!Make these")
		root.post(asked, "action=save", nil).sees(http.StatusOK, "2 changes were not made.", "It has changed since you saw it")
		// Another group of that name is not the one that was shown.
		fresh := root.get("groups/matrix?q=Intern")
		box := fresh.boxes()["posts:add for Interns"]
		asked := root.post(fresh, "action=review", url.Values{"cell": {attr(box, "value")}}).sees(http.StatusOK, "Make this change")
		o.must(o.admin.Groups.Delete(t.Context(), officeActor, "Interns"))
		root.post(asked, "action=save", nil).sees(http.StatusOK, "One change was not made.", "There is no such thing, or no longer.")
		o.group("Interns")
		root.post(asked, "action=save", nil).sees(http.StatusOK, "It has changed since you saw it")
		root.post(fresh, "action=review", url.Values{"cell": {attr(box, "value")}}).sees(http.StatusOK, "That group is gone.")
		if got := o.readGroup("Interns").Permissions; len(got) != 0 {
			t.Errorf("the new group holds %v", got)
		}
	})
	t.Run("odd forms", func(t *testing.T) {
		for _, odd := range []url.Values{{"seen": {"%%"}}, {"seen": {""}}, {"seen": {"eyJnIjpbeyJjIjoiMTEwMDEwIn1dfQ"}}, {"cell": slices.Repeat([]string{"0.0"}, 900)}} {
			if got := root.post(page, "review", odd); got.status != http.StatusOK {
				t.Errorf("%.80v: status %d", odd, got.status)
			}
		}
		root.post(page, "action=review", url.Values{"cell": slices.Repeat([]string{"0.0"}, 1100)}).sees(http.StatusBadRequest)
		root.post(page, "action=review", url.Values{"action": {"other"}}).sees(http.StatusBadRequest)
		root.post(asked, "action=save", url.Values{"changes": {"bm9uZQ"}}).sees(http.StatusOK)
		root.post(page, "action=review", url.Values{"flow": {"."}}).sees(http.StatusForbidden)
	})
}

// TestMatrixAuthority: whoever may change groups has boxes for what they can give or
// take, and for nothing else; and a form that says otherwise changes nothing.
func TestMatrixAuthority(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	o.group("Admins", accounts.AdminKeysWrite)
	o.group("Editors", "posts:drop")
	clerk := o.clerk(o.person(accounts.NewUser{Username: "clerk", Staff: true},
		accounts.AdminGroupsRead, accounts.AdminGroupsWrite, accounts.AdminAPIsRead, "posts:add"))
	reader := o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminGroupsRead, accounts.AdminAPIsRead))

	read := reader.get("groups/matrix").sees(http.StatusOK, "Can add post", "yes", "!you cannot give it")
	if len(read.boxes()) != 0 || strings.Contains(read.raw, `name="seen"`) {
		t.Error("a reader has boxes")
	}

	page := clerk.get("groups/matrix").sees(http.StatusOK, "Admins It holds more of the permissions to run Gatehouse than you do.", "you cannot give it")
	boxes := page.boxes()
	for name, open := range map[string]bool{
		"posts:add for Editors":  true,
		"posts:drop for Editors": true, // they can take what they do not hold
		"posts:add for Admins":   false,
		"posts:drop for Admins":  false,
	} {
		if box := boxes[name]; box == nil || has(box, "disabled") == open {
			t.Errorf("%s: %v, want open %v", name, box, open)
		}
	}
	if got := clerk.get("groups/matrix?q=of+clerk").boxes()["posts:drop for of clerk"]; got == nil || !has(got, "disabled") {
		t.Error("they can give what they do not hold")
	}
	// As if all boxes had been open.
	_, form := page.form("action=review")
	clerk.post(page, "action=review", url.Values{"seen": {opened(t, form.Get("seen"))}, "cell": {
		attr(boxes["posts:add for Admins"], "value"), attr(boxes["posts:drop for Editors"], "value"), attr(boxes["posts:add for of clerk"], "value"),
	}}).sees(
		http.StatusOK, "Give posts:add to Admins", "not done", "It holds more of the permissions to run Gatehouse than you do.", "!Make this change")
	asked := clerk.post(page, "action=review", url.Values{"cell": {
		attr(boxes["posts:add for Editors"], "value"), attr(boxes["posts:drop for Editors"], "value"), attr(boxes["posts:add for of clerk"], "value"),
	}})
	asked.sees(http.StatusOK, "Make this change")
	// The authority goes before the form comes.
	o.must(o.admin.Groups.GrantPermission(t.Context(), officeActor, "Editors", accounts.AdminKeysWrite))
	clerk.post(asked, "action=save", nil).sees(http.StatusOK, "One change was not made.", "This account or app holds more than you do.")
	if slices.Contains(o.readGroup("Editors").Permissions, "posts:add") || len(o.readGroup("Admins").Permissions) != 1 {
		t.Error("a group got what it must not")
	}
}

// opened is what a form carries along about the boxes, as if each had been open.
func opened(t *testing.T, seen string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(seen)
	if err != nil || !strings.Contains(string(raw), "--") {
		t.Fatalf("%q, %v", raw, err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(string(raw), `"--"`, `"00"`)))
}
