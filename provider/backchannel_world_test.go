package provider_test

import (
	"context"
	"crypto"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/outbound"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/revocation/relay"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// listener is a client's back-channel logout endpoint.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string // logout tokens
	answer func(w http.ResponseWriter, r *http.Request, n int)
}

func newListener(t testing.TB) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.PostFormValue("logout_token")
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || len(r.PostForm) != 1 {
		token = "not a logout request"
	}
	l.mu.Lock()
	l.got = append(l.got, token)
	n, answer := len(l.got), l.answer
	l.mu.Unlock()
	if answer != nil {
		answer(w, r, n)
	}
}

func (l *listener) tokens() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

// logoutWorld is a world whose relay and worker run when a test says so.
type logoutWorld struct {
	*world
	url  string // of the database
	raw  *sql.DB
	http *http.Client
	log  journal
}

type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// onEachLogout runs f on each database.
func onEachLogout(t *testing.T, f func(t *testing.T, w *logoutWorld)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, newLogoutWorld(t, "sqlite", sqliteURL(t))) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, newLogoutWorld(t, "pgx", sqldbtest.Postgres(t))) })
}

func newLogoutWorld(t *testing.T, driver, url string) *logoutWorld {
	t.Helper()
	w := &logoutWorld{url: url, http: outbound.NewClient(outbound.Options{AllowPrivate: true})}
	w.world = newWorld(t, newServer(t, url))
	var err error
	if w.raw, err = sql.Open(driver, strings.TrimPrefix(url, "sqlite://")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.raw.Close() })
	if err := w.db.EnsureRelay(t.Context(), "backchannel"); err != nil {
		t.Fatal(err)
	}
	return w
}

// told registers an app that wants to be told at l.
func (w *logoutWorld) told(name string, l *listener, change ...func(*accounts.Registration)) app {
	w.t.Helper()
	r := accounts.Registration{
		Name: name, Type: accounts.WebClient, RedirectURIs: []string{"https://" + name + ".example.com/cb"},
		Scopes: []string{"openid", "offline_access", "posts:add"}, BackchannelLogoutURI: l.URL + "/out?app=" + name,
	}
	for _, f := range change {
		f(&r)
	}
	return w.register(r)
}

// enter signs a person in at an app and returns the answer of the token endpoint.
func (w *logoutWorld) enter(b *browser, u *accounts.User, c app, scope string) answer {
	w.t.Helper()
	w.allow(u, c, strings.Fields(scope)...)
	a := w.redeem(c, b.code(c.request(scope)))
	if a.status != http.StatusOK {
		w.t.Fatalf("no tokens: %d %s", a.status, a.raw)
	}
	return a
}

// work runs a relay and a worker, on connections of their own as another process
// would have, until done or for as long as it takes to look twice when done is nil.
func (w *logoutWorld) work(done func() bool) {
	w.t.Helper()
	db, err := sqldb.Open(w.t.Context(), sqldb.Options{URL: w.url, Now: w.clock.now, TokenLife: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	worker := &jobs.Worker{
		Store: db, Now: w.clock.now, Log: log,
		Work: map[string]jobs.Work{provider.BackchannelKind: {
			Handler: &provider.BackchannelSender{
				Issuer: issuer, Clients: db, Keys: w.provider.Keys, HTTP: w.http, Now: w.clock.now, Log: log,
			},
			Policy: provider.BackchannelPolicy(),
		}},
	}
	r := &relay.Relay{
		Name: "backchannel", Store: db, Sinks: []relay.Sink{&provider.BackchannelSink{SignIns: db, Jobs: db, Log: log}},
		Log: log, Passed: worker.Hint, Changed: func() <-chan struct{} {
			soon := make(chan struct{})
			time.AfterFunc(5*time.Millisecond, func() { close(soon) })
			return soon
		},
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.Run(ctx) })
	wg.Go(func() { _ = worker.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	if done == nil {
		done = w.idle
	}
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(3 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Errorf("not in time; the log:\n%s", &w.log)
			return
		}
	}
}

// idle reports whether the ledger was passed on and no job is due.
func (w *logoutWorld) idle() bool {
	position, head, err := w.db.RelayState(w.t.Context(), "backchannel")
	return err == nil && position == head && w.pending(time.Now().Add(w.clock.offset)) == 0
}

// pending counts the jobs that are due at a time.
func (w *logoutWorld) pending(at time.Time) int {
	w.t.Helper()
	var n int
	row := w.raw.QueryRowContext(w.t.Context(), `SELECT count(*) FROM jobs WHERE run_at <= $1`, at.UnixMilli())
	if err := row.Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// claimsOf verifies a logout token as the specification tells clients to
// (OpenID Connect Back-Channel Logout 1.0 §2.6) and returns its claims.
func (w *logoutWorld) claimsOf(raw string, c app) map[string]any {
	w.t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(w.ask(httptest.NewRequest(http.MethodGet, issuer+"/.well-known/jwks.json", nil)).raw), &set); err != nil {
		w.t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.IDTokenAlgorithm)})
	if err != nil {
		w.t.Fatalf("%q: %v", raw, err)
	}
	header := parsed.Signatures[0].Protected
	if header.ExtraHeaders["typ"] != "logout+jwt" || len(set.Key(header.KeyID)) != 1 {
		w.t.Fatalf("header %+v", header)
	}
	verifier := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{set.Key(header.KeyID)[0].Key}}, &oidc.Config{
		ClientID: c.ClientID, SupportedSigningAlgs: []string{c.IDTokenAlgorithm}, Now: w.clock.now,
	})
	token, err := verifier.Verify(w.t.Context(), raw)
	if err != nil {
		w.t.Fatal(err)
	}
	var got map[string]any
	if err := token.Claims(&got); err != nil {
		w.t.Fatal(err)
	}
	return got
}
