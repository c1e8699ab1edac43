package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/admin/api"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/templates"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	issuer       = "http://localhost:8400"
	posts        = "https://posts.example.com"
	callback     = "https://operators.example.com/callback"
	goodPassword = "violet tractor sings 91 low"
	verifier     = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

var tester = audit.Actor{Kind: audit.System, ID: "test"}

// world is the API before a real provider, on a real database.
type world struct {
	testing.TB
	mu     sync.Mutex
	offset time.Duration

	db       *sqldb.DB
	keyring  *secret.Keyring
	router   *mux.Router
	server   http.Handler
	log      *bytes.Buffer
	admin    *admin.Admin
	protocol *provider.Provider
	mails    []accounts.Mail
	answers  *spy
	counter  *counts.Counter

	app     app // may ask for all that there is to administer
	root    *accounts.User
	rootKey string // an access token of root with every scope
}

// app is a client and its secret.
type app struct {
	*accounts.Client
	secret string
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
}

// Mail implements accounts.Mailer.
func (w *world) Mail(_ context.Context, m accounts.Mail) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mails = append(w.mails, m)
	return nil
}

// limiter shows the cache's limits in the shape that the domain declares.
type limiter struct{ cache.Store }

func (l limiter) Spend(ctx context.Context, key string, burst int, every time.Duration, n int) (time.Duration, error) {
	return l.Store.Spend(ctx, key, cache.Limit{Burst: burst, Every: every}, n)
}

type pushed struct{ cache.Store }

// within is the same world for a part of a test.
func (w *world) within(t *testing.T) *world {
	part := &world{TB: t, db: w.db, keyring: w.keyring, router: w.router, server: w.server, log: w.log, admin: w.admin,
		protocol: w.protocol, answers: w.answers, counter: w.counter, app: w.app, root: w.root, rootKey: w.rootKey}
	return part
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// newWorld starts one on SQLite, on a copy of a database that has its signing keys:
// making those takes longer than most tests do.
func newWorld(t testing.TB) *world {
	t.Helper()
	keyed.Do(func() {
		from := sqldbtest.SQLite(t)
		db, err := sqldb.Open(t.Context(), sqldb.Options{URL: from, TokenLife: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		keyring, err := secret.NewKeyring(testSecret())
		if err != nil {
			t.Fatal(err)
		}
		keeper := &keys.Keeper{Store: db, Keyring: keyring, Now: time.Now}
		if err := keeper.Ensure(t.Context(), tester); err != nil {
			t.Fatal(err)
		}
		db.Close() // the last connection writes everything into the one file
		if keyed.file, err = os.ReadFile(strings.TrimPrefix(from, "sqlite://")); err != nil {
			t.Fatal(err)
		}
	})
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := os.WriteFile(path, keyed.file, 0o600); err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, "sqlite://"+path)
}

// keyed is the database that worlds are copies of.
var keyed struct {
	sync.Once
	file []byte
}

func testSecret() secret.Text { return secret.Text(strings.Repeat("s", 40)) }

func newWorldOn(t testing.TB, databaseURL string) *world {
	t.Helper()
	w := &world{TB: t, log: &bytes.Buffer{}}
	var err error
	w.db, err = sqldb.Open(t.Context(), sqldb.Options{URL: databaseURL, Now: w.now, TokenLife: time.Hour})
	w.must(err)
	t.Cleanup(w.db.Close)
	w.keyring, err = secret.NewKeyring(testSecret())
	w.must(err)
	w.domain()
	w.serve()
	w.must(w.admin.APIs.EnsureBuiltin(t.Context(), issuer))
	_, _, _, err = w.admin.APIs.Create(t.Context(), tester, accounts.NewAPI{
		Audience: posts, Name: "Posts", Permissions: []accounts.NewPermission{{Name: "posts:add", Description: "Can add post"}},
	})
	w.must(err)
	w.app = w.register(accounts.Registration{
		Name: "Operators", Type: accounts.WebClient, RedirectURIs: []string{callback},
		Scopes: append([]string{"openid", "posts:add"}, accounts.AdminPermissions()...),
	})
	w.root, err = w.admin.Users.Create(t.Context(), tester, accounts.NewUser{
		Username: "root", Email: "root@example.com", EmailVerified: true, Name: "Root Person", Superuser: true, Staff: true,
	})
	w.must(err)
	w.rootKey = w.bearer(w.root)
	return w
}

func (w *world) domain() {
	db := w.db
	quiet := slog.New(slog.NewJSONHandler(w.log, nil))
	journal := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: w.now, Mails: w}
	users := &accounts.Users{Journal: journal, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: accounts.NewHasher(2, 10)}
	groups := &accounts.Groups{
		Journal: journal, Store: db, Members: db, Permissions: db, APIs: db, Users: db, Crowds: db, Nesting: db, Managers: db, Reader: db,
	}
	users.Settings = &accounts.Settings{SignUp: accounts.SignUpInvitation}
	proofs := &accounts.Proofs{Store: db, Users: users, Keys: w.keyring, Logger: quiet, Links: accounts.Links{Issuer: issuer}}
	w.admin = &admin.Admin{
		Users: users, Groups: groups,
		Sessions: &accounts.Sessions{Journal: journal, Users: db, Store: db, Grants: db, Logger: quiet},
		Consents: &accounts.Consents{Journal: journal, Users: db, Grants: db},
		APIs:     &accounts.APIs{Journal: journal, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: w.keyring},
		Clients:  &accounts.Clients{Journal: journal, Store: db, Secrets: db, Grants: db, Keys: w.keyring, Hasher: users.Hasher},
		Factors: &accounts.Factors{
			Journal: journal, Users: db, Sessions: db, Grants: db, Store: db, TOTPs: db, Passkeys: db, Recovery: db, Devices: db,
			Waiting: db, Keys: w.keyring, Logger: quiet,
		},
		Deletion: &accounts.Deletion{Journal: journal, Users: users, Store: db, Log: quiet},
		Invites: &accounts.Invites{
			Proofs: proofs, Groups: groups, Inviters: &admin.Inviters{Callers: &admin.Callers{Store: db, Now: w.now}, Reach: db},
		},
		SignInLinks: &accounts.MailCodes{Proofs: proofs},
		Callers:     db, UserPages: db, Log: quiet, Now: w.now,
	}
	w.others(journal)
}

func (w *world) serve() {
	quiet := slog.New(slog.NewJSONHandler(w.log, nil))
	base, err := url.Parse(issuer)
	w.must(err)
	keeper := &keys.Keeper{Store: w.db, Keyring: w.keyring, Now: w.now}
	w.must(keeper.Ensure(w.Context(), tester))
	store := cache.NewMemory(w.now, 1<<20)
	a := w.admin
	w.protocol = &provider.Provider{
		Issuer: base, Lifetimes: provider.DefaultLifetimes(), Clients: w.db, Origins: w.db, Secrets: a.Clients,
		Sessions: a.Sessions, Standings: w.db, Grants: w.db, Flows: w.db, Pushed: pushed{store}, Ledger: w.db,
		Consents: a.Consents, Tokens: &accounts.Tokens{Journal: a.Users.Journal, Revocations: w.db},
		Keys: keys.NewRing(w.db, w.keyring), Keyring: w.keyring, Limiter: limiter{store}, Cookies: web.Cookies{Issuer: base}, Pages: new(templates.Renderer), // no page is shown here

		Log: quiet, Now: w.now, Factors: w.db, Counter: w.counter,
	}
	a.Protocol = &provider.Console{Provider: w.protocol}
	w.router = web.NewRouter()
	w.must(w.protocol.Mount(w.router, web.Pages))
	w.answers = &spy{AnswerStore: w.db}
	handler := &api.Handler{
		Issuer: base, Admin: a, Answers: w.answers, Keyring: w.keyring, Log: quiet, Now: w.now,
		Authorizer: &provider.Administrators{
			Provider: w.protocol, Callers: &admin.Callers{Store: w.db, Now: w.now}, Problems: issuer + api.Base + "/docs#problem-",
		},
	}
	handler.Mount(w.router)
	w.server = (&web.Front{Issuer: base, Log: quiet, Now: w.now}).Wrap(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.router.ServeHTTP(rw, r.WithContext(audit.WithOrigin(r.Context(), audit.Origin{RequestID: web.RequestID(r.Context())})))
	}))
}

func (w *world) register(r accounts.Registration) app {
	w.Helper()
	c, key, err := w.admin.Clients.Register(w.Context(), tester, r)
	w.must(err)
	return app{c, key.Reveal()}
}

// person makes somebody who holds permissions through a group of their own.
func (w *world) person(name string, permissions ...string) *accounts.User {
	w.Helper()
	ctx := w.Context()
	u, err := w.admin.Users.Create(ctx, tester, accounts.NewUser{
		Username: name, Email: name + "@example.com", EmailVerified: true, Name: "Name of " + name,
	})
	w.must(err)
	if len(permissions) > 0 {
		group := "group of " + name
		_, err = w.admin.Groups.Create(ctx, tester, group, "")
		w.must(err)
		for _, p := range permissions {
			w.must(w.admin.Groups.GrantPermission(ctx, tester, group, p))
		}
		w.must(w.admin.Groups.AddMember(ctx, tester, group, u.Subject, 0))
	}
	return u
}

// operator makes somebody who holds permissions, and returns an access token of
// theirs.
func (w *world) operator(name string, permissions ...string) string {
	w.Helper()
	return w.bearer(w.person(name, permissions...))
}

// machine makes a client that acts for itself, and returns an access token.
func (w *world) machine(name string, permissions ...string) string {
	w.Helper()
	c := w.register(accounts.Registration{Name: name, Type: accounts.MachineClient, Permissions: permissions})
	return w.machineToken(c, permissions...)
}

func (w *world) machineToken(c app, permissions ...string) string {
	w.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(permissions, " ")}}
	r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.secret))
	return w.accessToken(r)
}

// bearer signs somebody in and returns an access token with the scopes, or with all
// that they may have of the admin API.
func (w *world) bearer(u *accounts.User, scopes ...string) string {
	w.Helper()
	if len(scopes) == 0 {
		scopes = append([]string{"openid"}, accounts.AdminPermissions()...)
	}
	_, position, err := w.db.UserByLogin(w.Context(), u.UsernameKey)
	w.must(err)
	proof := &accounts.Result{User: u, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}
	cookie, _, err := w.admin.Sessions.Start(w.Context(), proof, accounts.Meta{})
	w.must(err)
	w.must(w.admin.Consents.Allow(w.Context(), tester, u, w.app.Client, w.app.Scopes, w.app.Scopes))
	sum := sha256.Sum256([]byte(verifier))
	ask := url.Values{
		"response_type": {"code"}, "client_id": {w.app.ClientID}, "redirect_uri": {callback}, "scope": {strings.Join(scopes, " ")},
		"state": {"s"}, "nonce": {"n"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	r := httptest.NewRequest(http.MethodGet, issuer+"/oauth2/authorize?"+ask.Encode(), nil)
	r.AddCookie(&http.Cookie{Name: w.protocol.Cookies.Name(flow.SessionCookie), Value: cookie})
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	at, err := url.Parse(rec.Header().Get("Location"))
	w.must(err)
	if at.Query().Get("code") == "" {
		w.Fatalf("no code: %d %s", rec.Code, rec.Header().Get("Location"))
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {callback},
		"code_verifier": {verifier},
	}
	r = httptest.NewRequest(http.MethodPost, issuer+"/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(w.app.ClientID), url.QueryEscape(w.app.secret))
	return w.accessToken(r)
}

func (w *world) accessToken(r *http.Request) string {
	w.Helper()
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &token); err != nil || token.AccessToken == "" {
		w.Fatalf("no access token: %d %s", rec.Code, rec.Body)
	}
	return token.AccessToken
}
