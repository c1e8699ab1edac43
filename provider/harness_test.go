package provider_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
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
	tail     *revocation.Tail

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
	t.Run("PostgreSQL", func(t *testing.T) { f(t, newServer(t, sqldbtest.Postgres(t))) })
}

func sqliteURL(tb testing.TB) string {
	return sqldbtest.SQLite(tb)
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

// newServer starts the only server on a database. One on PostgreSQL has a tail, one
// on SQLite asks the database each time, so that most tests see both.
func newServer(t testing.TB, databaseURL string) *server {
	t.Helper()
	s := newNode(t, databaseURL, secret.Text(strings.Repeat("s", 40)), nil)
	if s.db.Dialect() == sqldb.Postgres {
		s.follow()
	}
	return s
}

// follow gives the provider a tail that runs until the test ends.
func (s *server) follow() {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.tail.Run(ctx) }()
	s.t.Cleanup(func() { // before the database closes
		stop()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	if err := s.tail.Look(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.provider.Tail = s.tail
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
	s.db, err = sqldb.Open(ctx, sqldb.Options{
		URL: databaseURL, Now: s.clock.now, TokenLife: time.Hour, Trace: trace,
		Committed: func(h revocation.Head) {
			if s.tail != nil {
				s.tail.Wrote(h.Position, h.Change)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	// The tail measures ages, and a test's clock jumps.
	s.tail = revocation.NewTail(revocation.Options{Source: s.db, Ledger: s.db, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
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
	s.groups = &accounts.Groups{Journal: journal, Store: s.db, Members: s.db, Permissions: s.db, APIs: s.db, Users: s.db, Crowds: s.db, Nesting: s.db, Managers: s.db, Reader: s.db}
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
		Log: slog.New(slog.DiscardHandler), Now: s.clock.now, Factors: s.db,
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
