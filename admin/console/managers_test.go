package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// link is where the link with a text leads, without the origin.
func (s *sheet) link(text string) string {
	s.Helper()
	for n := range s.root.Descendants() {
		said := ""
		for part := range n.Descendants() {
			if part.Type == html.TextNode {
				said += part.Data
			}
		}
		if n.Data == "a" && strings.TrimSpace(said) == text {
			return attr(n, "href")
		}
	}
	s.Fatalf("no link %q in %s", text, s.text)
	return ""
}

// TestManagersWay: who manages groups and holds nothing is led to them from the first
// page, page by page; nobody else is.
func TestManagersWay(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	ada, bob := o.person(accounts.NewUser{Username: "ada"}), o.person(accounts.NewUser{Username: "bob", Staff: true})
	for i := range 52 {
		name := fmt.Sprintf("Team %02d & Co", i)
		o.group(name)
		o.must(o.admin.Groups.AddManager(ctx, officeActor, name, ada.Subject))
	}
	o.group("Others")
	clerk := o.clerk(ada)
	open := func(address string) *sheet { return clerk.send(http.MethodGet, address, nil) }

	first := clerk.get("")
	to := strings.TrimPrefix(first.header.Get("Location"), o.issuer)
	if first.status != http.StatusSeeOther || to != "/admin/groups" {
		t.Fatalf("the first page: %d to %q", first.status, to)
	}
	list := open(to).sees(http.StatusOK, "You manage these groups", "Team 00 & Co", "Team 49 & Co", "!Team 50 & Co", "!Others", "!New group", "!side by side")
	open(list.link("More")).sees(http.StatusOK, "Team 51 & Co", "!Team 49 & Co")
	group := open(list.link("Team 07 & Co")).sees(http.StatusOK, "You manage this group")
	if group.link("Groups") != "/admin/groups" {
		t.Errorf("the navigation leads to %q", group.link("Groups"))
	}
	clerk.post(group, "action=add", url.Values{"who": {"bob"}}).sees(http.StatusOK, "Added", "bob")
	for _, elsewhere := range []string{"groups/show?id=Others", "groups/new", "groups/matrix", "users", "audit"} {
		clerk.get(elsewhere).sees(http.StatusForbidden)
	}

	// A member is no manager. Staff see the area only if there is something in it.
	staff := o.clerk(bob)
	staff.get("").sees(http.StatusOK, "!Groups")
	staff.get("groups").sees(http.StatusForbidden)
	o.must(o.admin.Groups.AddManager(ctx, officeActor, "Others", bob.Subject))
	open = func(address string) *sheet { return staff.send(http.MethodGet, address, nil) }
	open(staff.get("").link("Groups")).sees(http.StatusOK, "Others", "!Team")
	o.must(o.admin.Groups.RemoveManager(ctx, officeActor, "Others", bob.Subject))
	staff.get("groups/show?id=Others").sees(http.StatusForbidden)
	o.must(o.admin.Users.SetStaff(ctx, officeActor, bob.Subject, false))
	for _, path := range []string{"", "groups", "groups/show?id=Others"} {
		staff.get(path).sees(http.StatusForbidden)
	}
}

// TestInvitationsAreWithdrawn: what was sent is on the page where it is sent from.
func TestInvitationsAreWithdrawn(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	root.get("users/new").sees(http.StatusOK, "!nobody has accepted")
	for _, email := range []string{"Dora@example.com", "emil@example.com"} {
		_, err := o.admin.Invites.Invite(t.Context(), officeActor, accounts.Invitation{Email: email})
		o.must(err)
	}
	page := root.get("users/new").sees(http.StatusOK, "Invitations that nobody has accepted", "Dora@example.com", "emil@example.com")
	press := url.Values{"withdraw": {"dora@example.com"}}
	root.post(page, "", press).sees(http.StatusOK, "Withdrawn.", "!Dora", "emil@example.com")
	root.post(page, "", press).sees(http.StatusOK, "There is no such thing", "emil@example.com")
}

// TestLinksHoldAnySub: what an import brought as a sub stays one parameter of a link.
func TestLinksHoldAnySub(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	odd := o.person(accounts.NewUser{Username: "odd", Subject: "a&id=b#c+d%41"})
	page := root.get("users/show?id=" + url.QueryEscape(odd.Subject)).sees(http.StatusOK)
	to, err := url.Parse(page.link("What happened to this account"))
	o.must(err)
	if diff := cmp.Diff(url.Values{"q": {odd.Subject}}, to.Query()); diff != "" || to.Fragment != "" {
		t.Errorf("%s: %s", to, diff)
	}
}
