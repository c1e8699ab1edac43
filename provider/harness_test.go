package provider_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/templates"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	issuer   = "http://localhost:8400"
	posts    = "https://posts.example.com"
	photos   = "https://photos.example.com"
	callback = "https://app.example.com/callback"
)

var tester = audit.Actor{Kind: audit.System, ID: "test"}

// server is a whole provider on a real database, spoken to through HTTP.
type server struct {
	t        testing.TB
	db       *sqldb.DB
	clock    *clock
	keyring  *secret.Keyring
	provider *provider.Provider
	handler  http.Handler
	cache    cache.Store

	users    *accounts.Users
	groups   *accounts.Groups
	apis     *accounts.APIs
	clients  *accounts.Clients
	consents *accounts.Consents
	sessions *accounts.Sessions
}

// clock is the time of the server, moved by the test.
type clock struct{ offset time.Duration }

func (c *clock) now() time.Time          { return time.Now().Add(c.offset) }
func (c *clock) advance(d time.Duration) { c.offset += d }

// onEach runs f on each database.
func onEach(t *testing.T, f func(t *testing.T, s *server)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, newServer(t, sqliteURL(t))) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, newServer(t, testenv.Postgres(t))) })
}

func sqliteURL(tb testing.TB) string {
	return "sqlite://" + filepath.Join(tb.TempDir(), "gatehouse.db")
}

// limiter shows the cache's limits in the shape that the domain declares.
type limiter struct{ cache.Store }

func (l limiter) Spend(ctx context.Context, key string, burst int, every time.Duration, n int) (time.Duration, error) {
	return l.Store.Spend(ctx, key, cache.Limit{Burst: burst, Every: every}, n)
}

// pushed shows the cache's absence as the domain's.
type pushed struct{ cache.Store }

func (p pushed) Get(ctx context.Context, key string) ([]byte, error) {
	v, err := p.Store.Get(ctx, key)
	if err == cache.ErrNotFound {
		return nil, fmt.Errorf("pushed request: %w", accounts.ErrNotFound)
	}
	return v, err
}

func newServer(t testing.TB, databaseURL string) *server {
	t.Helper()
	return newNode(t, databaseURL, secret.Text(strings.Repeat("s", 40)), nil)
}

// newNode starts a server on a database that others may use as well.
func newNode(t testing.TB, databaseURL string, key secret.Text, shared cache.Store) *server {
	t.Helper()
	return newTracedNode(t, databaseURL, key, shared, nil)
}

// newTracedNode is newNode that tells trace of every round trip to the database.
func newTracedNode(t testing.TB, databaseURL string, key secret.Text, shared cache.Store, trace func(sql string)) *server {
	t.Helper()
	ctx := t.Context()
	s := &server{t: t, clock: &clock{}}
	var err error
	if s.db, err = sqldb.Open(ctx, sqldb.Options{URL: databaseURL, Now: s.clock.now, TokenLife: time.Hour, Trace: trace}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	if _, err := s.db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if s.keyring, err = secret.NewKeyring(key); err != nil {
		t.Fatal(err)
	}
	if s.cache = shared; shared == nil {
		s.cache = cache.NewMemory(s.clock.now, 8<<20)
	}
	s.domain()
	s.serve()
	return s
}

func (s *server) domain() {
	journal := accounts.Journal{Tx: s.db, Audit: s.db, Ledger: s.db, Now: s.clock.now}
	s.users = &accounts.Users{
		Journal: journal, Store: s.db, Lister: s.db, Sessions: s.db, Grants: s.db, Hasher: accounts.NewHasher(2, 10),
	}
	s.groups = &accounts.Groups{Journal: journal, Store: s.db, Members: s.db, Permissions: s.db, APIs: s.db, Users: s.db}
	s.clients = &accounts.Clients{Journal: journal, Store: s.db, Secrets: s.db, Grants: s.db, Keys: s.keyring}
	s.apis = &accounts.APIs{
		Journal: journal, Store: s.db, Permissions: s.db, Clients: s.db, Secrets: s.db, Keys: s.keyring,
	}
	s.consents = &accounts.Consents{Journal: journal, Users: s.db, Grants: s.db}
	s.sessions = &accounts.Sessions{Journal: journal, Users: s.db, Store: s.db, Grants: s.db, Logger: slog.New(slog.DiscardHandler)}
}

func (s *server) serve() {
	t := s.t
	t.Helper()
	keeper := &keys.Keeper{Store: s.db, Keyring: s.keyring, Now: s.clock.now}
	if err := keeper.Ensure(t.Context(), tester); err != nil {
		t.Fatal(err)
	}
	ring := keys.NewRing(s.db, s.keyring)
	pages, err := templates.New(templates.Options{})
	if err != nil {
		t.Fatal(err)
	}
	base, _ := url.Parse(issuer)
	s.provider = &provider.Provider{
		Issuer: base, Lifetimes: provider.DefaultLifetimes(), Clients: s.db, Origins: s.db, Secrets: s.clients,
		Sessions: s.sessions, Standings: s.db, Grants: s.db, Flows: s.db, Pushed: pushed{s.cache}, Ledger: s.db,
		Consents: s.consents, Tokens: &accounts.Tokens{Journal: s.consents.Journal, Revocations: s.db},
		Keys: ring, Keyring: s.keyring, Limiter: limiter{s.cache}, Cookies: web.Cookies{Issuer: base}, Pages: pages,
		Log: slog.New(slog.DiscardHandler), Now: s.clock.now, PasswordACR: accounts.ACRPassword,
	}
	router := web.NewRouter()
	if err := s.provider.Mount(router, web.Pages); err != nil {
		t.Fatal(err)
	}
	front := &web.Front{Issuer: base, Log: slog.New(slog.DiscardHandler), Now: s.clock.now}
	s.handler = front.Wrap(router)
}

// world is what most tests need: two APIs, a group, people and clients.
type world struct {
	*server
	user, reader *accounts.User
	web, spa     app
	machine      app
	resource     app // the resource server of posts
}

// app is a registered client and its secret.
type app struct {
	*accounts.Client
	secret string
}

func newWorld(t testing.TB, s *server) *world {
	t.Helper()
	w := &world{server: s}
	ctx := t.Context()
	if err := s.apis.EnsureBuiltin(ctx, issuer); err != nil {
		t.Fatal(err)
	}
	w.resource = s.api(posts, "posts:add", "posts:delete")
	s.api(photos, "photos:add")
	if _, err := s.groups.Create(ctx, tester, "Editors", ""); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"posts:add", "photos:add"} {
		if err := s.groups.GrantPermission(ctx, tester, "Editors", p); err != nil {
			t.Fatal(err)
		}
	}
	w.user, w.reader = s.person("ada"), s.person("bob")
	if err := s.groups.AddMember(ctx, tester, "Editors", w.user.Subject, 0); err != nil {
		t.Fatal(err)
	}
	scopes := []string{"openid", "profile", "email", "offline_access", "groups", "posts:add", "posts:delete", "photos:add"}
	w.web = s.register(accounts.Registration{
		Name: "Web", Type: accounts.WebClient, RedirectURIs: []string{callback}, Scopes: scopes,
		PostLogoutRedirectURIs: []string{"https://app.example.com/bye"}, VisibleGroups: []string{"*"},
	})
	w.spa = s.register(accounts.Registration{
		Name: "SPA", Type: accounts.SPAClient, RedirectURIs: []string{"https://spa.example.com/cb"}, Scopes: scopes,
	})
	w.machine = s.register(accounts.Registration{
		Name: "Machine", Type: accounts.MachineClient, Permissions: []string{"posts:add", "posts:delete"},
	})
	return w
}

func (s *server) api(audience string, permissions ...string) app {
	s.t.Helper()
	n := accounts.NewAPI{Audience: audience, Name: audience}
	for _, p := range permissions {
		n.Permissions = append(n.Permissions, accounts.NewPermission{Name: p, Description: "Can " + p})
	}
	_, c, key, err := s.apis.Create(s.t.Context(), tester, n)
	if err != nil {
		s.t.Fatal(err)
	}
	return app{c, key.Reveal()}
}

func (s *server) person(name string) *accounts.User {
	s.t.Helper()
	u, err := s.users.Create(s.t.Context(), tester, accounts.NewUser{
		Username: name, Email: name + "@example.com", EmailVerified: true, Name: "Name of " + name,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

func (s *server) register(r accounts.Registration) app {
	s.t.Helper()
	c, key, err := s.clients.Register(s.t.Context(), tester, r)
	if err != nil {
		s.t.Fatal(err)
	}
	return app{c, key.Reveal()}
}

// browser holds cookies as a browser would.
type browser struct {
	s       *server
	cookies map[string]*http.Cookie
}

func (s *server) browser() *browser { return &browser{s: s, cookies: map[string]*http.Cookie{}} }

// signedIn returns a browser in which u has just signed in.
func (s *server) signedIn(u *accounts.User) *browser {
	s.t.Helper()
	b := s.browser()
	b.signIn(u)
	return b
}

func (b *browser) signIn(u *accounts.User) *accounts.Session {
	s := b.s
	s.t.Helper()
	_, position, err := s.db.UserByLogin(s.t.Context(), u.UsernameKey)
	if err != nil {
		s.t.Fatal(err)
	}
	proof := &accounts.Result{User: u, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}
	token, session, err := s.sessions.Start(s.t.Context(), proof, accounts.Meta{})
	if err != nil {
		s.t.Fatal(err)
	}
	name := s.provider.Cookies.Name(flow.SessionCookie)
	b.cookies[name] = &http.Cookie{Name: name, Value: token}
	return session
}

func (b *browser) do(r *http.Request) *http.Response {
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	b.s.handler.ServeHTTP(rec, r)
	resp := rec.Result()
	for _, c := range resp.Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return resp
}

func (b *browser) get(target string) *http.Response {
	return b.do(httptest.NewRequest(http.MethodGet, target, nil))
}

func (b *browser) post(path string, form url.Values) *http.Response {
	r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

// allow records what the person would have allowed on the consent page.
func (s *server) allow(u *accounts.User, c app, scopes ...string) {
	s.t.Helper()
	if err := s.consents.Allow(s.t.Context(), tester, u, c.Client, c.Scopes, scopes); err != nil {
		s.t.Fatal(err)
	}
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request are the parameters of an ordinary authorization request, with changes:
// pairs of name and value, an empty value removes.
func (a app) request(scope string, changes ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {a.ClientID}, "redirect_uri": {a.RedirectURIs[0]}, "scope": {scope},
		"state": {"state-1"}, "nonce": {"nonce-1"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	return changed(v, changes...)
}

func changed(v url.Values, changes ...string) url.Values {
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "" {
			v.Del(changes[i])
			continue
		}
		v.Set(changes[i], changes[i+1])
	}
	return v
}

func (b *browser) authorize(v url.Values) *http.Response {
	return b.get(issuer + "/oauth2/authorize?" + v.Encode())
}

// location returns the parameters of a redirect to the client, or fails.
func location(t testing.TB, resp *http.Response, want string) url.Values {
	t.Helper()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d, want a redirect: %s", resp.StatusCode, body(t, resp))
	}
	at := resp.Header.Get("Location")
	if !strings.HasPrefix(at, want) {
		t.Fatalf("redirect to %s, want %s", at, want)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// code returns the code of an authorization that must succeed at once.
func (b *browser) code(v url.Values) string {
	b.s.t.Helper()
	params := location(b.s.t, b.authorize(v), v.Get("redirect_uri"))
	if params.Get("code") == "" {
		b.s.t.Fatalf("no code: %v", params)
	}
	return params.Get("code")
}

// answer is what a back channel said.
type answer struct {
	status int
	header http.Header
	json   map[string]any
	raw    string
}

func (a answer) str(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// call posts a form, with the client's Basic credentials if it has a secret.
func (s *server) call(path string, c app, form url.Values) answer {
	s.t.Helper()
	if c.Client != nil && c.secret == "" && !form.Has("client_assertion") {
		form = changed(cloneValues(form), "client_id", c.ClientID)
	}
	r := httptest.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.secret != "" {
		r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.secret))
	}
	return s.ask(r)
}

func cloneValues(v url.Values) url.Values {
	c := url.Values{}
	for name, values := range v {
		c[name] = append([]string(nil), values...)
	}
	return c
}

func (s *server) ask(r *http.Request) answer {
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.json) // pages and empty answers are no JSON
	return a
}

func (s *server) redeem(c app, code string, changes ...string) answer {
	s.t.Helper()
	return s.call("/oauth2/token", c, changed(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {verifier},
	}, changes...))
}

func (s *server) refresh(c app, token string, changes ...string) answer {
	s.t.Helper()
	return s.call("/oauth2/token", c, changed(url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token},
	}, changes...))
}

func (s *server) introspect(c app, token string) answer {
	s.t.Helper()
	return s.call("/oauth2/introspect", c, url.Values{"token": {token}})
}

// tokens runs the whole way for a person who has consented to the scope.
func (w *world) tokens(c app, u *accounts.User, scope string, changes ...string) answer {
	w.t.Helper()
	w.allow(u, c, strings.Fields(scope)...)
	a := w.redeem(c, w.signedIn(u).code(c.request(scope, changes...)))
	if a.status != http.StatusOK {
		w.t.Fatalf("no tokens: %d %s", a.status, a.raw)
	}
	return a
}

// claims decodes a JWT without verifying it.
func claims(t testing.TB, jwt string) map[string]any {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", jwt)
	}
	return decodePart(t, parts[1])
}

func decodePart(t testing.TB, part string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func wantError(t testing.TB, a answer, status int, code string) {
	t.Helper()
	if a.status != status || a.str("error") != code {
		t.Errorf("got %d %s, want %d %s", a.status, a.raw, status, code)
	}
}
