package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestAudit: events are found by the days on which they happened, and each has a page
// that tells all of it.
func TestAudit(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	long := strings.Repeat("long ", 80) + "end"
	_, err := o.admin.Groups.Create(t.Context(), officeActor, "Editors", long)
	o.must(err)
	board := o.website("board", "https://board.example.com/back")
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	for _, tt := range []struct {
		query string
		finds bool
	}{
		{"", true},
		{"since=" + day(-1) + "&until=" + day(1), true},
		{"since=" + day(-1), true},
		{"until=" + day(1), true},
		{"since=" + day(2), false},
		{"until=" + day(-2), false},
		{"until=1960-01-01", false},
		{"action=group.&since=" + day(-1), true},
		{"action=user.", false},
		{"q=Editors&until=" + day(1), true},
	} {
		want := "group.create"
		if !tt.finds {
			want = "!group.create"
		}
		root.get("audit?"+tt.query).sees(http.StatusOK, want, "From this day (UTC)")
	}
	root.get("audit?since=2026-02-31").sees(http.StatusOK, "write a day as 2026-12-31", "!group.create")
	root.get("audit?since=2026-02-02&until=2026-02-01").sees(http.StatusOK, "no event can match this search")

	list := root.get("audit?q=Editors").lacks("long end")
	event := root.send(http.MethodGet, list.link("group.create"), nil).sees(http.StatusOK, "group.create", "long end", "What became different", "test", "Id of the event")
	event.sees(http.StatusOK, "!What else it tells") // the values repeat it
	made := root.get("audit?q="+url.QueryEscape(board.ClientID)).sees(http.StatusOK, "client.create", "name: → The board", "!name: The board")
	root.send(http.MethodGet, made.link("client.create"), nil).sees(http.StatusOK, "https://board.example.com/back")
	for _, none := range []string{"audit/show", "audit/show?id=x", "audit/show?id=AAAAAAAAAAAAAAAAAAAAAA"} {
		root.get(none).sees(http.StatusNotFound)
	}
	clerk := o.clerk(o.person(accounts.NewUser{Username: "clerk", Staff: true}, accounts.AdminUsersRead))
	clerk.send(http.MethodGet, list.link("group.create"), nil).sees(http.StatusForbidden)
}
