package webapp

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	cookieName = "demo_session"
	// sessionLife is how long a session is kept in memory.
	sessionLife = 12 * time.Hour
	maxSessions = 10_000
	// maxAttempts is how many sign-ins one browser may have under way (tabs).
	maxAttempts = 8
)

// attempt is a sign-in under way.
type attempt struct {
	state, nonce, verifier string
	returnTo               string
}

// session is what the app knows of one browser.
type session struct {
	id    string
	since time.Time

	mu       sync.Mutex
	attempts []attempt
	idToken  string // as it came; needed to sign out
	claims   map[string]any
	token    *oauth2.Token
	scopes   []string // that token carries
}

// sessions are all that there are.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	byID map[string]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, byID: map[string]*session{}}
}

// of returns the session of a request's browser, or nil.
func (s *sessions) of(r *http.Request) *session {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[cookie.Value]
	if found == nil || s.now().Sub(found.since) > sessionLife {
		return nil
	}
	return found
}

// start makes a session with a new id and gives it to the browser. The one that
// it replaces ends: who planted that id has nothing (session fixation).
func (s *sessions) start(w http.ResponseWriter, replaced *session) *session {
	fresh := &session{id: rand.Text(), since: s.now()}
	s.mu.Lock()
	if replaced != nil {
		delete(s.byID, replaced.id)
	}
	s.makeRoom()
	s.byID[fresh.id] = fresh
	s.mu.Unlock()
	http.SetCookie(w, cookie(fresh.id, int(sessionLife.Seconds())))
	return fresh
}

// makeRoom drops what has ended, or else the oldest. The caller holds the lock.
func (s *sessions) makeRoom() {
	if len(s.byID) < maxSessions {
		return
	}
	var oldest *session
	for id, one := range s.byID {
		if s.now().Sub(one.since) > sessionLife {
			delete(s.byID, id)
		} else if oldest == nil || one.since.Before(oldest.since) {
			oldest = one
		}
	}
	if len(s.byID) >= maxSessions {
		delete(s.byID, oldest.id)
	}
}

func (s *sessions) end(w http.ResponseWriter, one *session) {
	s.mu.Lock()
	delete(s.byID, one.id)
	s.mu.Unlock()
	http.SetCookie(w, cookie("", -1))
}

// cookie is not Secure, because the demo lives on http://localhost.
func cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// signedIn reports whether somebody is.
func (s *session) signedIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token != nil
}

// begin notes a sign-in; the oldest of too many is forgotten.
func (s *session) begin(a attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, a)
	if len(s.attempts) > maxAttempts {
		s.attempts = s.attempts[1:]
	}
}

// take returns the sign-in with that state, once.
func (s *session) take(state string) (attempt, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.attempts, func(a attempt) bool { return a.state == state })
	if i < 0 {
		return attempt{}, false
	}
	found := s.attempts[i]
	s.attempts = slices.Delete(s.attempts, i, i+1)
	return found, true
}

// holds reports whether the access token carries a permission.
func (s *session) holds(scope string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.scopes, scope)
}

// put keeps an access token and what it carries. The caller holds the lock, or
// the only reference.
func (s *session) put(t *oauth2.Token, before []string) {
	s.token, s.scopes = t, before
	// An answer without scope grants what was asked (RFC 6749 §5.1).
	if scope, ok := t.Extra("scope").(string); ok {
		s.scopes = strings.Fields(scope)
	}
}

// name is what the person is called.
func (s *session) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, claim := range []string{"name", "preferred_username", "email", "sub"} {
		if text, ok := s.claims[claim].(string); ok && text != "" {
			return text
		}
	}
	return ""
}
