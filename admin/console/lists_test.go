package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// next is where the link to more of a list leads.
func (s *sheet) next() string {
	s.Helper()
	m := regexp.MustCompile(`href="/admin/([^"#]*)(#\w+)?" rel="next"`).FindStringSubmatch(s.raw)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// TestOfferGoesOn: every permission can be reached by turning pages, those of Gatehouse
// itself come last, and giving one does not lose the place.
func TestOfferGoesOn(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	api := accounts.NewAPI{Audience: "https://zoo.example.com", Name: "Zoo"}
	for i := range 60 {
		api.Permissions = append(api.Permissions, accounts.NewPermission{Name: fmt.Sprintf("zoo:%02d", i), Description: fmt.Sprintf("Can feed animal %02d", i)})
	}
	_, _, _, err := o.admin.APIs.Create(t.Context(), officeActor, api)
	o.must(err)
	o.group("Editors")
	_, err = o.admin.Sets.Create(t.Context(), officeActor, "Tools", "")
	o.must(err)

	for _, page := range []string{"groups/show?id=Editors", "sets/show?id=Tools"} {
		first := root.get(page).sees(http.StatusOK, "Can add post", "animal 47", "!animal 48", "!admin:keys:write", "More", "!Back to the beginning")
		second := root.get(first.next()).sees(http.StatusOK, "!animal 47", "animal 48", "animal 59", "admin:keys:write", "!Can add post", "Back to the beginning")
		if second.next() != "" {
			t.Errorf("%s: more after all", page)
		}
		given := root.post(second, "", url.Values{"give": {"zoo:55"}}).sees(http.StatusOK, "Given.", "animal 55", "animal 59", "Back to the beginning")
		if strings.Contains(given.raw, `value="zoo:55" aria-label="Give`) || strings.Contains(given.raw, `aria-label="Give: Can feed animal 10"`) {
			t.Errorf("%s: what is held is offered, or the place is lost", page)
		}
		// The page began after one that is given meanwhile, or that is gone.
		root.post(root.get(page), "", url.Values{"give": {"zoo:47"}}).sees(http.StatusOK, "Given.")
		root.get(first.next()).sees(http.StatusOK, "animal 48", "!Can add post")
		root.get(page+"&from=gone").sees(http.StatusOK, "Can add post", "!Back to the beginning")
		if found := root.get(page+"&q=animal+59").sees(http.StatusOK, "animal 59", "!animal 58"); found.next() != "" {
			t.Errorf("%s: more of one", page)
		}
	}
}

// TestAppsAreFound: one text finds an app by its id, before all others, by its name, a
// dot in it or not, and by its host.
func TestAppsAreFound(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	app := func(name, clientID, host string) {
		_, _, err := o.admin.Clients.Register(t.Context(), officeActor, accounts.Registration{
			Name: name, ClientID: clientID, Type: accounts.WebClient, RedirectURIs: []string{"https://" + host + "/cb"},
		})
		o.must(err)
	}
	app("board.example.com", "c-board", "elsewhere.example.com")
	app("App 2.0", "c-app", "app.example.com")
	app("Minutes", "c-minutes", "board.example.com")
	app("zebra", "shop", "zoo.example.com")
	for i := range 51 {
		app(fmt.Sprintf("Shop %02d", i), fmt.Sprintf("s-%02d", i), "shops.example.com")
	}
	for text, want := range map[string][]string{
		"App 2.0":           {"c-app", "!c-board", "!c-minutes"},
		"board.example.com": {"c-board", "c-minutes", "!c-app"},
		"c-minutes":         {"c-minutes", "!c-board", "!None yet."},
		"c-min":             {"There is no such app."},
	} {
		root.get("clients?q="+url.QueryEscape(text)).sees(http.StatusOK, want...)
	}
	first := root.get("clients?q=shop").sees(http.StatusOK, "zebra", "Shop 49", "!Shop 50")
	if strings.Index(first.text, "zebra") > strings.Index(first.text, "Shop 00") {
		t.Error("the app with that very id is not the first")
	}
	root.get(first.next()).sees(http.StatusOK, "!zebra", "!Shop 49", "Shop 50")
	root.get("clients?q=shop&state=disabled").sees(http.StatusOK, "There is no such app.")
}
