package ascode_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/ascode"
)

const house = `
apis:
  - {audience: "https://api.example.com", name: Posts, permissions: [{name: "posts:add", description: Add}, {name: "posts:delete", description: Delete}]}
permission_sets: [{name: Robots, permissions: ["posts:add"]}]
groups:
  - {name: Editors, description: "", permissions: ["posts:add", "posts:delete"], parents: [], members: [ada, ben], managers: [ben]}
  - {name: Staff}
clients:
  - {client_id: board, name: Board, type: web, disabled: false, redirect_uris: ["https://board.example.com/a"], scopes: [openid, "posts:add"], first_party: false}
  - {name: Robot, type: machine, permissions: ["posts:add"], permission_sets: [Robots]}
`

// TestAttack_235_ReapplyRevivesNothing is row 235: what somebody took away by hand after
// the file was applied does not come back because the file is applied again.
func TestAttack_235_ReapplyRevivesNothing(t *testing.T) {
	w := newWorld(t)
	ada := w.user("ada")
	w.user("ben")
	ctx, by := t.Context(), operator()
	w.mustApply(house, ascode.Options{})
	robot := findNamed(t, w, "Robot")
	for _, tt := range []struct {
		name string
		by   func() error
		told string // by diff
	}{
		{"an app is disabled", func() error { return w.Clients.Disable(ctx, by, "board") },
			"client board changed\n  disabled true -> false !\n"},
		{"a scope is taken from an app", func() error {
			return w.Clients.Update(ctx, by, "board", func(c *accounts.Client) error { c.Scopes = []string{"openid"}; return nil })
		}, "client board changed\n  scopes +posts:add !\n"},
		{"an app becomes less trusted than the file says", func() error {
			return w.Clients.Update(ctx, by, "board", func(c *accounts.Client) error { c.Name = "Bored"; return nil })
		}, "client board changed\n  name \"Bored\" -> \"Board\" !\n"},
		{"a permission is taken from a group", func() error { return w.Groups.RevokePermission(ctx, by, "Editors", "posts:delete") },
			"group Editors changed\n  permissions +posts:delete !\n"},
		{"somebody leaves a group", func() error { return w.Groups.RemoveMember(ctx, by, "Editors", ada.Subject) },
			"group Editors changed\n  members +ada !\n"},
		{"a group goes into another", func() error { return w.Groups.AddChild(ctx, by, "Staff", "Editors") },
			"group Editors changed\n  parents -staff !\n"},
		{"a permission leaves a set", func() error { return w.Sets.Revoke(ctx, by, "Robots", "posts:add") },
			"permission set Robots changed\n  permissions +posts:add !\n"},
		{"a set leaves a client", func() error { return w.Sets.Unassign(ctx, by, "Robots", robot) },
			"client Robot changed\n  permission_sets +robots !\n"},
		{"a permission is removed", func() error { return w.APIs.DeletePermission(ctx, by, "https://api.example.com", "posts:delete") },
			"API https://api.example.com changed\n  permissions +posts:delete !\n  permissions.posts:delete.description \"Delete\" !\n" +
				"group Editors changed\n  permissions +posts:delete !\n"},
		{"a group is removed", func() error { return w.Groups.Delete(ctx, by, "Editors") },
			"group Editors created !removed\n  description \"\"\n  managers +ben\n  members +ada +ben\n  parents (none)\n  permissions +posts:add +posts:delete\n"},
		{"an app is removed", func() error { return w.Clients.Delete(ctx, by, "board") },
			"client board created !removed\n  disabled false\n  first_party false\n  name \"Board\"\n  redirect_uris +https://board.example.com/a\n  scopes +openid +posts:add\n"},
		{"an app without an id of its own gets another name", func() error {
			return w.Clients.Update(ctx, by, robot, func(c *accounts.Client) error { c.Name = "Rob"; return nil })
		}, "client Robot changed\n  name \"Rob\" -> \"Robot\" !\n"},
		{"an app without an id of its own is removed", func() error { return w.Clients.Delete(ctx, by, findNamed(t, w, "Robot")) },
			"client Robot created !removed\n  name \"Robot\"\n  permission_sets +robots\n  permissions +posts:add\n"},
		{"a group is made anew with less", func() error {
			must(t, w.Groups.Delete(ctx, by, "Editors"))
			_, err := w.Groups.Create(ctx, by, "Editors", "")
			must(t, err)
			return w.Groups.GrantPermission(ctx, by, "Editors", "posts:add")
		}, "group Editors changed\n  managers +ben !\n  members +ada +ben !\n  permissions +posts:delete !\n"},
		{"an app without an id of its own is made anew with less", func() error {
			must(t, w.Clients.Delete(ctx, by, findNamed(t, w, "Robot")))
			_, _, err := w.Clients.Register(ctx, by, accounts.Registration{Name: "Robot", Type: accounts.MachineClient})
			return err
		}, "client Robot changed\n  permission_sets +robots !\n  permissions +posts:add !\n"},
		{"an app without an id of its own that was made anew gets another name", func() error {
			return w.Clients.Update(ctx, by, findNamed(t, w, "Robot"), func(c *accounts.Client) error { c.Name = "Rob"; return nil })
		}, "client Robot changed\n  name \"Rob\" -> \"Robot\" !\n"},
		{"an API is removed", func() error { return w.APIs.Delete(ctx, by, "https://api.example.com") }, "API https://api.example.com created !removed"},
	} {
		must(t, tt.by())
		before := w.state()
		if _, err := w.apply(house, ascode.Options{}); !errors.Is(err, ascode.ErrByHand) {
			t.Errorf("%s, and apply says %v", tt.name, err)
		}
		seen := w.mustApply(house, ascode.Options{DryRun: true})
		if len(tt.told) < 60 && !strings.HasPrefix(seen, tt.told) || len(tt.told) >= 60 && seen != tt.told {
			t.Errorf("%s, and diff tells (-want +got):\n%s", tt.name, cmp.Diff(tt.told, seen))
		}
		if after := w.state(); after != before {
			t.Errorf("%s: refused and looked at, %s; before %s", tt.name, after, before)
		}
		if done := w.mustApply(house, ascode.Options{Force: true}); done != seen {
			t.Errorf("%s: forced, it did another thing than diff told (-told +done):\n%s", tt.name, cmp.Diff(seen, done))
		}
		if left := w.mustApply(house, ascode.Options{}); left != "" {
			t.Errorf("%s: after force:\n%s", tt.name, left)
		}
	}
}

// findNamed returns the client_id of a client that the file names by name.
func findNamed(t *testing.T, w *world, name string) string {
	t.Helper()
	list, err := w.db.ListClients(t.Context(), "", 100)
	must(t, err)
	for _, c := range list {
		if c.Name == name {
			return c.ClientID
		}
	}
	t.Fatalf("there is no client %s", name)
	return ""
}

// TestByHand_NotTheFiles: what the file does not name is nobody's business but
// theirs who change it, and what the file says otherwise since is no revival.
func TestByHand_NotTheFiles(t *testing.T) {
	w := newWorld(t)
	ctx, by := t.Context(), operator()
	const small = `clients: [{client_id: board, name: Board, type: web, redirect_uris: ["https://board.example.com/a"]}]`
	w.mustApply(small, ascode.Options{})
	must(t, w.Clients.Disable(ctx, by, "board"))
	must(t, w.Clients.Update(ctx, by, "board", func(c *accounts.Client) error { c.FirstParty = true; return nil }))
	if out := w.mustApply(small, ascode.Options{}); out != "" {
		t.Errorf("members that the file does not name were changed:\n%s", out)
	}
	if w.client("board").DisabledAt == 0 {
		t.Error("a file that says nothing of it has enabled a client")
	}
	// Said for the first time, it is meant.
	out := w.mustApply(strings.Replace(small, "type: web", "type: web, disabled: false", 1), ascode.Options{})
	if want := "client board changed\n  disabled true -> false\n"; out != want || w.client("board").DisabledAt != 0 {
		t.Errorf("told to enable it, apply says %q", out)
	}
	// Somebody did by hand what the file says next.
	must(t, w.Clients.Update(ctx, by, "board", func(c *accounts.Client) error { c.Name = "Brett"; return nil }))
	if out := w.mustApply(strings.Replace(small, "Board", "Brett", 1), ascode.Options{}); out != "" {
		t.Errorf("the file says what is so, and apply says\n%s", out)
	}
}

// TestMembers_Ends: a membership that ends by itself was not ended by hand; and a
// member is who the file named, though somebody takes their sub for a username.
func TestMembers_Ends(t *testing.T) {
	w := newWorld(t)
	ada := w.user("ada")
	now := time.UnixMilli(1_800_000_000_000)
	w.Groups.Now = func() time.Time { return now }
	const file = `groups: [{name: Editors, members: [{user: ada, until: 2027-01-16T00:00:00Z}]}]`
	w.mustApply(file, ascode.Options{})
	members, err := w.db.Members(t.Context(), w.group("Editors").ID, "", 10)
	must(t, err)
	if diff := cmp.Diff([]string{ada.Subject}, members); diff != "" {
		t.Error(diff)
	}
	now = now.Add(48 * time.Hour)
	must(t, w.Groups.RemoveMember(t.Context(), operator(), "Editors", ada.Subject)) // as the worker does
	if out := w.mustApply(file, ascode.Options{}); out != "" {
		t.Errorf("after the end\n%s", out)
	}

	f := read(t, `groups: [{name: Editors, members: [ada]}]`)
	seen, err := w.Apply(t.Context(), operator(), f, ascode.Options{DryRun: true})
	must(t, err)
	w.user(ada.Subject) // takes the sub of ada for a username
	_, err = w.Apply(t.Context(), operator(), f, ascode.Options{Agreed: seen})
	must(t, err)
	members, err = w.db.Members(t.Context(), w.group("Editors").ID, "", 10)
	must(t, err)
	if diff := cmp.Diff([]string{ada.Subject}, members); diff != "" {
		t.Errorf("applied twice, the file put in somebody else: %s", diff)
	}
}

// TestByHand_Agreed: what ended by itself, and what the file has come to say as well, is
// not undone by a file that says something else besides.
func TestByHand_Agreed(t *testing.T) {
	w := newWorld(t)
	subs := map[string]string{}
	for _, name := range []string{"ada", "ben", "carol", "dora", "eve"} {
		subs[name] = w.user(name).Subject
	}
	ctx, by := t.Context(), operator()
	now := time.UnixMilli(1_800_000_000_000)
	w.Groups.Now = func() time.Time { return now }
	const file = `
apis: [{audience: "https://api.example.com", name: Posts, permissions: [{name: "posts:add", description: Add}, {name: "posts:hide", description: Hide}, {name: "posts:see", description: See}]}]
groups:
  - {name: Editors, permissions: ["posts:add", "posts:hide"], members: [{user: ada, until: 2027-01-16T00:00:00Z}, ben, {user: eve, until: 2027-03-01T00:00:00Z}, dora], managers: [dora]}`
	w.mustApply(file, ascode.Options{})
	now = now.Add(48 * time.Hour)
	must(t, w.Groups.RemoveMember(ctx, by, "Editors", subs["ada"])) // as the worker does
	must(t, w.Users.Delete(ctx, by, subs["dora"]))

	const eve = "{user: eve, until: 2027-03-01T00:00:00Z}"
	for _, tt := range []struct {
		why  string
		by   func() error
		text string
		want string // empty: it is changed by hand
	}{
		{"an end that has passed and an account that was removed", nil,
			"members: [ben, " + eve + ", carol], managers: [ben]", "  managers +ben\n  members +carol\n"},
		{"a membership that has ended is given again", nil,
			"members: [ben, " + eve + ", ada]", "  members +ada\n"},
		{"a permission that another file has removed", func() error { return w.APIs.DeletePermission(ctx, by, "https://api.example.com", "posts:hide") },
			`permissions: ["posts:add", "posts:see"]`, "  permissions +posts:see\n"},
		{"somebody leaves by hand, and the file keeps them longer", func() error { return w.Groups.RemoveMember(ctx, by, "Editors", subs["eve"]) },
			"members: [ben, {user: eve, until: 2027-04-01T00:00:00Z}]", ""},
		{"somebody leaves by hand, and the file says so too", nil,
			"members: [ben, carol]", "  members +carol\n"},
		{"somebody comes by hand, and the file does not say so", func() error { return w.Groups.AddMember(ctx, by, "Editors", subs["carol"], 0) },
			"members: [ben]", ""},
		{"somebody comes by hand for ever, and the file says until when", nil,
			"members: [ben, {user: carol, until: 2027-04-01T00:00:00Z}]", ""},
	} {
		if tt.by != nil {
			must(t, tt.by())
		}
		got := w.mustApply("groups: [{name: Editors, "+tt.text+"}]", ascode.Options{DryRun: true})
		if tt.want == "" && !strings.Contains(got, " !") || tt.want != "" && got != "group Editors changed\n"+tt.want {
			t.Errorf("%s, and diff tells\n%s", tt.why, got)
		}
	}
}
