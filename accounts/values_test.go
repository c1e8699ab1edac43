package accounts_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// plainEvents are the actions of this package that change no value of their target,
// each with what it does instead. Every other one tells values before and after, and
// TestValues makes it do so.
func plainEvents() map[string]string {
	const ends, asks, uses, made = "something ends, which is its target or in its details",
		"a mail is sent", "a proof is used up", "something begins, which its details name"
	return map[string]string{
		"user.sign_out_everywhere": ends, "session.end": ends, "session.sign_out": ends, "session.end_others": ends, "grant.revoke": ends,
		"token.revoke": ends, "token.revoke_all": ends, "client.disconnect": ends, "client.revoke": ends, "client.secret.end": ends,
		"user.email.change.ask": asks, "user.email.verify.ask": asks, "user.mail_code.ask": asks, "user.password.reset.ask": asks,
		"user.sign_up.ask": asks, "user.invite": asks, "user.invite.withdraw": ends, "user.sign_in_link.make": made,
		"user.mail_code.use": uses, "user.password.reset.code": uses, "user.recovery_code.use": uses, "user.sign_in_link.use": uses,
		"user.sign_in": made, "user.sign_in.first_factor": made, "user.sign_in.refuse": "nothing changes", "user.passkey.regress": "nothing changes",
		"user.export": "nothing changes", "user.import": made, "ledger.repair": ends, "user.recovery_codes.renew": "what changes is secret",
		"client.secret.rotate": "what changes is secret", "client.secret.choose": "what changes is secret",
		"client.refused.forget": "what was observed goes, which its details name", "client.debugged": "nothing changes",
	}
}

const hiddenPassword = "correct horse battery staple"

// TestValues: what changes something tells what it was and what it is, and no secret.
func TestValues(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	ada, err := w.users.Create(ctx, operator(), accounts.NewUser{Username: "ada", Email: "ada@test.com", Password: hiddenPassword, Superuser: true})
	w.must(err)
	w.user("bob")
	var secrets []string
	changeEverything(w, ada, func(s secret.Text) { secrets = append(secrets, s.Reveal()) })
	got := w.told(append(secrets, hiddenPassword))
	want := map[string]string{
		"user.create": " > email email_verified username",
		"user.update": "email email_verified > email name", "user.profile.change": " > given_name",
		"user.require": " > required_actions", "user.ban": " > banned_at", "user.unban": "banned_at > ",
		"user.staff.grant": " > staff", "user.staff.revoke": "staff > ", "user.superuser.grant": " > superuser", "user.superuser.revoke": "superuser > ",
		"user.password.change": "password_changed_at > password_changed_at",
		"user.password.reset":  " > has_password password_changed_at", "user.delete": "superuser > ",
		"client.create": "", "client.update": "name redirect_uris > name redirect_uris", "client.disable": " > disabled_at", "client.enable": "disabled_at > ",
		"client.compromised": " > ", "client.delete": "",
		"api.create": " > audience name", "api.update": "name > name token_lifetime", "api.disable": " > disabled_at", "api.enable": "disabled_at > ",
		"api.delete": "audience name token_lifetime > ", "api.permission.add": " > description permission",
		"api.permission.describe": "description > description", "api.permission.delete": "description permission > ",
		"permission_set.create": " > description", "permission_set.update": "description > description", "permission_set.delete": "description > ",
		"permission_set.permission.grant": " > permission", "permission_set.permission.revoke": "permission > ",
		"permission_set.assign": " > client_id", "permission_set.unassign": "client_id > ",
		"group.create": " > description name", "group.update": "description > description", "group.second_factor": "second_factor > second_factor",
		"group.delete": "description name second_factor > ", "group.permission.grant": " > permission", "group.permission.revoke": "permission > ",
		"group.member.add": " > members", "group.member.remove": "members > ", "group.member.end": "members > ",
		"group.child.add": " > child", "group.child.remove": "child > ", "group.manager.add": " > manager", "group.manager.remove": "manager > ",
		"consent.allow": "scopes > scopes", "consent.disconnect": "scopes > ", "setting.changed": "value > value",
	}
	for _, action := range []string{"client.create", "client.delete"} { // all that an app is
		if !strings.Contains(got[action], "auth_method grant_types id_token_algorithm name") {
			t.Errorf("%s: %s", action, got[action])
		}
		got[action] = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	maps.Copy(want, ownChanges(t))
	everyAction(t, want)
}

// told are the names of the values that the last event of each action tells, before
// and after. No event tells a secret.
func (w *world) told(secrets []string) map[string]string {
	w.t.Helper()
	tail, err := w.db.AuditTail(w.t.Context(), 1000)
	w.must(err)
	got := map[string]string{}
	for _, e := range slices.Backward(tail) {
		all, err := json.Marshal([]any{e.Details, e.Before, e.After})
		w.must(err)
		for _, hidden := range append(secrets, "$argon2", "mac:", `"k":`, "otpauth") {
			if strings.Contains(string(all), hidden) {
				w.t.Errorf("%s tells a secret: %s", e.Action, all)
			}
		}
		if plainEvents()[e.Action] == "" && !notOurs(e.Action) {
			got[e.Action] = names(e.Before) + " > " + names(e.After)
		}
	}
	return got
}

// ownChanges checks what people change about themselves.
func ownChanges(t *testing.T) map[string]string {
	t.Helper()
	d, ctx := newDoors(t), t.Context()
	f := factorsIn(t, d.world)
	ada, session, key, recovery := f.enrolled("ada")
	by := actorOf(ada)
	list, err := f.factors.List(ctx, ada)
	d.must(err)
	app := list.TOTPs[0].ID
	d.must(f.factors.Rename(ctx, by, app, "Old phone"))
	d.must(d.db.InsertDevice(ctx, &accounts.RememberedDevice{
		ID: id.New(), UserID: ada.ID, TokenHash: []byte("t"), Binding: []byte("b"), ExpiresAt: d.now().Add(time.Hour).UnixMilli(),
	}))
	d.must(f.factors.ForgetDevices(ctx, by, ada))
	d.must(f.factors.Remove(ctx, by, session, app))
	key2, recovery2 := f.app(ada, session, "Phone")
	d.must(f.factors.Reset(ctx, operator(), ada.Subject))
	_, session = d.session(ada)
	d.must((&accounts.Alarm{Journal: d.users.Journal, Users: d.db, Sessions: d.db, Grants: d.db}).Raise(ctx, by, ada.Subject, session, id.ID{}))
	d.must(d.terms.Accept(ctx, ada, "2"))
	d.must(d.users.Amend(ctx, operator(), ada.Subject, func(_ *accounts.User, a *accounts.Amendment) error {
		a.Email, a.EmailVerified = "ada@unproven.example", false
		return nil
	}))
	proofID, err := d.verifications.Ask(ctx, d.stored(ada), here())
	d.must(err)
	code := d.box.last(t, accounts.MailVerifyAddress, "ada@unproven.example").Data[accounts.MailDataCode]
	_, err = d.verifications.Confirm(ctx, d.stored(ada), accounts.Evidence{ProofID: proofID, Code: code, Asker: here()})
	d.must(err)
	undo := tokenOf(t, d.changeAddress(d.stored(ada), "ada@new.example"), accounts.PathEmailUndo)
	d.must(d.addresses.Undo(ctx, undo))
	del := d.deletion()
	_, err = del.Plan(ctx, by, ada.Subject)
	d.must(err)
	d.must(del.Undo(ctx, by, ada.Subject))
	pictures := &accounts.Profiles{Journal: d.users.Journal, Users: d.db, Pictures: d.db}
	u := d.stored(ada)
	u.Profile.Picture = "https://elsewhere.example/ada.png"
	d.must(d.db.UpdateUser(ctx, u))
	d.must(pictures.RemovePicture(ctx, by, ada.Subject))
	got := d.told(append(append(recovery, recovery2...), key, key2, code, undo, password.Reveal()))
	want := map[string]string{
		"user.factor.add": " > kind name", "user.factor.rename": "name > name", "user.factor.remove": "kind name > ",
		"user.factors.reset": "factors > factors", "user.devices.forget": "devices > devices", "user.report": " > required_actions",
		"user.terms.accept": " > terms_version", "user.email.verify": " > email_verified",
		"user.delete.plan": " > delete_at", "user.delete.undo": "delete_at > ", "user.picture.remove": "picture > ",
		"user.email.change": "email > email", "user.email.undo": "email has_password > email",
	}
	for action, values := range want {
		if got[action] != values {
			t.Errorf("%s: %q, want %q", action, got[action], values)
		}
	}
	want["user.picture.change"] = "what RemovePicture tells, the other way round"
	return want
}

// changeEverything does what changes values, once each or in a way that shows more
// the last time.
func changeEverything(w *world, ada *accounts.User, hide func(secret.Text)) {
	ctx, by := w.t.Context(), operator()
	bob, err := w.users.Find(ctx, "bob")
	w.must(err)
	w.must(w.users.SetPassword(ctx, by, bob.Subject, hiddenPassword+"1"))
	bob, err = w.users.Find(ctx, "bob")
	w.must(err)
	w.pass(time.Second)
	w.must(w.users.ChangePassword(ctx, by, w.proof(bob), hiddenPassword+"2", [16]byte{1}))
	w.must(w.users.Amend(ctx, by, bob.Subject, func(_ *accounts.User, a *accounts.Amendment) error {
		a.Email, a.EmailVerified, a.Name = "bob@other.example", false, "Bob"
		return nil
	}))
	w.must((&accounts.Profiles{Journal: w.users.Journal, Users: w.db}).Change(ctx, by, bob.Subject,
		accounts.Person{Name: "Bob", Profile: accounts.Profile{GivenName: "Bob"}}))
	w.must(w.users.Require(ctx, by, bob.Subject, accounts.ActionChangePassword))
	for _, on := range []bool{true, false} {
		w.must(w.users.SetStaff(ctx, by, bob.Subject, on))
		w.must(w.users.SetSuperuser(ctx, by, bob.Subject, on))
	}
	w.must(w.users.SetSuperuser(ctx, by, bob.Subject, true))
	c, text, err := w.clients.Register(ctx, by, accounts.Registration{Name: "App", Type: accounts.WebClient, RedirectURIs: []string{"https://a.example/cb"}})
	w.must(err)
	hide(text)
	w.must(w.consents.Allow(ctx, by, bob, c, []string{"openid", "email"}, []string{"openid"}))
	w.must(w.consents.Allow(ctx, by, bob, c, []string{"email"}, []string{"email"}))
	w.must(w.consents.Disconnect(ctx, by, bob, c))
	w.must(w.users.Ban(ctx, by, bob.Subject))
	w.must(w.users.Unban(ctx, by, bob.Subject))
	w.must(w.users.Delete(ctx, by, ada.Subject))
	w.must(w.clients.Update(ctx, by, c.ClientID, func(c *accounts.Client) error {
		c.Name, c.RedirectURIs[0] = "Other", "https://b.example/cb" // in place
		return nil
	}))
	text, err = w.clients.RotateSecret(ctx, by, c.ClientID, 0)
	w.must(err)
	hide(text)
	w.must(w.clients.Disable(ctx, by, c.ClientID))
	w.must(w.clients.Enable(ctx, by, c.ClientID))
	w.must(w.clients.Compromised(ctx, by, c.ClientID))
	w.must(w.clients.Delete(ctx, by, c.ClientID))
	changeAPI(w, hide)
}

func changeAPI(w *world, hide func(secret.Text)) {
	ctx, by := w.t.Context(), operator()
	const audience = "https://posts.example"
	_, _, text, err := w.apis.Create(ctx, by, accounts.NewAPI{Audience: audience, Name: "Posts"})
	w.must(err)
	hide(text)
	name, life := "Posts API", int64(60_000)
	_, err = w.apis.Update(ctx, by, audience, accounts.APISettings{Name: &name, TokenLifetime: &life})
	w.must(err)
	w.must(w.apis.AddPermission(ctx, by, audience, accounts.NewPermission{Name: "posts:add", Description: "Can add post"}))
	w.must(w.apis.DescribePermission(ctx, by, audience, accounts.NewPermission{Name: "posts:add", Description: "Add"}))
	robot, text, err := w.clients.Register(ctx, by, accounts.Registration{
		Name: "Robot", Type: accounts.MachineClient,
	})
	w.must(err)
	hide(text)
	_, err = w.sets.Create(ctx, by, "Writers", "Write")
	w.must(err)
	w.must(w.sets.Describe(ctx, by, "Writers", "Write posts"))
	w.must(w.sets.Grant(ctx, by, "Writers", "posts:add"))
	w.must(w.sets.Assign(ctx, by, "Writers", robot.ClientID))
	w.must(w.sets.Unassign(ctx, by, "Writers", robot.ClientID))
	w.must(w.sets.Revoke(ctx, by, "Writers", "posts:add"))
	w.must(w.sets.Delete(ctx, by, "Writers"))
	changeGroup(w)
	w.must(w.apis.DeletePermission(ctx, by, audience, "posts:add"))
	w.must(w.apis.Disable(ctx, by, audience))
	w.must(w.apis.Enable(ctx, by, audience))
	w.must(w.apis.Delete(ctx, by, audience))
	for _, version := range []string{"1", "2"} {
		_, err = keeperIn(w).Change(ctx, by, map[string]string{"version": version, "url": "u"}, nil)
		w.must(err)
	}
}

func changeGroup(w *world) {
	ctx, by, groups := w.t.Context(), operator(), w.groups
	carl := w.user("carl")
	_, err := groups.Create(ctx, by, "Inner", "")
	w.must(err)
	_, err = groups.Create(ctx, by, "Outer", "Around it")
	w.must(err)
	w.must(groups.Describe(ctx, by, "Outer", "Around"))
	w.must(groups.GrantPermission(ctx, by, "Outer", "posts:add"))
	w.must(groups.AddMember(ctx, by, "Outer", carl.Subject, 0))
	w.must(groups.RemoveMember(ctx, by, "Outer", carl.Subject))
	_, err = groups.AddMembers(ctx, by, "Outer", []string{carl.Subject}, w.now().Add(time.Minute).UnixMilli())
	w.must(err)
	w.pass(time.Hour)
	_, err = (&accounts.MembershipEnds{Groups: groups, Log: slog.New(slog.DiscardHandler)}).Round(ctx)
	w.must(err)
	_, err = groups.AddMembers(ctx, by, "Outer", []string{carl.Subject}, 0)
	w.must(err)
	_, err = groups.RemoveMembers(ctx, by, "Outer", []string{carl.Subject})
	w.must(err)
	w.must(groups.AddChild(ctx, by, "Outer", "Inner"))
	w.must(groups.RemoveChild(ctx, by, "Outer", "Inner"))
	w.must(groups.AddManager(ctx, by, "Outer", carl.Subject))
	w.must(groups.RemoveManager(ctx, by, "Outer", carl.Subject))
	w.must(groups.RevokePermission(ctx, by, "Outer", "posts:add"))
	w.must(groups.SetSecondFactor(ctx, by, "Outer", true))
	w.must(groups.Delete(ctx, by, "Outer"))
}

func names(values map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(values)), " ")
}

// notOurs reports whether an action's values are tested beside its file.
func notOurs(action string) bool {
	subject, _, _ := strings.Cut(action, ".")
	return subject == "managed"
}

// everyAction: whoever adds an action says what it tells.
func everyAction(t *testing.T, tested map[string]string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	action := regexp.MustCompile(`"((?:user|client|api|session|consent|grant|group|token|ledger|permission_set|setting)\.[a-z_.]+)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range action.FindAllStringSubmatch(string(text), -1) {
			name := m[1]
			if name == "user.staff" || name == "user.superuser" { // flagEffect adds the rest
				name += ".grant"
			}
			if _, ok := tested[name]; !ok && plainEvents()[name] == "" {
				t.Errorf("%s: %s tells neither values nor, in plainEvents, why not", file, name)
			}
		}
	}
}
