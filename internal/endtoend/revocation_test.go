package endtoend_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/examples/webapp"
)

// shortApp is the demo app again, run by somebody who may not keep access: what it
// holds ends with the session in which it was given.
func (s *server) shortApp(t *testing.T) *server {
	t.Helper()
	listener := httptest.NewUnstartedServer(nil)
	// The name by which browsers know it: cookies of an address are another site's.
	_, port, _ := strings.Cut(listener.Listener.Addr().String(), ":")
	url := "http://localhost:" + port
	c := s.register(
		t, "--name", "Short app", "--type", "web", "--redirect-uri", url+webapp.CallbackPath,
		"--scope", strings.ReplaceAll(everyScope, " offline_access", ""), "--optional-scope", "posts:add posts:delete",
	)
	app, err := webapp.New(webapp.Config{
		Issuer: s.issuer, ClientID: c.ID, ClientSecret: c.Secret, URL: url, API: s.api, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener.Config.Handler = app
	listener.Start()
	t.Cleanup(listener.Close)
	return &server{issuer: s.issuer, app: url, api: s.api, dataDir: s.dataDir, listen: s.listen, env: s.env}
}

// A session that ends in one window ends the other one's: the posts API refuses the
// app's token within the bound, and the app shows that it is nobody's any more.
func TestSessionEndedInAnotherWindow(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		for _, how := range []struct {
			name string
			end  func(v *visitor)
		}{
			{"sign-out at Gatehouse", func(v *visitor) {
				other := v.tab()
				other.open(s.issuer + "/logout")
				other.sees(s.issuer+"/logout", 200, "Sign out?")
				other.press(buttonContinue)
				other.sees(s.issuer+"/logout", 200, "You are signed out")
			}},
			{"ended by an operator", func(v *visitor) {
				found := s.ask(v.t, "session", "list", "--user", "regular_user")
				list, _ := found["sessions"].([]any)
				if len(list) != 1 {
					v.t.Fatalf("sessions %v", found)
				}
				sid, _ := list[0].(map[string]any)["sid"].(string)
				s.command(v.t, "session", "end", "--user", "regular_user", "--session", sid)
			}},
		} {
			t.Run(how.name, func(t *testing.T) {
				v := s.shortApp(t).visitor(t)
				v.enter("regular_user")
				v.publish()
				v.sees(v.app+"/posts", 200, draftTitle)
				how.end(v)
				v.until("the app has lost its access", func() bool {
					v.submit("/posts/new", draft())
					return strings.HasPrefix(v.where(), s.issuer+"/signin")
				})
				v.open(v.app + "/")
				v.sees(v.app+"/", 200, "!Hello", "Sign in")
				// Who comes back gets on.
				v.begin()
				v.signIn("regular_user", password)
				v.sees(v.app+"/", 200, "Hello, Rita Regular")
				v.publish()
				v.sees(v.app+"/posts", 200, draftTitle)
				v.open(s.issuer + "/logout")
				v.press(buttonContinue)
			})
		}
	})
}

// Whom an app may act for while they are away stays signed in there; only a sign-out
// everywhere ends that.
func TestSignedOutEverywhere(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.enter("regular_user")
		v.publish()
		other := v.tab()
		other.open(s.issuer + "/logout")
		other.press(buttonContinue)
		v.publish()
		v.sees(s.app+"/posts", 200, draftTitle)
		s.command(t, "revoke", "user", "--user", "regular_user")
		v.until("the app has lost its access", func() bool {
			v.submit("/posts/new", draft())
			return strings.HasPrefix(v.where(), s.issuer+"/signin")
		})
		v.open(s.app + "/")
		v.sees(s.app+"/", 200, "!Hello", "Sign in")
	})
}

// A permission that a group loses is gone from the token that carried it: the posts
// API refuses the next post within the bound, the app refreshes without a word and
// shows what is no longer allowed. Given back, it is there after a refresh.
func TestPermissionLostAndGivenBack(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		v := s.visitor(t)
		v.enter("regular_user")
		v.sees(s.app+"/", 200, "You hold the permission posts:add")
		v.publish()
		v.sees(s.app+"/posts", 200, draftTitle)

		s.command(t, "group", "revoke", "--group", "Editors", "--permission", "posts:add")

		v.until("a post is refused", func() bool {
			v.submit("/posts/new", draft())
			return v.status == http.StatusForbidden
		})
		v.sees(s.app+"/posts/new", 403, "You may not do that", "Missing: posts:add")
		v.open(s.app + "/") // nobody was asked to sign in or to press anything
		v.sees(s.app+"/", 200, "Hello, Rita Regular", "Needs the permission posts:add")
		v.open(s.app + "/posts")
		v.sees(s.app+"/posts", 200, "Posts")

		s.command(t, "group", "grant", "--group", "Editors", "--permission", "posts:add")

		v.until("a refresh brings it back", func() bool {
			v.open(s.app + "/claims")
			v.press(`form[action="/refresh"] button`)
			return strings.Contains(v.text(), "posts:add")
		})
		v.open(s.app + "/")
		v.sees(s.app+"/", 200, "You hold the permission posts:add")
		v.publish()
		v.sees(s.app+"/posts", 200, draftTitle)
	})
}
