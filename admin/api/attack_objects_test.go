package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// try is one request and the problem that must answer it, or none.
type try struct {
	method, path string
	body         any
	problem      string
}

func (w *world) tries(who, token string, list []try) {
	w.Helper()
	for _, r := range list {
		a := w.call(token, r.method, r.path, r.body, "If-Match", "*")
		if a.problem() != r.problem || r.problem == "" && a.status >= http.StatusBadRequest {
			w.Errorf("%s: %s %s %v: %d %s, want %q", who, r.method, r.path, r.body, a.status, a.raw, r.problem)
		}
	}
}

// TestAttack_AppsReachFurther: who looks after apps gets no permission by an app, a
// secret of one, its scopes, its redirect URIs or a set (attacks.md 226).
func TestAttack_AppsReachFurther(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	strong := w.register(accounts.Registration{Name: "Strong", Type: accounts.MachineClient, Permissions: []string{accounts.AdminKeysWrite}})
	author := w.register(accounts.Registration{Name: "Author", Type: accounts.MachineClient, Permissions: []string{"posts:add"}})
	bySet := w.register(accounts.Registration{Name: "By a set", Type: accounts.MachineClient})
	house := w.register(accounts.Registration{Name: "House", Type: accounts.WebClient, FirstParty: true, RedirectURIs: []string{callback}, Scopes: []string{"openid", "posts:add"}})
	third := w.register(accounts.Registration{Name: "Third", Type: accounts.WebClient, RedirectURIs: []string{callback}, Scopes: []string{"openid", "posts:add"}})
	for name, permission := range map[string]string{"Keys": accounts.AdminKeysWrite, "Posts": "posts:add"} {
		_, err := w.admin.Sets.Create(ctx, tester, name, "")
		w.must(err)
		w.must(w.admin.Sets.Grant(ctx, tester, name, permission))
	}
	w.must(w.admin.Sets.Assign(ctx, tester, "Keys", bySet.ClientID))
	mine := []string{accounts.AdminClientsRead, accounts.AdminClientsWrite, accounts.AdminConsentsWrite, accounts.AdminRevocationsWrite}
	desk, machine := w.operator("desk", mine...), w.machine("desk", mine...)
	narrow := w.bearer(w.root, append([]string{"openid"}, mine...)...)
	before := w.every(w.rootKey, "/clients", "updated_at")

	made := func(more map[string]any) map[string]any {
		body := map[string]any{"type": "web", "name": "Mine", "redirect_uris": []string{callback}}
		for k, v := range more {
			body[k] = v
		}
		return body
	}
	robot := func(permission string) map[string]any {
		return map[string]any{"type": "machine", "name": "Mine", "permissions": []string{permission}}
	}
	builtin := []try{
		{http.MethodPost, "/clients", robot(accounts.AdminKeysWrite), "more-than-held"},
		{http.MethodPost, "/clients", robot(accounts.PermissionRevocationsRead), "more-than-held"},
		{http.MethodPost, "/clients", made(map[string]any{"scopes": []string{"openid", accounts.AdminKeysWrite}}), "more-than-held"},
		{http.MethodPost, "/clients", made(map[string]any{"scopes": []string{"openid"}, "optional_scopes": []string{"admin:of:tomorrow"}}), "more-than-held"},
		{http.MethodPatch, clientPath(third, ""), `{"scopes": ["openid", "admin:keys:write"]}`, "more-than-held"},
		{http.MethodPatch, clientPath(third, ""), `{"optional_scopes": ["admin:keys:write"]}`, "more-than-held"},
		{http.MethodPatch, clientPath(third, ""), `{"grant_types": ["authorization_code", "client_credentials"], "permissions": ["admin:keys:write"]}`, "more-than-held"},
		{http.MethodPost, "/clients", made(map[string]any{"visible_groups": []string{"*"}}), "more-than-held"},
		{http.MethodPatch, clientPath(third, ""), `{"visible_groups": ["Admins"]}`, "more-than-held"},
		{http.MethodPut, "/permission-sets/keys/clients/" + author.ClientID, nil, "more-than-held"},
		{http.MethodPut, "/permission-sets/posts/permissions/" + tilde(accounts.AdminKeysWrite), nil, "more-than-held"},
		{http.MethodPatch, "/permission-sets/keys", `{"description": "x"}`, "superior"},
		{http.MethodDelete, "/permission-sets/keys", nil, "superior"},
		{http.MethodDelete, "/permission-sets/keys/permissions/" + tilde(accounts.AdminKeysWrite), nil, "superior"},
		{http.MethodDelete, "/permission-sets/keys/clients/" + bySet.ClientID, nil, "superior"},
	}
	for _, c := range []app{strong, bySet, w.app} {
		for _, r := range []try{
			{http.MethodPatch, "", `{"name": "x"}`, ""}, {http.MethodDelete, "", nil, ""}, {http.MethodPost, "/disable", nil, ""},
			{http.MethodPost, "/enable", nil, ""}, {http.MethodPost, "/compromised", nil, ""},
			{http.MethodPost, "/secrets", `{"overlap_seconds": 0}`, ""}, {http.MethodDelete, "/secrets/AZBx3f2ycAC4xQmHq0bT3w", nil, ""},
			{http.MethodPost, "/disconnect", map[string]any{"confirm": c.ClientID}, ""},
		} {
			builtin = append(builtin, try{r.method, clientPath(c, r.path), r.body, "superior"})
		}
		builtin = append(builtin, try{http.MethodPost, "/revocations", map[string]any{"kind": "client", "key": c.ClientID, "confirm": c.ClientID}, "superior"})
	}
	others := []try{
		{http.MethodPost, "/clients", robot("posts:add"), "more-than-held"},
		{http.MethodPost, "/clients", made(map[string]any{"scopes": []string{"posts:add"}, "first_party": true}), "more-than-held"},
		{http.MethodPost, "/clients", made(map[string]any{"optional_scopes": []string{"posts:of:tomorrow"}, "first_party": true}), "more-than-held"},
		{http.MethodPatch, clientPath(third, ""), `{"first_party": true}`, "more-than-held"},
		{http.MethodPatch, clientPath(house, ""), `{"redirect_uris": ["` + callback + `", "https://evil.example/cb"]}`, "superior"},
		{http.MethodPatch, clientPath(house, ""), `{"require_pkce": false}`, "superior"},
		{http.MethodPost, clientPath(house, "/secrets"), `{"overlap_seconds": 0}`, "superior"},
		{http.MethodPost, clientPath(author, "/secrets"), `{"overlap_seconds": 3600}`, "superior"},
		{http.MethodPatch, clientPath(author, ""), `{"auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}`, "superior"},
		{http.MethodPut, "/permission-sets/posts/clients/" + bySet.ClientID, nil, "more-than-held"},
	}
	for who, token := range map[string]string{"person": desk, "machine": machine} {
		w.tries(who, token, builtin)
		w.tries(who, token, others)
	}
	w.tries("superuser's narrow token", narrow, builtin)
	if diff := cmp.Diff(before, w.every(w.rootKey, "/clients", "updated_at")); diff != "" {
		t.Errorf("something was changed: %s", diff)
	}
	// What is theirs to do.
	w.tries("person", desk, []try{
		{http.MethodPost, "/clients", made(map[string]any{"scopes": []string{"openid", "posts:add"}}), ""},
		{http.MethodPost, "/clients", made(map[string]any{"first_party": true}), ""},
		{http.MethodPost, "/clients", robot(accounts.AdminClientsRead), ""},
		{http.MethodPatch, clientPath(author, ""), `{"name": "Writer"}`, ""},
		{http.MethodPatch, clientPath(third, ""), `{"redirect_uris": ["https://new.example/cb"]}`, ""},
		{http.MethodPost, clientPath(third, "/secrets"), `{"overlap_seconds": 0}`, ""},
		{http.MethodPatch, clientPath(house, ""), `{"first_party": false}`, ""},
		{http.MethodPost, clientPath(author, "/disable"), nil, ""},
	})
	// A superuser's whole token may.
	w.tries("superuser", w.rootKey, []try{
		{http.MethodPost, "/clients", robot(accounts.AdminKeysWrite), ""}, {http.MethodPost, clientPath(strong, "/secrets"), `{"overlap_seconds": 0}`, ""},
	})
}

// TestAttack_GroupsOfTheMighty: who looks after groups gets no permission by a group,
// its parents or its managers, and cannot touch groups that hold more of the
// deployment than they do (attacks.md 225).
func TestAttack_GroupsOfTheMighty(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	groups := w.admin.Groups
	for _, name := range []string{"Admins", "Authors", "Inside", "Empty", "Other"} {
		_, err := groups.Create(ctx, tester, name, "")
		w.must(err)
	}
	w.must(groups.GrantPermission(ctx, tester, "Admins", accounts.AdminKeysWrite))
	w.must(groups.GrantPermission(ctx, tester, "Authors", "posts:add"))
	w.must(groups.AddChild(ctx, tester, "Admins", "Inside"))
	me, mate := w.person("me", accounts.AdminGroupsRead, accounts.AdminGroupsWrite), w.person("mate")
	w.must(groups.AddMember(ctx, tester, "Admins", mate.Subject, 0))
	subs := map[string]any{"subs": []string{me.Subject, mate.Subject}}
	keys, add := tilde(accounts.AdminKeysWrite), tilde("posts:add")
	builtin := []try{
		{http.MethodPost, "/groups/admins/members", subs, "more-than-held"},
		{http.MethodPost, "/groups/inside/members", subs, "more-than-held"},
		{http.MethodPut, "/groups/admins/children/empty", nil, "more-than-held"},
		{http.MethodPut, "/groups/inside/children/empty", nil, "more-than-held"},
		{http.MethodPut, "/groups/admins/managers/" + me.Subject, nil, "more-than-held"},
		{http.MethodPut, "/groups/empty/permissions/" + keys, nil, "more-than-held"},
		{http.MethodPut, "/groups/empty/children/admins", nil, "superior"},
		{http.MethodPut, "/groups/admins/permissions/" + keys, nil, "superior"},
		{http.MethodDelete, "/groups/admins/permissions/" + keys, nil, "superior"},
		{http.MethodDelete, "/groups/admins/children/inside", nil, "superior"},
		{http.MethodDelete, "/groups/admins/managers/" + mate.Subject, nil, "superior"},
		{http.MethodPost, "/groups/admins/members/remove", subs, "superior"},
		{http.MethodPatch, "/groups/inside", `{"second_factor": true}`, "superior"},
		{http.MethodPatch, "/groups/admins", `{"description": "x"}`, "superior"},
		{http.MethodDelete, "/groups/admins", nil, "superior"},
		{http.MethodDelete, "/groups/inside", nil, "superior"},
	}
	token := w.bearer(me)
	w.tries("person", token, builtin)
	w.tries("superuser's narrow token", w.bearer(w.root, "openid", accounts.AdminGroupsRead, accounts.AdminGroupsWrite), builtin)
	w.tries("person", token, []try{
		{http.MethodPost, "/groups/authors/members", subs, "more-than-held"},
		{http.MethodPut, "/groups/authors/children/empty", nil, "more-than-held"},
		{http.MethodPut, "/groups/authors/managers/" + me.Subject, nil, "more-than-held"},
		{http.MethodPut, "/groups/empty/permissions/" + add, nil, "more-than-held"},
		// What is theirs to do.
		{http.MethodPost, "/groups/authors/members/remove", subs, ""},
		{http.MethodPut, "/groups/empty/permissions/" + tilde(accounts.AdminGroupsRead), nil, ""},
		{http.MethodPost, "/groups/empty/members", subs, ""},
		{http.MethodPut, "/groups/empty/children/other", nil, ""},
		{http.MethodDelete, "/groups/authors/permissions/" + add, nil, ""},
	})
	if members := w.every(w.rootKey, "/groups/admins/members", "username"); !cmp.Equal(members, []string{"mate"}) {
		t.Errorf("members of Admins: %v", members)
	}
}

// TestAttack_SignedOutFromBelow: sessions, grants and consents of somebody who holds
// more are not for others to end, by none of the ways to name them, and nobody but a
// superuser ends everything (attacks.md 229).
func TestAttack_SignedOutFromBelow(t *testing.T) {
	w := newWorld(t)
	mine := []string{accounts.AdminSessionsWrite, accounts.AdminConsentsWrite, accounts.AdminRevocationsWrite}
	token := w.operator("desk", mine...)
	sub := "?sub=" + w.root.Subject
	sid := w.every(w.rootKey, "/sessions"+sub, "sid")[0]
	gid := w.every(w.rootKey, "/grants"+sub, "gid")[0]
	ways := []try{
		{http.MethodDelete, "/sessions/" + sid, nil, "superior"},
		{http.MethodDelete, "/grants/" + gid, nil, "superior"},
		{http.MethodDelete, "/consents/" + w.app.ClientID + "/" + w.root.Subject, nil, "superior"},
		{http.MethodPost, "/revocations", map[string]any{"kind": "session", "key": sid}, "superior"},
		{http.MethodPost, "/revocations", map[string]any{"kind": "grant", "key": gid}, "superior"},
		{http.MethodPost, "/revocations", map[string]any{"kind": "user", "key": w.root.Subject, "confirm": w.root.Subject}, "superior"},
		{http.MethodPost, "/revocations", `{"kind": "all", "confirm": "all", "reason": "x"}`, "superuser-only"},
	}
	w.tries("person", token, ways)
	w.tries("superuser's narrow token", w.bearer(w.root, append([]string{"openid"}, mine...)...), ways)
	w.want(w.call(w.rootKey, http.MethodGet, "/status", nil), http.StatusOK, "")
}
