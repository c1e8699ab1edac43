package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Each app that got an ID token in the session is told once, of that session.
func TestBackchannel_TellsTheAppsOfASession(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		mail, news, plain := newListener(t), newListener(t), newListener(t)
		rs := w.told("mail", mail)
		es := w.told("news", news, func(r *accounts.Registration) {
			r.IDTokenAlgorithm, r.BackchannelLogoutSessionRequired = "ES256", true
		})
		noID := w.told("plain", plain)
		b := w.signedIn(w.user)
		first := w.enter(b, w.user, rs, "openid offline_access")
		w.enter(b, w.user, rs, "openid") // again: still one session
		second := w.enter(b, w.user, es, "openid")
		w.enter(b, w.user, noID, "posts:add") // no ID token, nothing to be told of
		w.enter(b, w.user, w.web, "openid")   // wants to hear nothing
		w.allow(w.user, noID, "openid")
		code := b.code(noID.request("openid")) // never redeemed: it got nothing yet
		elsewhere := w.signedIn(w.user)
		w.enter(elsewhere, w.user, rs, "openid")
		w.enter(w.signedIn(w.reader), w.reader, rs, "openid")

		signOut := b.get(issuer + "/logout?" + formOf("id_token_hint", first.str("id_token")).Encode())
		if signOut.StatusCode != http.StatusOK {
			t.Fatalf("sign-out: %d", signOut.StatusCode)
		}
		w.work(nil)
		for _, c := range []struct {
			app     app
			at      *listener
			idToken string
		}{{rs, mail, first.str("id_token")}, {es, news, second.str("id_token")}} {
			got := c.at.tokens()
			if len(got) != 1 {
				t.Fatalf("%s was told %d times; the log:\n%s", c.app.Name, len(got), &w.log)
			}
			was, is := claims(t, c.idToken), w.claimsOf(got[0], c.app)
			if _, err := id.Parse(is["jti"].(string)); err != nil {
				t.Errorf("jti %v", is["jti"])
			}
			issuedAt := is["iat"].(float64)
			want := map[string]any{
				"iss": issuer, "aud": c.app.ClientID, "sub": was["sub"], "sid": was["sid"], "jti": is["jti"],
				"iat": issuedAt, "exp": issuedAt + 120, "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
			}
			if diff := cmp.Diff(want, is); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.app.Name, diff)
			}
		}
		if n := len(plain.tokens()); n != 0 {
			t.Errorf("the app without an ID token was told %d times", n)
		}
		if a := w.redeem(noID, code); a.status == http.StatusOK {
			t.Error("the code outlived its session")
		}
	})
}

// Every cause that ends sessions, and none that does not, reaches the apps.
func TestBackchannel_Causes(t *testing.T) {
	sid := func(a answer) id.ID {
		s, err := id.Parse(claims(t, a.str("id_token"))["sid"].(string))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	causes := map[string]struct {
		cause func(ctx context.Context, s *scene) error
		told  int // of the two sessions
	}{
		"session ended elsewhere": {func(ctx context.Context, s *scene) error {
			return s.sessions.End(ctx, tester, s.user.Subject, sid(s.here))
		}, 1},
		"another person on the browser": {func(_ context.Context, s *scene) error {
			// As the sign-in page does: the cookie's session is replaced.
			other := s.person("another-person")
			_, position, err := s.db.UserByLogin(s.t.Context(), other.UsernameKey)
			if err != nil {
				return err
			}
			proof := &accounts.Result{User: other, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}
			_, _, err = s.sessions.Start(s.t.Context(), proof, accounts.Meta{Replaces: sid(s.here)})
			return err
		}, 1},
		"signed out everywhere": {func(ctx context.Context, s *scene) error {
			return s.users.SignOutEverywhere(ctx, tester, s.user.Subject)
		}, 2},
		"banned":  {func(ctx context.Context, s *scene) error { return s.users.Ban(ctx, tester, s.user.Subject) }, 2},
		"deleted": {func(ctx context.Context, s *scene) error { return s.users.Delete(ctx, tester, s.user.Subject) }, 2},
		"signed out, then deleted": {func(ctx context.Context, s *scene) error {
			if err := s.sessions.SignOut(ctx, tester, s.user.Subject, sid(s.here)); err != nil {
				return err
			}
			s.clock.advance(time.Hour) // nobody passes the ledger on meanwhile
			return s.users.Delete(ctx, tester, s.user.Subject)
		}, 2},
		"password reset": {func(ctx context.Context, s *scene) error {
			return s.users.SetPassword(ctx, tester, s.user.Subject, "a password of some length")
		}, 2},
		"app disconnected": {func(ctx context.Context, s *scene) error {
			return s.consents.Disconnect(ctx, tester, s.user, s.app.Client)
		}, 2},
		"refresh token used again": {func(_ context.Context, s *scene) error {
			s.refresh(s.app, s.here.str("refresh_token"))
			s.refresh(s.app, s.here.str("refresh_token"))
			s.clock.advance(time.Minute)
			s.refresh(s.app, s.here.str("refresh_token"))
			return nil
		}, 1},
		"banned after the app gave its token back": {func(ctx context.Context, s *scene) error {
			s.call("/oauth2/revoke", s.app, formOf("token", s.here.str("refresh_token")))
			s.clock.advance(time.Hour)
			return s.users.Ban(ctx, tester, s.user.Subject)
		}, 2},

		"the app gave its token back": {func(_ context.Context, s *scene) error {
			s.call("/oauth2/revoke", s.app, formOf("token", s.here.str("refresh_token")))
			return nil
		}, 0},
		"the app gave its access token back": {func(_ context.Context, s *scene) error {
			s.call("/oauth2/revoke", s.app, formOf("token", s.here.str("access_token")))
			return nil
		}, 0},
		"left a group": {func(ctx context.Context, s *scene) error {
			return s.groups.RemoveMember(ctx, tester, s.group, s.user.Subject)
		}, 0},
		"permission revoked": {func(ctx context.Context, s *scene) error {
			return s.groups.RevokePermission(ctx, tester, s.group, "posts:add")
		}, 0},
		"app disabled": {func(ctx context.Context, s *scene) error {
			return s.clients.Disable(ctx, tester, s.app.ClientID)
		}, 0},
		"somebody else banned": {func(ctx context.Context, s *scene) error {
			return s.users.Ban(ctx, tester, s.reader.Subject)
		}, 0},
	}
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		for name, c := range causes {
			t.Run(name, func(t *testing.T) {
				s := newScene(w, name)
				if err := c.cause(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				w.work(nil)
				want, got := map[any]int{}, map[any]int{}
				for _, a := range []answer{s.here, s.there}[:c.told] {
					want[claims(t, a.str("id_token"))["sid"]] = 1
				}
				for _, raw := range s.at.tokens() {
					is := w.claimsOf(raw, s.app)
					if got[is["sid"]]++; is["sub"] != s.user.Subject {
						t.Errorf("of %v", is["sub"])
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("sessions told of (-want +got):\n%s\nthe log:\n%s", diff, &w.log)
				}
			})
		}
	})
}

// scene is a person who is signed in at an app in two browsers, and a member of a
// group of their own.
type scene struct {
	*logoutWorld
	user        *accounts.User
	group       string
	app         app
	at          *listener
	here, there answer
}

func newScene(w *logoutWorld, name string) *scene {
	w.t.Helper()
	s := &scene{logoutWorld: w, user: w.person(strings.NewReplacer(" ", "-", ",", "").Replace(name)), group: name, at: newListener(w.t)}
	s.app = w.told("app", s.at)
	if _, err := w.groups.Create(w.t.Context(), tester, s.group, ""); err != nil {
		w.t.Fatal(err)
	}
	if err := w.groups.GrantPermission(w.t.Context(), tester, s.group, "posts:add"); err != nil {
		w.t.Fatal(err)
	}
	if err := w.groups.AddMember(w.t.Context(), tester, s.group, s.user.Subject, 0); err != nil {
		w.t.Fatal(err)
	}
	s.here = w.enter(w.signedIn(s.user), s.user, s.app, "openid offline_access posts:add")
	s.there = w.enter(w.signedIn(s.user), s.user, s.app, "openid offline_access posts:add")
	return s
}

// A session that began after its person was signed out everywhere is not ended by
// what is told late.
func TestBackchannel_SparesWhatBeganSince(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		l := newListener(t)
		c := w.told("app", l)
		before := w.enter(w.signedIn(w.user), w.user, c, "openid")
		if err := w.users.SignOutEverywhere(t.Context(), tester, w.user.Subject); err != nil {
			t.Fatal(err)
		}
		w.enter(w.signedIn(w.user), w.user, c, "openid")
		w.work(nil)
		got := l.tokens()
		if len(got) != 1 || w.claimsOf(got[0], c)["sid"] != claims(t, before.str("id_token"))["sid"] {
			t.Errorf("told %d times", len(got))
		}
	})
}

// What is kept of a deleted person goes when their apps are told.
func TestBackchannel_ForgetsTheDeleted(t *testing.T) {
	onEachLogout(t, func(t *testing.T, w *logoutWorld) {
		c := w.told("app", newListener(t))
		w.enter(w.signedIn(w.user), w.user, c, "openid")
		w.enter(w.signedIn(w.reader), w.reader, w.web, "openid")
		kept := func() (n int) {
			if err := w.raw.QueryRowContext(t.Context(), `SELECT count(*) FROM parted_grants`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, u := range []*accounts.User{w.user, w.reader} {
			if err := w.users.Delete(t.Context(), tester, u.Subject); err != nil {
				t.Fatal(err)
			}
		}
		if n := kept(); n != 1 {
			t.Errorf("%d grants kept, want the one whose app is to be told", n)
		}
		w.work(nil)
		if n := kept(); n != 0 {
			t.Errorf("%d grants kept", n)
		}
	})
}

func TestBackchannel_Discovery(t *testing.T) {
	s := newServer(t, sqliteURL(t))
	a := s.ask(httptest.NewRequest(http.MethodGet, issuer+"/.well-known/openid-configuration", nil))
	for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported"} {
		if a.json[name] != true {
			t.Errorf("%s is %v", name, a.json[name])
		}
	}
}
