package accounts_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// operator is the actor of most changes in these tests.
func operator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

// world is the domain on a real database in a temporary file, at a time that
// stands still until it is moved.
type world struct {
	t    testing.TB
	db   *sqldb.DB
	path string // of the file, if it is one
	log  bytes.Buffer

	mu    sync.Mutex
	clock time.Time

	limiter  *limiter
	auth     *accounts.Authenticator
	users    *accounts.Users
	sessions *accounts.Sessions
	groups   *accounts.Groups
	apis     *accounts.APIs
	clients  *accounts.Clients
	sets     *accounts.PermissionSets
	consents *accounts.Consents
	tokens   *accounts.Tokens
}

func TestMain(m *testing.M) { testenv.Main(m) }

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, sqldbtest.SQLite(t))
}

// argon makes the world hash as the product does.
func (w *world) argon() {
	h := accounts.NewHasher(2, 0)
	w.auth.Hasher, w.users.Hasher, w.clients.Hasher = h, h, h
}

// newWorldOn is for an empty database.
func newWorldOn(t testing.TB, url string) *world {
	t.Helper()
	w := &world{t: t, clock: time.UnixMilli(1_800_000_000_000), path: strings.TrimPrefix(url, "sqlite://")}
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: url, Now: w.now, TokenLife: 2 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(secret.Text(bytes.Repeat([]byte("k"), 32)))
	if err != nil {
		t.Fatal(err)
	}
	w.db, w.limiter = db, &limiter{now: w.now, tats: map[string]time.Time{}}
	j := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: w.now}
	hasher, logger := accounts.QuickHasher(), slog.New(slog.NewJSONHandler(&w.log, nil))
	w.auth = &accounts.Authenticator{Journal: j, Users: db, Hasher: hasher, Limiter: w.limiter, Keys: keys, Logger: logger}
	w.users = &accounts.Users{Journal: j, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: hasher}
	w.sessions = &accounts.Sessions{Journal: j, Users: db, Store: db, Grants: db, Logger: logger}
	w.groups = &accounts.Groups{Journal: j, Store: db, Members: db, Permissions: db, APIs: db, Users: db, Crowds: db, Nesting: db, Managers: db, Reader: db}
	w.apis = &accounts.APIs{Journal: j, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: keys}
	w.clients = &accounts.Clients{Journal: j, Store: db, Secrets: db, Grants: db, Keys: keys, Hasher: hasher}
	w.sets = &accounts.PermissionSets{Journal: j, Store: db, Holdings: db, Permissions: db, Clients: db}
	w.consents = &accounts.Consents{Journal: j, Users: db, Grants: db}
	w.tokens = &accounts.Tokens{Journal: j, Revocations: db}
	w.must(w.apis.EnsureBuiltin(t.Context(), "http://localhost:8400"))
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// user makes an account with a password's hash that is quick to make and none to
// use.
func (w *world) user(name string) *accounts.User {
	w.t.Helper()
	u, err := w.users.Create(w.t.Context(), operator(), accounts.NewUser{Username: name, Email: name + "@test.com", EmailVerified: true})
	w.must(err)
	return u
}

func (w *world) client(name string) *accounts.Client {
	w.t.Helper()
	c, _, err := w.clients.Register(w.t.Context(), operator(), accounts.Registration{
		Name: name, Type: accounts.WebClient, RedirectURIs: []string{"https://app.example/cb", "https://app.example/other"},
		Scopes: []string{"openid", "profile", "offline_access", "posts:add"},
	})
	w.must(err)
	return c
}

// session begins a session by proof of the user's present row.
func (w *world) session(u *accounts.User) (token string, s *accounts.Session) {
	w.t.Helper()
	token, s, err := w.sessions.Start(w.t.Context(), w.proof(u), accounts.Meta{})
	w.must(err)
	return token, s
}

func (w *world) proof(u *accounts.User) *accounts.Result {
	w.t.Helper()
	found, position, err := w.db.UserByLogin(w.t.Context(), u.UsernameKey)
	w.must(err)
	return &accounts.Result{User: found, Position: position, AMR: []string{"pwd"}}
}

// grant redeems a code that nobody saw.
func (w *world) grant(u *accounts.User, c *accounts.Client, s *accounts.Session, offline bool) id.ID {
	w.t.Helper()
	g := &granting.Grant{Grant: accounts.Grant{
		ID: id.New(), UserID: u.ID, ClientID: c.ID, SessionID: s.ID, Offline: offline, Scopes: []string{"openid"},
		CreatedAt: w.now().UnixMilli(),
	}, CodeHash: secret.Random(32), Rev: s.Rev, PurgeAt: w.now().Add(time.Hour).UnixMilli()}
	ok, err := w.db.RedeemCode(w.t.Context(), g)
	w.must(err)
	if !ok {
		w.t.Fatal("code not redeemed")
	}
	return g.ID
}

// code issues one and returns the id of the grant that it would make.
func (w *world) code(u *accounts.User, c *accounts.Client, s *accounts.Session) id.ID {
	w.t.Helper()
	k := &granting.Code{
		GrantID: id.New(), SecretHash: secret.Random(32), ClientID: c.ID, UserID: u.ID, SessionID: s.ID,
		RedirectURI: "https://app.example/cb", Rev: s.Rev, CreatedAt: w.now().UnixMilli(), ExpiresAt: w.now().Add(time.Minute).UnixMilli(),
	}
	ok, err := w.db.InsertCode(w.t.Context(), k)
	w.must(err)
	if !ok {
		w.t.Fatal("code not issued")
	}
	return k.GrantID
}

// position is the ledger's.
func (w *world) position() int64 {
	w.t.Helper()
	h, err := w.db.Head(w.t.Context())
	w.must(err)
	return h.Position
}

// rows are the ledger's after a position, as "kind key audience".
func (w *world) rows(after int64) []string {
	w.t.Helper()
	found, err := w.db.After(w.t.Context(), after, 1000)
	w.must(err)
	rows := []string{}
	for _, r := range found {
		text := string(r.Kind) + " " + r.Key
		if r.Audience != "" {
			text += " " + r.Audience
		}
		if r.Reason == "" {
			w.t.Errorf("row %s without a reason", text)
		}
		rows = append(rows, text)
	}
	slices.Sort(rows)
	return rows
}

// events are the actions in the audit log, newest first.
func (w *world) events(n int) []string {
	w.t.Helper()
	tail, err := w.db.AuditTail(w.t.Context(), n)
	w.must(err)
	var actions []string
	for _, e := range tail {
		actions = append(actions, e.Action)
	}
	return actions
}

func tokenHash(t testing.TB, token string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 32 {
		t.Fatalf("token %q: %d bytes, %v", token, len(raw), err)
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// limiter is accounts.Limiter by the book (GCRA), with a switch to break it.
type limiter struct {
	now    func() time.Time
	mu     sync.Mutex
	tats   map[string]time.Time
	broken error
	spent  func() // called after each call, if set
}

// drained are the buckets that are not full.
func (l *limiter) drained() map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := maps.Clone(l.tats)
	maps.DeleteFunc(m, func(_ string, tat time.Time) bool { return !tat.After(l.now()) })
	return m
}

func (l *limiter) Spend(_ context.Context, key string, burst int, every time.Duration, n int) (time.Duration, error) {
	if l.spent != nil {
		defer l.spent()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return 0, l.broken
	}
	now := l.now()
	tat := l.tats[key]
	if tat.Before(now) {
		tat = now
	}
	next := tat.Add(time.Duration(n) * every)
	if wait := next.Sub(now) - time.Duration(burst)*every; n > 0 && wait > 0 {
		return wait, nil
	}
	l.tats[key] = next
	return 0, nil
}
