package endtoend_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// holder is a person who uses an app.
type holder struct {
	token   string
	refresh func() string // a new access token of the same grant
	signOut func()
}

// enter signs a person in.
func (a *app) enter() holder {
	a.t.Helper()
	person := a.agent(a.t)
	token, _ := a.signIn(person, "regular_user")
	raw, _ := token.Extra("id_token").(string)
	return holder{
		token: token.AccessToken,
		refresh: func() string {
			fresh, err := a.refresh(token)
			if err != nil {
				a.t.Fatalf("refresh: %v", err)
			}
			return fresh.AccessToken
		},
		signOut: func() {
			answer, err := person.client.Get(a.issuer + "/logout?id_token_hint=" + raw)
			if err != nil {
				a.t.Fatal(err)
			}
			if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
				a.t.Fatalf("sign-out: %s, %v", answer.Status, err)
			}
		},
	}
}

// followsGatehouse runs an example against the real thing, through a restart.
func followsGatehouse(t *testing.T, e example) {
	s := start(t, embedded)
	a, c := s.goApp(t), s.resourceServer(t)
	// Tokens stay for this API when none of its permissions is left.
	a.config.Endpoint.AuthURL += "?resource=" + url.QueryEscape(s.api)
	api := e.start(t, s.issuer, s.api, c)
	rita, other := a.enter(), a.enter()
	api.isFresh(t, rita.token)
	if r := api.list(t, rita.token); r.status != http.StatusOK {
		t.Errorf("reading: %+v", r)
	}
	if r := api.add(t, rita.token); r.status != http.StatusCreated || r.body.Author != s.at(t, s.api, rita.token).Subject {
		t.Errorf("posting: %+v", r)
	}
	checkRefusals(t, api, s.api, rita.token)

	other.signOut()
	if why := api.refuses(t, other.token); !strings.Contains(why, "session") {
		t.Errorf("after sign-out it is said that %s", why)
	}
	if r := api.list(t, rita.token); r.status != http.StatusOK {
		t.Errorf("somebody else's session: %+v", r)
	}

	s.command(t, "group", "revoke", "--group", "Editors", "--permission", "posts:add")
	if why := api.refuses(t, rita.token); !strings.Contains(why, "refresh") {
		t.Errorf("without the permission it is said that %s", why)
	}
	fresh := rita.refresh()
	if r := api.list(t, fresh); r.status != http.StatusOK {
		t.Errorf("reading after the refresh: %+v", r)
	}
	if r := api.add(t, fresh); r.status != http.StatusForbidden || !strings.Contains(r.challenge, `error="insufficient_scope"`) {
		t.Errorf("posting after the refresh: %+v", r)
	}
	checkRestart(t, s, api, rita.token, fresh)
}

// checkRestart stops the server until nothing is fresh any more, and starts it again.
func checkRestart(t *testing.T, s *server, api *exampleAPI, dead, fresh string) {
	t.Helper()
	s.stop(t)
	api.isStale(t, fresh)
	if r := api.list(t, fresh); r.status != http.StatusServiceUnavailable || r.retry == "" {
		t.Errorf("reading while nobody answers: %+v", r)
	}
	if r := api.list(t, dead); r.status != http.StatusUnauthorized {
		t.Errorf("a revoked token while nobody answers: %+v", r)
	}
	if !s.run(t) {
		t.Fatalf("the server did not come back:\n%s", s.logged)
	}
	api.isFresh(t, fresh)
	if r := api.list(t, fresh); r.status != http.StatusOK {
		t.Errorf("reading after the restart: %+v", r)
	}
}

// checkRefusals looks at what is answered to requests that may not pass.
func checkRefusals(t *testing.T, api *exampleAPI, audience, good string) {
	t.Helper()
	realm := `Bearer realm="` + audience + `"`
	tests := []struct {
		name, method  string
		authorization []string
		status        int
		challenge     string
	}{
		{"no token", http.MethodGet, nil, 401, realm},
		{"no token for a permission", http.MethodPost, nil, 401, realm + `, scope="posts:add"`},
		{"another scheme", http.MethodGet, []string{"Basic abc"}, 401, realm},
		{"empty", http.MethodGet, []string{"Bearer "}, 400, realm + `, error="invalid_request"`},
		{"two in one", http.MethodGet, []string{"Bearer " + good + " " + good}, 400, realm + `, error="invalid_request"`},
		{"two with a comma", http.MethodGet, []string{"Bearer " + good + ", Bearer " + good}, 400, realm + `, error="invalid_request"`},
		{"garbage", http.MethodGet, []string{"Bearer garbage"}, 401, realm + `, error="invalid_token"`},
		{"a changed signature", http.MethodGet, []string{"Bearer " + good[:len(good)-8] + "AAAAAAAA"}, 401, realm + `, error="invalid_token"`},
		{"too long", http.MethodGet, []string{"Bearer " + strings.Repeat("a", 17<<10)}, 0, ""},
		{"permission missing", http.MethodDelete, []string{"Bearer " + good}, 403, realm + `, error="insufficient_scope"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := "/posts"
			if test.method == http.MethodDelete {
				path = "/posts/1"
			}
			r := api.call(t, test.method, path, test.authorization...)
			if test.status == 0 { // the server in front may be stricter
				if r.status < 400 || r.status >= 500 {
					t.Errorf("answered %+v", r)
				}
				return
			}
			if r.status != test.status || !strings.HasPrefix(r.challenge, test.challenge) {
				t.Errorf("answered %+v, want %d %s", r, test.status, test.challenge)
			}
		})
	}
	if r := api.call(t, http.MethodGet, "/posts?access_token="+good); r.status != http.StatusUnauthorized {
		t.Errorf("a token in the query: %+v", r)
	}
}
