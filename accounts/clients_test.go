package accounts_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/argon2"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func webApp() accounts.Registration {
	return accounts.Registration{Name: "App", Type: accounts.WebClient, RedirectURIs: []string{"https://app.example/cb"}}
}

func TestRegister_Defaults(t *testing.T) {
	w := newWorld(t)
	user := []string{"authorization_code", "refresh_token"}
	for _, tt := range []struct {
		r      accounts.Registration
		auth   string
		grants []string
		secret bool
	}{
		{webApp(), accounts.AuthSecret, user, true},
		{accounts.Registration{Name: "SPA", Type: accounts.SPAClient, RedirectURIs: []string{"https://spa.example/"}}, accounts.AuthNone, user, false},
		{accounts.Registration{Name: "Phone", Type: accounts.NativeClient, RedirectURIs: []string{"com.example.app:/cb"}}, accounts.AuthNone, user, false},
		{accounts.Registration{Name: "Job", Type: accounts.MachineClient}, accounts.AuthSecret, []string{"client_credentials"}, true},
		{accounts.Registration{Name: "Job", Type: accounts.MachineClient, AuthMethod: accounts.AuthPrivateKeyJWT, JWKS: jwks(t, ecKey(t).Public())}, accounts.AuthPrivateKeyJWT, []string{"client_credentials"}, false},
	} {
		c, text, err := w.clients.Register(t.Context(), operator(), tt.r)
		if err != nil {
			t.Errorf("%s: %v", tt.r.Name, err)
			continue
		}
		found, _, err := w.db.ClientByID(t.Context(), c.ClientID, w.now().UnixMilli())
		w.must(err)
		if diff := cmp.Diff(fmt.Sprint(tt.auth, tt.grants, true, true), fmt.Sprint(found.AuthMethod, found.GrantTypes, found.RequirePKCE, found.RotateRefresh)); diff != "" {
			t.Errorf("%s: %s", tt.r.Name, diff)
		}
		if (text != "") != tt.secret || len(found.Secrets) != map[bool]int{true: 1}[tt.secret] {
			t.Errorf("%s: secret %d bytes, %d kept", tt.r.Name, len(text), len(found.Secrets))
		}
		if raw, err := base64.RawURLEncoding.DecodeString(c.ClientID); err != nil || len(raw) != 16 {
			t.Errorf("client_id %q", c.ClientID)
		}
	}
}

func TestRegister_Refuses(t *testing.T) {
	w := newWorld(t)
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: ecKey(t)}}})
	w.must(err)
	symmetric, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: bytes.Repeat([]byte("k"), 32)}}})
	w.must(err)
	weak := shortRSA(t)
	for name, change := range map[string]func(r *accounts.Registration){
		"no name":             func(r *accounts.Registration) { r.Name = " " },
		"name that hides":     func(r *accounts.Registration) { r.Name = "App\u202e" },
		"type":                func(r *accounts.Registration) { r.Type = "desktop" },
		"resource type":       func(r *accounts.Registration) { r.Type = accounts.ResourceClient },
		"no redirect URI":     func(r *accounts.Registration) { r.RedirectURIs = nil },
		"51 redirect URIs":    func(r *accounts.Registration) { r.RedirectURIs = manyURIs(51) },
		"bad redirect URI":    func(r *accounts.Registration) { r.RedirectURIs = []string{"javascript:alert(1)"} },
		"bad post-logout URI": func(r *accounts.Registration) { r.PostLogoutRedirectURIs = []string{"data:text/html,x"} },
		"custom scheme":       func(r *accounts.Registration) { r.RedirectURIs = []string{"com.example.app:/cb"} },
		"web without secret":  func(r *accounts.Registration) { r.AuthMethod = accounts.AuthNone },
		"spa with secret":     func(r *accounts.Registration) { r.Type, r.AuthMethod = accounts.SPAClient, accounts.AuthSecret },
		"spa without PKCE":    func(r *accounts.Registration) { r.Type, r.WithoutPKCE = accounts.SPAClient, true },
		"spa as machine": func(r *accounts.Registration) {
			r.Type, r.GrantTypes = accounts.SPAClient, []string{"client_credentials"}
		},
		"implicit":             func(r *accounts.Registration) { r.GrantTypes = []string{"authorization_code", "implicit"} },
		"no code":              func(r *accounts.Registration) { r.GrantTypes = []string{"refresh_token"} },
		"scope":                func(r *accounts.Registration) { r.Scopes = []string{"openid", "a b"} },
		"scope quote":          func(r *accounts.Registration) { r.Scopes = []string{`a"`} },
		"openid optional":      func(r *accounts.Registration) { r.OptionalScopes = []string{"openid"} },
		"permissions":          func(r *accounts.Registration) { r.Permissions = []string{"revocations:read"} },
		"logo":                 func(r *accounts.Registration) { r.LogoURI = "javascript:alert(1)" },
		"http policy":          func(r *accounts.Registration) { r.PolicyURI = "http://app.example/policy" },
		"algorithm none":       func(r *accounts.Registration) { r.IDTokenAlgorithm = "none" },
		"algorithm HS256":      func(r *accounts.Registration) { r.IDTokenAlgorithm = "HS256" },
		"long tokens":          func(r *accounts.Registration) { r.AccessTokenLifetime = (2 * time.Hour).Milliseconds() },
		"negative lifetime":    func(r *accounts.Registration) { r.RefreshIdle = -1 },
		"client_id with space": func(r *accounts.Registration) { r.ClientID = "a b" },
		"client_id too long":   func(r *accounts.Registration) { r.ClientID = strings.Repeat("a", 2049) },
		"secret in clear":      func(r *accounts.Registration) { r.SecretHash = "hunter2" },
		"keys beside a secret": func(r *accounts.Registration) { r.JWKS = jwks(t, ecKey(t).Public()) },
		"no keys":              func(r *accounts.Registration) { r.AuthMethod = accounts.AuthPrivateKeyJWT },
		"empty set":            func(r *accounts.Registration) { r.AuthMethod, r.JWKS = accounts.AuthPrivateKeyJWT, `{"keys":[]}` },
		"private key":          func(r *accounts.Registration) { r.AuthMethod, r.JWKS = accounts.AuthPrivateKeyJWT, string(private) },
		"symmetric key":        func(r *accounts.Registration) { r.AuthMethod, r.JWKS = accounts.AuthPrivateKeyJWT, string(symmetric) },
		"weak key":             func(r *accounts.Registration) { r.AuthMethod, r.JWKS = accounts.AuthPrivateKeyJWT, jwks(t, weak) },
		"not a set":            func(r *accounts.Registration) { r.AuthMethod, r.JWKS = accounts.AuthPrivateKeyJWT, "null" },
		"huge set": func(r *accounts.Registration) {
			r.AuthMethod, r.JWKS = accounts.AuthPrivateKeyJWT, strings.Repeat(" ", 64<<10)
		},
	} {
		r := webApp()
		change(&r)
		if _, _, err := w.clients.Register(t.Context(), operator(), r); !errors.Is(err, accounts.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	r := webApp()
	r.ClientID = "https://app.example/client.json"
	if _, _, err := w.clients.Register(t.Context(), operator(), r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.clients.Register(t.Context(), operator(), r); !errors.Is(err, accounts.ErrConflict) {
		t.Errorf("client_id taken: %v", err)
	}
}

func TestVerifySecret(t *testing.T) {
	w := newWorld(t)
	c, first, err := w.clients.Register(t.Context(), operator(), webApp())
	w.must(err)
	_, foreign, err := w.clients.Register(t.Context(), operator(), webApp())
	w.must(err)
	verify := func(presented secret.Text) bool {
		t.Helper()
		found, _, err := w.db.ClientByID(t.Context(), c.ClientID, w.now().UnixMilli())
		w.must(err)
		ok, err := w.clients.VerifySecret(t.Context(), found, presented)
		w.must(err)
		return ok
	}
	if !verify(first) {
		t.Error("the secret is refused")
	}
	for _, wrong := range []secret.Text{"", foreign, first[:42], first + "A", first + "\n", " " + first, secret.Text(strings.Repeat("x", 1<<20))} {
		if verify(wrong) {
			t.Errorf("a secret of %d bytes was taken", len(wrong))
		}
	}
	second, err := w.clients.RotateSecret(t.Context(), operator(), c.ClientID, time.Hour)
	w.must(err)
	if !verify(first) || !verify(second) {
		t.Error("while they overlap both hold")
	}
	w.pass(time.Hour)
	if verify(first) || !verify(second) {
		t.Error("after the overlap only the second holds")
	}
	w.must(w.clients.Compromised(t.Context(), operator(), c.ClientID))
	if verify(first) || verify(second) {
		t.Error("a compromised secret holds")
	}
	third, err := w.clients.RotateSecret(t.Context(), operator(), c.ClientID, 0)
	w.must(err)
	if !verify(third) {
		t.Error("no way back after a compromise")
	}
	// What the caller holds in memory may be older than the end of a secret.
	stale := &accounts.Client{ClientID: c.ClientID, AuthMethod: accounts.AuthSecret, Secrets: []accounts.ClientSecret{{Hash: ""}, {Hash: "mac:"}, {Hash: "mac:!"}, {Hash: "x"}}}
	for _, presented := range []secret.Text{"", "x", "!"} {
		if ok, err := w.clients.VerifySecret(t.Context(), stale, presented); ok || err != nil {
			t.Errorf("%q for broken hashes: %v, %v", presented.Reveal(), ok, err)
		}
	}
	for _, overlap := range []time.Duration{-1, accounts.MaxSecretOverlap + 1} {
		if _, err := w.clients.RotateSecret(t.Context(), operator(), c.ClientID, overlap); !errors.Is(err, accounts.ErrInvalid) {
			t.Errorf("overlap %s: %v", overlap, err)
		}
	}
}

func TestVerifySecret_Imported(t *testing.T) {
	w := newWorld(t)
	w.argon()
	salt := []byte("0123456789abcdef")
	encode := base64.RawStdEncoding.EncodeToString
	r := webApp()
	r.SecretHash = "$argon2id$v=19$m=4096,t=1,p=1$" + encode(salt) + "$" + encode(argon2.IDKey([]byte("old secret"), salt, 1, 4096, 1, 32))
	c, text, err := w.clients.Register(t.Context(), operator(), r)
	w.must(err)
	if text != "" {
		t.Error("a secret was made beside the imported one")
	}
	for presented, want := range map[secret.Text]bool{"old secret": true, "other": false, "": false} {
		if ok, err := w.clients.VerifySecret(t.Context(), c, presented); ok != want || err != nil {
			t.Errorf("%q: %v, %v", presented.Reveal(), ok, err)
		}
	}
}

// Attack 230: what a change must not touch it does not, and it meets the same
// rules as a registration (132).
func TestClients_Update(t *testing.T) {
	w := newWorld(t)
	c := w.client("App")
	w.must(w.clients.Update(t.Context(), operator(), c.ClientID, func(c *accounts.Client) error {
		c.ID, c.ClientID, c.Type, c.DisabledAt, c.ValidFrom, c.CreatedAt = [16]byte{1}, "other", accounts.SPAClient, 1, 99, 1
		c.Name = "Renamed"
		return nil
	}))
	found, _, err := w.db.ClientByID(t.Context(), c.ClientID, 0)
	w.must(err)
	if found.Name != "Renamed" || found.ID != c.ID || found.Type != c.Type || found.DisabledAt != 0 || found.ValidFrom != 0 || found.CreatedAt != c.CreatedAt {
		t.Errorf("after the change: %+v", found)
	}
	for name, f := range map[string]func(c *accounts.Client) error{
		"public":   func(c *accounts.Client) error { c.AuthMethod = accounts.AuthNone; return nil },
		"redirect": func(c *accounts.Client) error { c.RedirectURIs = []string{"http://evil.example"}; return nil },
	} {
		if err := w.clients.Update(t.Context(), operator(), c.ClientID, f); !errors.Is(err, accounts.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.clients.Update(t.Context(), operator(), "nobody", func(*accounts.Client) error { return nil }); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("unknown client: %v", err)
	}
	events := len(w.events(1000))
	w.must(w.clients.Update(t.Context(), operator(), c.ClientID, func(c *accounts.Client) error { slices.Reverse(c.Scopes); return nil }))
	if len(w.events(1000)) != events {
		t.Error("a change of nothing is in the audit log")
	}
}

// L10: a client whose keys or way to authenticate change refreshes; one that gains
// a key does not.
func TestClients_Update_Keys(t *testing.T) {
	w := newWorld(t)
	one, two := ecKey(t).Public(), ecKey(t).Public()
	r := webApp()
	r.AuthMethod, r.JWKS = accounts.AuthPrivateKeyJWT, jwks(t, one)
	c, _, err := w.clients.Register(t.Context(), operator(), r)
	w.must(err)
	for _, tt := range []struct {
		name string
		f    func(c *accounts.Client)
		rows int
	}{
		{"a key more", func(c *accounts.Client) { c.JWKS = jwks(t, two, one) }, 0},
		{"a key less", func(c *accounts.Client) { c.JWKS = jwks(t, two) }, 1},
		{"first party", func(c *accounts.Client) { c.FirstParty = true }, 0},
		{"third party", func(c *accounts.Client) { c.FirstParty = false }, 1},
		{"secret", func(c *accounts.Client) { c.AuthMethod, c.JWKS = accounts.AuthSecret, "" }, 1},
	} {
		before := w.position()
		w.must(w.clients.Update(t.Context(), operator(), c.ClientID, func(c *accounts.Client) error { tt.f(c); return nil }))
		if rows := w.rows(before); len(rows) != tt.rows {
			t.Errorf("%s: %v", tt.name, rows)
		}
	}
}

func jwks(t testing.TB, keys ...any) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for i, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k, KeyID: fmt.Sprint(i), Use: "sig"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// shortRSA returns a public key of 1024 bits, which the library no longer makes.
func shortRSA(t testing.TB) *rsa.PublicKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	n := *k.N
	n.Rsh(&n, 1024)
	return &rsa.PublicKey{N: &n, E: 65537}
}

func manyURIs(n int) []string {
	uris := make([]string, n)
	for i := range uris {
		uris[i] = fmt.Sprintf("https://app.example/%d", i)
	}
	return uris
}

func TestRegister_OptionalScopesAreAskedBesides(t *testing.T) {
	w := newWorld(t)
	c, _, err := w.clients.Register(t.Context(), operator(), accounts.Registration{
		Name: "App", Type: accounts.WebClient, RedirectURIs: []string{"https://app.example.com/cb"},
		Scopes: []string{"openid", "posts:add"}, OptionalScopes: []string{"posts:add", "posts:delete"},
	})
	w.must(err)
	if want := []string{"openid", "posts:add", "posts:delete"}; !slices.Equal(c.Scopes, want) {
		t.Errorf("scopes %q, want %q", c.Scopes, want)
	}
}

// Who changes a client after somebody else has taken a permission from it must not
// give it back: what they read is what holds under the lock.
func TestClients_UpdatesFollowOneAnother(t *testing.T) {
	w := newWorldOn(t, sqldbtest.Postgres(t))
	ctx := t.Context()
	w.posts()
	clientID := w.machine([]string{"posts:add", "posts:read"})
	taken, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := w.db.InTx(ctx, func(ctx context.Context) error {
			err := w.clients.Update(ctx, operator(), clientID, func(c *accounts.Client) error {
				c.Permissions = []string{"posts:read"}
				return nil
			})
			close(taken)
			<-release
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-taken
	wg.Go(func() {
		err := w.clients.Update(ctx, operator(), clientID, func(c *accounts.Client) error {
			c.Name = "Another name"
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	time.Sleep(200 * time.Millisecond) // so that the second waits for the first
	close(release)
	wg.Wait()
	c, _, err := w.db.ClientByID(ctx, clientID, 0)
	w.must(err)
	if c.Name != "Another name" || !slices.Equal(c.Permissions, []string{"posts:read"}) {
		t.Errorf("%q holds %v", c.Name, c.Permissions)
	}
}
