package api_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin/api"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// TestUsers goes the way of one account from its making to its end.
func TestUsers(t *testing.T) {
	w := newWorld(t)
	made := w.want(w.call(w.rootKey, http.MethodPost, "/users", map[string]any{
		"username": "Ada", "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace",
		"password": goodPassword, "profile": map[string]any{"given_name": "Ada", "locale": "en-GB"},
	}), http.StatusCreated, "")
	if strings.Contains(made.raw, goodPassword) || strings.Contains(made.raw, "argon2") || made.json["has_password"] != true {
		t.Errorf("the answer is %s", made.raw)
	}
	path := made.header.Get("Location")
	if path != api.Base+"/users/"+made.str("sub") || made.str("self") != path {
		t.Errorf("Location %q, self %q", path, made.str("self"))
	}

	read := w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusOK, "")
	tag := read.header.Get("ETag")
	if diff := cmp.Diff(made.json, read.json); diff != "" || tag == "" || tag != made.header.Get("ETag") {
		t.Errorf("read is another than made: %s, tags %s and %s", diff, tag, made.header.Get("ETag"))
	}
	same := w.want(w.call(w.rootKey, http.MethodGet, path, nil, "If-None-Match", `"x", W/`+tag), http.StatusNotModified, "")
	if same.raw != "" || same.header.Get("ETag") != tag {
		t.Errorf("304 with %q and ETag %q", same.raw, same.header.Get("ETag"))
	}

	t.Run("patch", func(t *testing.T) {
		w := w.within(t)
		w.want(w.call(w.rootKey, http.MethodPatch, path, `{"name": "X"}`), http.StatusPreconditionRequired, "if-match-missing")
		w.want(w.call(w.rootKey, http.MethodPatch, path, `{"name": "X"}`, "If-Match", `"x"`), http.StatusPreconditionFailed, "changed")
		changed := w.want(w.call(w.rootKey, http.MethodPatch, path,
			`{"name": "Ada King", "profile": {"locale": null, "family_name": "King", "address": {"country": "UK"}}}`,
			"If-Match", tag, "Content-Type", "application/merge-patch+json"), http.StatusOK, "")
		want := map[string]any{"given_name": "Ada", "family_name": "King", "address": map[string]any{"country": "UK", "formatted": "UK"}}
		if diff := cmp.Diff(want, changed.json["profile"]); diff != "" || changed.str("name") != "Ada King" || changed.json["email_verified"] != true {
			t.Errorf("profile: %s\n%s", diff, changed.raw)
		}
		w.want(w.call(w.rootKey, http.MethodPatch, path, `{"name": "Y"}`, "If-Match", tag), http.StatusPreconditionFailed, "changed")
		moved := w.want(w.call(w.rootKey, http.MethodPatch, path, `{"email": "ada@example.org"}`, "If-Match", "*"), http.StatusOK, "")
		if moved.str("email") != "ada@example.org" || moved.json["email_verified"] != false {
			t.Errorf("a new address is not proven: %s", moved.raw)
		}
		gone := w.want(w.call(w.rootKey, http.MethodPatch, path, `{"email": null, "profile": null}`, "If-Match", "*"), http.StatusOK, "")
		if gone.str("email") != "" || len(gone.json["profile"].(map[string]any)) != 0 {
			t.Errorf("null takes away: %s", gone.raw)
		}
		w.want(w.call(w.rootKey, http.MethodPatch, path, `{"username": null}`, "If-Match", "*"), http.StatusUnprocessableEntity, "invalid")
		taken := w.person("grace")
		w.want(w.call(w.rootKey, http.MethodPatch, user(taken), `{"username": "ADA"}`, "If-Match", "*"), http.StatusConflict, "conflict")
		bad := w.want(w.call(w.rootKey, http.MethodPatch, path, `{"profile": {"zoneinfo": "Mars/Olympus"}}`, "If-Match", "*"), http.StatusUnprocessableEntity, "invalid")
		if !strings.Contains(bad.raw, `"pointer":"#/profile/zoneinfo"`) {
			t.Errorf("no pointer: %s", bad.raw)
		}
	})

	t.Run("states", func(t *testing.T) {
		w := w.within(t)
		for _, step := range []struct{ method, path, member string }{
			{http.MethodPost, "/ban", "banned_at"}, {http.MethodPost, "/unban", ""},
			{http.MethodPut, "/staff", "staff"}, {http.MethodDelete, "/staff", ""},
			{http.MethodPut, "/superuser", "superuser"}, {http.MethodDelete, "/superuser", ""},
			{http.MethodPost, "/sign-out", ""},
		} {
			a := w.want(w.call(w.rootKey, step.method, path+step.path, nil), http.StatusNoContent, "")
			if a.raw != "" {
				t.Errorf("%s answers %q", step.path, a.raw)
			}
			now := w.call(w.rootKey, http.MethodGet, path, nil)
			for _, member := range []string{"banned_at", "staff", "superuser"} {
				if is := now.json[member] != nil && now.json[member] != false; is != (member == step.member) {
					t.Errorf("after %s %s: %s is %v", step.method, step.path, member, now.json[member])
				}
			}
		}
		w.want(w.call(w.rootKey, http.MethodPut, path+"/required-actions", `{"actions": ["enrol_factor", "change_password"]}`), http.StatusNoContent, "")
		w.want(w.call(w.rootKey, http.MethodPut, path+"/required-actions", `{"actions": ["dance"]}`), http.StatusUnprocessableEntity, "invalid")
		if now := w.call(w.rootKey, http.MethodGet, path, nil); cmp.Diff([]any{"change_password", "enrol_factor"}, now.json["required_actions"]) != "" {
			t.Errorf("required: %v", now.json["required_actions"])
		}
		planned := w.want(w.call(w.rootKey, http.MethodPut, path+"/deletion", nil), http.StatusOK, "")
		if planned.str("delete_at") == "" {
			t.Errorf("planned: %s", planned.raw)
		}
		w.want(w.call(w.rootKey, http.MethodPut, path+"/deletion", nil), http.StatusConflict, "not-possible")
		w.want(w.call(w.rootKey, http.MethodDelete, path+"/deletion", nil), http.StatusNoContent, "")
		w.want(w.call(w.rootKey, http.MethodDelete, path+"/deletion", nil), http.StatusNotFound, "not-found")
	})

	t.Run("credentials", func(t *testing.T) {
		w := w.within(t)
		weak := w.want(w.call(w.rootKey, http.MethodPost, path+"/password", `{"password": "aaaaaaaaaaaaaaaa"}`), http.StatusUnprocessableEntity, "invalid")
		if !strings.Contains(weak.raw, `"pointer":"#/password"`) || strings.Contains(weak.raw, "aaaa") {
			t.Errorf("weak password: %s", weak.raw)
		}
		w.want(w.call(w.rootKey, http.MethodPost, path+"/password", map[string]string{"password": "seven amber ladders whisper 4"}), http.StatusNoContent, "")
		link := w.want(w.call(w.rootKey, http.MethodPost, path+"/sign-in-link", nil), http.StatusCreated, "")
		if !strings.HasPrefix(link.str("link"), issuer+accounts.PathMailCode) || link.str("expires_at") == "" {
			t.Errorf("link: %s", link.raw)
		}
		factors := w.want(w.call(w.rootKey, http.MethodGet, path+"/factors", nil), http.StatusOK, "")
		if len(factors.items()) != 0 || !strings.Contains(factors.raw, `"items":[]`) {
			t.Errorf("factors: %s", factors.raw)
		}
		w.want(w.call(w.rootKey, http.MethodDelete, path+"/factors/"+made.str("sub"), nil), http.StatusNotFound, "not-found")
		w.want(w.call(w.rootKey, http.MethodDelete, path+"/factors", nil), http.StatusNoContent, "")
		for _, secret := range []string{link.str("link"), "seven amber"} {
			if strings.Contains(w.log.String(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})

	w.want(w.call(w.rootKey, http.MethodDelete, path, nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusNotFound, "not-found")

	// Each change was written down with who made it, and reading was noted in the log.
	events := map[string]int{}
	rows, err := w.db.AuditTail(t.Context(), 100)
	w.must(err)
	for _, e := range rows {
		if e.TargetID == made.str("sub") {
			events[e.Action]++
			if e.Actor.ID != w.root.Subject || e.Actor.Kind != audit.Person || e.Actor.Name != "root" {
				t.Errorf("%s was done by %+v", e.Action, e.Actor)
			}
		}
	}
	for _, action := range []string{
		"user.create", "user.update", "user.ban", "user.unban", "user.staff.grant", "user.staff.revoke", "user.superuser.grant",
		"user.superuser.revoke", "user.sign_out_everywhere", "user.require", "user.password.reset", "user.sign_in_link.make", "user.delete",
	} {
		if events[action] == 0 {
			t.Errorf("no event %s among %v", action, events)
		}
	}
	if !strings.Contains(w.log.String(), `"msg":"administrator reads personal data","what":"account","sub":"`+made.str("sub")+`"`) {
		t.Error("reading was not noted")
	}
}

// TestUserClaims: what a patch may not say of somebody, an account cannot be made with.
func TestUserClaims(t *testing.T) {
	w := newWorld(t)
	plain := w.person("plain")
	for member, value := range map[string]string{
		"website": "javascript:alert(1)", "profile": "data:text/html,x", "birthdate": "nonsense", "zoneinfo": "../../etc",
		"locale": strings.Repeat("x", 5000), "phone_number": "abc", "nickname": "a\u202eb", "gender": strings.Repeat("x", 51),
	} {
		body := map[string]any{"profile": map[string]string{member: value}}
		patched := w.want(w.call(w.rootKey, http.MethodPatch, user(plain), body, "If-Match", "*"), http.StatusUnprocessableEntity, "invalid")
		body["username"] = "new"
		made := w.want(w.call(w.rootKey, http.MethodPost, "/users", body), http.StatusUnprocessableEntity, "invalid")
		if diff := cmp.Diff(patched.json["errors"], made.json["errors"]); diff != "" || !strings.Contains(made.raw, "#/profile/"+member) {
			t.Errorf("%s: %s\n%s", member, made.raw, diff)
		}
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "new", "profile": {"phone_number_verified": true}}`), http.StatusUnprocessableEntity, "invalid")
	made := w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "new", "profile": {"website": "example.org", "locale": "de_at"}}`), http.StatusCreated, "")
	if diff := cmp.Diff(map[string]any{"website": "https://example.org", "locale": "de-AT"}, made.json["profile"]); diff != "" {
		t.Errorf("kept in another form than a patch keeps it: %s", diff)
	}
}

// TestOddSubjects: an imported sub may hold what has a meaning in a path.
func TestOddSubjects(t *testing.T) {
	w := newWorld(t)
	for _, subject := range []string{"a/b", "~tilde", "..", "auth0|17", "a%2Fb", "x;y", "plain-._~"} {
		u, err := w.admin.Users.Create(t.Context(), tester, accounts.NewUser{Username: "u" + subject, Subject: subject})
		w.must(err)
		found := w.call(w.rootKey, http.MethodGet, "/users?search="+strings.NewReplacer("/", "%2F", "|", "%7C", "%", "%25", ";", "%3B").Replace(u.Subject), nil)
		if len(found.items()) == 0 {
			t.Fatalf("%q is not found: %s", subject, found.raw)
		}
		self, _ := found.items()[0]["self"].(string)
		if got := w.call(w.rootKey, http.MethodGet, self, nil); got.str("sub") != subject {
			t.Errorf("%q at %s is %d %s", subject, self, got.status, got.raw)
		}
	}
	// One name has one address.
	w.want(w.call(w.rootKey, http.MethodGet, "/users/~"+"cGxhaW4tLl9-", nil), http.StatusNotFound, "not-found")
}

// TestInvitations: the link is for who may handle credentials, the groups for who
// holds what they hold.
func TestInvitations(t *testing.T) {
	w := newWorld(t)
	w.person("author", "posts:add")
	writer := w.operator("writer", accounts.AdminUsersWrite)
	a := w.want(w.call(writer, http.MethodPost, "/invitations", `{"email": "new@example.com", "language": "de"}`), http.StatusCreated, "")
	if a.raw != "{}\n" || len(w.mails) != 1 || w.mails[0].Kind != accounts.MailInvitation {
		t.Errorf("answered %q, mails %v", a.raw, w.mails)
	}
	w.want(w.call(writer, http.MethodPost, "/invitations", `{"email": "a@example.com", "show_link": true}`), http.StatusForbidden, "forbidden")
	w.want(w.call(writer, http.MethodPost, "/invitations", `{"email": "a@example.com", "groups": ["group of author"]}`), http.StatusForbidden, "forbidden")
	grouper := w.operator("grouper", accounts.AdminUsersWrite, accounts.AdminGroupsWrite)
	w.want(w.call(grouper, http.MethodPost, "/invitations", `{"email": "a@example.com", "groups": ["group of author"]}`), http.StatusForbidden, "more-than-held")
	w.want(w.call(w.rootKey, http.MethodPost, "/invitations", `{"email": "a@example.com", "groups": ["nobody"]}`), http.StatusNotFound, "not-found")
	link := w.want(w.call(w.rootKey, http.MethodPost, "/invitations", `{"email": "a@example.com", "groups": ["group of author"], "show_link": true}`), http.StatusCreated, "")
	if !strings.HasPrefix(link.str("link"), issuer+accounts.PathInvitation) {
		t.Errorf("link: %s", link.raw)
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/invitations", `{"email": "author@example.com"}`), http.StatusConflict, "conflict")

	if diff := cmp.Diff([]string{"a@example.com", "new@example.com"}, w.every(w.rootKey, "/invitations?limit=1", "email")); diff != "" {
		t.Errorf("open invitations: %s", diff)
	}
	list := w.want(w.call(w.rootKey, http.MethodGet, "/invitations", nil), http.StatusOK, "")
	open := list.items()[0]
	if cmp.Diff([]any{"group of author"}, open["groups"]) != "" || open["inviter_id"] != w.root.Subject || open["expires_at"] == nil || strings.Contains(list.raw, "token=") {
		t.Errorf("open: %s", list.raw)
	}
	self, _ := open["self"].(string)
	w.want(w.call(writer, http.MethodDelete, self, nil), http.StatusNoContent, "")
	w.want(w.call(writer, http.MethodDelete, self, nil), http.StatusNotFound, "not-found")
	w.want(w.call(writer, http.MethodDelete, "/invitations/nonsense", nil), http.StatusNotFound, "not-found")
	address, err := url.Parse(link.str("link"))
	w.must(err)
	if _, err := w.admin.Invites.Look(t.Context(), address.Query().Get("token")); !errors.Is(err, accounts.ErrProofVoid) {
		t.Errorf("a withdrawn link: %v", err)
	}
	w.want(w.call(w.rootKey, http.MethodPost, "/invitations", `{"email": "a@example.com"}`), http.StatusCreated, "")
}
