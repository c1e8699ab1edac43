package ascode_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/ascode"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// TestPrune: what the file managed and does not name any more goes, and nothing else:
// not what people made, not another file's, not what was made by hand in the place of
// something removed, and not Gatehouse's own API.
func TestPrune(t *testing.T) {
	w := newWorld(t)
	w.user("ada")
	w.user("ben")
	ctx, by := t.Context(), operator()
	_, err := w.Groups.Create(ctx, by, "By hand", "")
	must(t, err)
	w.mustApply("manager: other\ngroups: [{name: Theirs}]", ascode.Options{})
	w.mustApply(house, ascode.Options{})
	must(t, w.Groups.Delete(ctx, by, "Staff"))
	_, err = w.Groups.Create(ctx, by, "Staff", "made again, by hand")
	must(t, err)
	robot := findNamed(t, w, "Robot")

	if out := w.mustApply("", ascode.Options{}); out != "" {
		t.Errorf("without prune\n%s", out)
	}
	want := "client " + robot + " removed with 0 grants, with their tokens\n" +
		"client board removed with 0 grants, with their tokens\n" +
		"group Editors removed with 2 members and 0 groups inside it\n" +
		"permission set Robots removed with 1 clients\n" +
		"API https://api.example.com removed with 2 permissions, which everybody loses, and its resource server's client\n"
	if robot > "board" {
		lines := strings.SplitAfter(want, "\n")
		lines[0], lines[1] = lines[1], lines[0]
		want = strings.Join(lines, "")
	}
	seen, err := w.Apply(ctx, by, read(t, ""), ascode.Options{Prune: true, DryRun: true})
	must(t, err)
	if diff := cmp.Diff(want, told(seen)); diff != "" || !seen.Removes() {
		t.Errorf("what would be removed (-want +got):\n%s", diff)
	}

	// Who agreed to that has not agreed to more.
	_, err = w.Groups.Create(ctx, by, "Writers", "")
	must(t, err)
	must(t, w.Groups.AddChild(ctx, by, "Editors", "Writers"))
	if _, err := w.Apply(ctx, by, read(t, ""), ascode.Options{Prune: true, Agreed: seen}); !errors.Is(err, ascode.ErrOtherPlan) {
		t.Errorf("after a change meanwhile: %v", err)
	}
	must(t, w.Groups.RemoveChild(ctx, by, "Editors", "Writers"))
	_, err = w.Apply(ctx, by, read(t, ""), ascode.Options{Prune: true, Agreed: seen})
	must(t, err)
	const left = "# Made by gatehouse export; gatehouse apply -f makes what it says.\ngroups:\n" +
		"  - name: By hand\n    second_factor: false\n    permissions: []\n    parents: []\n" +
		"  - name: Staff\n    description: made again, by hand\n    second_factor: false\n    permissions: []\n    parents: []\n" +
		"  - name: Theirs\n    second_factor: false\n    permissions: []\n    parents: []\n" +
		"  - name: Writers\n    second_factor: false\n    permissions: []\n    parents: []\n"
	if diff := cmp.Diff(left, w.export(ascode.ExportOptions{Only: []string{"apis", "permission_sets", "groups", "clients"}})); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	before := w.state()
	if out := w.mustApply("", ascode.Options{Prune: true}); out != "" || w.state() != before {
		t.Errorf("pruned again: %s", out)
	}
	for _, text := range []string{`apis: [{audience: "https://id.example.com"}]`, `apis: [{audience: "https://id.example.com", name: Mine}]`} {
		if _, err := w.apply(text, ascode.Options{}); err == nil || !strings.Contains(err.Error(), "test.yaml:1: API \"https://id.example.com\": that is the API of Gatehouse itself") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestPrune_ResourceServer: the client of an API's resource server goes with its API.
func TestPrune_ResourceServer(t *testing.T) {
	w := newWorld(t)
	w.mustApply("manager: apis\n"+`apis: [{audience: "https://api.example.com", name: Posts, permissions: []}]`, ascode.Options{})
	server := findNamed(t, w, "Posts")
	w.mustApply(fmt.Sprintf("clients: [{client_id: %q, access_token_lifetime: 2m}]", server), ascode.Options{})
	if out, want := w.mustApply("", ascode.Options{Prune: true}), "client "+server+" released\n"; out != want {
		t.Errorf("told %q", out)
	}
	w.client(server)
}

// TestManagers: an object is one file's.
func TestManagers(t *testing.T) {
	w := newWorld(t)
	ctx, by := t.Context(), operator()
	_, err := w.Groups.Create(ctx, by, "Editors", "")
	must(t, err)
	const ours, theirs = "manager: ours\ngroups: [{name: editors, description: Ours}]", "manager: theirs\ngroups: [{name: Editors, second_factor: false}]"
	if out, want := w.mustApply(theirs, ascode.Options{}), "group Editors claimed\n"; out != want {
		t.Errorf("told %q", out)
	}
	for _, opts := range []ascode.Options{{}, {Force: true}, {DryRun: true}} {
		if _, err := w.apply(ours, opts); !errors.Is(err, accounts.ErrManaged) || !strings.Contains(err.Error(), `"theirs"`) {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	marks, err := w.Marks.Store.ManagedObjects(ctx, w.group("Editors").ID)
	must(t, err)
	if m := marks[w.group("Editors").ID]; m.Manager != "theirs" || !m.Names("second_factor") || m.Names("description") {
		t.Errorf("mark %+v", m)
	}
	// Nor is what was removed, or made anew under the name, anybody's.
	for why, again := range map[string]bool{"removed": false, "made anew": true} {
		must(t, w.Groups.Delete(ctx, by, "Editors"))
		if again {
			_, err := w.Groups.Create(ctx, by, "Editors", "")
			must(t, err)
		}
		if _, err := w.apply(ours, ascode.Options{Force: true}); !errors.Is(err, accounts.ErrManaged) || !strings.Contains(err.Error(), `"theirs"`) {
			t.Errorf("%s: %v", why, err)
		}
		if !again {
			if _, err := w.apply(ours, ascode.Options{TakeOver: true}); !errors.Is(err, ascode.ErrByHand) {
				t.Errorf("taking over what was removed: %v", err)
			}
			_, err := w.Groups.Create(ctx, by, "Editors", "")
			must(t, err)
		}
	}
	w.mustApply(theirs, ascode.Options{})
	if out, want := w.mustApply(ours, ascode.Options{TakeOver: true}), "group editors changed from theirs\n  description \"\" -> \"Ours\"\n"; out != want {
		t.Errorf("told %q", out)
	}
	events, err := w.db.AuditTail(ctx, 1)
	must(t, err)
	type told struct {
		Action, Kind, Target string
		Before, After        map[string]any
	}
	wantEvent := told{"managed.claim", "group", "editors", map[string]any{"manager": "theirs"}, map[string]any{"manager": "ours"}}
	if e := events[0]; !cmp.Equal(wantEvent, told{e.Action, e.TargetKind, e.TargetID, e.Before, e.After}) {
		t.Errorf("the audit log tells %+v", e.Event)
	}
	if _, err := w.apply(theirs, ascode.Options{}); !errors.Is(err, accounts.ErrManaged) {
		t.Errorf("after it was taken over: %v", err)
	}
	if out := w.mustApply("manager: theirs", ascode.Options{Prune: true}); out != "" {
		t.Errorf("what was taken over is pruned by the other: %s", out)
	}
	if _, err := ascode.Read("x", strings.NewReader(`manager: "two words"`)); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("name of two words: %v", err)
	}
}

// TestApply_Moves: what changes places within a file arrives, in one go.
func TestApply_Moves(t *testing.T) {
	w := newWorld(t)
	const before = `
apis:
  - {audience: "https://a.example.com", name: A, permissions: [{name: "posts:add", description: Add}, {name: "posts:old", description: Old}]}
  - {audience: "https://b.example.com", name: B, permissions: []}
groups:
  - {name: Editors, permissions: ["posts:add"]}
  - {name: Inner, permissions: [], parents: [Outer]}
  - {name: Outer, parents: []}
clients: [{name: Robot, type: machine, permissions: ["posts:add"]}]
`
	after := strings.NewReplacer(
		`"https://a.example.com", name: A, permissions: [{name: "posts:add", description: Add}, {name: "posts:old", description: Old}]`, `"https://a.example.com", name: A, permissions: []`,
		`name: B, permissions: []`, `name: B, permissions: [{name: "posts:add", description: Add}]`,
		"parents: [Outer]", "parents: []", "Outer, parents: []", "Outer, parents: [inner]").Replace(before)
	w.mustApply(before, ascode.Options{})
	out := w.mustApply(after, ascode.Options{})
	if want := "API https://a.example.com changed\n  permissions -posts:add -posts:old\nAPI https://b.example.com changed\n  permissions +posts:add\n  permissions.posts:add.description \"Add\"\n" +
		"group Inner changed\n  parents -outer\ngroup Outer changed\n  parents +inner\n"; out != want {
		t.Errorf("told (-want +got):\n%s", cmp.Diff(want, out))
	}
	if out := w.mustApply(after, ascode.Options{}); out != "" {
		t.Errorf("applied again:\n%s", out)
	}
	if diff := cmp.Diff([]string{"posts:add"}, w.group("Editors").Permissions); diff != "" {
		t.Errorf("the group lost a permission that moved: %s", diff)
	}
	// A file that contradicts itself is refused, instead of changing something each time.
	_, err := w.apply(strings.Replace(after, `[{name: "posts:add", description: Add}]`, "[]", 1), ascode.Options{})
	if err == nil || !strings.Contains(err.Error(), `group "Editors": there is no permission "posts:add"`) {
		t.Errorf("a group holds what its file removes: %v", err)
	}
}

// TestApply_Together: one of two that apply the same file at once does it.
func TestApply_Together(t *testing.T) {
	w := newWorldOn(t, testenv.Postgres(t))
	w.user("ada")
	w.user("ben")
	var wg sync.WaitGroup
	outs := make([]string, 4)
	for i := range outs {
		wg.Go(func() {
			plan, err := w.Apply(t.Context(), operator(), read(t, house), ascode.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			outs[i] = told(plan)
		})
	}
	wg.Wait()
	did := 0
	for _, out := range outs {
		if out != "" {
			did++
		}
	}
	if did != 1 {
		t.Errorf("%d of them changed something: %q", did, outs)
	}
}

// TestSettings: settings that the configuration decides are compared and never
// changed.
func TestSettings(t *testing.T) {
	w := newWorld(t)
	w.Kept.Rules = none{}
	const same = `settings: {sign_up: closed, sign_up_domains: [a.example, b.example], password_min_length: 8}`
	if out := w.mustApply(same, ascode.Options{}); out != "" {
		t.Errorf("the same settings: %s", out)
	}
	const other = "settings: {sign_up: open, password_min_length: 12}\ngroups: [{name: Editors}]"
	if out, want := w.mustApply(other, ascode.Options{DryRun: true}), "group Editors created\nsetting password_min_length \"8\" -> \"12\"\nsetting sign_up \"closed\" -> \"open\"\n"; out != want {
		t.Errorf("diff tells %q", out)
	}
	_, err := w.apply(other, ascode.Options{})
	if err == nil || !strings.Contains(err.Error(), `password_min_length is "8" and not "12"; sign_up is "closed" and not "open" (set it there, as GATEHOUSE_PASSWORD_MIN_LENGTH or`) {
		t.Errorf("apply: %v", err)
	}
	if _, err := w.Groups.Find(t.Context(), "Editors"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("and yet it made the group: %v", err)
	}
	if _, err := w.apply("settings: {secret: x}", ascode.Options{}); err == nil || !strings.Contains(err.Error(), `a file holds no setting "secret", but sign_up, `) {
		t.Errorf("a setting that is none of a file's: %v", err)
	}
}
