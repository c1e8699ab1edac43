package provider_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// shrinkStage is what one case may break without the others noticing: an API with
// two permissions, a group that holds both, a person in it, and an app.
type shrinkStage struct {
	*world
	t        *testing.T
	resource app
	audience string
	read     string
	write    string
	group    string
	user     *accounts.User
	app      app
}

func newShrinkStage(t *testing.T, w *world, n int) *shrinkStage {
	t.Helper()
	name := fmt.Sprintf("n%d", n)
	s := &shrinkStage{world: w, t: t, audience: "https://" + name + ".example.com", read: name + ":read", write: name + ":write", group: name}
	s.resource = w.api(s.audience, s.read, s.write)
	s.user = w.person(name)
	if _, err := w.groups.Create(t.Context(), tester, s.group, ""); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{s.read, s.write} {
		s.must(w.groups.GrantPermission(t.Context(), tester, s.group, p))
	}
	s.must(w.groups.AddMember(t.Context(), tester, s.group, s.user.Subject, 0))
	s.app = w.register(accounts.Registration{
		Name: name, Type: accounts.WebClient, RedirectURIs: []string{callback, callback + "/old"},
		Scopes: []string{"openid", "offline_access", s.read, s.write},
	})
	return s
}

func (s *shrinkStage) must(err error) { s.t.Helper(); ledgerMust(s.t, err) }

// first returns the tokens with all scopes, of an offline grant.
func (s *shrinkStage) first() answer {
	return s.tokens(s.app, s.user, strings.Join([]string{"openid", "offline_access", s.read, s.write}, " "))
}

// scope writes a scope with names in place of "read" and "write".
func (s *shrinkStage) scope(short string) string {
	return strings.NewReplacer("read", s.read, "write", s.write, "offline", "offline_access").Replace(short)
}

func (s *shrinkStage) update(f func(c *accounts.Client)) {
	s.t.Helper()
	s.must(s.clients.Update(s.t.Context(), tester, s.app.ClientID, func(c *accounts.Client) error { f(c); return nil }))
}

// shrink is a way in which what somebody may do gets smaller.
type shrink struct {
	name    string
	prepare func(s *shrinkStage) // before the first tokens
	do      func(s *shrinkStage, a answer)
	kind    revocation.Kind // of the rows
	// after is the scope of the next refresh, empty if there is none.
	after string
}

const allShort = "openid offline read write"

func shrinks() []shrink {
	return slices.Concat(shrinksOfPeople(), shrinksOfRights(), shrinksOfNesting(), shrinksOfClients())
}

func shrinksOfPeople() []shrink {
	return []shrink{
		{"superuser taken away", func(s *shrinkStage) {
			s.must(s.groups.RemoveMember(s.t.Context(), tester, s.group, s.user.Subject))
			s.must(s.users.SetSuperuser(s.t.Context(), tester, s.user.Subject, true))
		}, func(s *shrinkStage, _ answer) {
			s.must(s.users.SetSuperuser(s.t.Context(), tester, s.user.Subject, false))
		}, revocation.Membership, "openid offline"},
		{"staff taken away", func(s *shrinkStage) {
			s.must(s.users.SetStaff(s.t.Context(), tester, s.user.Subject, true))
		}, func(s *shrinkStage, _ answer) {
			s.must(s.users.SetStaff(s.t.Context(), tester, s.user.Subject, false))
		}, revocation.Membership, allShort},
		{"banned", nil, func(s *shrinkStage, _ answer) {
			s.must(s.users.Ban(s.t.Context(), tester, s.user.Subject))
		}, revocation.User, ""},
		{"deleted", nil, func(s *shrinkStage, _ answer) {
			s.must(s.users.Delete(s.t.Context(), tester, s.user.Subject))
		}, revocation.User, ""},
		{"password reset", nil, func(s *shrinkStage, _ answer) {
			s.must(s.users.SetPassword(s.t.Context(), tester, s.user.Subject, "a long enough passphrase"))
		}, revocation.User, ""},
		{"signed out everywhere", nil, func(s *shrinkStage, _ answer) {
			s.must(s.users.SignOutEverywhere(s.t.Context(), tester, s.user.Subject))
		}, revocation.User, ""},
		{"session ended", nil, func(s *shrinkStage, a answer) {
			s.must(s.sessions.End(s.t.Context(), tester, s.user.Subject, ledgerSession(s.t, a.str("access_token"))))
		}, revocation.Session, allShort},
		{"consent narrowed", nil, func(s *shrinkStage, _ answer) {
			s.must(s.consents.Allow(s.t.Context(), tester, s.user, s.app.Client, []string{s.write}, nil))
		}, revocation.Membership, "openid offline read"},
		{"disconnected", nil, func(s *shrinkStage, _ answer) {
			s.must(s.consents.Disconnect(s.t.Context(), tester, s.user, s.app.Client))
		}, revocation.Grant, ""},
		{"access token revoked", nil, func(s *shrinkStage, a answer) {
			s.call("/oauth2/revoke", s.app, url.Values{"token": {a.str("access_token")}})
		}, revocation.Token, allShort},
		{"refresh token revoked", nil, func(s *shrinkStage, a answer) {
			s.call("/oauth2/revoke", s.app, url.Values{"token": {a.str("refresh_token")}})
		}, revocation.Grant, ""},
	}
}

func shrinksOfRights() []shrink {
	return []shrink{
		{"group deleted", nil, func(s *shrinkStage, _ answer) {
			s.must(s.groups.Delete(s.t.Context(), tester, s.group))
		}, revocation.Permission, "openid offline"},
		{"membership removed", nil, func(s *shrinkStage, _ answer) {
			s.must(s.groups.RemoveMember(s.t.Context(), tester, s.group, s.user.Subject))
		}, revocation.Membership, "openid offline"},
		{"membership shortened", nil, func(s *shrinkStage, _ answer) {
			end := s.clock.now().Add(time.Minute).UnixMilli()
			s.must(s.groups.AddMember(s.t.Context(), tester, s.group, s.user.Subject, end))
		}, revocation.Membership, allShort},
		{"permission revoked", nil, func(s *shrinkStage, _ answer) {
			s.must(s.groups.RevokePermission(s.t.Context(), tester, s.group, s.write))
		}, revocation.Permission, "openid offline read"},
		{"permission deleted", nil, func(s *shrinkStage, _ answer) {
			s.must(s.apis.DeletePermission(s.t.Context(), tester, s.audience, s.write))
		}, revocation.Permission, "openid offline read"},
		{"API disabled", nil, func(s *shrinkStage, _ answer) {
			s.must(s.apis.Disable(s.t.Context(), tester, s.audience))
		}, revocation.Permission, "openid offline"},
		{"API deleted", nil, func(s *shrinkStage, _ answer) {
			s.must(s.apis.Delete(s.t.Context(), tester, s.audience))
		}, revocation.Permission, "openid offline"},
		{"key compromised", nil, func(s *shrinkStage, a answer) {
			_, err := s.keeper().Compromise(s.t.Context(), tester, ledgerKid(s.t, a.str("access_token")), "stolen")
			s.must(err)
		}, revocation.Key, allShort},
		{"all revoked", nil, func(s *shrinkStage, _ answer) {
			tokens := &accounts.Tokens{Journal: s.consents.Journal, Revocations: s.db}
			s.must(tokens.All(s.t.Context(), tester, "emergency"))
		}, revocation.All, allShort},
	}
}

// nested moves the person into a group inside the one that holds the permissions.
func nested(s *shrinkStage) {
	inner := s.group + " inner"
	if _, err := s.groups.Create(s.t.Context(), tester, inner, ""); err != nil {
		s.t.Fatal(err)
	}
	s.must(s.groups.AddMember(s.t.Context(), tester, inner, s.user.Subject, 0))
	s.must(s.groups.RemoveMember(s.t.Context(), tester, s.group, s.user.Subject))
	s.must(s.groups.AddChild(s.t.Context(), tester, s.group, inner))
}

func shrinksOfNesting() []shrink {
	return []shrink{
		{"group taken out of another", nested, func(s *shrinkStage, _ answer) {
			s.must(s.groups.RemoveChild(s.t.Context(), tester, s.group, s.group+" inner"))
		}, revocation.Permission, "openid offline"},
		{"outer group deleted", nested, func(s *shrinkStage, _ answer) {
			s.must(s.groups.Delete(s.t.Context(), tester, s.group))
		}, revocation.Permission, "openid offline"},
		{"inner group deleted", nested, func(s *shrinkStage, _ answer) {
			s.must(s.groups.Delete(s.t.Context(), tester, s.group+" inner"))
		}, revocation.Permission, "openid offline"},
		{"permission taken from the outer group", nested, func(s *shrinkStage, _ answer) {
			s.must(s.groups.RevokePermission(s.t.Context(), tester, s.group, s.write))
		}, revocation.Permission, "openid offline read"},
		{"many memberships removed at once", nested, func(s *shrinkStage, _ answer) {
			_, err := s.groups.RemoveMembers(s.t.Context(), tester, s.group+" inner", []string{s.user.Subject})
			s.must(err)
		}, revocation.Membership, "openid offline"},
		{"many memberships shortened at once", nested, func(s *shrinkStage, _ answer) {
			end := s.clock.now().Add(time.Minute).UnixMilli()
			_, err := s.groups.AddMembers(s.t.Context(), tester, s.group+" inner", []string{s.user.Subject}, end)
			s.must(err)
		}, revocation.Membership, allShort},
		{"membership ended by itself", func(s *shrinkStage) {
			s.must(s.groups.AddMember(s.t.Context(), tester, s.group, s.user.Subject, s.clock.now().Add(time.Minute).UnixMilli()))
		}, func(s *shrinkStage, _ answer) {
			s.clock.advance(time.Minute)
			ends := &accounts.MembershipEnds{Groups: s.groups, Log: slog.New(slog.DiscardHandler)}
			_, err := ends.Round(s.t.Context())
			s.must(err)
		}, revocation.Membership, "openid offline"},
	}
}

func shrinksOfClients() []shrink {
	return []shrink{
		{"client scopes reduced", nil, func(s *shrinkStage, _ answer) {
			s.update(func(c *accounts.Client) { c.Scopes = []string{"openid", "offline_access", s.read} })
		}, revocation.Client, "openid offline read"},
		{"client redirect URIs reduced", nil, func(s *shrinkStage, _ answer) {
			s.update(func(c *accounts.Client) { c.RedirectURIs = c.RedirectURIs[:1] })
		}, revocation.Client, allShort},
		{"client grant types reduced", nil, func(s *shrinkStage, _ answer) {
			s.update(func(c *accounts.Client) { c.GrantTypes = []string{"authorization_code"} })
		}, revocation.Client, ""},
		{"client authentication changed", nil, func(s *shrinkStage, _ answer) {
			s.update(func(c *accounts.Client) {
				c.AuthMethod, c.JWKS = accounts.AuthPrivateKeyJWT, newAssertionSigner(s.t).jwks
			})
		}, revocation.Client, ""},
		{"client no longer first-party", func(s *shrinkStage) {
			s.update(func(c *accounts.Client) { c.FirstParty = true })
		}, func(s *shrinkStage, _ answer) {
			s.update(func(c *accounts.Client) { c.FirstParty = false })
		}, revocation.Client, allShort},
		{"client requires more", nil, func(s *shrinkStage, _ answer) {
			s.update(func(c *accounts.Client) { c.RequiredACR = accounts.ACRTwoFactors })
		}, revocation.Client, ""},
		{"client disabled", nil, func(s *shrinkStage, _ answer) {
			s.must(s.clients.Disable(s.t.Context(), tester, s.app.ClientID))
		}, revocation.Client, ""},
		{"client deleted", nil, func(s *shrinkStage, _ answer) {
			s.must(s.clients.Delete(s.t.Context(), tester, s.app.ClientID))
		}, revocation.Client, ""},
		{"client secret compromised", nil, func(s *shrinkStage, _ answer) {
			s.must(s.clients.Compromised(s.t.Context(), tester, s.app.ClientID))
		}, revocation.Client, ""},
	}
}

// TestL10_WhatShrinksHasARow: every way in which a token's holder may do less
// writes a row, the old token is dead at once, and the next refresh tells what is
// left.
func TestL10_WhatShrinksHasARow(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		ledgerMust(t, s.users.SetSuperuser(t.Context(), tester, w.reader.Subject, true)) // or the last one could not be one no more
		for n, c := range shrinks() {
			t.Run(c.name, func(t *testing.T) {
				st := newShrinkStage(t, w, n)
				if c.prepare != nil {
					c.prepare(st)
				}
				first := st.first()
				if got, want := first.str("scope"), st.scope(allShort); got != want {
					t.Fatalf("scope %q, want %q", got, want)
				}
				before := ledgerHead(t, s)
				c.do(st, first)
				st.wantRows(before, c.kind)
				if got := ledgerUserinfo(s, first.str("access_token")); got != http.StatusUnauthorized {
					t.Errorf("userinfo answers the old token with %d", got)
				}
				if a := w.introspect(st.resource, first.str("access_token")); a.json["active"] == true {
					t.Error("introspection finds the old token active")
				}
				second := w.refresh(st.app, first.str("refresh_token"))
				if got, want := second.str("scope"), st.scope(c.after); got != want {
					t.Fatalf("refreshed scope %q, want %q: %s", got, want, second.raw)
				}
				if c.after != "" && ledgerUserinfo(s, second.str("access_token")) != http.StatusOK {
					t.Error("the new token is refused")
				}
			})
		}
	})
}

// wantRows fails unless something was written, and of that kind.
func (s *shrinkStage) wantRows(after int64, kind revocation.Kind) {
	s.t.Helper()
	rows := ledgerRows(s.t, s.server, after)
	if !slices.ContainsFunc(rows, func(r revocation.Row) bool { return r.Kind == kind && (r.Key != "" || kind == revocation.All) }) {
		s.t.Errorf("no row of kind %s: %+v", kind, rows)
	}
}

// TestL10_Machines: what a machine holds itself can shrink too; rows of the kind
// permission do not concern it (L19).
func TestL10_Machines(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		w := newWorld(t, s)
		form := url.Values{"grant_type": {"client_credentials"}}
		first := w.call("/oauth2/token", w.machine, form).str("access_token")
		ledgerMust(t, s.groups.RevokePermission(t.Context(), tester, "Editors", "posts:add"))
		if !ledgerActive(t, s, w.resource, first) {
			t.Error("a machine lost what a group lost")
		}
		for _, c := range []struct {
			name string
			do   func() error
		}{
			{"permission deleted", func() error { return s.apis.DeletePermission(t.Context(), tester, posts, "posts:delete") }},
			{"permissions reduced", func() error {
				return s.clients.Update(t.Context(), tester, w.machine.ClientID, func(c *accounts.Client) error {
					c.Permissions = []string{"photos:add"}
					return nil
				})
			}},
			{"API disabled", func() error { return s.apis.Disable(t.Context(), tester, photos) }},
		} {
			access := w.call("/oauth2/token", w.machine, form).str("access_token")
			ledgerMust(t, c.do())
			a := w.introspect(w.machine, access)
			if a.json["active"] != false {
				t.Errorf("%s: %s", c.name, a.raw)
			}
		}
	})
}
