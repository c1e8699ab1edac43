package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// unlimited lets everything pass.
type unlimited struct{}

func (unlimited) Spend(context.Context, string, int, time.Duration, int) (time.Duration, error) {
	return 0, nil
}

// invited is an invitation into a group, made with a token; accept takes it.
func (w *world) invited(token, email, group string) (accept func(username string) (*accounts.Entry, error)) {
	w.Helper()
	body := map[string]any{"email": email, "show_link": true}
	if group != "" {
		body["groups"] = []string{group}
	}
	link, err := url.Parse(w.want(w.call(token, http.MethodPost, "/invitations", body), http.StatusCreated, "").str("link"))
	w.must(err)
	return func(username string) (*accounts.Entry, error) {
		proof := link.Query().Get("token")
		entry, err := w.admin.Invites.Accept(w.Context(), proof, accounts.Invited{
			Username: username, Password: goodPassword, Asker: accounts.Asker{Address: "192.0.2.1"},
		})
		if _, looked := w.admin.Invites.Look(w.Context(), proof); err != nil && !errors.Is(looked, err) {
			w.Errorf("the page says %v, and then %v", looked, err)
		}
		return entry, err
	}
}

// TestAttack_InvitationOutlivesRights: an invitation gives nothing that whoever sent it
// could not give at the moment when it is accepted (attacks.md 225).
func TestAttack_InvitationOutlivesRights(t *testing.T) {
	w := newWorld(t)
	w.admin.Invites.Limiter = unlimited{}
	ctx, groups := t.Context(), w.admin.Groups
	rights := []string{accounts.AdminUsersWrite, accounts.AdminUsersCredentials, accounts.AdminGroupsWrite, accounts.AdminKeysWrite}
	n := 0
	for name, tc := range map[string]struct {
		group string
		lose  func(u *accounts.User, group string) error
		good  bool
	}{
		"nothing": {good: true, lose: func(*accounts.User, string) error { return nil }},
		"deleted": {lose: func(u *accounts.User, _ string) error { return w.admin.Users.Delete(ctx, tester, u.Subject) }},
		"banned":  {lose: func(u *accounts.User, _ string) error { return w.admin.Users.Ban(ctx, tester, u.Subject) }},
		"leaving": {lose: func(u *accounts.User, _ string) error {
			_, err := w.admin.Deletion.Plan(ctx, tester, u.Subject)
			return err
		}},
		"may not give it": {lose: func(u *accounts.User, _ string) error {
			return groups.RevokePermission(ctx, tester, "group of "+u.Username, accounts.AdminKeysWrite)
		}},
		"may not invite": {lose: func(u *accounts.User, _ string) error {
			return groups.RevokePermission(ctx, tester, "group of "+u.Username, accounts.AdminUsersWrite)
		}},
		"the group gained": {lose: func(_ *accounts.User, group string) error {
			return groups.GrantPermission(ctx, tester, group, accounts.AdminSettingsWrite)
		}},
		"the group is inside another": {lose: func(_ *accounts.User, group string) error {
			_, err := groups.Create(ctx, tester, "around "+group, "")
			return errors.Join(err, groups.GrantPermission(ctx, tester, "around "+group, "posts:add"), groups.AddChild(ctx, tester, "around "+group, group))
		}},
		"the group gained what they hold": {good: true, lose: func(_ *accounts.User, group string) error {
			return groups.GrantPermission(ctx, tester, group, accounts.AdminUsersWrite)
		}},
		"no group, deleted": {group: "none", lose: func(u *accounts.User, _ string) error { return w.admin.Users.Delete(ctx, tester, u.Subject) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.within(t)
			n++
			crook, group := w.person(fmt.Sprint("crook", n), rights...), ""
			if tc.group == "" {
				group = fmt.Sprint("keyholders", n)
				_, err := groups.Create(ctx, tester, group, "")
				w.must(err)
				w.must(groups.GrantPermission(ctx, tester, group, accounts.AdminKeysWrite))
			}
			accept := w.invited(w.bearer(crook), fmt.Sprintf("new%d@example.com", n), group)
			w.must(tc.lose(crook, group))
			entry, err := accept(fmt.Sprint("new", n))
			switch {
			case tc.good:
				w.must(err)
				s, err := w.db.PersonStanding(ctx, entry.User.Subject, w.now().UnixMilli())
				w.must(err)
				if len(s.Held) == 0 {
					t.Error("the new account holds nothing")
				}
			case !errors.Is(err, accounts.ErrProofVoid):
				t.Errorf("accepted, %v", err)
			default:
				if _, _, err := w.db.UserByLogin(ctx, fmt.Sprint("new", n)); !errors.Is(err, accounts.ErrNotFound) {
					t.Errorf("there is an account: %v", err)
				}
			}
		})
	}

	// A superuser's narrow token gives what it allows, not what its owner holds; a
	// machine is asked for as well.
	_, err := groups.Create(ctx, tester, "Clerks", "")
	w.must(err)
	narrow := []string{accounts.AdminUsersWrite, accounts.AdminUsersCredentials, accounts.AdminGroupsWrite}
	machine := w.register(accounts.Registration{Name: "Inviter", Type: accounts.MachineClient, Permissions: narrow})
	byToken := w.invited(w.bearer(w.root, append([]string{"openid"}, narrow...)...), "a@example.com", "Clerks")
	byMachine := w.invited(w.machineToken(machine, narrow...), "b@example.com", "Clerks")
	other := w.invited(w.machineToken(machine, narrow...), "c@example.com", "Clerks")
	if entry, err := byMachine("beth"); err != nil || entry.User.Username != "beth" {
		t.Errorf("by a machine that may: %v", err)
	}
	w.must(w.admin.Clients.Disable(ctx, tester, machine.ClientID))
	w.must(groups.GrantPermission(ctx, tester, "Clerks", accounts.AdminKeysWrite))
	for name, accept := range map[string]func(string) (*accounts.Entry, error){"narrow token": byToken, "disabled machine": other} {
		if _, err := accept("somebody"); !errors.Is(err, accounts.ErrProofVoid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(1, len(w.every(w.bearer(w.root), "/groups/clerks/members", "sub"))); diff != "" {
		t.Errorf("members: %s", diff)
	}
}
