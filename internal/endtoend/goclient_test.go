package endtoend_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-id/gatehouse/resource"
)

const callback = "http://localhost:1/callback" // where nobody need listen

const everyScope = "openid profile email offline_access posts:add posts:delete"

// app is a third-party app as its authors would write it.
type app struct {
	*server
	t        *testing.T
	provider *oidc.Provider
	config   oauth2.Config
}

// goApp registers an app and lets it find the issuer.
func (s *server) goApp(t *testing.T, more ...string) *app {
	t.Helper()
	args := append([]string{
		"--name", "Go app", "--type", "web", "--redirect-uri", callback, "--scope", everyScope, "--optional-scope", "posts:add posts:delete",
	}, more...)
	return s.goAppOf(t, s.register(t, args...))
}

func (s *server) goAppOf(t *testing.T, c client) *app {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), s.issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &app{server: s, t: t, provider: provider, config: oauth2.Config{
		ClientID: c.ID, ClientSecret: c.Secret, Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: strings.Fields(everyScope),
	}}
}

// signIn sends a person through the pages and redeems the code.
func (a *app) signIn(person *agent, username string, leaveOut ...string) (*oauth2.Token, *oidc.IDToken) {
	a.t.Helper()
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	request := a.config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	answer, err := person.authorize(request, username, leaveOut...)
	if err != nil {
		a.t.Fatalf("authorize: %v", err)
	}
	if answer.Get("state") != state || answer.Get("iss") != a.issuer || answer.Get("code") == "" {
		a.t.Fatalf("the app was answered %v", answer)
	}
	a.hide(answer.Get("code"))
	token, err := a.config.Exchange(a.t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		a.t.Fatalf("exchange: %v", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := a.provider.VerifierContext(a.t.Context(), &oidc.Config{ClientID: a.config.ClientID}).Verify(a.t.Context(), raw)
	if err != nil {
		a.t.Fatalf("ID token: %v", err)
	}
	if id.Nonce != nonce {
		a.t.Errorf("nonce %q, want %q", id.Nonce, nonce)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		a.t.Errorf("at_hash: %v", err)
	}
	return token, id
}

// refresh redeems a refresh token.
func (a *app) refresh(token *oauth2.Token) (*oauth2.Token, error) {
	// A token without an access token is one that has to be refreshed.
	return a.config.TokenSource(a.t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
}

// at verifies an access token as the demo API does, offline.
func (s *server) at(t *testing.T, audience, raw string) *resource.Token {
	t.Helper()
	verifier, err := resource.New(resource.Config{Issuer: s.issuer, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	token, err := verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatalf("access token: %v", err)
	}
	return token
}

func scopesOf(token *oauth2.Token) []string {
	scope, _ := token.Extra("scope").(string)
	return strings.Fields(scope)
}

func TestGoClient(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		a := s.goApp(t)
		token, id := a.signIn(s.agent(t), "regular_user")
		access := s.at(t, s.api, token.AccessToken)
		if access.Subject != id.Subject || access.ClientID != a.config.ClientID || !access.HasScope("posts:add") || access.HasScope("posts:delete") {
			t.Errorf("access token %+v of %s", access, id.Subject)
		}
		if slices.Contains(scopesOf(token), "posts:delete") || !slices.Contains(scopesOf(token), "posts:add") {
			t.Errorf("granted %v", scopesOf(token))
		}
		if life := time.Until(token.Expiry); life <= 0 || life > 10*time.Minute {
			t.Errorf("the access token lives for %s", life)
		}
		if n := len(token.AccessToken); n > 600 {
			t.Errorf("the access token has %d bytes, want at most 600", n)
		} else {
			t.Logf("the access token has %d bytes", n)
		}
		a.checkUserinfo(token, id)

		fresh, err := a.refresh(token)
		if err != nil {
			t.Fatalf("refresh: %v", err)
		}
		if fresh.RefreshToken == token.RefreshToken || fresh.AccessToken == token.AccessToken {
			t.Error("the tokens were not renewed")
		}
		if again := s.at(t, s.api, fresh.AccessToken); again.GrantID != access.GrantID || again.ID == access.ID {
			t.Errorf("after the refresh %+v, before %+v", again, access)
		}
		if status := s.callAPI(t, http.MethodPost, fresh.AccessToken); status != http.StatusCreated {
			t.Errorf("the API answered %d to a post", status)
		}
		if status := s.callAPI(t, http.MethodDelete, fresh.AccessToken); status != http.StatusForbidden {
			t.Errorf("the API answered %d to a deletion", status)
		}
	})
}

func (a *app) checkUserinfo(token *oauth2.Token, id *oidc.IDToken) {
	a.t.Helper()
	info, err := a.provider.UserInfo(a.t.Context(), oauth2.StaticTokenSource(token))
	if err != nil {
		a.t.Fatalf("userinfo: %v", err)
	}
	var claims struct {
		Username string `json:"preferred_username"`
		Name     string `json:"name"`
	}
	if err := info.Claims(&claims); err != nil {
		a.t.Fatal(err)
	}
	if info.Subject != id.Subject || info.Email != "regular@test.com" || !info.EmailVerified || claims.Username != "regular_user" || claims.Name != "Rita Regular" {
		a.t.Errorf("userinfo %+v %+v", info, claims)
	}
}

// callAPI adds or deletes a post with a token and returns the status.
func (s *server) callAPI(t *testing.T, method, token string) int {
	t.Helper()
	path := map[string]string{http.MethodPost: "/posts", http.MethodDelete: "/posts/1", http.MethodGet: "/posts"}[method]
	req, err := http.NewRequestWithContext(t.Context(), method, s.api+path, strings.NewReader(`{"title":"t","body":"b"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// Each app verifies its ID tokens in the algorithm that it registered.
func TestGoClientByAlgorithm(t *testing.T) {
	s := start(t, embedded)
	for _, algorithm := range []string{oidc.RS256, oidc.ES256, oidc.PS256, oidc.EdDSA} {
		t.Run(algorithm, func(t *testing.T) {
			a := s.goApp(t, "--id-token-alg", algorithm)
			token, _ := a.signIn(s.agent(t), "regular_user")
			raw, _ := token.Extra("id_token").(string)
			strict := a.provider.VerifierContext(t.Context(), &oidc.Config{ClientID: a.config.ClientID, SupportedSigningAlgs: []string{algorithm}})
			if _, err := strict.Verify(t.Context(), raw); err != nil {
				t.Error(err)
			}
		})
	}
}

// A machine acts for itself, with the permissions that it holds.
func TestGoMachine(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		c := s.register(t, "--name", "Robot", "--type", "machine", "--scope", "posts:add")
		provider, err := oidc.NewProvider(t.Context(), s.issuer)
		if err != nil {
			t.Fatal(err)
		}
		machine := clientcredentials.Config{ClientID: c.ID, ClientSecret: c.Secret, TokenURL: provider.Endpoint().TokenURL, Scopes: []string{"posts:add"}}
		token, err := machine.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		access := s.at(t, s.api, token.AccessToken)
		if access.Subject != c.ID || !access.HasScope("posts:add") || access.GrantID != "" || token.RefreshToken != "" {
			t.Errorf("access token %+v", access)
		}
		if status := s.callAPI(t, http.MethodPost, token.AccessToken); status != http.StatusCreated {
			t.Errorf("the API answered %d to a post", status)
		}
		machine.Scopes = []string{"posts:delete"}
		if _, err := machine.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid_scope") {
			t.Errorf("a permission that it does not hold: %v", err)
		}
	})
}

// introspect asks as a client and returns the answer.
func (s *server) introspect(t *testing.T, c client, token string) map[string]any {
	t.Helper()
	form := url.Values{"token": {token}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.issuer+"/oauth2/introspect", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	var said map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("introspection answered %s %v, %v", answer.Status, said, err)
	}
	return said
}

// resourceServer is the demo API's own client, with the secret that it keeps.
func (s *server) resourceServer(t *testing.T) client {
	t.Helper()
	id, _ := s.ask(t, "api", "show", "--audience", s.api)["client_id"].(string)
	secret, err := os.ReadFile(filepath.Join(s.dataDir, "demo-api-secret"))
	if id == "" || err != nil {
		t.Fatalf("the API has no client of its own: %v", err)
	}
	return client{id, strings.TrimSpace(string(secret))}
}
