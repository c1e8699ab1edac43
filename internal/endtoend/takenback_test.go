package endtoend_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/oauth2"
)

// A permission that a command takes away is gone within the bound: old tokens are
// dead where Gatehouse is asked, and the refresh gives less.
func TestPermissionTakenAway(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		a, api := s.goApp(t), s.resourceServer(t)
		token, _ := a.signIn(s.agent(t), "regular_user")
		if said := s.introspect(t, api, token.AccessToken); said["active"] != true {
			t.Fatalf("before: %v", said)
		}
		v := s.visitor(t)
		v.enter("regular_user")
		v.open(s.app + "/claims")
		v.sees(s.app+"/claims", 200, "posts:add")

		s.command(t, "group", "revoke", "--group", "Editors", "--permission", "posts:add")

		if said := s.inactive(t, api, token.AccessToken); len(said) != 1 {
			t.Errorf("after: %v", said)
		}
		fresh, err := a.refresh(token)
		if err != nil {
			t.Fatalf("refresh: %v", err)
		}
		if slices.Contains(scopesOf(fresh), "posts:add") || !slices.Contains(scopesOf(fresh), "openid") {
			t.Errorf("refreshed to %v", scopesOf(fresh))
		}
		v.press(`form[action="/refresh"] button`)
		v.sees(s.app+"/claims", 200, "openid", "!posts:add")
		v.submit("/posts/new", draft())
		v.sees(s.app+"/posts/new", 403, "You may not do that")

		// Given back, it is there again at the next refresh, without a question.
		s.command(t, "group", "grant", "--group", "Editors", "--permission", "posts:add")
		v.until("the permission is back", func() bool {
			v.press(`form[action="/refresh"] button`)
			v.open(s.app + "/posts/new")
			return v.status == http.StatusOK
		})
		v.publish()
		v.sees(s.app+"/posts", 200, draftTitle)
	})
}

// A ban by command ends the session, the grants and the tokens.
func TestBanByCommand(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		a, api := s.goApp(t), s.resourceServer(t)
		token, _ := a.signIn(s.agent(t), "regular_user")
		v := s.visitor(t)
		v.enter("regular_user")
		v.open(s.issuer + "/")
		v.sees(s.issuer+"/", 200, "Hello, Rita Regular")

		s.command(t, "user", "ban", "--user", "regular_user")

		s.inactive(t, api, token.AccessToken)
		v.open(s.issuer + "/")
		v.sees(s.issuer+"/", 200, "!Hello", "Sign in")
		var refused *oauth2.RetrieveError
		if _, err := a.refresh(token); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
			t.Errorf("the refresh: %v", err)
		}
		// The app can do nothing but ask for a new sign-in.
		v.open(s.app + "/claims")
		v.press(`form[action="/refresh"] button`)
		v.sees(s.issuer+"/signin", 200, "Password")
		v.signIn("regular_user", password)
		v.sees(s.issuer+"/signin", 403, "You do not have access")
	})
}

// After sign-out the session's tokens are dead where Gatehouse is asked.
func TestSignOutEndsTokens(t *testing.T) {
	s := start(t, embedded)
	a, api := s.goApp(t), s.resourceServer(t)
	person := s.agent(t)
	token, _ := a.signIn(person, "regular_user")
	raw, _ := token.Extra("id_token").(string)
	answer, err := person.client.Get(s.issuer + "/logout?id_token_hint=" + raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("sign-out: %s, %v", answer.Status, err)
	}
	if said := s.introspect(t, api, token.AccessToken); said["active"] != false {
		t.Errorf("the access token is %v", said)
	}
	// The person allowed the app to keep access (offline_access).
	if _, err := a.refresh(token); err != nil {
		t.Errorf("the refresh after sign-out: %v", err)
	}
}
