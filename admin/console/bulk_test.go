package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestBulk: people are ticked, what will happen to whom is shown, and then it is done
// with those with whom it can be.
func TestBulk(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	ctx := t.Context()
	rootUser := o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true})
	root := o.clerk(rootUser)
	ada, bob := o.person(accounts.NewUser{Username: "ada"}), o.person(accounts.NewUser{Username: "bob"})
	o.group("Editors", "posts:add")
	subs := func(users ...*accounts.User) url.Values {
		v := url.Values{}
		for _, u := range users {
			v.Add("person", u.Subject)
		}
		return v
	}
	ask := func(action string, people url.Values) *sheet {
		t.Helper()
		people.Set("do", action)
		page := root.get("users")
		if page.boxes()["Choose ada"] == nil {
			t.Fatal("ada cannot be ticked")
		}
		return root.post(page, "step=plan", people)
	}
	ask("ban", url.Values{}).sees(http.StatusOK, "Tick somebody in the list first.")
	plan := ask("ban", subs(ada, bob, rootUser)).sees(
		http.StatusOK, "Ban", "every session and token of theirs ends", "ada will be done", "bob will be done", "root superuser staff not done That is you.", "Do it with these 2 people")
	if u, err := o.admin.Users.Store.UserBySubject(ctx, ada.Subject); err != nil || !u.Active() {
		t.Fatalf("banned already: %v", err)
	}
	// Somebody else bans one of them meanwhile.
	o.must(o.admin.Users.Ban(ctx, officeActor, bob.Subject))
	root.post(plan, "step=do", url.Values{"note": {"sold the keys"}}).sees(http.StatusOK, "Done with 1 of 2.", "ada done", "bob not done That is so already.")
	if diff := cmp.Diff([]string{bob.Subject, ada.Subject}, o.rows(revocation.User)); diff != "" {
		t.Error(diff)
	}
	found, err := o.admin.Audit.Search(ctx, auditlog.Query{Action: "user.ban"}, id.ID{}, 10)
	o.must(err)
	if len(found.Entries) != 2 || found.Entries[0].Details["note"] != "sold the keys" || found.Entries[1].Details["note"] != nil {
		t.Errorf("events: %+v", found.Entries)
	}

	plan = ask("unban", subs(ada, bob)).sees(http.StatusOK, "Do it with these 2 people")
	root.post(plan, "step=do", nil).sees(http.StatusOK, "Done with all 2.")
	plan = ask("sign_out", subs(ada)).sees(http.StatusOK, "Do it with this one person")
	root.post(plan, "step=do", nil).sees(http.StatusOK, "Done with one person.")

	o.must(o.admin.Users.Require(ctx, officeActor, bob.Subject, accounts.ActionVerifyEmail))
	root.post(ask("change_password", subs(bob)), "step=do", nil).sees(http.StatusOK, "Done with one person.")
	u, err := o.admin.Users.Store.UserBySubject(ctx, bob.Subject)
	o.must(err)
	if !slices.Equal(u.RequiredActions, []accounts.Action{accounts.ActionVerifyEmail, accounts.ActionChangePassword}) {
		t.Errorf("asked of bob: %v", u.RequiredActions)
	}

	t.Run("groups", func(t *testing.T) {
		where := ask("join", subs(ada, bob)).sees(http.StatusOK, "For 2 people.", "Name of the group")
		root.post(where, "step=plan", url.Values{"group": {"Nobody"}}).sees(http.StatusOK, "There is no such thing", "Name of the group")
		root.post(where, "step=plan", url.Values{"group": {"Editors"}, "until": {"2001-01-01"}}).sees(http.StatusOK, "ended already", "Name of the group")
		plan := root.post(where, "step=plan", url.Values{"group": {"Editors"}}).sees(http.StatusOK, "Do it with these 2 people")
		root.post(plan, "step=do", nil).sees(http.StatusOK, "Done with all 2.", "Editors")
		root.post(plan, "step=do", nil).sees(http.StatusOK, "Done with 0 of 2.", "That is so already.")
		plan = root.post(ask("leave", subs(ada)), "step=plan", url.Values{"group": {"Editors"}})
		root.post(plan, "step=do", nil).sees(http.StatusOK, "Done with one person.")
		if n := o.readGroup("Editors").Members; n != 1 {
			t.Errorf("%d members", n)
		}
	})
	t.Run("a fault of ours", func(t *testing.T) {
		carl := o.person(accounts.NewUser{Username: "carl"})
		for _, u := range []*accounts.User{ada, bob, carl} {
			o.must(o.admin.Users.Ban(ctx, officeActor, u.Subject))
		}
		plan := ask("unban", subs(ada, bob, carl)).sees(http.StatusOK, "Do it with these 3 people")
		left := 1
		o.admin.Users.Signals = signals(func() error {
			if left--; left < 0 {
				return errors.New("no disk")
			}
			return nil
		})
		root.post(plan, "step=do", nil).sees(http.StatusInternalServerError, "Done with 1 of 3.", "ada done", "bob not done Something went wrong on our side", "carl not done Something went wrong", "!no disk")
		o.admin.Users.Signals = nil
		root.post(plan, "step=do", nil).sees(http.StatusOK, "Done with 2 of 3.", "ada not done That is so already.")
	})
	t.Run("odd forms", func(t *testing.T) {
		many := url.Values{}
		for i := range 55 {
			many.Add("person", fmt.Sprint("nobody", i))
		}
		ask("ban", many).sees(http.StatusOK, "at most 50 people at once")
		ask("ban", url.Values{"person": {"nobody", strings.Repeat("x", 3000)}}).sees(http.StatusOK, "not done There is no such thing", "!Do it with")
		ask("crown", subs(ada)).sees(http.StatusBadRequest)
		ask("ban", url.Values{"person": {ada.Subject}, "step": {"other"}}).sees(http.StatusBadRequest)
		ask("join", url.Values{"person": {ada.Subject}, "step": {"do"}}).sees(http.StatusOK, "There is no such thing")
		ask("ban", url.Values{"person": {ada.Subject}, "step": {"do"}, "note": {strings.Repeat("x", 501)}}).sees(http.StatusOK, "Done with 0 of 1.", "1 to 500 characters")
	})
}

// signals is an accounts.SignalWriter.
type signals func() error

func (f signals) WriteSignal(context.Context, accounts.Signal) error { return f() }

// TestBulkAuthority: at many people at once nobody may do more than at one.
func TestBulkAuthority(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true})
	keeper := o.person(accounts.NewUser{Username: "keeper"}, accounts.AdminKeysWrite)
	author := o.person(accounts.NewUser{Username: "author"}, "posts:add")
	clerkUser := o.person(accounts.NewUser{Username: "clerk", Staff: true}, accounts.AdminUsersRead, accounts.AdminUsersWrite, accounts.AdminGroupsRead, accounts.AdminGroupsWrite)
	clerk := o.clerk(clerkUser)
	reader := o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminUsersRead))
	everybody := []string{root.Subject, keeper.Subject, author.Subject}

	page := clerk.get("users").sees(http.StatusOK, "Ban", "Add to a group", "!Sign out everywhere")
	plan := clerk.post(page, "step=plan", url.Values{"do": {"ban"}, "person": everybody})
	plan.sees(http.StatusOK, "root superuser staff not done This account or app holds more", "keeper not done This account or app holds more", "author will be done")
	clerk.post(plan, "step=do", url.Values{"person": everybody}).sees(http.StatusOK, "Done with 1 of 3.", "author done")
	if diff := cmp.Diff([]string{author.Subject}, o.rows(revocation.User)); diff != "" {
		t.Error(diff)
	}
	// They do not hold what the group gives.
	o.group("Editors", "posts:add")
	clerk.post(page, "step=plan", url.Values{"do": {"join"}, "group": {"Editors"}, "person": everybody}).sees(http.StatusOK, "That would give more than you hold yourself.", "!Do it with")
	clerk.post(page, "step=plan", url.Values{"do": {"join"}, "group": {"Editors"}, "person": everybody, "step": {"do"}}).sees(http.StatusOK, "Done with 0 of 3.")
	if n := o.readGroup("Editors").Members; n != 0 {
		t.Errorf("%d members", n)
	}
	// But a manager of the group adds and removes people all the same.
	o.must(o.admin.Groups.AddManager(t.Context(), officeActor, "Editors", clerkUser.Subject))
	plan = clerk.post(page, "step=plan", url.Values{"do": {"join"}, "group": {"Editors"}, "person": everybody}).sees(http.StatusOK, "Do it with these 3 people")
	clerk.post(plan, "step=do", nil).sees(http.StatusOK, "Done with all 3.")
	clerk.post(page, "step=plan", url.Values{"do": {"sign_out"}, "person": everybody, "step": {"do"}}).sees(http.StatusOK, "You need the permission admin:sessions:write")

	if shown := reader.get("users").sees(http.StatusOK, "author", "!Go on", "!Choose"); len(shown.boxes()) != 0 {
		t.Error("a reader has boxes")
	}
	target, form := page.form("step=plan")
	form.Set("do", "ban")
	form.Set("person", author.Subject)
	if got := reader.send(http.MethodPost, target, form); got.status != http.StatusForbidden {
		t.Errorf("a reader with somebody else's form: status %d", got.status)
	}
}
