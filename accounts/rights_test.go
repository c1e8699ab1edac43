package accounts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestGroups(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	if _, err := s.groups.Create(ctx, operator(), "EDITORS", ""); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("name taken in another case: %v", err)
	}
	for name, err := range map[string]error{
		"unknown group":      s.groups.AddMember(ctx, operator(), "nobody", s.bob.Subject, 0),
		"unknown user":       s.groups.AddMember(ctx, operator(), "editors", "nobody", 0),
		"unknown permission": s.groups.GrantPermission(ctx, operator(), "editors", "posts:read"),
		"revoke unknown":     s.groups.RevokePermission(ctx, operator(), "editors", "posts:read"),
		"not a name":         s.groups.Delete(ctx, operator(), "\x00"),
	} {
		if !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"hidden": "x\u202e", "too long": strings.Repeat("x", 501)} {
		if err := s.groups.Describe(ctx, operator(), "editors", text); !errors.Is(err, accounts.ErrInvalid) {
			t.Errorf("described by what is %s: %v", name, err)
		}
	}
	w := s.world
	w.must(w.groups.Delete(ctx, operator(), "editors"))
	// The name is free again.
	if _, err := w.groups.Create(ctx, operator(), "Editors", "who edit"); err != nil {
		t.Error(err)
	}
}

func TestAPIs(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	a, err := s.apis.Find(ctx, "HTTPS://Posts.example/")
	s.must(err)
	if a.ResourceServer != s.resource || len(a.Permissions) != 2 {
		t.Errorf("%+v", a)
	}
	rs, _, err := s.db.ClientByID(ctx, s.resource, s.now().UnixMilli())
	s.must(err)
	if rs.Type != accounts.ResourceClient || rs.APIAud != postsAPI || !slices.Equal(rs.Permissions, []string{accounts.PermissionRevocationsRead}) ||
		!slices.Equal(rs.GrantTypes, []string{"client_credentials"}) || len(rs.Secrets) != 1 {
		t.Errorf("resource server's client: %+v", rs)
	}
	add := func(name, description string) error {
		return s.apis.AddPermission(ctx, operator(), postsAPI, accounts.NewPermission{Name: name, Description: description})
	}
	s.must(add("posts:read", "Can read post"))
	for name, tt := range map[string]struct{ err, want error }{
		"taken":                       {add("posts:read", "Again"), accounts.ErrConflict},
		"protocol scope":              {add("openid", "x"), accounts.ErrInvalid},
		"built-in name":               {add("revocations:all", "x"), accounts.ErrInvalid},
		"admin name":                  {add("admin:users", "x"), accounts.ErrInvalid},
		"no description":              {add("posts:list", " "), accounts.ErrInvalid},
		"hidden text":                 {add("posts:list", "Read\u202e"), accounts.ErrInvalid},
		"audience taken":              {create(s, postsAPI+":443/"), accounts.ErrConflict},
		"audience http":               {create(s, "http://posts.example"), accounts.ErrInvalid},
		"delete built-in":             {s.apis.Delete(ctx, operator(), "http://localhost:8400"), accounts.ErrBuiltin},
		"disable built-in":            {s.apis.Disable(ctx, operator(), "http://localhost:8400/"), accounts.ErrBuiltin},
		"its permission":              {s.apis.DeletePermission(ctx, operator(), "http://localhost:8400", "revocations:read"), accounts.ErrBuiltin},
		"unknown API":                 {s.apis.Disable(ctx, operator(), "https://x.example"), accounts.ErrNotFound},
		"unknown permission":          {s.apis.DeletePermission(ctx, operator(), postsAPI, "x"), accounts.ErrNotFound},
		"resource server":             {s.clients.Delete(ctx, operator(), s.resource), accounts.ErrOfAPI},
		"described":                   {s.apis.DescribePermission(ctx, operator(), postsAPI, accounts.NewPermission{Name: "posts:read", Description: "Can read posts"}), nil},
		"enable what is not disabled": {s.apis.Enable(ctx, operator(), postsAPI), nil},
	} {
		if !errors.Is(tt.err, tt.want) || (tt.err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	s.must(s.apis.Disable(ctx, operator(), postsAPI))
	s.must(s.apis.Enable(ctx, operator(), postsAPI))
	if a, err := s.apis.Find(ctx, postsAPI); err != nil || a.DisabledAt != 0 {
		t.Errorf("enabled: %+v, %v", a, err)
	}
}

func create(s *stage, audience string) error {
	s.t.Helper()
	_, _, _, err := s.apis.Create(s.t.Context(), operator(), accounts.NewAPI{Audience: audience, Name: "X"})
	return err
}

func TestEnsureBuiltin(t *testing.T) {
	w := newWorld(t) // has called it once
	ctx := t.Context()
	events := len(w.events(1000))
	w.must(w.apis.EnsureBuiltin(ctx, "http://localhost:8400/"))
	if len(w.events(1000)) != events {
		t.Error("the second start changed something")
	}
	w.must(w.apis.EnsureBuiltin(ctx, "https://id.example"))
	apis, err := w.db.ListAPIs(ctx)
	w.must(err)
	if len(apis) != 1 || apis[0].Audience != "https://id.example" {
		t.Errorf("after a change of issuer: %+v", apis)
	}
	if err := w.apis.EnsureBuiltin(ctx, "http://id.example"); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("http issuer: %v", err)
	}
}

// Several nodes start on an empty database at once.
func TestEnsureBuiltin_Race(t *testing.T) {
	w := newWorldOn(t, sqldbtest.Postgres(t))
	w.must(w.db.InTx(t.Context(), func(ctx context.Context) error {
		apis, err := w.db.ListAPIs(ctx)
		if err != nil {
			return err
		}
		return w.db.DeleteAPI(ctx, apis[0].ID)
	}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := w.apis.EnsureBuiltin(t.Context(), "http://localhost:8400"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	apis, err := w.db.ListAPIs(t.Context())
	w.must(err)
	if len(apis) != 1 || len(apis[0].Permissions) != len(accounts.BuiltinPermissions()) {
		t.Errorf("%+v", apis)
	}
}

func TestConsents(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u, c := w.user("alice"), w.client("App")
	allow := func(asked, allowed []string) error { return w.consents.Allow(ctx, operator(), u, c, asked, allowed) }
	type have struct{ Scopes, Asked []string }
	for i, step := range []struct {
		asked, allowed []string
		want           have
		rows           int
	}{
		{[]string{"openid", "posts:add"}, []string{"openid"}, have{[]string{"openid"}, []string{"openid", "posts:add"}}, 0},
		{[]string{"openid", "posts:add"}, []string{"openid"}, have{[]string{"openid"}, []string{"openid", "posts:add"}}, 0},
		{[]string{"profile", "posts:add"}, []string{"profile", "posts:add"}, have{[]string{"openid", "profile", "posts:add"}, []string{"openid", "posts:add", "profile"}}, 0},
		{[]string{"posts:add"}, nil, have{[]string{"openid", "profile"}, []string{"openid", "posts:add", "profile"}}, 1},
	} {
		before := w.position()
		w.must(allow(step.asked, step.allowed))
		got, err := w.db.ConsentOf(ctx, u.ID, c.ID)
		w.must(err)
		if diff := cmp.Diff(step.want, have{got.Scopes, got.Asked}); diff != "" || len(w.rows(before)) != step.rows {
			t.Errorf("step %d: %s, rows %v", i+1, diff, w.rows(before))
		}
	}
	// Attack 18: no more than was shown.
	if err := allow([]string{"openid"}, []string{"openid", "posts:add"}); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("more than asked: %v", err)
	}
	w.must(w.consents.Disconnect(ctx, operator(), u, c))
	gone, err := w.db.ConsentOf(ctx, u.ID, c.ID)
	w.must(err)
	if gone.RevokedAt == 0 || len(gone.Scopes) != 0 || gone.ValidFrom == 0 {
		t.Errorf("disconnected: %+v", gone)
	}
	if err := w.consents.Disconnect(ctx, operator(), u, c); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	// Allowing again begins anew, and what was decided before stays dead.
	w.must(allow([]string{"openid"}, []string{"openid"}))
	again, err := w.db.ConsentOf(ctx, u.ID, c.ID)
	w.must(err)
	if again.RevokedAt != 0 || again.ValidFrom != gone.ValidFrom || !slices.Equal(again.Asked, []string{"openid"}) {
		t.Errorf("allowed again: %+v", again)
	}
	w.must(w.users.Ban(ctx, operator(), u.Subject))
	if err := allow([]string{"profile"}, []string{"profile"}); !errors.Is(err, accounts.ErrBanned) {
		t.Errorf("while banned: %v", err)
	}
	if err := w.consents.RevokeGrant(ctx, operator(), id.ID{}, accounts.ReasonRevoked); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("no grant: %v", err)
	}
}

// L26: a row only for a token that lives.
func TestTokens_Revoke(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u := w.user("alice")
	now := w.now().UnixMilli()
	k := revocation.Keys{ID: "jti-1", Subject: u.Subject, ClientID: "app", GrantID: "gid", Rev: w.position()}
	revoke := func(k revocation.Keys, expiresAt int64) []string {
		before := w.position()
		w.must(w.tokens.Revoke(ctx, operator(), k, postsAPI, expiresAt))
		return w.rows(before)
	}
	if rows := revoke(k, now); len(rows) != 0 {
		t.Errorf("expired: %v", rows)
	}
	if rows := revoke(k, now+60_000); !slices.Equal(rows, []string{"token jti-1 " + postsAPI}) {
		t.Errorf("living: %v", rows)
	}
	if rows := revoke(k, now+60_000); len(rows) != 0 {
		t.Errorf("a second time: %v", rows)
	}
	w.must(w.users.SignOutEverywhere(ctx, operator(), u.Subject))
	k.ID = "jti-2"
	if rows := revoke(k, now+60_000); len(rows) != 0 {
		t.Errorf("of a user who signed out: %v", rows)
	}
	w.must(w.tokens.All(ctx, operator(), "emergency"))
	if err := w.tokens.All(ctx, operator(), ""); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("without a reason: %v", err)
	}
}
