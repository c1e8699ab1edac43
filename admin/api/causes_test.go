package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// causesWay: a row of the ledger of any kind shows the one event that caused it, whatever
// else happened in the same second, to whomever.
func causesWay(t *testing.T, w *world) {
	ctx := w.Context()
	gone, member, reader := w.person("gone"), w.person("causesmember", "posts:add"), w.person("causesreader")
	w.bearer(reader)
	machine := w.register(accounts.Registration{Name: "Cause", Type: accounts.MachineClient})
	deeds := []struct {
		kind   revocation.Kind
		action string
		do     func(ctx context.Context) error
	}{
		{revocation.Token, "token.revoke", func(ctx context.Context) error { return w.admin.Tokens.RevokeID(ctx, tester, id.New().String()) }},
		{revocation.Grant, "grant.revoke", func(ctx context.Context) error {
			return w.admin.Consents.RevokeGrant(ctx, tester, w.grantOf(reader), "disconnected")
		}},
		{revocation.Session, "user.password.change", func(ctx context.Context) error {
			_, position, err := w.db.UserByLogin(ctx, reader.UsernameKey)
			if err != nil {
				return err
			}
			proof := &accounts.Result{User: reader, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}
			return w.admin.Users.ChangePassword(ctx, tester, proof, goodPassword, id.ID{})
		}},
		{revocation.Permission, "group.permission.revoke", func(ctx context.Context) error {
			return w.admin.Groups.RevokePermission(ctx, tester, "group of causesmember", "posts:add")
		}},
		{revocation.Membership, "group.member.remove", func(ctx context.Context) error {
			return w.admin.Groups.RemoveMember(ctx, tester, "group of causesmember", member.Subject)
		}},
		{revocation.User, "user.ban", func(ctx context.Context) error { return w.admin.Users.Ban(ctx, tester, gone.Subject) }},
		{revocation.Client, "client.disable", func(ctx context.Context) error { return w.admin.Clients.Disable(ctx, tester, machine.ClientID) }},
		{revocation.Key, "key.compromise", func(ctx context.Context) error {
			_, err := w.admin.Keeper.Compromise(ctx, tester, w.signingKey("EdDSA"), "lost")
			return err
		}},
		{revocation.All, "token.revoke_all", func(ctx context.Context) error { return w.admin.Tokens.All(ctx, tester, "drill") }},
	}
	rows := make([]revocation.Row, len(deeds))
	for i, deed := range deeds {
		w.person(fmt.Sprintf("meanwhile%d", i))
		w.must(deed.do(ctx))
		if rows[i] = w.newestRow(); rows[i].Kind != deed.kind {
			t.Fatalf("%s wrote %+v", deed.action, rows[i])
		}
	}
	key := w.bearer(w.root)
	for i, deed := range deeds {
		a := w.want(w.call(key, http.MethodGet, fmt.Sprintf("/revocations/%d", rows[i].Position), nil), http.StatusOK, "")
		var actions []any
		for n := 0; at(a.json, "events", n) != nil; n++ {
			actions = append(actions, at(a.json, "events", n, "action"))
		}
		if diff := cmp.Diff([]any{deed.action}, actions); diff != "" {
			t.Errorf("a row of %s: %s", deed.kind, diff)
		}
	}
}

// grantOf is a grant of somebody.
func (w *world) grantOf(u *accounts.User) id.ID {
	w.Helper()
	list := w.want(w.call(w.bearer(w.root), http.MethodGet, "/grants?sub="+u.Subject, nil), http.StatusOK, "").items()
	if len(list) == 0 {
		w.Fatalf("no grant of %s", u.Username)
	}
	grant, err := id.Parse(list[0]["gid"].(string))
	w.must(err)
	return grant
}

// signingKey is the kid with which an algorithm signs.
func (w *world) signingKey(algorithm string) string {
	w.Helper()
	for _, k := range w.call(w.bearer(w.root), http.MethodGet, "/keys", nil).items() {
		if k["algorithm"] == algorithm && k["state"] == "active" {
			return k["kid"].(string)
		}
	}
	w.Fatalf("nothing signs %s", algorithm)
	return ""
}
