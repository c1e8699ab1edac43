package console_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// keeper notes what it is asked for: making keys takes long.
type keeper []string

func (k *keeper) Ensure(context.Context, audit.Actor) error { return nil }

func (k *keeper) Rotate(_ context.Context, _ audit.Actor, algorithm string, _ bool) ([]keys.Change, error) {
	*k = append(*k, "rotate "+algorithm)
	return nil, nil
}

func (k *keeper) Due([]keys.Record) map[string]int64 { return nil }

func (k *keeper) Compromise(_ context.Context, _ audit.Actor, kid, reason string) ([]keys.Change, error) {
	*k = append(*k, "compromise "+kid+" "+reason)
	return nil, nil
}

func (o *office) readUser(u *accounts.User) *accounts.User {
	o.Helper()
	found, err := o.admin.Users.Store.UserBySubject(o.Context(), u.Subject)
	o.must(err)
	return found
}

func (o *office) readClient(clientID string) *accounts.Client {
	o.Helper()
	found, _, err := o.db.ClientByID(o.Context(), clientID, time.Now().UnixMilli())
	o.must(err)
	return found
}

// job is one form that somebody sends in a day's work.
type job struct {
	page, form string // which of the page's forms, as for sheet.form
	more       url.Values
	says       string
	done       func() bool // nil where the words say it
}

func (c *clerk) do(jobs []job) {
	c.Helper()
	for _, j := range jobs {
		answer := c.post(c.get(j.page).sees(http.StatusOK), j.form, j.more)
		if answer.status != http.StatusOK {
			c.Fatalf("%s with %s %v: status %d: %.600s", j.page, j.form, j.more, answer.status, answer.text)
		}
		answer.sees(http.StatusOK, j.says)
		if j.done != nil && !j.done() {
			c.Errorf("%s with %s %v: not done", j.page, j.form, j.more)
		}
	}
}

// press is a form with one button.
func press(name, value string) url.Values { return url.Values{name: {value}} }

// TestWork is what operators do on a day: each form of the console is sent once, and
// what it was for has happened.
func TestWork(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	kept := &keeper{}
	o.admin.Keeper = kept
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Password: "a password of root", Superuser: true, Staff: true}))
	ada := o.person(accounts.NewUser{Username: "ada", Name: "Ada", Email: "ada@example.com", EmailVerified: true})
	for _, name := range []string{"Editors", "Interns", "Quiet"} {
		o.group(name)
	}
	o.must(o.admin.Groups.GrantPermission(ctx, officeActor, "Editors", "posts:add"))
	page := "users/show?id=" + ada.Subject
	o.clerk(ada)

	t.Run("people", func(t *testing.T) {
		root.within(t).do([]job{
			{"users/new", "", url.Values{"username": {"carol"}, "email": {"carol@example.com"}, "verified": {"yes"}, "name": {"Carol"}, "password": {"correct horse battery"}}, "Done: it is there now.", func() bool {
				u, err := o.admin.Users.Find(ctx, "carol")
				return err == nil && u.EmailVerified && u.PasswordHash != ""
			}},
			{"users/new", "", url.Values{"username": {"carol"}}, "That name is taken", nil},
			{"users/new", "action=invite", url.Values{"address": {"dora@example.com"}}, "The invitation is on its way.", nil},
			{page, "action=sign_out", nil, "Ended", func() bool { return slices.Contains(o.rows(revocation.User), ada.Subject) }},
			{page, "action=password", url.Values{"password": {"123"}}, "!Saved.", func() bool { return o.readUser(ada).PasswordHash == "" }},
			{page, "action=password", url.Values{"password": {"correct horse battery"}}, "Saved.", func() bool { return o.readUser(ada).PasswordHash != "" }},
			{page, "", press("action", "link"), "signs the person in once", nil},
			{page, "action=factors", nil, "Removed.", nil},
			{page, "action=staff", nil, "Saved.", func() bool { return o.readUser(ada).Staff }},
			{page, "action=superuser", nil, "Saved.", func() bool { return o.readUser(ada).Superuser }},
			{page, "action=unsuperuser", nil, "Saved.", func() bool { return !o.readUser(ada).Superuser }},
			{page, "action=unstaff", nil, "Saved.", func() bool { return !o.readUser(ada).Staff }},
			{page, "action=require", url.Values{"required": {"change_password", "accept_terms"}}, "Choose another password", func() bool {
				return slices.Equal(o.readUser(ada).RequiredActions, []accounts.Action{accounts.ActionChangePassword, accounts.ActionAcceptTerms})
			}},
			{page, "action=join", url.Values{"group": {"Quiet"}, "until": {"2099-12-31"}}, "Added.", func() bool { return o.readGroup("Quiet").Members == 1 }},
			{page, "action=join", url.Values{"group": {"Nobody"}}, "There is no such thing", nil},
			{page, "", press("leave", "Quiet"), "Removed.", func() bool { return o.readGroup("Quiet").Members == 0 }},
			{page, "action=ban", nil, "Saved.", func() bool { return o.readUser(ada).BannedAt != 0 }},
			{page, "", press("action", "unban"), "Saved.", func() bool { return o.readUser(ada).BannedAt == 0 }},
			{page, "action=delete", nil, "will be deleted", func() bool { return o.readUser(ada).DeleteAt != 0 }},
			{page, "", press("action", "undelete"), "Saved.", func() bool { return o.readUser(ada).DeleteAt == 0 }},
		})
	})
	t.Run("groups", func(t *testing.T) {
		managers := func() int { return len(o.readGroup("Editors").Managers) }
		editors := "groups/show?id=Editors"
		root.within(t).do([]job{
			{editors, "action=edit", url.Values{"description": {"Write"}, "strict": {"yes"}}, "Saved.", func() bool {
				g := o.readGroup("Editors")
				return g.Description == "Write" && g.SecondFactor
			}},
			{editors, "action=nest", url.Values{"child": {"Interns"}}, "Saved.", func() bool { return len(o.readGroup("Editors").Children) == 1 }},
			{"groups/show?id=Interns", "action=nest", url.Values{"child": {"Editors"}}, "!Saved.", func() bool { return len(o.readGroup("Interns").Children) == 0 }},
			{editors, "action=nest", url.Values{"child": {"Interns"}, "out": {"yes"}}, "Saved.", func() bool { return len(o.readGroup("Editors").Children) == 0 }},
			{editors, "action=manage", url.Values{"manager": {"ada"}}, "Saved.", func() bool { return managers() == 1 }},
			{editors, "action=manage", url.Values{"manager": {"ada@example.com"}, "out": {"manager"}}, "Saved.", func() bool { return managers() == 0 }},
			{editors, "action=manage", url.Values{"manager": {"nobody"}}, "There is no such thing", nil},
			{"groups/show?id=Quiet", "action=delete", url.Values{"confirm": {"Editors"}}, "The confirmation does not match", nil},
			{"groups/show?id=Quiet", "action=delete", url.Values{"confirm": {"quiet"}}, "Deleted.", nil},
		})
	})
	t.Run("APIs", func(t *testing.T) {
		at := "apis/show?id=" + url.QueryEscape("https://files.example.com")
		api := func() *accounts.API {
			a, err := o.admin.APIs.Find(ctx, "https://files.example.com")
			o.must(err)
			return a
		}
		root.within(t).do([]job{
			{"apis/new", "", url.Values{"name": {"Files"}, "audience": {"not a URL"}}, "!The API was made.", nil},
			{"apis/new", "", url.Values{"name": {"Files"}, "audience": {"https://files.example.com"}}, "The API was made. Its resource server signs in as", nil},
			{at, "action=permission", url.Values{"name": {"files:read"}, "description": {"Can read files"}}, "Added.", func() bool { return len(api().Permissions) == 1 }},
			{at, "", press("drop", "files:read"), "Deleted.", func() bool { return len(api().Permissions) == 0 }},
			{at, "action=disable", nil, "Saved.", func() bool { return api().DisabledAt != 0 }},
			{at, "", press("action", "enable"), "Saved.", func() bool { return api().DisabledAt == 0 }},
			{at, "action=delete", url.Values{"confirm": {"files"}}, "The confirmation does not match", nil},
			{at, "action=delete", url.Values{"confirm": {"Files"}}, "Deleted.", nil},
		})
	})
	t.Run("apps", func(t *testing.T) {
		o.website("board", "https://board.example.com/back")
		at := "clients/show?id=board"
		secrets := func() int { return len(o.readClient("board").Secrets) }
		root.within(t).do([]job{
			{at, "", press("action", "secret"), "It is shown only now", func() bool { return secrets() == 2 }},
			{at, "", press("end", o.readClient("board").Secrets[0].ID.String()), "Tokens that were given for it go on", func() bool { return secrets() == 1 && !slices.Contains(o.rows(revocation.Client), "board") }},
			{at, "", press("end", "nothing"), "There is no such thing", nil},
			{at, "action=compromised", nil, "Revoked.", func() bool { return secrets() == 0 && slices.Contains(o.rows(revocation.Client), "board") }},
			{at, "action=disable", nil, "switched off", func() bool { return o.readClient("board").DisabledAt != 0 }},
			{at, "", press("action", "enable"), "Saved.", func() bool { return o.readClient("board").DisabledAt == 0 }},
			{at, "action=delete", url.Values{"confirm": {"the board"}}, "The confirmation does not match", nil},
			{at, "action=delete", url.Values{"confirm": {"board"}}, "Deleted.", nil},
		})
	})
	t.Run("keys", func(t *testing.T) {
		root.within(t).do([]job{
			{"keys", "", press("rotate", "ES256"), "The next key signs from now on.", nil},
			{"keys", "action=compromise", url.Values{"kid": {"k1"}, "confirm": {"k2"}, "reason": {"leak"}}, "The confirmation does not match", nil},
			{"keys", "action=compromise", url.Values{"kid": {"k1"}, "confirm": {"k1"}, "reason": {"leak"}}, "Revoked.", nil},
		})
		if !slices.Equal(*kept, []string{"rotate ES256", "compromise k1 leak"}) {
			t.Errorf("asked of the keeper: %q", *kept)
		}
	})
}

// TestDeeds: what cannot be taken back says so before it is done, and nothing dangerous
// is chosen for anybody.
func TestDeeds(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	ada := o.person(accounts.NewUser{Username: "ada"})
	o.website("board", "https://board.example.com/back")
	o.clerk(ada)
	root.get("users/show?id="+ada.Subject).sees(http.StatusOK,
		"Ban The person cannot sign in any more", "Delete in 14 days The person is signed out everywhere now", "Remove all second factors All passkeys",
		"Make staff The person may enter this console", "Make superuser The person holds every permission", "Sign this person out everywhere Every session, grant and token")
	root.get("clients/show?id=board").sees(http.StatusOK, "The secret is known to others All secrets and keys of the app end at once", "Switch this app off The app gets nothing more")
	root.get("apis/show?id="+url.QueryEscape(officeAPI)).sees(http.StatusOK, "Switch this API off Nobody gets tokens")
	people := root.get("users").sees(http.StatusOK, "Choose what to do")
	root.post(people, "step=plan", url.Values{"person": {ada.Subject}, "do": {""}}).sees(http.StatusOK, "Choose what to do first.", "!Do it with")
	if o.readUser(ada).BannedAt != 0 {
		t.Error("banned")
	}
}

// TestUserGroups: a person's page shows the groups that they are in themselves, whatever
// those give, and lets nobody into one or out of one who may not.
func TestUserGroups(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	ada := o.person(accounts.NewUser{Username: "ada"})
	for _, name := range []string{"Quiet", "Loud", "Past", "Above"} {
		o.group(name)
	}
	o.must(o.admin.Groups.AddChild(ctx, officeActor, "Above", "Quiet"))
	o.must(o.admin.Groups.AddMember(ctx, officeActor, "Quiet", ada.Subject, 0))
	o.must(o.admin.Groups.GrantPermission(ctx, officeActor, "Loud", "posts:drop"))
	page := "users/show?id=" + ada.Subject
	reader := o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminUsersRead))
	clerk := o.clerk(o.person(accounts.NewUser{Username: "clerk", Staff: true}, accounts.AdminUsersRead, accounts.AdminGroupsRead, accounts.AdminGroupsWrite))
	reader.get(page).sees(http.StatusOK, "Groups", "Quiet", "!Above", "!Loud", "!Put into this group", "!Remove")
	shown := clerk.get(page).sees(http.StatusOK, "Quiet", "Put into this group")
	clerk.post(shown, "action=join", url.Values{"group": {"Loud"}}).sees(http.StatusOK, "That would give more than you hold yourself.")
	clerk.post(shown, "action=join", url.Values{"group": {"Past"}, "until": {"2001-01-01"}}).sees(http.StatusOK, "!Added.")
	clerk.post(shown, "action=join", url.Values{"group": {"Past"}}).sees(http.StatusOK, "Added.", "Past")
	clerk.post(clerk.get(page), "", press("leave", "Quiet")).sees(http.StatusOK, "Removed.", "!Quiet", "Past")
	target, form := shown.form("action=join")
	form.Set("group", "Quiet")
	if got := reader.send(http.MethodPost, target, form); got.status != http.StatusForbidden {
		t.Errorf("a reader with somebody else's form: status %d", got.status)
	}
	for _, name := range []string{"Loud", "Quiet"} {
		if n := o.readGroup(name).Members; n != 0 {
			t.Errorf("%s has %d members", name, n)
		}
	}
}
