package api_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// TestAttack_MassAssignment: what is not in a body's type cannot be set, in no
// spelling, and a partial update leaves alone what it does not name (attacks.md 230).
func TestAttack_MassAssignment(t *testing.T) {
	w := newWorld(t)
	victim := w.person("victim")
	token := w.operator("helpdesk", accounts.AdminUsersWrite, accounts.AdminUsersRead)
	before := w.call(w.rootKey, http.MethodGet, user(victim), nil).json
	for _, body := range []string{
		`{"superuser": true}`, `{"staff": true}`, `{"Superuser": true}`, `{"sub": "x"}`, `{"password_hash": "x"}`, `{"has_password": true}`,
		`{"banned_at": null}`, `{"required_actions": []}`, `{"delete_at": null}`, `{"id": "x"}`, `{"demo": true}`, `{"profile": {"picture": "https://x"}}`,
		`{"profile": {"sub": "x"}}`, `{"profile": {"address": {"formatted": "x"}}}`, `{"__proto__": {"superuser": true}}`, `{"$schema": "x", "name": "y"}`,
		`{"name": "a", "name": "b"}`, `{"name": "a", "Name": "b"}`, `{"name": "a"} {"name": "b"}`, `[]`, `null`, `"x"`, `{"name": 1}`, ``,
		`{"name": {"x": 1}}`, "{\"name\": \"\xff\"}", strings.Repeat(`{"profile":`, 40) + "1" + strings.Repeat("}", 40),
	} {
		a := w.call(token, http.MethodPatch, user(victim), body, "If-Match", "*")
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, a.status, a.raw)
		}
	}
	w.want(w.call(token, http.MethodPatch, user(victim), `{"name": "`+strings.Repeat("x", 70<<10)+`"}`, "If-Match", "*"), http.StatusRequestEntityTooLarge, "too-large")
	w.want(w.call(token, http.MethodPatch, user(victim), `name=x`, "If-Match", "*", "Content-Type", "application/x-www-form-urlencoded"), http.StatusUnsupportedMediaType, "media-type")
	w.want(w.call(token, http.MethodPatch, user(victim), `{"name": "x"}`, "If-Match", "*", "Content-Type", "text/plain"), http.StatusUnsupportedMediaType, "media-type")
	for _, body := range []string{`{"username": "x", "sub": "x"}`, `{"username": "x", "demo": true}`, `{"username": "x", "groups": ["group of helpdesk"]}`} {
		w.want(w.call(w.rootKey, http.MethodPost, "/users", body), http.StatusUnprocessableEntity, "invalid")
	}
	w.want(w.call(token, http.MethodGet, "/users?superuser=true&unknown=1", nil), http.StatusUnprocessableEntity, "invalid")
	if diff := cmp.Diff(before, w.call(w.rootKey, http.MethodGet, user(victim), nil).json); diff != "" {
		t.Errorf("something was changed: %s", diff)
	}
}

// TestAttack_LastSuperuser: nobody can lose the deployment its last superuser, not
// even that one (attacks.md 231).
func TestAttack_LastSuperuser(t *testing.T) {
	w := newWorld(t)
	for _, way := range []struct{ method, path string }{
		{http.MethodDelete, "/superuser"}, {http.MethodPost, "/ban"}, {http.MethodDelete, ""}, {http.MethodPut, "/deletion"},
	} {
		w.want(w.call(w.rootKey, way.method, user(w.root)+way.path, nil), http.StatusConflict, "last-superuser")
	}
	second := w.person("second")
	w.want(w.call(w.rootKey, http.MethodPut, user(second, "superuser"), nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodPost, user(second, "ban"), nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodDelete, user(w.root, "superuser"), nil), http.StatusConflict, "last-superuser")

	// Nor to others who cannot sign in: who leaves, and who has no way in.
	w.want(w.call(w.rootKey, http.MethodPost, user(second, "unban"), nil), http.StatusNoContent, "")
	w.want(w.call(w.rootKey, http.MethodPut, user(second, "deletion"), nil), http.StatusOK, "")
	w.want(w.call(w.rootKey, http.MethodDelete, user(w.root, "superuser"), nil), http.StatusConflict, "last-superuser")
	made := w.want(w.call(w.rootKey, http.MethodPost, "/users", `{"username": "ghost", "email": "ghost@example.com", "superuser": true}`), http.StatusCreated, "")
	w.want(w.call(w.rootKey, http.MethodDelete, user(w.root, "superuser"), nil), http.StatusConflict, "last-superuser")
	refused, err := w.admin.Prospects(t.Context(), &admin.Caller{Superuser: true}, admin.CrowdChange{Action: admin.CrowdBan}, []string{w.root.Subject})
	w.must(err)
	if !errors.Is(refused[0].Refused, accounts.ErrLastSuperuser) {
		t.Errorf("many at once: %v", refused[0].Refused)
	}
	ghost, err := w.db.UserBySubject(t.Context(), made.str("sub"))
	w.must(err)
	w.must(w.db.InsertPasskey(t.Context(), &accounts.Passkey{ID: id.New(), UserID: ghost.ID, CredentialID: []byte("key"), Credential: "{}", Name: "Key"}))
	w.want(w.call(w.rootKey, http.MethodDelete, user(w.root, "superuser"), nil), http.StatusNoContent, "")
}

// TestAttack_Superiors: nobody takes over, bans, deletes or edits somebody who holds
// what they do not (attacks.md 225, 226).
func TestAttack_Superiors(t *testing.T) {
	w := newWorld(t)
	users := []string{accounts.AdminUsersRead, accounts.AdminUsersWrite, accounts.AdminUsersCredentials, accounts.AdminSessionsWrite}
	helpdesk := w.operator("helpdesk", users...)
	machine := w.machine("helper", users...)
	author := w.person("author", "posts:add")
	keyholder := w.person("keyholder", accounts.AdminKeysWrite)
	equal := w.person("equal", users...)
	plain := w.person("plain")
	narrow := w.bearer(w.root, append([]string{"openid"}, users...)...)

	takeover := []struct{ method, path, body string }{
		{http.MethodPost, "/password", `{"password": "` + goodPassword + `"}`},
		{http.MethodPost, "/sign-in-link", ""},
		{http.MethodDelete, "/factors", ""},
		{http.MethodDelete, "/factors/AZBx3f2ycAC4xQmHq0bT3w", ""},
		{http.MethodPatch, "", `{"email": "mine@example.com", "email_verified": true}`},
		{http.MethodPatch, "", `{"username": "mine"}`},
		{http.MethodPatch, "", `{"profile": {"phone_number": "+4915112345678", "phone_number_verified": true}}`},
	}
	touch := []struct{ method, path, body string }{
		{http.MethodPost, "/ban", ""}, {http.MethodPost, "/unban", ""}, {http.MethodPatch, "", `{"name": "Fool"}`},
		{http.MethodPut, "/required-actions", `{"actions": ["change_password"]}`}, {http.MethodPost, "/sign-out", ""},
		{http.MethodPut, "/deletion", ""}, {http.MethodDelete, "/deletion", ""}, {http.MethodDelete, "", ""},
	}
	do := func(token string, u *accounts.User, way struct{ method, path, body string }) answer {
		var body any
		if way.body != "" {
			body = way.body
		}
		return w.call(token, way.method, user(u)+way.path, body, "If-Match", "*")
	}
	for name, token := range map[string]string{"person": helpdesk, "machine": machine, "superuser's narrow token": narrow} {
		for _, way := range append(slices.Clone(takeover), touch...) {
			for _, target := range []*accounts.User{w.root, keyholder} {
				if a := do(token, target, way); a.status != http.StatusForbidden || a.problem() != "superior" {
					t.Errorf("%s: %s %s of %s: %d %s", name, way.method, way.path, target.Username, a.status, a.raw)
				}
			}
		}
		for _, flag := range []string{"/staff", "/superuser"} {
			for _, method := range []string{http.MethodPut, http.MethodDelete} {
				w.want(w.call(token, method, user(plain)+flag, nil), http.StatusForbidden, "superuser-only")
			}
		}
		w.want(w.call(token, http.MethodPost, "/users", `{"username": "mine", "superuser": true}`), http.StatusForbidden, "superuser-only")
		w.want(w.call(token, http.MethodPost, "/users", `{"username": "mine", "staff": true}`), http.StatusForbidden, "superuser-only")
	}
	for _, token := range []string{helpdesk, machine} {
		for _, way := range takeover {
			if a := do(token, author, way); a.problem() != "superior" {
				t.Errorf("taking over an author: %s %s: %d %s", way.method, way.path, a.status, a.raw)
			}
		}
	}
	// Holding other things is no shield, and equals may.
	for _, target := range []*accounts.User{author, equal, plain} {
		for _, way := range touch[:5] {
			if a := do(helpdesk, target, way); a.status >= 400 {
				t.Errorf("%s %s of %s: %d %s", way.method, way.path, target.Username, a.status, a.raw)
			}
		}
	}
	for _, way := range takeover[:3] {
		if a := do(helpdesk, equal, way); a.status >= 400 {
			t.Errorf("%s %s of an equal: %d %s", way.method, way.path, a.status, a.raw)
		}
	}
	// Without the permission for credentials an address is not to be touched, nor does
	// a number count as proven.
	writer := w.operator("writer", accounts.AdminUsersWrite)
	for _, way := range takeover[4:] {
		if a := do(writer, plain, way); a.problem() != "forbidden" {
			t.Errorf("%s: %d %s", way.body, a.status, a.raw)
		}
	}
	w.want(w.call(writer, http.MethodPost, "/users", `{"username": "mine", "email": "victim@example.com", "email_verified": true}`), http.StatusForbidden, "forbidden")
	w.want(w.call(writer, http.MethodPost, "/users", `{"username": "mine", "profile": {"phone_number": "+4915112345678", "phone_number_verified": true}}`), http.StatusForbidden, "forbidden")
	w.want(w.call(writer, http.MethodPost, "/users", `{"username": "mine", "password": "`+goodPassword+`"}`), http.StatusForbidden, "forbidden")
	number := func(token, profile string) any {
		return at(w.want(w.call(token, http.MethodPatch, user(plain), `{"profile": `+profile+`}`, "If-Match", "*"), http.StatusOK, "").json, "profile", "phone_number_verified")
	}
	if number(writer, `{"phone_number": "+4915112345678"}`) != nil || number(helpdesk, `{"phone_number_verified": true}`) != true ||
		number(writer, `{"nickname": "P"}`) != true || number(writer, `{"phone_number": "+4915187654321"}`) != nil {
		t.Error("a number that was changed counts as proven, or one that stayed does not")
	}
	number(helpdesk, `{"phone_number_verified": true}`)
	w.want(w.call(writer, http.MethodPatch, user(plain), `{"profile": {"phone_number": "+4915100000000", "phone_number_verified": true}}`, "If-Match", "*"), http.StatusForbidden, "forbidden")
	if number(writer, `{"phone_number_verified": false}`) != nil {
		t.Error("the proof cannot be taken back")
	}
}

// TestAttack_HeldNow: what a caller holds is read for each request; the token is no
// proof of it (attacks.md 225).
func TestAttack_HeldNow(t *testing.T) {
	w := newWorld(t)
	u := w.person("helper", accounts.AdminUsersRead)
	token := w.bearer(u)
	w.want(w.call(token, http.MethodGet, "/users", nil), http.StatusOK, "")
	// Past the domain, so that no row of the ledger ends the token.
	group, err := w.db.GroupByName(t.Context(), "group of helper")
	w.must(err)
	held, err := w.db.PermissionsByName(t.Context(), []string{accounts.AdminUsersRead})
	w.must(err)
	_, err = w.db.RevokePermission(t.Context(), group.ID, held[accounts.AdminUsersRead].ID)
	w.must(err)
	w.want(w.call(token, http.MethodGet, "/users", nil), http.StatusForbidden, "forbidden")
}

// TestAttack_SecretsAreShownOnce: no list and no object tells a secret (attacks.md 228).
func TestAttack_SecretsAreShownOnce(t *testing.T) {
	w := newWorld(t)
	made := w.want(w.call(w.rootKey, http.MethodPost, "/users", map[string]string{"username": "ada", "password": goodPassword}), http.StatusCreated, "")
	u, err := w.db.UserBySubject(t.Context(), made.str("sub"))
	w.must(err)
	secrets := []string{goodPassword, u.PasswordHash, w.app.secret, "mac:"}
	c, _, err := w.db.ClientByID(t.Context(), w.app.ClientID, 0)
	w.must(err)
	for _, s := range c.Secrets {
		secrets = append(secrets, s.Hash)
	}
	asked := 0
	for _, rt := range w.routes() {
		if rt.method != http.MethodGet {
			continue
		}
		path := strings.NewReplacer("{user}", u.Subject, "{client}", w.app.ClientID, "{group}", "none").Replace(rt.path)
		a := w.call(w.rootKey, http.MethodGet, path, nil)
		if a.status == http.StatusOK {
			asked++
		}
		for _, s := range secrets {
			if strings.Contains(a.raw, s) {
				t.Errorf("%s tells %q: %s", rt.path, s, a.raw)
			}
		}
	}
	if asked < 10 {
		t.Errorf("only %d routes answered", asked)
	}
}

// TestStandings: what somebody holds includes what their groups are inside of, and
// nothing whose time has ended; a machine holds its sets too.
func TestStandings(t *testing.T) {
	w := newWorld(t)
	ctx, groups := t.Context(), w.admin.Groups
	w.person("author", "posts:add")
	_, err := groups.Create(ctx, tester, "interns", "")
	w.must(err)
	w.must(groups.AddChild(ctx, tester, "group of author", "interns"))
	u := w.person("intern", accounts.AdminUsersRead)
	w.must(groups.AddMember(ctx, tester, "interns", u.Subject, w.now().Add(time.Hour).UnixMilli()))
	held := func(at time.Time) []string {
		s, err := w.db.PersonStanding(ctx, u.Subject, at.UnixMilli())
		w.must(err)
		slices.Sort(s.Held)
		return s.Held
	}
	if diff := cmp.Diff([]string{accounts.AdminUsersRead, "posts:add"}, held(w.now())); diff != "" {
		t.Errorf("now: %s", diff)
	}
	if diff := cmp.Diff([]string{accounts.AdminUsersRead}, held(w.now().Add(2*time.Hour))); diff != "" {
		t.Errorf("later: %s", diff)
	}
	c := w.register(accounts.Registration{Name: "Machine", Type: accounts.MachineClient, Permissions: []string{accounts.AdminAuditRead}})
	_, err = w.admin.Sets.Create(ctx, tester, "readers", "")
	w.must(err)
	w.must(w.admin.Sets.Grant(ctx, tester, "readers", accounts.AdminUsersRead))
	w.must(w.admin.Sets.Assign(ctx, tester, "readers", c.ClientID))
	s, err := w.db.MachineStanding(ctx, c.ClientID)
	w.must(err)
	slices.Sort(s.Held)
	if diff := cmp.Diff([]string{accounts.AdminAuditRead, accounts.AdminUsersRead}, s.Held); diff != "" || !s.Active {
		t.Errorf("machine: %s", diff)
	}
	w.want(w.call(w.machineToken(c, accounts.AdminUsersRead), http.MethodGet, "/users", nil), http.StatusOK, "")
}
