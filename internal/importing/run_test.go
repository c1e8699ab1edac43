package importing_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/importing"
	"github.com/gatehouse-id/gatehouse/internal/importing/django"
	"github.com/gatehouse-id/gatehouse/internal/importing/keycloak"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

func dump(t *testing.T, name string, change func(o *django.Options)) *django.Dump {
	t.Helper()
	o := django.Options{
		UserModel: "accounts.User", Audience: "https://blog.example.com", APIName: "Blog", Apps: []string{"blog"}, SubPrefix: "django-",
	}
	if change != nil {
		change(&o)
	}
	d, err := django.New(open(t, "django/testdata/"+name), o)
	must(t, err)
	return d
}

func TestDjango(t *testing.T) {
	for _, file := range []string{"natural.json", "keys.json"} {
		t.Run(file, func(t *testing.T) { each(t, func(w *world) { testDjango(w, file) }) })
	}
}

func testDjango(w *world, file string) {
	t := w.t
	before := w.state()
	dry, dryNotes := w.run(dump(t, file, nil), importing.Options{DryRun: true, At: "_at_"})
	if w.state() != before {
		t.Fatalf("a dry run changed %s to %s", before, w.state())
	}
	result, notes := w.run(dump(t, file, nil), importing.Options{At: "_at_"})
	if diff := cmp.Diff(dry, result, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "NewAPIs" }, cmp.Ignore())); diff != "" {
		t.Errorf("the dry run told something else: %s", diff)
	}
	if diff := cmp.Diff([]string{
		"file accounts.user.nick: a field of people for which no meaning was named",
		"group Editors: a permission of an app that was not asked for",
		"user bob: was not active: banned",
		"user carol: holds a permission without a group, which Gatehouse does not have (--direct-groups makes groups)",
		"user carol: the mail address is none that Gatehouse takes",
		"user carol: the password has to be reset: its hash is of a form that can not be checked",
	}, notes); diff != "" || !slices.Equal(notes, dryNotes) {
		t.Errorf("notes: %s\ndry: %q", diff, dryNotes)
	}
	if result.People.Created != 6 || result.Groups.Made != 2 || result.Permissions.Made != 9 || len(result.NewAPIs) != 1 {
		t.Errorf("%+v", result)
	}
	ada := w.user("ada")
	if ada.Subject != "django-1" || !ada.Staff || ada.Superuser || ada.EmailVerified || ada.Profile.GivenName != "Ada" ||
		ada.CreatedAt != 1558081800000 || ada.LastSignInAt != 1704153600000 || !w.signsIn("ada", "testpass123") || w.signsIn("ada", "testpass124") {
		t.Errorf("ada: %+v", ada)
	}
	if root := w.user("root"); !root.Superuser || !root.Staff || !root.Active() {
		t.Errorf("root: %+v", root)
	}
	for _, name := range []string{"bob", "eve"} {
		if w.user(name).Active() {
			t.Errorf("%s is not banned", name)
		}
	}
	if dora := w.user("dora_at_example.com"); dora.Email != "dora@example.com" || dora.PasswordHash != "" {
		t.Errorf("dora: %+v", dora)
	}
	if got := w.groups("ada") + "; " + w.holds("Editors") + "; " + w.holds("Readers"); got != "Editors Readers; blog:add_post blog:moderate; " {
		t.Errorf("groups: %s", got)
	}
	before = w.state()
	if again, _ := w.run(dump(t, file, nil), importing.Options{At: "_at_"}); again.People.Present != 6 || w.state() != before {
		t.Errorf("again: %+v, %s to %s", again, before, w.state())
	}
}

func TestDjangoOptions(t *testing.T) {
	w := newWorld(t)
	result, _ := w.run(dump(t, "natural.json", func(o *django.Options) {
		o.Apps, o.Audience, o.APIName = nil, "https://example.com/{app}", "{app}"
		o.DirectGroups, o.EmailVerified, o.Fields = true, true, map[string]string{"superuser": "", "nickname": "first_name", "given_name": ""}
	}), importing.Options{})
	if result.APIs.Made != 5 || result.People.Refused != 1 { // accounts, auth, blog, contenttypes, sessions; not admin
		t.Errorf("%+v", result)
	}
	if ada := w.user("ada@example.com"); ada.Profile.Nickname != "Ada" || ada.Profile.GivenName != "" || w.user("root").Superuser {
		t.Errorf("ada %+v, root %+v", ada, w.user("root"))
	}
	if got := w.groups("carol") + " " + w.holds("permission:blog:delete_post"); got != "permission:blog:delete_post blog:delete_post" {
		t.Errorf("carol is in %s", got)
	}
}

func TestKeycloak(t *testing.T) { each(t, testKeycloak) }

func testKeycloak(w *world) {
	t := w.t
	realm := func() *keycloak.Realm {
		return keycloak.New(open(t, "keycloak/testdata/realm.json"), keycloak.Options{
			ClientRoles: map[string]string{"posts": "https://posts.example.com"}, RolePrefix: "role:", DirectGroups: true,
		})
	}
	before := w.state()
	dry, dryNotes := w.run(realm(), importing.Options{DryRun: true})
	if w.state() != before {
		t.Fatalf("a dry run changed %s to %s", before, w.state())
	}
	result, notes := w.run(realm(), importing.Options{})
	if dry.People != result.People || dry.Groups != result.Groups || dry.Clients != result.Clients || !slices.Equal(notes, dryNotes) {
		t.Errorf("the dry run told %+v %q", dry, dryNotes)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(realmNotes), "\n"), notes); diff != "" {
		t.Errorf("notes: %s", diff)
	}
	if want := (accounts.ImportCount{Lines: 4, Created: 3}); result.People != want || result.Clients.Made != 4 || result.Groups.Made != 9 || result.Permissions.Made != 3 {
		t.Errorf("%+v", result)
	}
	for name, want := range map[string]string{
		"ada": "editors editors/juniors readers role:writer", "bob": "role:chief role:writer",
		"carol": "permission:posts:add permission:posts:all permission:posts:delete",
	} {
		if got := w.groups(name); got != want {
			t.Errorf("%s is in %s, want %s", name, got, want)
		}
		if !w.signsIn(name, "testpass123") {
			t.Errorf("%s has another password", name)
		}
	}
	for name, want := range map[string]string{"role:writer": "posts:add", "role:chief": "posts:delete", "editors": "", "editors/juniors": "posts:delete"} {
		if got := w.holds(name); got != want {
			t.Errorf("%s holds %s, want %s", name, got, want)
		}
	}
	ada := w.user("ada@example.com")
	want := accounts.Profile{
		GivenName: "Ada", FamilyName: "Lovelace", Locale: "de", PhoneNumber: "+49301234567", PhoneVerified: true,
		Address: &accounts.Address{Formatted: "Weg 1\nDE", StreetAddress: "Weg 1", Country: "DE"},
	}
	if diff := cmp.Diff(want, ada.Profile); diff != "" || ada.Subject != "8f3c1f0e-0001" || ada.CreatedAt != 1558081800000 {
		t.Errorf("ada: %s %+v", diff, ada)
	}
	bob, carol := w.user("bob"), w.user("carol")
	if bob.Active() || !slices.Equal(bob.RequiredActions, []accounts.Action{accounts.ActionChangePassword}) ||
		!slices.Equal(carol.RequiredActions, []accounts.Action{accounts.ActionEnrolFactor}) || carol.Superuser || carol.Staff {
		t.Errorf("bob %+v, carol %+v", bob, carol)
	}
	w.checkApps()
	before = w.state()
	if again, _ := w.run(realm(), importing.Options{}); again.People.Present != 3 || w.state() != before {
		t.Errorf("again: %+v, %s to %s", again, before, w.state())
	}
}

// checkApps looks at the clients of realm.json.
func (w *world) checkApps() {
	t := w.t
	board := w.client("board")
	if board.Type != accounts.WebClient || board.RequirePKCE || board.FirstParty || board.AccessTokenLifetime != 600_000 || board.IDTokenAlgorithm != "ES256" ||
		board.HomeURI != "https://board.example.com/start" || !slices.Equal(board.RedirectURIs, []string{"https://board.example.com/callback"}) ||
		!slices.Equal(board.PostLogoutRedirectURIs, []string{"https://board.example.com/bye"}) || board.Allows(accounts.GrantClientCredentials) {
		t.Errorf("board: %+v", board)
	}
	for secretText, want := range map[string]bool{"board-secret-of-some-length-1234": true, "board-secret-of-some-length-1235": false, "": false} {
		if ok, err := w.Clients.VerifySecret(t.Context(), board, secret.Text(secretText)); ok != want || err != nil {
			t.Errorf("the secret %q opens: %t, %v", secretText, ok, err)
		}
	}
	page, phone, robot := w.client("page"), w.client("phone"), w.client("robot")
	if page.Type != accounts.SPAClient || page.DisabledAt == 0 || !page.RequirePKCE || phone.Type != accounts.NativeClient || phone.DisabledAt != 0 {
		t.Errorf("page %+v, phone %+v", page, phone)
	}
	if robot.Type != accounts.MachineClient || !slices.Equal(robot.Permissions, []string{"posts:add", "posts:delete"}) {
		t.Errorf("robot: %+v", robot)
	}
	if ok, err := w.Clients.VerifySecret(t.Context(), robot, "**********"); ok || err != nil {
		t.Errorf("the stars of an export open robot: %v", err)
	}
}

// crowd is a source of many people, each with a note.
type crowd struct {
	n    int
	plan func(*importing.Report) (*importing.Plan, error)
}

func (c crowd) Plan(r *importing.Report) (*importing.Plan, error) {
	if c.plan != nil {
		return c.plan(r)
	}
	return &importing.Plan{}, nil
}

func (c crowd) People(r *importing.Report) (importing.People, error) {
	return &crowded{crowd: c, report: r}, nil
}

type crowded struct {
	crowd
	at     int
	report *importing.Report
}

func (c *crowded) Next() (*importing.Person, error) {
	if c.at == c.n {
		return nil, io.EOF
	}
	c.at++
	c.report.Note("user", fmt.Sprintf("u%d", c.at), "noted")
	return &importing.Person{Username: fmt.Sprintf("u%d", c.at)}, nil
}

// A run that breaks off goes on where it was, and tells nothing of those before.
func TestResume(t *testing.T) {
	w := newWorld(t)
	full, noted := errors.New("no room"), 0
	report := &importing.Report{Write: func(importing.Item) error {
		if noted++; noted > 700 {
			return full
		}
		return nil
	}}
	result, err := w.Run(t.Context(), operator(), crowd{n: 1200}, report, importing.Options{Digest: "c"})
	if !errors.Is(err, full) || result.People.Lines != 500 {
		t.Fatalf("%+v, %v", result, err)
	}
	result, notes := w.run(crowd{n: 1200}, importing.Options{Digest: "c", Resume: true})
	if result.People.Created != 1200 || len(notes) != 700 || !slices.Contains(notes, "user u501: noted") || slices.Contains(notes, "user u500: noted") {
		t.Fatalf("%+v, %d notes", result, len(notes))
	}
}

// What a group of the same name holds is not for the people of a file.
func TestGroupsThere(t *testing.T) {
	w := newWorld(t)
	_, err := w.Groups.Create(t.Context(), operator(), "EDITORS", "")
	must(t, err)
	must(t, w.Groups.GrantPermission(t.Context(), operator(), "EDITORS", accounts.AdminPermissions()[0]))
	before := w.state()
	_, err = w.Run(t.Context(), operator(), dump(t, "natural.json", nil), &importing.Report{}, importing.Options{Digest: "d"})
	if !errors.Is(err, importing.ErrGroupsThere) || !strings.Contains(err.Error(), "EDITORS") || w.state() != before {
		t.Fatalf("%v, %s to %s", err, before, w.state())
	}
	w.run(dump(t, "natural.json", nil), importing.Options{MergeGroups: true})
	if got := w.groups("ada"); got != "EDITORS Readers" {
		t.Errorf("ada is in %s", got)
	}
	// A group that an import has made, and that somebody has made again since, is
	// another one.
	must(t, w.Groups.Delete(t.Context(), operator(), "Readers"))
	_, err = w.Groups.Create(t.Context(), operator(), "Readers", "")
	must(t, err)
	_, err = w.Run(t.Context(), operator(), dump(t, "natural.json", nil), &importing.Report{}, importing.Options{Digest: "d"})
	if !errors.Is(err, importing.ErrGroupsThere) || !strings.Contains(err.Error(), "Readers") {
		t.Fatalf("%v", err)
	}
}

// Names that are somebody else's, Gatehouse's own, or two at once become nothing.
func TestPermissionsThatAreNot(t *testing.T) {
	w := newWorld(t)
	_, _, _, err := w.APIs.Create(t.Context(), operator(), accounts.NewAPI{
		Audience: "https://other.example.com", Name: "Other", Permissions: []accounts.NewPermission{{Name: "blog:add_post", Description: "Another thing"}},
	})
	must(t, err)
	_, notes := w.run(crowd{plan: func(r *importing.Report) (*importing.Plan, error) {
		p := &importing.Plan{}
		g, err := p.Group(r, "Writers", strings.Repeat("x", 1000))
		must(t, err)
		for _, source := range []string{"blog:add_post", "admin:users", "blog:Hide", "blog:hide", "blog:éa", "openid", "blog:see"} {
			name, ok, err := p.Permission(r, "https://blog.example.com", "Blog", source, "\u202ehidden")
			must(t, err)
			if ok {
				must(t, p.Grant(g, name))
			}
		}
		if second, err := p.Group(r, "wRiters", ""); second != nil || err != nil {
			t.Errorf("a second group: %v, %v", second, err)
		}
		return p, nil
	}}, importing.Options{})
	if got := w.holds("Writers"); got != "blog:hide blog:see" {
		t.Errorf("Writers hold %s\n%q", got, notes)
	}
	if len(notes) != 8 {
		t.Errorf("%d notes: %q", len(notes), notes)
	}
}
