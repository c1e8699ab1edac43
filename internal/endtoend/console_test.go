package endtoend_test

import (
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const axePath = "node/node_modules/axe-core/axe.min.js"

// button is a button of a table that says what it does, and with what.
func button(label string) string { return `button[aria-label="` + label + `"]` }

// TestConsole is the daily work of an operator, without a script: there is no group
// Editors any more; it is made again, "Add posts" is offered and given, and
// regular_user, put into it, may post. Then the permission is taken, and with it the
// tokens that carry it.
func TestConsole(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		admin := s.visitor(t).withoutJavaScript()
		admin.open(s.issuer + "/admin/")
		admin.sees(s.issuer+"/signin", 200)
		admin.signIn("admin", password)
		admin.sees(s.issuer+"/admin/", 200, "Overview", "Sign-ins", "database")

		admin.open(s.issuer + "/admin/groups/show?id=Editors")
		admin.sees(s.issuer+"/admin/groups/show", 200, "Add posts", "regular_user")
		admin.deletesGroup("Editors")
		admin.sees(s.issuer+"/admin/groups", 200, "Deleted", "!Editors")

		poster := s.visitor(t)
		poster.begin()
		poster.signIn("regular_user", password)
		poster.press(buttonAllow)
		poster.sees(s.app+"/", 200, "Needs the permission posts:add")

		admin.press(`a[href$="/admin/groups/new"]`)
		admin.fill("#name", "Editors")
		admin.fill("#description", "Write for the board")
		admin.press(consoleSubmit)
		admin.sees(s.issuer+"/admin/groups/show", 200, "Done", "Editors", "Add posts", "no permission yet")
		admin.press(button("Give: Add posts"))
		admin.sees(s.issuer+"/admin/groups/show", 200, "Given", "Add posts")
		admin.fill("#who", "regular_user")
		admin.press(`form:has(#who) button`)
		admin.sees(s.issuer+"/admin/groups/show", 200, "Added", "Rita Regular")
		admin.press(`a[href*="/admin/users/show"]`)
		admin.sees(s.issuer+"/admin/users/show", 200, "regular_user", "posts:add", "Editors")

		poster.open(s.app + "/posts/new")
		poster.press(`main a[href^="/signin?ask"]`)
		poster.sees(s.issuer+"/consent", 200, "Add posts")
		poster.press(buttonAllow)
		poster.publish()
		poster.sees(s.app+"/posts", 200, draftTitle)

		admin.open(s.issuer + "/admin/groups/show?id=Editors")
		admin.press(button("Take away: Add posts"))
		admin.sees(s.issuer+"/admin/groups/show", 200, "Taken away")
		poster.until("the permission is gone", func() bool {
			poster.submit("/posts/new", draft())
			return poster.status == 403
		})

		admin.open(s.issuer + "/admin/users?q=regular_user")
		admin.press(`a[href*="/admin/users/show"]`)
		admin.press(button("Take back: Demo app"))
		admin.sees(s.issuer+"/admin/users/show", 200, "Revoked", "allowed no app")

		admin.open(s.issuer + "/admin/audit")
		admin.sees(s.issuer+"/admin/audit", 200, "group.permission.revoke", "Editors", "admin")
		admin.open(s.issuer + "/admin/revocations")
		admin.sees(s.issuer+"/admin/revocations", 200, "posts:add")
	})
}

const consoleSubmit = `main form .actions button`

// deletesGroup deletes the group whose page is open.
func (v *visitor) deletesGroup(name string) {
	v.t.Helper()
	v.do("unfold", chromedp.Click(`details:has(#confirm) > summary`, chromedp.ByQuery))
	v.fill("#confirm", name)
	v.press(`details:has(#confirm) button`)
}

// TestConsoleDoors: the console is for staff and for what they hold.
func TestConsoleDoors(t *testing.T) {
	s := start(t, embedded)
	for _, tc := range []struct {
		who    string
		path   string
		status int64
		sees   []string
	}{
		{"regular_user", "/admin/", 403, nil},
		{"regular_user", "/admin/users", 403, nil},
		{"staff_user", "/admin/", 200, []string{"Overview", "!Sign-ins", "!Keys"}},
		{"regular_user", "/admin/groups", 403, nil},
		{"regular_user", "/admin/groups/show?id=Editors", 403, nil},
		{"staff_user", "/admin/users", 403, nil},
		{"staff_user", "/admin/groups/new", 403, nil},
	} {
		t.Run(tc.who+tc.path, func(t *testing.T) {
			v := s.visitor(t)
			v.open(s.issuer + tc.path)
			v.signIn(tc.who, password)
			v.sees(s.issuer+tc.path, tc.status, tc.sees...)
		})
	}
}

// TestConsoleManager: who manages a group, and is no staff, gets to its members and
// to nothing else. What a file manages is marked so.
func TestConsoleManager(t *testing.T) {
	s := start(t, embedded)
	s.command(t, "group", "create", "--name", "Writers")
	s.command(t, "group", "add-manager", "--group", "Writers", "--user", "regular_user")
	s.commandWith(t, "manager: platform\ngroups:\n  - name: Readers\n    description: Read\n", "apply", "-f", "-")
	admin := s.visitor(t)
	admin.open(s.issuer + "/admin/groups/show?id=Readers")
	admin.signIn("admin", password)
	admin.sees(s.issuer+"/admin/groups/show", 200, "The file “platform” manages this")

	v := s.visitor(t).withoutJavaScript()
	v.open(s.issuer + "/account/")
	v.signIn("regular_user", password)
	v.press(`main a[href="/admin/"]`)
	v.sees(s.issuer+"/admin/groups", 200, "You manage these groups")
	v.press(`main a[href="/admin/groups/show?id=Writers"]`)
	v.sees(s.issuer+"/admin/groups/show", 200, "You manage this group", "no members", "!Permissions to give", "!Delete this group")
	v.fill("#who", "reader")
	v.press(`form:has(#who) button`)
	v.sees(s.issuer+"/admin/groups/show", 200, "Added", "Rob Reader")
	v.press(button("Remove reader"))
	v.sees(s.issuer+"/admin/groups/show", 200, "Removed", "no members")
	for _, elsewhere := range []string{"groups/show?id=Editors", "groups/new", "groups/matrix", "users", "audit", "settings"} {
		v.open(s.issuer + "/admin/" + elsewhere)
		v.sees(s.issuer+"/admin/"+elsewhere, 403)
	}
}

// TestConsoleOddQueries: whatever stands in the address, the console answers, and not
// with an error of ours.
func TestConsoleOddQueries(t *testing.T) {
	s := start(t, external)
	v := s.visitor(t).withoutJavaScript()
	v.open(s.issuer + "/admin/")
	v.signIn("admin", password)
	for _, name := range []string{"users", "users/show", "groups", "groups/show", "groups/matrix", "apis", "apis/show", "sets", "sets/show", "clients", "clients/show", "clients/consents", "clients/debug", "clients/debug/callback", "sessions", "revocations", "audit", "audit/show", "settings"} {
		for _, odd := range []string{"%00", "%ff%fe", "%27%20OR%201=1--", "%25_%5c", "%f0%9f%98%80", "%3Cscript%3Ealert(1)%3C/script%3E"} {
			v.open(s.issuer + "/admin/" + name + "?q=" + odd + "&id=" + odd + "&after=" + odd + "&kind=" + odd + "&action=" + odd + "&since=" + odd + "&until=" + odd)
			if v.status >= 500 || v.has("main script") {
				t.Errorf("/admin/%s with %s: status %d", name, odd, v.status)
			}
		}
	}
}

// TestConsoleForEverybody has axe-core look at the console's pages in both themes, on
// a desk and on a phone.
func TestConsoleForEverybody(t *testing.T) {
	axe, err := os.ReadFile(axePath)
	if err != nil {
		t.Fatalf("axe-core is missing, .ci/install installs it: %v", err)
	}
	s := start(t, embedded)
	v := s.visitor(t)
	v.open(s.issuer + "/admin/")
	v.signIn("admin", password)
	v.triesAddresses()
	for _, path := range consolePages() {
		v.open(s.issuer + "/admin/" + path)
		v.sees(s.issuer+"/admin/"+path, 200)
		for _, found := range v.findings(string(axe)) {
			t.Errorf("/admin/%s: %s", path, found)
		}
	}
	v.allowsAddress()
	v.triesApp(string(axe))
	v.fillsPages(string(axe))
}

// findings is what axe-core calls serious or critical on the page that is open, and
// what hangs over its edge on a phone.
func (v *visitor) findings(axe string) []string {
	v.t.Helper()
	const serious = `(async () => {
		document.querySelectorAll("details").forEach((d) => { d.open = true; });
		const run = await axe.run(document, { resultTypes: ["violations"] });
		if (run.passes.length < 5) return ["axe checked only " + run.passes.length + " rules"];
		const found = run.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
			.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html + " " + n.failureSummary));
		if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window: " + document.documentElement.scrollWidth);
		return found;
	})()`
	promised := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	var wide, narrow []string
	theme := func(name string) chromedp.Action {
		return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
		})
	}
	v.do("ask axe-core", theme("light"), emulation.SetDeviceMetricsOverride(1280, 800, 1, false),
		chromedp.Evaluate(axe, nil), chromedp.Evaluate(serious, &wide, promised),
		theme("dark"), emulation.SetDeviceMetricsOverride(360, 800, 1, true), chromedp.Evaluate(serious, &narrow, promised))
	return append(wide, narrow...)
}

// consolePages are pages of the console that a new deployment has.
func consolePages() []string {
	return []string{
		"", "users", "users/new", "groups", "groups/new", "groups/show?id=Editors", "groups/matrix", "apis", "sets", "sets/new", "clients", "clients/new",
		"clients/new?kind=web", "clients/show?id=demo-app", "clients/consents?id=demo-app", "sessions", "keys", "revocations", "audit", "settings",
	}
}
