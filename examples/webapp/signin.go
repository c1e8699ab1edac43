package webapp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// signIn sends the person to the issuer.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	p, err := a.op.get(a.background(r.Context()))
	if err != nil {
		a.unavailable(w, r, err)
		return
	}
	s := a.sessions.of(r)
	if s == nil {
		s = a.sessions.start(w, nil)
	}
	one := attempt{
		state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier(),
		returnTo: returnPath(r.URL.Query().Get("return")),
	}
	s.begin(one)
	options := []oauth2.AuthCodeOption{
		oidc.Nonce(one.nonce), oauth2.S256ChallengeOption(one.verifier), oauth2.SetAuthURLParam("resource", a.cfg.API),
	}
	if r.URL.Query().Has("ask") {
		// An answer is remembered; somebody who left something out may want to
		// give another one.
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	http.Redirect(w, r, p.oauth2.AuthCodeURL(one.state, options...), http.StatusSeeOther)
}

// callback takes the issuer's answer.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	old := a.sessions.of(r)
	var one attempt
	known := false
	if old != nil {
		one, known = old.take(q.Get("state"))
	}
	if !known {
		// Somebody else's answer, an old page, or a reload after success.
		if old != nil && old.signedIn() {
			http.Redirect(w, r, HomePath, http.StatusSeeOther)
			return
		}
		a.fail(w, r, http.StatusBadRequest, problem{
			Title: "This sign-in did not begin here",
			Text:  "The answer does not belong to a sign-in of this browser, or it was used already.", SignIn: true,
		})
		return
	}
	if iss := q.Get("iss"); iss != "" && iss != a.cfg.Issuer { // RFC 9207 §2.4
		a.fail(w, r, http.StatusBadRequest, problem{
			Title: "This answer came from elsewhere", Text: "It names another issuer than the one that was asked.", SignIn: true,
		})
		return
	}
	if code := q.Get("error"); code != "" {
		a.refused(w, r, code, q.Get("error_description"))
		return
	}
	fresh, err := a.finish(a.outgoing(r), a.background(r.Context()), one, q.Get("code"))
	if err != nil {
		a.log.WarnContext(r.Context(), "webapp: sign-in failed", "error", err)
		a.fail(w, r, http.StatusBadGateway, problem{
			Title: "Signing in did not work", Text: "The answer of the issuer could not be used.", SignIn: true,
		})
		return
	}
	s := a.sessions.start(w, old)
	s.mu.Lock()
	s.idToken, s.claims = fresh.idToken, fresh.claims
	s.put(fresh.token, Scopes())
	s.mu.Unlock()
	http.Redirect(w, r, one.returnTo, http.StatusSeeOther)
}

// outcome is a sign-in that succeeded.
type outcome struct {
	idToken string
	claims  map[string]any
	token   *oauth2.Token
}

// finish exchanges the code and verifies who signed in.
func (a *app) finish(ctx, background context.Context, one attempt, code string) (*outcome, error) {
	p, err := a.op.get(background)
	if err != nil {
		return nil, err
	}
	token, err := p.oauth2.Exchange(ctx, code, oauth2.VerifierOption(one.verifier), oauth2.SetAuthURLParam("resource", a.cfg.API))
	if err != nil {
		return nil, fmt.Errorf("exchange the code: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the answer holds no ID token")
	}
	idToken, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("verify the ID token: %w", err)
	}
	if idToken.Nonce != one.nonce {
		return nil, errors.New("the ID token belongs to another sign-in")
	}
	if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
		return nil, fmt.Errorf("the access token does not belong to the ID token: %w", err)
	}
	out := &outcome{idToken: raw, token: token}
	if err := idToken.Claims(&out.claims); err != nil {
		return nil, fmt.Errorf("read the ID token: %w", err)
	}
	if more, err := a.userinfo(ctx, p, token, idToken.Subject); err != nil {
		a.log.WarnContext(ctx, "webapp: no userinfo", "error", err)
	} else {
		for name, value := range more {
			if _, ours := out.claims[name]; !ours {
				out.claims[name] = value
			}
		}
	}
	return out, nil
}

// userinfo returns the claims that are not in the ID token. Their subject must be
// the same (OpenID Connect Core §5.3.2).
func (a *app) userinfo(ctx context.Context, p *provider, token *oauth2.Token, subject string) (map[string]any, error) {
	info, err := p.oidc.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, err
	}
	if info.Subject != subject {
		return nil, errors.New("userinfo is about somebody else")
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil {
		return nil, err
	}
	return claims, nil
}

// refused shows what the issuer answered instead of a code (RFC 6749 §4.1.2.1).
func (a *app) refused(w http.ResponseWriter, r *http.Request, code, description string) {
	p := problem{Title: "You were not signed in", Text: description, Code: code, SignIn: true}
	status := http.StatusBadGateway
	switch code {
	case "access_denied":
		status, p.Title, p.Text = http.StatusForbidden, "You chose not to sign in", "That is fine: nothing was shared with this app."
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		status = http.StatusForbidden
	case "temporarily_unavailable", "server_error":
		status, p.Text = http.StatusServiceUnavailable, "The issuer cannot sign anybody in at the moment. Please try again soon."
	}
	a.fail(w, r, status, p)
}

// signOut ends the session here and then asks the issuer to end its own (OpenID
// Connect RP-Initiated Logout §2).
func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	s := a.sessions.of(r)
	if s == nil {
		http.Redirect(w, r, HomePath, http.StatusSeeOther)
		return
	}
	s.mu.Lock()
	hint := s.idToken
	s.mu.Unlock()
	a.sessions.end(w, s)
	p, err := a.op.get(a.background(r.Context()))
	if err != nil || p.endSession == "" || hint == "" {
		http.Redirect(w, r, HomePath, http.StatusSeeOther)
		return
	}
	target, err := url.Parse(p.endSession)
	if err != nil {
		a.unavailable(w, r, fmt.Errorf("end_session_endpoint: %w", err))
		return
	}
	q := target.Query()
	q.Set("id_token_hint", hint)
	q.Set("client_id", a.cfg.ClientID)
	q.Set("post_logout_redirect_uri", a.cfg.URL+HomePath)
	target.RawQuery = q.Encode()
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}
