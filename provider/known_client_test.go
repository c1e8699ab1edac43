package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// twoNodes are two servers on one database that tell each other nothing: what one
// remembers, the other changes.
func twoNodes(t *testing.T) (remembering, changing *world) {
	t.Helper()
	database := sqldbtest.Postgres(t)
	key := secret.Text(strings.Repeat("s", 40))
	remembering = newWorld(t, newNode(t, database, key, nil))
	other := *remembering
	other.server = newNode(t, database, key, nil)
	return remembering, &other
}

func (w *world) updated(c app, f func(c *accounts.Client)) {
	w.t.Helper()
	err := w.clients.Update(w.t.Context(), tester, c.ClientID, func(c *accounts.Client) error { f(c); return nil })
	if err != nil {
		w.t.Fatal(err)
	}
}

// knownUse is a way to use a client that a node remembers. It reports whether the
// client got what it wanted.
type knownUse struct {
	name string
	use  func(w *world, s *knownStage) bool
}

// knownStage is a client in use.
type knownStage struct {
	app     app
	browser *browser
	code    string
	refresh string
	access  string
}

func knownUses() []knownUse {
	return []knownUse{
		{"authorize", func(w *world, s *knownStage) bool {
			return strings.Contains(s.browser.authorize(s.app.request("openid posts:add")).Header.Get("Location"), "code=")
		}},
		{"code", func(w *world, s *knownStage) bool { return w.redeem(s.app, s.code).status == http.StatusOK }},
		{"refresh", func(w *world, s *knownStage) bool { return w.refresh(s.app, s.refresh).status == http.StatusOK }},
		{"client credentials", func(w *world, s *knownStage) bool {
			return w.call("/oauth2/token", s.app, url.Values{"grant_type": {"client_credentials"}}).status == http.StatusOK
		}},
		{"push", func(w *world, s *knownStage) bool {
			return w.call("/oauth2/par", s.app, s.app.request("openid")).status == http.StatusCreated
		}},
		{"introspect", func(w *world, s *knownStage) bool { return w.introspect(s.app, s.access).status == http.StatusOK }},
		{"revoke", func(w *world, s *knownStage) bool {
			return w.call("/oauth2/revoke", s.app, url.Values{"token": {"x"}}).status == http.StatusOK
		}},
	}
}

// knownApp registers a client with which everything works, and works with it, so
// that the node remembers it.
func (w *world) knownApp() *knownStage {
	w.t.Helper()
	s := &knownStage{app: w.register(accounts.Registration{
		Name: "Known", Type: accounts.WebClient, RedirectURIs: []string{callback, callback + "2"},
		Scopes: []string{"openid", "offline_access", "posts:add"}, Permissions: []string{"posts:add"},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
	})}
	first := w.tokens(s.app, w.user, "openid offline_access posts:add")
	s.refresh, s.access = first.str("refresh_token"), first.str("access_token")
	s.browser = w.signedIn(w.user)
	s.code = s.browser.code(s.app.request("openid posts:add"))
	return s
}

// TestL10_RememberedClients: what another node takes from a client is taken at the
// next request here, although nobody tells this node and it remembers the client.
func TestL10_RememberedClients(t *testing.T) {
	here, there := twoNodes(t)
	for _, c := range []struct {
		name  string
		take  func(s *knownStage)
		still []string // what goes on working
	}{
		{"disabled", func(s *knownStage) {
			ledgerMust(t, there.clients.Disable(t.Context(), tester, s.app.ClientID))
		}, nil},
		{"deleted", func(s *knownStage) {
			ledgerMust(t, there.clients.Delete(t.Context(), tester, s.app.ClientID))
		}, nil},
		{"compromised", func(s *knownStage) {
			ledgerMust(t, there.clients.Compromised(t.Context(), tester, s.app.ClientID))
		}, []string{"authorize"}},
		{"another secret", func(s *knownStage) {
			_, err := there.clients.RotateSecret(t.Context(), tester, s.app.ClientID, 0)
			ledgerMust(t, err)
		}, []string{"authorize"}},
		{"another way to authenticate", func(s *knownStage) {
			there.updated(s.app, func(c *accounts.Client) {
				c.AuthMethod, c.JWKS = accounts.AuthPrivateKeyJWT, newAssertionSigner(t).jwks
			})
		}, []string{"authorize"}},
		{"fewer grant types", func(s *knownStage) {
			there.updated(s.app, func(c *accounts.Client) {
				c.GrantTypes, c.Permissions = []string{"authorization_code"}, nil
			})
		}, []string{"authorize", "code", "push", "introspect", "revoke"}},
		{"fewer redirect URIs", func(s *knownStage) {
			there.updated(s.app, func(c *accounts.Client) { c.RedirectURIs = c.RedirectURIs[1:] })
		}, []string{"code", "refresh", "client credentials", "introspect", "revoke"}},
		{"fewer permissions", func(s *knownStage) {
			there.updated(s.app, func(c *accounts.Client) { c.Permissions = []string{"posts:delete"} })
		}, []string{"authorize", "code", "refresh", "client credentials", "push", "introspect", "revoke"}},
	} {
		for _, u := range knownUses() {
			s := here.knownApp()
			c.take(s)
			if got, want := u.use(here, s), slices.Contains(c.still, u.name); got != want {
				t.Errorf("%s, %s: works %v, want %v", c.name, u.name, got, want)
			}
		}
	}
}

// A redirect URI that is the client's no more gets nothing, no error either.
func TestAttack_006_RememberedRedirectURI(t *testing.T) {
	here, there := twoNodes(t)
	for name, request := range map[string]url.Values{
		"wrong":  here.web.request("openid", "response_type", "token"),
		"silent": here.web.request("openid", "prompt", "none"),
	} {
		b := here.signedIn(here.user)
		there.updated(here.web, func(c *accounts.Client) { c.RedirectURIs = []string{callback} })
		b.authorize(here.web.request("openid")) // remembered
		there.updated(here.web, func(c *accounts.Client) { c.RedirectURIs = []string{callback + "-other"} })
		if resp := b.authorize(request); resp.Header.Get("Location") != "" {
			t.Errorf("%s: sent to %s", name, resp.Header.Get("Location"))
		}
	}
}

// What another node gives a client works here at once, too.
func TestL10_RememberedClientsGain(t *testing.T) {
	here, there := twoNodes(t)
	s := here.knownApp()
	key, err := there.clients.RotateSecret(t.Context(), tester, s.app.ClientID, time.Hour)
	ledgerMust(t, err)
	old := s.app
	s.app.secret = key.Reveal()
	if a := here.refresh(s.app, s.refresh); a.status != http.StatusOK {
		t.Errorf("the new secret: %s", a.raw)
	}
	if !knownUses()[3].use(here, &knownStage{app: old}) {
		t.Error("the old secret ended before its time")
	}
	here.clock.advance(2 * time.Hour)
	if knownUses()[3].use(here, &knownStage{app: old}) {
		t.Error("a secret that ended by time is good in memory")
	}
	if !knownUses()[3].use(here, s) {
		t.Error("the new secret ended with the old one")
	}
	there.updated(s.app, func(c *accounts.Client) {
		c.GrantTypes, c.Permissions = []string{"authorization_code"}, nil
	})
	if knownUses()[3].use(here, s) {
		t.Error("a grant type that was taken")
	}
	there.updated(s.app, func(c *accounts.Client) {
		c.GrantTypes, c.Permissions = append(c.GrantTypes, "client_credentials"), []string{"posts:add"}
	})
	if !knownUses()[3].use(here, s) {
		t.Error("a grant type that was given")
	}
	there.updated(s.app, func(c *accounts.Client) { c.RedirectURIs = append(c.RedirectURIs, callback+"3") })
	if !strings.Contains(here.signedIn(here.user).authorize(s.app.request("openid", "redirect_uri", callback+"3")).Header.Get("Location"), "code=") {
		t.Error("a redirect URI that was given")
	}
}

// A client that proves itself by an assertion uses it up once, also when it has to
// be proven a second time within the request.
func TestL10_RememberedAssertion(t *testing.T) {
	here, there := twoNodes(t)
	signer := newAssertionSigner(t)
	c := here.register(accounts.Registration{
		Name: "Signing", Type: accounts.MachineClient, AuthMethod: accounts.AuthPrivateKeyJWT,
		JWKS: signer.jwks, Permissions: []string{"posts:add", "posts:delete"},
	})
	ask := func() answer { return here.call("/oauth2/token", c, signer.form(t, c, id.New().String())) }
	if a := ask(); a.status != http.StatusOK {
		t.Fatal(a.raw)
	}
	there.updated(c, func(c *accounts.Client) { c.Permissions = []string{"posts:add"} })
	if a := ask(); a.status != http.StatusOK || a.str("scope") != "posts:add" {
		t.Errorf("changed: %s", a.raw)
	}
	there.updated(c, func(c *accounts.Client) { c.JWKS = newAssertionSigner(t).jwks })
	if a := ask(); a.status != http.StatusUnauthorized {
		t.Errorf("other keys: %s", a.raw)
	}
}
