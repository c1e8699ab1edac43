package sqldb

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// nestedWorld has the person in "low" until a time, low inside "mid" and "side", and
// these inside "top", which demands a second factor. "other" holds more, and nobody is
// in it or inside it.
type nestedWorld struct {
	*DB
	*storagetest.World
	endsAt int64
	grant  id.ID
}

func newNestedWorld(t *testing.T, d *DB) *nestedWorld {
	t.Helper()
	w := &nestedWorld{DB: d, World: storagetest.NewWorld(t, d)}
	w.endsAt = w.At + 500
	groups := map[string]*accounts.Group{}
	for name, permissions := range map[string][]string{"low": nil, "mid": {"posts:read"}, "side": {"posts:read"}, "top": {"posts:add"}, "other": {"posts:add", "posts:delete"}} {
		groups[name] = w.AddGroup(t, name, permissions...)
	}
	for _, e := range [][2]string{{"mid", "low"}, {"side", "low"}, {"top", "mid"}, {"top", "side"}, {"other", "editors"}} {
		child := groups[e[1]]
		if child == nil {
			child = w.Group
		}
		if ok, err := d.InsertEdge(t.Context(), accounts.GroupEdge{Parent: groups[e[0]].ID, Child: child.ID}, 1); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if err := d.DemandFactor(t.Context(), groups["top"].ID, true); err != nil {
		t.Fatal(err)
	}
	w.Join(t, groups["low"], w.endsAt)
	g := w.World.Grant("openid posts:add posts:read posts:delete")
	if ok, err := d.RedeemCode(t.Context(), g); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.grant = g.ID
	return w
}

// seen is what a way of asking tells of a person: groups, permissions with the end of
// the membership, or that a second factor is a must. What it does not tell stays nil.
type seen struct {
	Groups []string
	Held   map[string]int64
	Strict *bool
}

// TestNestedGroups_EveryPathAgrees asks in every way which groups and permissions
// somebody has.
func TestNestedGroups_EveryPathAgrees(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		w := newNestedWorld(t, open(t))
		yes, no := true, false
		for name, ask := range nestedPaths() {
			during, err := ask(t.Context(), w, w.At)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			after, err := ask(t.Context(), w, w.endsAt)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want, ended := seen{}, seen{}
			if during.Groups != nil {
				want.Groups = []string{"low", "mid", "side", "top"}
			}
			if during.Held != nil {
				want.Held, ended.Held = map[string]int64{"posts:add": w.endsAt, "posts:read": w.endsAt}, map[string]int64{}
			}
			if during.Strict != nil {
				want.Strict, ended.Strict = &yes, &no
			}
			if during.Groups == nil && during.Held == nil && during.Strict == nil {
				t.Errorf("%s tells nothing", name)
			}
			if diff := cmp.Diff(want, during); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(ended, after); diff != "" {
				t.Errorf("%s, when the membership has ended (-want +got):\n%s", name, diff)
			}
		}
	})
}

func nestedPaths() map[string]func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
	asked := []string{"posts:add", "posts:delete", "posts:read"}
	return map[string]func(ctx context.Context, w *nestedWorld, now int64) (seen, error){
		"GroupsOf": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			groups, err := w.DB.GroupsOf(ctx, w.User.ID, now)
			return seen{Groups: groups}, err
		},
		"UserStanding": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			_, groups, err := w.DB.UserStanding(ctx, w.User.Subject, now)
			return seen{Groups: some(groups)}, err
		},
		"GrantPerson": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			p, err := w.DB.GrantPerson(ctx, w.grant, true, now)
			if err != nil {
				return seen{}, err
			}
			return seen{Groups: some(p.Groups)}, nil
		},
		"SessionStanding, asked for names": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			st, err := w.DB.SessionStanding(ctx, w.Session.TokenHash, w.Client.ID, asked, now)
			if err != nil {
				return seen{}, err
			}
			held := map[string]int64{}
			for _, h := range st.Held {
				held[h.Permission] = h.EndsAt
			}
			return seen{Held: held}, nil
		},
		"SessionStanding and Audiences": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			st, err := w.DB.SessionStanding(ctx, w.Session.TokenHash, w.Client.ID, nil, now)
			if err != nil {
				return seen{}, err
			}
			return heldBy(ctx, w, st, asked)
		},
		"GrantStanding and Audiences": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			_, st, err := w.DB.GrantStanding(ctx, w.grant, now)
			if err != nil {
				return seen{}, err
			}
			return heldBy(ctx, w, st, asked)
		},
		"Groups.Effective": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			r, err := w.DB.RightsOf(ctx, w.User.Subject, now)
			if err != nil {
				return seen{}, err
			}
			s := seen{Held: map[string]int64{}}
			for _, g := range r.Groups {
				s.Groups = append(s.Groups, g.Name)
				for _, p := range g.Permissions {
					s.Held[p] = r.Memberships[0].EndsAt
				}
			}
			slices.Sort(s.Groups)
			return s, nil
		},
		"FactorPolicy": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			_, needed, err := w.DB.FactorPolicy(ctx, w.User.ID, now)
			return seen{Strict: &needed}, err
		},
		"SessionStanding and StrictGroups": func(ctx context.Context, w *nestedWorld, now int64) (seen, error) {
			st, err := w.DB.SessionStanding(ctx, w.Session.TokenHash, w.Client.ID, nil, now)
			if err != nil {
				return seen{}, err
			}
			strict, _, err := w.DB.StrictGroups(ctx)
			needed := slices.ContainsFunc(st.Groups, func(m granting.Membership) bool { return slices.Contains(strict, m.Group) })
			return seen{Strict: &needed}, err
		},
	}
}

// some is nil for an empty list: which of the two is read does not matter.
func some(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return names
}

// heldBy is how the provider finds out what a standing's person holds.
func heldBy(ctx context.Context, w *nestedWorld, st *granting.Standing, names []string) (seen, error) {
	c, err := w.DB.Audiences(ctx, names, nil)
	if err != nil {
		return seen{}, err
	}
	held := map[string]int64{}
	for _, p := range c.Permissions {
		for _, m := range st.Groups {
			if slices.Contains(p.Groups, m.Group) {
				held[p.Permission] = m.EndsAt
			}
		}
	}
	return seen{Held: held}, nil
}

// TestNestedGroups_EveryReaderIsKnown fails when a text reads memberships that is
// not known to: it may have to see the groups around them.
func TestNestedGroups_EveryReaderIsKnown(t *testing.T) {
	known := map[string]string{
		"groupsAround": "goes up", "groupsAround1": "goes up", "groupsUntil": "goes up",
		"membershipsFrom": "ids, looked for among the holders of Audiences and StrictGroups, which go down",
		"rightsOf":        "goes up beside it",
		"groupPeople":     "counts who is in the group itself",
		"groupCrowd":      "goes down",
		"holdingsOf":      "asks whether anybody is in the group itself; lost goes down",
		"members":         "lists who is in the group itself", "memberPage": "lists who is in the group itself",
		"membershipsOfOne": "lists the groups that a person is in themselves",
		"memberEnd":        "changes one", "moveMembers": "changes some", "dueMembers": "ends some", "endedOf": "ends some",
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "admin_user") { // filters of lists
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, value := range spec.Values {
					if readsMembers(value) {
						found[spec.Names[i].Name] = true
					}
				}
				return false
			}
			if e, ok := n.(ast.Expr); ok && readsMembers(e) {
				t.Errorf("a text without a name reads memberships")
				return false
			}
			return true
		})
	}
	for name := range found {
		if known[name] == "" {
			t.Errorf("%s reads memberships: does it see the groups that a person is in through others?", name)
		}
	}
	if len(found) < 10 {
		t.Errorf("found only %v", found)
	}
}

// readsMembers reports whether a text in an expression reads memberships.
func readsMembers(e ast.Expr) (reads bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if ok && lit.Kind == token.STRING && !strings.Contains(lit.Value, "DELETE FROM group_members") {
			reads = reads || strings.Contains(lit.Value, "FROM group_members") || strings.Contains(lit.Value, "JOIN group_members")
		}
		return true
	})
	return reads
}
