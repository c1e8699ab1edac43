package templates_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/templates"
)

// hostile texts, each of which broke out of somebody's page.
func hostile() []string {
	return []string{
		`"><svg onload=alert(1)>`,
		`'><img src=x onerror=alert(1)>`,
		`</title><script>alert(1)</script>`,
		`</script><script>alert(1)</script>`,
		`" autofocus onfocus="alert(1)`,
		`javascript:alert(1)`,
		`{{.Client}}{{template "layout" .}}`,
		"`${alert(1)}`",
		"<!--", "]]>", "\x00<b onclick=x>", "a\u2028b", "&quot;&lt;svg&gt;",
		"\uE000\uE100", // the marks that Rich uses itself
	}
}

// hostilePages put the text wherever a page takes one.
func hostilePages(x string) []fixture {
	page := templates.Page{RequestID: x, Theme: templates.Theme(x), Preferences: templates.Preferences{Action: "/preferences", Return: x}}
	client := templates.ClientInfo{Name: x, Host: x, HomeURL: x, PolicyURL: x, TermsURL: x}
	type renderer = *templates.Renderer
	on := func(name string, render func(r renderer, w http.ResponseWriter, l templates.Language) error) fixture {
		return fixture{name, func(r renderer, w http.ResponseWriter, l templates.Language, _ templates.Page) error {
			return render(r, w, l)
		}}
	}
	item := templates.ScopeItem{Name: x, Text: x, Value: x, Optional: true}
	bare := templates.ScopeItem{Name: x}
	return []fixture{
		on("sign_in", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.SignIn(w, 200, l, templates.SignIn{
				Page: page, Client: &client, Username: x, Action: "/signin", Flow: x, SwitchURL: x, Reauthenticate: true,
				Problems: []templates.SignInProblem{templates.WrongCredentials},
			})
		}),
		on("consent", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.Consent(w, 200, l, templates.Consent{
				Page: page, Client: client, UserName: x, SwitchURL: x, Flow: x, Action: "/consent",
				Groups: []templates.ScopeGroup{{Kind: templates.ScopesAct, API: x, Scopes: []templates.ScopeItem{item, bare}}},
			})
		}),
		on("select_account", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.SelectAccount(w, 200, l, templates.SelectAccount{Page: page, Client: &client, UserName: x, Email: x, Flow: x, Action: "/s"})
		}),
		on("sign_out", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.SignOut(w, 200, l, templates.SignOut{Page: page, UserName: x, ClientName: x, Action: "/logout", Fields: []templates.Field{{Name: x, Value: x}}})
		}),
		on("signed_out", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.SignedOut(w, 200, l, templates.SignedOut{Page: page, ReturnURL: x, ClientName: x, SignInURL: x})
		}),
		on("error", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.Error(w, 400, l, templates.Error{Page: page, Kind: templates.InvalidRequest, Detail: x, RetryURL: x, BackURL: x, ClientName: x})
		}),
		on("home", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.Home(w, 200, l, templates.Home{Page: page, SignedIn: true, UserName: x, Email: x, IsStaff: true, SignOutURL: "/logout"})
		}),
		on("form_post", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.FormPost(w, 200, l, templates.FormPost{
				Page: page, ClientName: x, Action: "https://app.example.com/cb?x=%22%3E'()",
				Fields: []templates.Field{{Name: "state", Value: x}, {Name: x, Value: "1"}},
			})
		}),
	}
}

// TestInjection: whatever a name holds, the page has the elements and the
// attributes of the same page with a harmless name, and links nothing new.
func TestInjection(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	pages := func(x string) []fixture { return append(hostilePages(x), hostileFactors(x)...) }
	harmless := pages("harmless")
	for _, x := range hostile() {
		for i, f := range pages(x) {
			got := skeleton(t, r, f)
			want := skeleton(t, r, harmless[i])
			if !slices.Equal(got, want) {
				t.Errorf("%s with %q has another structure:\n got %v\nwant %v", f.name, x, got, want)
			}
		}
	}
}

// skeleton lists the elements with the names of their attributes, and every
// value that a browser would follow or run.
func skeleton(t *testing.T, r *templates.Renderer, f fixture) []string {
	t.Helper()
	var list []string
	for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
		checkInline(t, e)
		var names []string
		for name, value := range e.attr {
			switch name {
			case "href", "src", "action", "formaction", "method", "type":
				name += "=" + value
			}
			names = append(names, name)
		}
		slices.Sort(names)
		list = append(list, e.name+" "+strings.Join(names, " "))
	}
	return list
}

// TestFormPostValues: the app gets exactly the values it is meant to get.
func TestFormPostValues(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	for _, x := range hostile() {
		if strings.ContainsRune(x, 0) {
			continue // HTML cannot carry it
		}
		w := httptest.NewRecorder()
		err := r.FormPost(w, 200, r.Language(), templates.FormPost{
			Action: "https://app.example.com/cb?a=1&b=%22", Fields: []templates.Field{{Name: "state", Value: x}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var value, action string
		for _, e := range elements(t, w.Body.Bytes()) {
			if e.attr["name"] == "state" {
				value = e.attr["value"]
			}
			if e.name == "form" {
				action = e.attr["action"]
			}
		}
		if value != x || action != "https://app.example.com/cb?a=1&b=%22" {
			t.Errorf("state %q arrives as %q, sent to %q", x, value, action)
		}
	}
}

// TestUnsafeLinksAreDropped: the page stays, the link does not.
func TestUnsafeLinksAreDropped(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	for _, raw := range []string{"javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "java\tscript:x"} {
		for _, f := range hostilePages(raw) {
			for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
				if e.name == "a" && e.attr["href"] == raw {
					t.Errorf("%s links %q", f.name, raw)
				}
			}
		}
	}
}

// TestNamesCannotTurnTheText: a name with marks of direction would let an app show
// another host or turn our sentence around.
func TestNamesCannotTurnTheText(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	x := "Bank\u202e\u2066moc.live\u2069\u200f"
	for _, f := range hostilePages(x) {
		for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
			switch e.name {
			case "title", "h1", "p", "label", "a", "button", "h2", "li":
				if strings.ContainsAny(e.text, "\u202e\u2066\u2069\u200f") {
					t.Errorf("%s: %s holds marks of direction: %q", f.name, e.name, e.text)
				}
			}
		}
	}
}
