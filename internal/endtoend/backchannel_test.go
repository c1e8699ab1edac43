package endtoend_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// ear is an app's back-channel logout endpoint. While it is deaf it answers that it
// cannot take anything.
type ear struct {
	*httptest.Server

	mu     sync.Mutex
	deaf   bool
	missed int
	heard  []string
}

func newEar(t *testing.T) *ear {
	t.Helper()
	e := &ear{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.PostFormValue("logout_token")
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.deaf {
			e.missed++
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		e.heard = append(e.heard, token)
	}))
	t.Cleanup(e.Close)
	return e
}

// told returns what was heard and how often something was missed.
func (e *ear) told() (heard []string, missed int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard, e.missed
}

func (e *ear) deafen(deaf bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deaf = deaf
}

// logoutClaims are those of a logout token (OpenID Connect Back-Channel Logout 1.0
// §2.4).
type logoutClaims struct {
	Session string              `json:"sid"`
	Nonce   *string             `json:"nonce"`
	Events  map[string]struct{} `json:"events"`
}

// TestBackchannelLogout: an app is told that a session of its has ended, by whatever
// it ended, also when it could not be reached at first and the server was started
// again meanwhile.
func TestBackchannelLogout(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		app := newEar(t)
		a := s.goApp(t, "--backchannel-logout-uri", app.URL+"/logout")
		_, signed := a.signIn(s.agent(t), "regular_user")
		var was logoutClaims
		if err := signed.Claims(&was); err != nil {
			t.Fatal(err)
		}
		app.deafen(true)
		s.command(t, "session", "end", "--user", "regular_user", "--session", was.Session)
		awaitWithin(t, patience, "the app is called", func() bool { _, missed := app.told(); return missed > 0 })
		s.stop(t)
		if !s.run(t) {
			t.Fatalf("the server did not come back:\n%s", s.logged)
		}
		app.deafen(false)
		awaitWithin(t, 2*patience, "the app is told", func() bool { heard, _ := app.told(); return len(heard) > 0 })
		heard, _ := app.told()
		a.checkLogout(heard[0], signed, was.Session)
	})
}

// checkLogout verifies a logout token as an app would, with somebody else's code.
func (a *app) checkLogout(raw string, signed *oidc.IDToken, session string) {
	a.t.Helper()
	if typ := partOf(raw, 0, "typ"); typ != "logout+jwt" {
		a.t.Errorf("typ %q", typ)
	}
	got, err := a.provider.VerifierContext(a.t.Context(), &oidc.Config{ClientID: a.config.ClientID}).Verify(a.t.Context(), raw)
	if err != nil {
		a.t.Fatalf("logout token: %v", err)
	}
	var claims logoutClaims
	if err := got.Claims(&claims); err != nil {
		a.t.Fatal(err)
	}
	_, isLogout := claims.Events["http://schemas.openid.net/event/backchannel-logout"]
	if !isLogout || claims.Nonce != nil || claims.Session != session || got.Subject != signed.Subject {
		a.t.Errorf("logout token %+v of %s", claims, got.Subject)
	}
	if age := time.Since(got.IssuedAt); age > 4*patience {
		a.t.Errorf("the logout token is %s old", age)
	}
}

// TestBackchannelLogoutSparesOthers: a session that goes on is no app's business.
func TestBackchannelLogoutSparesOthers(t *testing.T) {
	s := start(t, embedded)
	first, second := newEar(t), newEar(t)
	a := s.goApp(t, "--backchannel-logout-uri", first.URL+"/logout")
	b := s.goApp(t, "--backchannel-logout-uri", second.URL+"/logout")
	person := s.agent(t)
	token, _ := a.signIn(person, "regular_user")
	b.signIn(s.agent(t), "reader")
	raw, _ := token.Extra("id_token").(string)
	answer, err := person.client.Get(s.issuer + "/logout?id_token_hint=" + raw)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // nothing is read
	awaitWithin(t, patience, "the app is told", func() bool { heard, _ := first.told(); return len(heard) > 0 })
	if heard, _ := second.told(); len(heard) != 0 {
		t.Errorf("another app was told %d times", len(heard))
	}
	// The access that the person gave for the time while they are away stays.
	if _, err := a.refresh(&oauth2.Token{RefreshToken: token.RefreshToken}); err != nil {
		t.Errorf("refresh after the sign-out: %v", err)
	}
}
