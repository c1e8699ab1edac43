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

// TestSecrets: a chosen secret is taken once, and one that was replaced or ended does
// not come back by an old file.
func TestSecrets(t *testing.T) {
	w := newWorld(t)
	ctx, by := t.Context(), operator()
	const file = `clients: [{client_id: board, name: Board, type: web, redirect_uris: ["https://board.example.com/a"], secret_from: "env:BOARD"}]`
	const first, second, third = "first-7h3bqk2v9xw4m8zt5c6n1r0p-1", "second-9xw4m8zt5c6n1r0p7h3bqk2v-2", "third-4m8zt5c6n1r0p7h3bqk2v9xw-3"
	refused := func(why, want string) {
		t.Helper()
		before := w.state()
		if _, err := w.apply(file, ascode.Options{Force: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", why, err)
		} else if strings.Contains(err.Error(), w.secrets["env:BOARD"]) && w.secrets["env:BOARD"] != "" {
			t.Errorf("%s: the error tells the secret", why)
		}
		if w.state() != before {
			t.Errorf("%s: something was changed", why)
		}
	}
	refused("no secret there", "there is no secret")
	w.secrets["env:BOARD"] = "too short"
	refused("a short one", "random printable")
	w.secrets["env:BOARD"] = strings.Repeat("ab", 30)
	refused("a simple one", "random printable")

	w.secrets["env:BOARD"] = first
	out := w.mustApply(file, ascode.Options{})
	if !strings.Contains(out, "secret_from \"another secret\"") || strings.Contains(out, first) {
		t.Errorf("told\n%s", out)
	}
	if !w.opens("board", first) || len(w.client("board").Secrets) != 1 {
		t.Error("the chosen secret is not the only one")
	}
	if out := w.mustApply(file, ascode.Options{}); out != "" {
		t.Errorf("applied again\n%s", out)
	}

	w.secrets["env:BOARD"] = second
	if out, want := w.mustApply(file, ascode.Options{}), "client board changed\n  secret_from \"the present secret\" -> \"another secret\"\n"; out != want {
		t.Errorf("with another secret\n%s", out)
	}
	if w.opens("board", first) || !w.opens("board", second) {
		t.Error("the first secret goes on, or the second does not work")
	}
	w.secrets["env:BOARD"] = first
	refused("the first one again", "was replaced before")

	// Ended by hand: the file is applied again, and the secret stays ended.
	w.secrets["env:BOARD"] = second
	must(t, w.Clients.Compromised(ctx, by, "board"))
	if out := w.mustApply(file, ascode.Options{}); out != "" || w.opens("board", second) {
		t.Errorf("a compromised secret came back: %q", out)
	}
	// Not even after the file forgot of it, or the client was removed.
	w.mustApply(strings.Replace(file, `, secret_from: "env:BOARD"`, "", 1), ascode.Options{})
	if w.mustApply(file, ascode.Options{}); w.opens("board", second) {
		t.Error("a compromised secret came back after the file forgot of it")
	}
	must(t, w.Clients.Delete(ctx, by, "board"))
	refused("a removed client's secret", "the client was removed")
	w.secrets["env:BOARD"] = first
	refused("an older one of a removed client", "was replaced before")
	w.secrets["env:BOARD"] = third
	if w.mustApply(file, ascode.Options{Force: true}); !w.opens("board", third) {
		t.Error("a new secret does not open a client that was made again")
	}
	if text := w.export(ascode.ExportOptions{}); strings.Contains(text, third) || strings.Contains(text, "secret_") {
		t.Errorf("a secret is exported:\n%s", text)
	}
}

// TestSecrets_Overlap: with an overlap the secret before goes on for a while; and a
// client that has the secret already keeps it.
func TestSecrets_Overlap(t *testing.T) {
	w := newWorld(t)
	made, own, err := w.Clients.Register(t.Context(), operator(), accounts.Registration{Name: "Robot", Type: accounts.MachineClient})
	must(t, err)
	w.secrets["file:/run/robot"] = own.Reveal()
	const file = `clients: [{name: Robot, secret_from: "file:/run/robot", secret_overlap: 24h}]`
	if out := w.mustApply(file, ascode.Options{}); out != "client Robot claimed\n" || !w.opens(made.ClientID, own.Reveal()) {
		t.Errorf("a client that has the secret already: %s", out)
	}
	next := strings.Repeat("x7", 5) + "9xw4m8zt5c6n1r0p7h3bqk2v"
	w.secrets["file:/run/robot"] = next
	w.mustApply(file, ascode.Options{})
	if !w.opens(made.ClientID, own.Reveal()) || !w.opens(made.ClientID, next) {
		t.Error("one of two secrets that overlap does not open")
	}
	for text, want := range map[string]string{
		`clients: [{name: Robot, secret_from: "vault:x"}]`:                      "write env:NAME or file:PATH",
		`clients: [{name: Robot, secret_from: "env:"}]`:                         "write env:NAME or file:PATH",
		`clients: [{name: Robot, secret_from: "env:A", secret_file: b.secret}]`: "leave one out",
	} {
		if _, err := w.apply(text, ascode.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
