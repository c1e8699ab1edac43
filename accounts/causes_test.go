package accounts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const postsAPI = "https://posts.example"

// stage is what every cause finds: alice, signed in with two browsers, with grants
// of every sort at two clients, a code under way, a group that gives her
// posts:add; a machine that holds posts:add itself; and bob, whom nothing here
// concerns but what concerns everyone.
type stage struct {
	*world
	alice, bob  *accounts.User
	app, other  *accounts.Client
	machine     *accounts.Client
	here, there *accounts.Session
	sessions    map[string]id.ID
	grants      map[string]id.ID
	code        id.ID
	resource    string // client_id of the API's resource server
}

func newStage(t *testing.T) *stage {
	t.Helper()
	ctx := t.Context()
	s := &stage{world: newWorld(t)}
	_, rs, _, err := s.apis.Create(ctx, operator(), accounts.NewAPI{Audience: postsAPI + "/", Name: "Posts", Permissions: []accounts.NewPermission{
		{Name: "posts:add", Description: "Can add post"}, {Name: "posts:delete", Description: "Can delete post"},
	}})
	s.must(err)
	s.resource = rs.ClientID
	s.alice, s.bob, s.app, s.other = s.user("alice"), s.user("bob"), s.client("App"), s.client("Other")
	s.machine, _, err = s.clients.Register(ctx, operator(), accounts.Registration{
		Name: "Machine", Type: accounts.MachineClient, Permissions: []string{"posts:add"},
	})
	s.must(err)
	_, err = s.groups.Create(ctx, operator(), "Editors", "")
	s.must(err)
	s.must(s.groups.GrantPermission(ctx, operator(), "editors", "posts:add"))
	s.must(s.groups.AddMember(ctx, operator(), "EDITORS", s.alice.Subject, 0))
	s.must(s.users.SetStaff(ctx, operator(), s.alice.Subject, true))
	s.must(s.users.SetSuperuser(ctx, operator(), s.alice.Subject, true))
	s.must(s.users.SetSuperuser(ctx, operator(), s.bob.Subject, true))
	s.must(s.consents.Allow(ctx, operator(), s.alice, s.app, []string{"openid", "posts:add"}, []string{"openid", "posts:add"}))
	_, s.here = s.session(s.alice)
	_, s.there = s.session(s.alice)
	_, bobs := s.session(s.bob)
	s.sessions = map[string]id.ID{"here": s.here.ID, "there": s.there.ID, "bob": bobs.ID}
	s.grants = map[string]id.ID{
		"app here":          s.grant(s.alice, s.app, s.here, false),
		"app here offline":  s.grant(s.alice, s.app, s.here, true),
		"app there":         s.grant(s.alice, s.app, s.there, false),
		"app there offline": s.grant(s.alice, s.app, s.there, true),
		"other here":        s.grant(s.alice, s.other, s.here, false),
		"bob at app":        s.grant(s.bob, s.app, bobs, false),
	}
	s.code = s.world.code(s.alice, s.app, s.here)
	return s
}

// left is what a cause leaves behind.
type left struct {
	Sessions []string // ended
	Grants   []string // ended; "code" is the one under way
	Rows     []string
	Stamps   []string // what carries the position of the cause now
}

func (s *stage) leftAfter(position int64) left {
	s.t.Helper()
	ctx := s.t.Context()
	l := left{Sessions: []string{}, Grants: []string{}, Rows: s.rows(position), Stamps: []string{}}
	for name, sid := range s.sessions {
		if found, err := s.db.SessionByID(ctx, sid); err != nil || found.EndedAt != 0 {
			l.Sessions = append(l.Sessions, name)
		}
	}
	for name, gid := range s.grants {
		if found, err := s.db.GrantByID(ctx, gid); err != nil || found.EndedAt != 0 {
			l.Grants = append(l.Grants, name)
		}
	}
	if found, err := s.db.GrantByID(ctx, s.code); err == nil && found.EndedAt != 0 {
		l.Grants = append(l.Grants, "code")
	}
	if u, err := s.db.UserBySubject(ctx, s.alice.Subject); err == nil && u.ValidFrom > position {
		l.Stamps = append(l.Stamps, "user")
	}
	if c, _, err := s.db.ClientByID(ctx, s.app.ClientID, 0); err == nil && c.ValidFrom > position {
		l.Stamps = append(l.Stamps, "client")
	}
	if c, err := s.db.ConsentOf(ctx, s.alice.ID, s.app.ID); err == nil && c.ValidFrom > position {
		l.Stamps = append(l.Stamps, "consent")
	}
	for name, sid := range s.sessions {
		if found, err := s.db.SessionByID(ctx, sid); err == nil && found.Rev > position {
			l.Stamps = append(l.Stamps, "session "+name)
		}
	}
	for _, list := range [][]string{l.Sessions, l.Grants, l.Stamps} {
		slices.Sort(list)
	}
	return l
}

// cause is a row of the table of causes (docs/revocation.md).
type cause struct {
	name  string
	do    func(ctx context.Context, s *stage) error
	want  left // in Rows, names in braces stand for ids
	again bool // doing it again must be an error or write nothing
}

// TestCauses walks the table of what each cause ends (docs/revocation.md):
// sessions, grants bound to a session, offline grants, rows of the ledger, and
// what is stamped (L2, L10, L19).
func TestCauses(t *testing.T) {
	for _, c := range slices.Concat(personCauses(), appCauses(), rightCauses()) {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			before := s.position()
			if err := c.do(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			got := s.leftAfter(before)
			for i, row := range c.want.Rows {
				c.want.Rows[i] = s.named(row)
			}
			slices.Sort(c.want.Rows)
			want := left{Sessions: orNone(c.want.Sessions), Grants: orNone(c.want.Grants), Rows: orNone(c.want.Rows), Stamps: orNone(c.want.Stamps)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			// A second time there is nothing to take away (L19).
			after := s.position()
			_ = c.do(t.Context(), s)
			if rows := s.rows(after); c.again && len(rows) != 0 {
				t.Errorf("a second time wrote %v", rows)
			}
		})
	}
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// named puts ids in the place of names.
func (s *stage) named(row string) string {
	pairs := []string{
		"{alice}", s.alice.Subject, "{app}", s.app.ClientID, "{machine}", s.machine.ClientID, "{resource}", s.resource, "{code}", s.code.String(), "{posts}", postsAPI,
	}
	for name, sid := range s.sessions {
		pairs = append(pairs, "{session "+name+"}", sid.String())
	}
	for name, gid := range s.grants {
		pairs = append(pairs, "{"+name+"}", gid.String())
	}
	return strings.NewReplacer(pairs...).Replace(row)
}

func all() left {
	return left{
		Sessions: []string{"here", "there"},
		Grants:   []string{"app here", "app here offline", "app there", "app there offline", "code", "other here"},
		Rows:     []string{"user {alice}"}, Stamps: []string{"user"},
	}
}

func personCauses() []cause {
	onHere := left{Sessions: []string{"here"}, Grants: []string{"app here", "code", "other here"}, Rows: []string{"session {session here}"}}
	gone := all()
	gone.Stamps = nil
	gone.Grants = []string{"app here", "app here offline", "app there", "app there offline", "other here"} // the code went with the person
	return []cause{
		{"sign-out", func(ctx context.Context, s *stage) error {
			return s.world.sessions.SignOut(ctx, operator(), s.alice.Subject, s.here.ID)
		}, onHere, true},
		{"session ended", func(ctx context.Context, s *stage) error {
			return s.world.sessions.End(ctx, operator(), s.alice.Subject, s.here.ID)
		}, left{onHere.Sessions, onHere.Grants, []string{"session {session here}"}, nil}, true},
		{"session replaced by somebody else's", func(ctx context.Context, s *stage) error {
			_, _, err := s.world.sessions.Start(ctx, s.proof(s.bob), accounts.Meta{Replaces: s.here.ID})
			return err
		}, left{onHere.Sessions, onHere.Grants, []string{"session {session here}"}, nil}, true},
		{"signed in again in the same session", func(ctx context.Context, s *stage) error {
			_, _, err := s.world.sessions.Start(ctx, s.proof(s.alice), accounts.Meta{Replaces: s.here.ID})
			return err
		}, left{}, true},
		{"own password changed", func(ctx context.Context, s *stage) error {
			return s.users.ChangePassword(ctx, operator(), s.proof(s.alice), "another pass", s.there.ID)
		}, left{onHere.Sessions, onHere.Grants, []string{"session {session here}"}, nil}, true},
		{"sign out everywhere", func(ctx context.Context, s *stage) error {
			return s.users.SignOutEverywhere(ctx, operator(), s.alice.Subject)
		}, all(), false},
		{"password reset", func(ctx context.Context, s *stage) error {
			return s.users.SetPassword(ctx, operator(), s.alice.Subject, "another pass")
		}, all(), false},
		{"ban", func(ctx context.Context, s *stage) error {
			return s.users.Ban(ctx, operator(), s.alice.Subject)
		}, all(), true},
		{"deletion", func(ctx context.Context, s *stage) error {
			return s.users.Delete(ctx, operator(), s.alice.Subject)
		}, gone, true},
		{"staff taken away", func(ctx context.Context, s *stage) error {
			return s.users.SetStaff(ctx, operator(), s.alice.Subject, false)
		}, left{Rows: []string{"membership {alice}"}}, true},
		{"superuser taken away", func(ctx context.Context, s *stage) error {
			return s.users.SetSuperuser(ctx, operator(), s.alice.Subject, false)
		}, left{Rows: []string{"membership {alice}"}}, true},
		{"unban", func(ctx context.Context, s *stage) error {
			return s.users.Unban(ctx, operator(), s.alice.Subject)
		}, left{}, true},
	}
}

func appCauses() []cause {
	atApp := []string{"app here", "app here offline", "app there", "app there offline", "bob at app", "code"}
	update := func(f func(c *accounts.Client)) func(ctx context.Context, s *stage) error {
		return func(ctx context.Context, s *stage) error {
			return s.clients.Update(ctx, operator(), s.app.ClientID, func(c *accounts.Client) error { f(c); return nil })
		}
	}
	reduced := left{Rows: []string{"client {app}"}}
	return []cause{
		{"app disconnected", func(ctx context.Context, s *stage) error {
			return s.consents.Disconnect(ctx, operator(), s.alice, s.app)
		}, left{
			Grants: []string{"app here", "app here offline", "app there", "app there offline", "code"},
			Rows:   []string{"grant {app here}", "grant {app here offline}", "grant {app there}", "grant {app there offline}", "grant {code}"},
			Stamps: []string{"consent"},
		}, true},
		{"refresh token used again", func(ctx context.Context, s *stage) error {
			return s.consents.RevokeGrant(ctx, operator(), s.grants["app here offline"], accounts.ReasonRefreshReuse)
		}, left{Grants: []string{"app here offline"}, Rows: []string{"grant {app here offline}"}}, true},
		{"code used again before its grant exists", func(ctx context.Context, s *stage) error {
			return s.consents.RevokeGrant(ctx, operator(), s.code, accounts.ReasonCodeReuse)
		}, left{Grants: []string{"code"}, Rows: []string{"grant {code}"}}, true},
		{"consent narrowed", func(ctx context.Context, s *stage) error {
			return s.consents.Allow(ctx, operator(), s.alice, s.app, []string{"posts:add", "profile"}, []string{"profile"})
		}, left{Rows: []string{"membership {alice}"}}, true},
		{"consent widened", func(ctx context.Context, s *stage) error {
			return s.consents.Allow(ctx, operator(), s.alice, s.app, []string{"profile"}, []string{"profile"})
		}, left{}, true},
		{"client disabled", func(ctx context.Context, s *stage) error {
			return s.clients.Disable(ctx, operator(), s.app.ClientID)
		}, left{Grants: atApp, Rows: []string{"client {app}"}, Stamps: []string{"client"}}, true},
		{"client compromised", func(ctx context.Context, s *stage) error {
			return s.clients.Compromised(ctx, operator(), s.app.ClientID)
		}, left{Grants: atApp, Rows: []string{"client {app}"}, Stamps: []string{"client"}}, false},
		{"all grants of a client ended", func(ctx context.Context, s *stage) error {
			return s.connections().EndGrants(ctx, operator(), s.app.ClientID)
		}, left{Grants: atApp, Rows: []string{"client {app}"}, Stamps: []string{"client"}}, false},
		{"everybody disconnected from a client", func(ctx context.Context, s *stage) error {
			return s.connections().Disconnect(ctx, operator(), s.app.ClientID)
		}, left{Grants: atApp, Rows: []string{"client {app}"}, Stamps: []string{"client"}}, false},
		{"client deleted", func(ctx context.Context, s *stage) error {
			return s.clients.Delete(ctx, operator(), s.app.ClientID)
		}, left{Grants: atApp[:5], Rows: []string{"client {app}"}}, true},
		{"client's scopes reduced", update(func(c *accounts.Client) { c.Scopes = []string{"openid"} }), reduced, true},
		{"client's redirect URIs reduced", update(func(c *accounts.Client) { c.RedirectURIs = c.RedirectURIs[:1] }), left{Rows: []string{"client {app}"}}, true},
		{"client's grant types reduced", update(func(c *accounts.Client) { c.GrantTypes = []string{"authorization_code"} }), left{Rows: []string{"client {app}"}}, true},
		{"client's name changed and a scope added", update(func(c *accounts.Client) { c.Name, c.Scopes = "New", append(c.Scopes, "email") }), left{}, true},
		{"machine's permissions reduced", func(ctx context.Context, s *stage) error {
			return s.clients.Update(ctx, operator(), s.machine.ClientID, func(c *accounts.Client) error { c.Permissions = nil; return nil })
		}, left{Rows: []string{"client {machine}"}}, true},
		{"client secret replaced", func(ctx context.Context, s *stage) error {
			_, err := s.clients.RotateSecret(ctx, operator(), s.app.ClientID, 0)
			return err
		}, left{}, true},
		{"emergency", func(ctx context.Context, s *stage) error {
			return s.tokens.All(ctx, operator(), "emergency")
		}, left{Rows: []string{"all "}}, false},
	}
}

func rightCauses() []cause {
	return []cause{
		{"membership taken away", func(ctx context.Context, s *stage) error {
			return s.groups.RemoveMember(ctx, operator(), "editors", s.alice.Subject)
		}, left{Rows: []string{"membership {alice}"}}, true},
		{"membership shortened", func(ctx context.Context, s *stage) error {
			return s.groups.AddMember(ctx, operator(), "editors", s.alice.Subject, s.now().UnixMilli()+1000)
		}, left{Rows: []string{"membership {alice}"}}, true},
		{"membership given", func(ctx context.Context, s *stage) error {
			return s.groups.AddMember(ctx, operator(), "editors", s.bob.Subject, 0)
		}, left{}, true},
		{"membership taken from somebody without it", func(ctx context.Context, s *stage) error {
			return s.groups.RemoveMember(ctx, operator(), "editors", s.bob.Subject)
		}, left{}, true},
		{"permission taken from a group", func(ctx context.Context, s *stage) error {
			return s.groups.RevokePermission(ctx, operator(), "editors", "posts:add")
		}, left{Rows: []string{"permission posts:add {posts}"}}, true},
		{"permission taken from a group without people", func(ctx context.Context, s *stage) error {
			_, err := s.groups.Create(ctx, operator(), "Empty", "")
			return errors.Join(err, s.groups.GrantPermission(ctx, operator(), "Empty", "posts:delete"),
				s.groups.RevokePermission(ctx, operator(), "Empty", "posts:delete"))
		}, left{}, true},
		{"permission taken from a group with people inside it", func(ctx context.Context, s *stage) error {
			_, err := s.groups.Create(ctx, operator(), "Outer", "")
			return errors.Join(err, s.groups.GrantPermission(ctx, operator(), "Outer", "posts:delete"),
				s.groups.AddChild(ctx, operator(), "Outer", "Editors"), s.groups.RevokePermission(ctx, operator(), "Outer", "posts:delete"))
		}, left{Rows: []string{"permission posts:delete {posts}"}}, false},
		{"permission taken that the people inside hold themselves", func(ctx context.Context, s *stage) error {
			_, err := s.groups.Create(ctx, operator(), "Outer", "")
			return errors.Join(err, s.groups.GrantPermission(ctx, operator(), "Outer", "posts:add"),
				s.groups.AddChild(ctx, operator(), "Outer", "Editors"), s.groups.RevokePermission(ctx, operator(), "Outer", "posts:add"))
		}, left{}, true},
		{"permission taken that was not held", func(ctx context.Context, s *stage) error {
			return s.groups.RevokePermission(ctx, operator(), "editors", "posts:delete")
		}, left{}, true},
		{"permission given", func(ctx context.Context, s *stage) error {
			return s.groups.GrantPermission(ctx, operator(), "editors", "posts:delete")
		}, left{}, true},
		{"group deleted", func(ctx context.Context, s *stage) error {
			return s.groups.Delete(ctx, operator(), "Editors")
		}, left{Rows: []string{"permission posts:add {posts}"}}, true},
		{"group without members deleted", func(ctx context.Context, s *stage) error {
			if _, err := s.groups.Create(ctx, operator(), "Empty", ""); err != nil {
				return err
			}
			if err := s.groups.GrantPermission(ctx, operator(), "Empty", "posts:add"); err != nil {
				return err
			}
			return s.groups.Delete(ctx, operator(), "Empty")
		}, left{}, true},
		{"permission deleted", func(ctx context.Context, s *stage) error {
			return s.apis.DeletePermission(ctx, operator(), postsAPI, "posts:add")
		}, left{Rows: []string{"permission posts:add {posts}", "client {machine}"}}, true},
		{"API disabled", func(ctx context.Context, s *stage) error {
			return s.apis.Disable(ctx, operator(), postsAPI)
		}, left{Rows: []string{"all  {posts}", "permission posts:add {posts}", "permission posts:delete {posts}", "client {machine}"}}, true},
		{"API deleted", func(ctx context.Context, s *stage) error {
			return s.apis.Delete(ctx, operator(), postsAPI+"/")
		}, left{Rows: []string{"all  {posts}", "permission posts:add {posts}", "permission posts:delete {posts}", "client {machine}", "client {resource}"}}, true},
	}
}
