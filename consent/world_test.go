package consent_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/consent"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/passkey"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/templates"
)

const password = "correct horse battery staple"

// world is a whole server with the pages on SQLite, without the protocol.
type world struct {
	testing.TB
	now     time.Time
	db      *sqldb.DB
	log     *bytes.Buffer
	server  http.Handler
	handler *consent.Handler
	cookies web.Cookies

	users    *accounts.Users
	clients  *accounts.Clients
	groups   *accounts.Groups
	consents *accounts.Consents
	sessions *accounts.Sessions
	factors  *accounts.Factors

	ada, bob *accounts.User
	board    *accounts.Client
}

func operator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

// passwordHash is made once: it is slow on purpose.
var passwordHash = sync.OnceValue(func() string {
	hash, err := accounts.NewHasher(1, 0).Hash(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return hash
})

func newWorld(t testing.TB) *world { return newWorldAt(t, "https://id.example.com") }

func newWorldAt(t testing.TB, issuer string) *world {
	return newWorldOn(t, issuer, sqldbtest.SQLite(t))
}

// newWorldOn is a world on a database with the schema.
func newWorldOn(t testing.TB, issuer, database string) *world {
	t.Helper()
	w := &world{TB: t, now: time.UnixMilli(1_790_000_000_000), log: &bytes.Buffer{}}
	clock := func() time.Time { return w.now }
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	db, err := sqldb.Open(t.Context(), sqldb.Options{
		URL: database, Now: clock, Logger: logger, TokenLife: 15 * time.Minute,
	})
	w.must(err)
	t.Cleanup(db.Close)
	_, err = db.Migrate(t.Context())
	w.must(err)
	w.db = db
	keys, err := secret.NewKeyring(secret.Text(strings.Repeat("s", secret.MinLength)))
	w.must(err)
	at, err := url.Parse(issuer)
	w.must(err)
	renderer, err := templates.New(templates.Options{HomePath: at.Path + "/"})
	w.must(err)

	journal := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: clock}
	hasher := accounts.NewHasher(2, 0)
	w.users = &accounts.Users{Journal: journal, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: hasher}
	w.clients = &accounts.Clients{Journal: journal, Store: db, Secrets: db, Grants: db, Keys: keys, Hasher: hasher}
	w.groups = &accounts.Groups{Journal: journal, Store: db, Members: db, Permissions: db, APIs: db, Users: db, Crowds: db, Nesting: db, Managers: db, Reader: db}
	w.consents = &accounts.Consents{Journal: journal, Users: db, Grants: db}
	w.cookies = web.Cookies{Issuer: at}
	sessions := &accounts.Sessions{Journal: journal, Users: db, Store: db, Grants: db, Logger: logger}
	party, err := passkey.New(at, "", "Gatehouse")
	w.must(err)
	limiter := limits{cache.NewMemory(clock, 1<<20)}
	w.sessions = sessions
	w.factors = &accounts.Factors{
		Journal: journal, Users: db, Sessions: db, Grants: db, Store: db, TOTPs: db, Passkeys: db, Recovery: db, Devices: db,
		Waiting: db, WebAuthn: party, Keys: keys, Logger: logger, SecurityURL: issuer + "/account/security",
	}
	signIns := &accounts.SignIns{
		Journal: journal, Users: db, Sessions: sessions, Factors: w.factors, Waiting: db, Limiter: limiter, Keys: keys, Logger: logger,
	}
	w.handler = &consent.Handler{
		Desk:  &hosted.Desk{Issuer: at, Cookies: w.cookies, Keyring: keys, Pages: renderer, Sessions: sessions, Now: clock},
		Flows: db, Clients: db, APIs: db, Holdings: holdings{db}, Remembered: db, Consents: w.consents,
		Authenticator: &accounts.Authenticator{Journal: journal, Users: db, Hasher: hasher, Limiter: limiter, Keys: keys, Logger: logger},
		SignIns:       signIns,
		Passkeys:      signIns,
	}
	router := web.NewRouter()
	w.must(w.handler.Mount(router, web.Pages))
	router.NotFoundHandler = web.Pages(http.HandlerFunc(w.handler.NotFound))
	front := &web.Front{Issuer: at, Log: logger, Now: clock}
	w.server = front.Wrap(router)
	w.populate(accounts.APIs{Journal: journal, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: keys})
	return w
}

// populate makes Ada, who may add posts, Bob, who may nothing, and Post Board.
func (w *world) populate(apis accounts.APIs) {
	w.Helper()
	ctx := w.Context()
	user := func(name string) *accounts.User {
		u, err := w.users.Create(ctx, operator(), accounts.NewUser{
			Username: name, Email: name + "@example.org", EmailVerified: true, Name: name + " Example", PasswordHash: passwordHash(),
		})
		w.must(err)
		return u
	}
	w.ada, w.bob = user("ada"), user("bob")
	w.must(apis.EnsureBuiltin(ctx, w.handler.Issuer.String()))
	_, _, _, err := apis.Create(ctx, operator(), accounts.NewAPI{
		Audience: "https://posts.example.com", Name: "Posts", Texts: accounts.Texts{"de": {Name: "Beiträge"}},
		Permissions: []accounts.NewPermission{
			{
				Name: "posts:add", Description: "Write posts in your name",
				Texts: accounts.Texts{"de": {Description: "Beiträge in deinem Namen schreiben"}},
			}, {Name: "posts:delete", Description: "Delete posts"}, {Name: "posts:list", Description: "List posts"},
		},
	})
	w.must(err)
	_, err = w.groups.Create(ctx, operator(), "Editors", "")
	w.must(err)
	w.must(w.groups.GrantPermission(ctx, operator(), "Editors", "posts:add"))
	w.must(w.groups.AddMember(ctx, operator(), "Editors", w.ada.Subject, 0))
	w.board = w.register(accounts.Registration{
		Name: "Post Board", Type: accounts.WebClient,
		Texts:     accounts.Texts{"de": {Name: "Brett", PolicyURI: "https://board.example.com/datenschutz"}},
		PolicyURI: "https://board.example.com/privacy", TermsURI: "https://board.example.com/terms",
		RedirectURIs: []string{"https://board.example.com/cb"}, HomeURI: "https://board.example.com/",
		Scopes:         []string{"openid", "profile", "email", "groups", "offline_access", "posts:add", "posts:delete", "posts:list"},
		OptionalScopes: []string{"email", "posts:add", "posts:delete"}, VisibleGroups: []string{"*"},
	})
}

func (w *world) register(r accounts.Registration) *accounts.Client {
	w.Helper()
	c, _, err := w.clients.Register(w.Context(), operator(), r)
	w.must(err)
	return c
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// flow stores a request of Post Board that began in b.
func (w *world) flow(b *browser, change ...func(*flow.Flow)) *flow.Flow {
	w.Helper()
	const cookie = "the-browser"
	name := w.cookies.Name(flow.BrowserCookie)
	if b.jar[name] == "" {
		b.jar[name] = cookie + id.New().String()
	}
	hash := sha256.Sum256([]byte(b.jar[name]))
	f := &flow.Flow{
		ID: id.New(), GrantID: id.New(), BrowserHash: hash[:], ClientID: w.board.ClientID,
		RedirectURI: "https://board.example.com/cb", Scopes: []string{"openid", "email", "posts:add", "posts:list"},
		CreatedAt: w.now.UnixMilli(), ExpiresAt: w.now.Add(time.Hour).UnixMilli(),
	}
	for _, c := range change {
		c(f)
	}
	w.must(w.db.InsertFlow(w.Context(), f))
	return f
}

// stored reads a flow as it is now.
func (w *world) stored(f *flow.Flow) *flow.Flow {
	w.Helper()
	got, err := w.db.FlowByID(w.Context(), f.ID)
	w.must(err)
	return got
}

// consent returns what was recorded, nil if nothing.
func (w *world) consent(u *accounts.User) *accounts.Consent {
	w.Helper()
	c, err := w.db.ConsentOf(w.Context(), u.ID, w.board.ID)
	if err != nil {
		return nil
	}
	return c
}

// holdings reads what the protocol's gate reads.
type holdings struct{ *sqldb.DB }

func (h holdings) HeldPermissions(ctx context.Context, token []byte, names []string, now int64) ([]string, error) {
	st, err := h.SessionStanding(ctx, token, id.ID{}, names, now)
	if err != nil {
		return nil, err
	}
	var held []string
	for _, p := range st.Held {
		held = append(held, p.Permission)
	}
	return held, nil
}

type limits struct{ *cache.Memory }

func (l limits) Spend(ctx context.Context, key string, burst int, every time.Duration, n int) (time.Duration, error) {
	return l.Memory.Spend(ctx, key, cache.Limit{Burst: burst, Every: every}, n)
}
