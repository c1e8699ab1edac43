package selfservice_test

import (
	"bytes"
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/device"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/selfservice"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	houseIssuer = "https://id.example.com"
	firefox     = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
	chrome      = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
)

func rootOperator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

// house is a whole server with the pages of accounts on SQLite, without the protocol.
type house struct {
	testing.TB
	now      time.Time
	db       *sqldb.DB
	log      *bytes.Buffer
	server   http.Handler
	cookies  web.Cookies
	desk     *hosted.Desk
	users    *accounts.Users
	sessions *accounts.Sessions
	consents *accounts.Consents
	clients  *accounts.Clients
	deletion *accounts.Deletion
	activity *accounts.Activity
	claims   *toldClaims
	mails    *[]accounts.Mail
	ada, bob *accounts.User
	board    *accounts.Client
}

// postbox keeps the mails of changes.
type postbox struct{ mails *[]accounts.Mail }

func (p postbox) Mail(_ context.Context, m accounts.Mail) error {
	*p.mails = append(*p.mails, m)
	return nil
}

// toldClaims stands for the protocol: it answers by what is stored, and says what it
// was asked.
type toldClaims struct {
	db    *sqldb.DB
	asked []string
}

func (c *toldClaims) ClaimsFor(ctx context.Context, subject, clientID string, scopes []string) (map[string]any, error) {
	c.asked = append([]string{clientID}, scopes...)
	u, err := c.db.UserBySubject(ctx, subject)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{"sub": subject}
	if slices.Contains(scopes, "profile") {
		claims["name"], claims["updated_at"], claims["zoneinfo"] = u.Name, u.UpdatedAt/1000, u.Profile.Zoneinfo
	}
	if slices.Contains(scopes, "email") {
		claims["email"], claims["email_verified"] = u.Email, u.EmailVerified
	}
	if slices.Contains(scopes, "address") && u.Profile.Address != nil {
		claims["address"] = u.Profile.Address
	}
	if slices.Contains(scopes, "groups") {
		claims["groups"] = []string{"Editors", "<b>Writers</b>"}
	}
	return claims, nil
}

func newHouse(t testing.TB) *house {
	t.Helper()
	w := &house{TB: t, now: time.UnixMilli(1_790_000_000_000), log: &bytes.Buffer{}, mails: &[]accounts.Mail{}}
	clock := func() time.Time { return w.now }
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	db, err := sqldb.Open(t.Context(), sqldb.Options{
		URL: sqldbtest.SQLite(t), Now: clock, Logger: logger, TokenLife: 15 * time.Minute,
	})
	w.must(err)
	t.Cleanup(db.Close)
	_, err = db.Migrate(t.Context())
	w.must(err)
	w.db = db
	keys, err := secret.NewKeyring(secret.Text(strings.Repeat("s", secret.MinLength)))
	w.must(err)
	issuer, err := url.Parse(houseIssuer)
	w.must(err)
	renderer, err := templates.New(templates.Options{HomePath: issuer.Path + "/"})
	w.must(err)

	journal := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: clock, Mails: postbox{w.mails}}
	hasher := accounts.NewHasher(1, 0)
	w.users = &accounts.Users{Journal: journal, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: hasher}
	w.sessions = &accounts.Sessions{Journal: journal, Users: db, Store: db, Grants: db, Logger: logger}
	w.consents = &accounts.Consents{Journal: journal, Users: db, Grants: db}
	w.clients = &accounts.Clients{Journal: journal, Store: db, Secrets: db, Grants: db, Keys: keys, Hasher: hasher}
	w.activity = &accounts.Activity{Store: db, Now: clock}
	links := accounts.Links{Issuer: houseIssuer}
	w.deletion = &accounts.Deletion{Journal: journal, Users: w.users, Store: db, Links: links, Log: logger}
	w.cookies = web.Cookies{Issuer: issuer}
	w.claims = &toldClaims{db: db}
	w.desk = &hosted.Desk{
		Issuer: issuer, Cookies: w.cookies, Keyring: keys, Pages: renderer, Sessions: w.sessions, Now: clock,
		Missing: func(_ context.Context, _ *accounts.Session, u *accounts.User) (string, error) {
			for _, a := range (accounts.SignInPolicy{}).Required(u, false, false) {
				return flow.PathOf(a), nil
			}
			return "", nil
		},
	}
	w.mount(journal, links)
	w.populate(accounts.APIs{Journal: journal, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: keys})
	return w
}

// mount puts the pages behind a front as the server does.
func (w *house) mount(journal accounts.Journal, links accounts.Links) {
	profiles := &accounts.Profiles{
		Journal: journal, Users: w.db, Pictures: w.db, PictureURL: selfservice.PictureURL(w.desk.Issuer), Portraits: accounts.NewPortraits(),
		Limiter: entranceLimits{cache.NewMemory(w.desk.Now, 1<<20)}, Keys: w.desk.Keyring, Logger: slog.New(slog.NewJSONHandler(w.log, nil)),
	}
	alarm := &accounts.Alarm{
		Journal: journal, Users: w.db, Sessions: w.db, Grants: w.db, Links: links,
		Device: func(userAgent string) string { return device.Of(userAgent).String() },
	}
	router := web.NewRouter()
	for _, h := range []interface {
		Mount(r *mux.Router, pages func(http.Handler) http.Handler) error
	}{
		&selfservice.Overview{Desk: w.desk, Signed: w.db, Activity: w.activity, Groups: &accounts.Groups{Managers: w.db}, Mails: true},
		&selfservice.Profile{Desk: w.desk, Profiles: profiles, Pictures: w.db, Activity: w.activity, Claims: w.claims},
		&selfservice.Security{
			Desk: w.desk, Signed: w.db, Ender: w.sessions, Activity: w.activity, Alarm: alarm, Consents: w.consents, Clients: w.db, APIs: w.db, Mails: true,
		},
		&selfservice.Data{
			Desk: w.desk, Deletion: w.deletion,
			Export: &accounts.Export{Journal: journal, Store: w.db, Events: w.db, Pictures: w.db},
		},
	} {
		w.must(h.Mount(router, web.Pages))
	}
	router.NotFoundHandler = web.Pages(http.HandlerFunc(w.desk.NotFound))
	front := &web.Front{Issuer: w.desk.Issuer, Log: slog.New(slog.NewJSONHandler(w.log, nil)), Now: func() time.Time { return w.now }}
	w.server = front.Wrap(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		origin := audit.Origin{RequestID: web.RequestID(r.Context()), Address: web.ClientIP(r.Context()).String()}
		router.ServeHTTP(rw, r.WithContext(audit.WithOrigin(r.Context(), origin)))
	}))
}

// populate makes Ada and Bob, and Post Board.
func (w *house) populate(apis accounts.APIs) {
	w.Helper()
	ctx := w.Context()
	user := func(name string) *accounts.User {
		u, err := w.users.Create(ctx, rootOperator(), accounts.NewUser{
			Username: name, Email: name + "@example.org", EmailVerified: true, Name: name + " Example",
			PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g",
		})
		w.must(err)
		return u
	}
	w.ada, w.bob = user("ada"), user("bob")
	w.must(apis.EnsureBuiltin(ctx, houseIssuer))
	_, _, _, err := apis.Create(ctx, rootOperator(), accounts.NewAPI{
		Audience: "https://posts.example.com", Name: "Posts",
		Permissions: []accounts.NewPermission{{Name: "posts:add", Description: "Write posts in your name", Texts: accounts.Texts{"de": {Description: "Beiträge in deinem Namen schreiben"}}}},
	})
	w.must(err)
	w.board = w.register("Post Board")
}

func (w *house) register(name string) *accounts.Client {
	w.Helper()
	c, _, err := w.clients.Register(w.Context(), rootOperator(), accounts.Registration{
		Name: name, Texts: accounts.Texts{"de": {Name: "Deutsches " + name}}, Type: accounts.WebClient, RedirectURIs: []string{"https://board.example.com/cb"}, HomeURI: "https://board.example.com/",
		Scopes: []string{"openid", "profile", "email", "offline_access", "posts:add"},
	})
	w.must(err)
	return c
}

func (w *house) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// stored is somebody as they are now.
func (w *house) stored(u *accounts.User) *accounts.User {
	w.Helper()
	found, err := w.db.UserBySubject(w.Context(), u.Subject)
	w.must(err)
	return found
}

// allow lets somebody allow an app its scopes, and returns the grant that it got.
func (w *house) allow(u *accounts.User, c *accounts.Client, s *accounts.Session, offline bool) id.ID {
	w.Helper()
	actor := audit.Actor{Kind: audit.Person, ID: u.Subject}
	w.must(w.consents.Allow(w.Context(), actor, u, c, c.Scopes, c.Scopes))
	g := &granting.Grant{Grant: accounts.Grant{
		ID: id.New(), UserID: u.ID, ClientID: c.ID, SessionID: s.ID, Offline: offline, Scopes: c.Scopes, CreatedAt: w.now.UnixMilli(),
	}, CodeHash: secret.Random(32), Rev: s.Rev, PurgeAt: w.now.Add(time.Hour).UnixMilli()}
	g.Refresh.Hash = secret.Random(32)
	ok, err := w.db.RedeemCode(w.Context(), g)
	w.must(err)
	if !ok {
		w.Fatal("code not redeemed")
	}
	return g.ID
}

// ended reports whether a grant has ended.
func (w *house) ended(grantID id.ID) bool {
	w.Helper()
	g, err := w.db.GrantByID(w.Context(), grantID)
	w.must(err)
	return g.EndedAt != 0
}

// rows are the ledger's since the beginning, as "kind key".
func (w *house) rows() []string {
	w.Helper()
	found, err := w.db.After(w.Context(), 0, 1000)
	w.must(err)
	rows := []string{}
	for _, r := range found {
		rows = append(rows, string(r.Kind)+" "+r.Key)
	}
	return rows
}

// actions are those of the latest events, newest first.
func (w *house) actions(n int) []string {
	w.Helper()
	tail, err := w.db.AuditTail(w.Context(), n)
	w.must(err)
	var actions []string
	for _, e := range tail {
		actions = append(actions, e.Action)
	}
	return actions
}

// visitor is a browser that keeps cookies and sends forms, without scripts.
type visitor struct {
	*house
	jar     map[string]string
	site    string // Sec-Fetch-Site
	agent   string
	session *accounts.Session
}

// visitor is somebody signed in with a password just now; nil is a stranger.
func (w *house) visitor(u *accounts.User) *visitor {
	w.Helper()
	b := &visitor{house: w, jar: map[string]string{}, site: "same-origin", agent: firefox}
	if u != nil {
		b.enter(u)
	}
	return b
}

// enter signs somebody in, as the sign-in page does.
func (b *visitor) enter(u *accounts.User) {
	b.Helper()
	found, position, err := b.db.UserByLogin(b.Context(), u.UsernameKey)
	b.must(err)
	token, session, err := b.sessions.Start(b.Context(), &accounts.Result{User: found, Position: position, AMR: []string{"pwd"}, ACR: "aal1"},
		accounts.Meta{UserAgent: b.agent, Address: "192.0.2.7"})
	b.must(err)
	b.jar[b.cookies.Name(flow.SessionCookie)], b.session = token, session
}

func (b *visitor) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest(http.MethodGet, houseIssuer+path, nil))
}

func (b *visitor) post(path string, form url.Values) *httptest.ResponseRecorder {
	return b.send(path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

func (b *visitor) send(path, mediaType string, body *strings.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, houseIssuer+path, body)
	r.Header.Set("Content-Type", mediaType)
	if b.site != "" {
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	return b.do(r)
}

func (b *visitor) do(r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("User-Agent", b.agent)
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := httptest.NewRecorder()
	b.server.ServeHTTP(answer, r)
	for _, c := range answer.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
			continue
		}
		b.jar[c.Name] = c.Value
	}
	return answer
}

// filled is a form with the page's ticket and the given pairs.
func filled(t testing.TB, page *httptest.ResponseRecorder, pairs ...string) url.Values {
	t.Helper()
	found := regexp.MustCompile(`<input type="hidden" name="flow" value="([^"]*)">`).FindStringSubmatch(page.Body.String())
	if found == nil {
		t.Fatalf("no form in the page (status %d, to %q)", page.Code, page.Header().Get("Location"))
	}
	form := url.Values{"flow": {html.UnescapeString(found[1])}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

func wantTo(t testing.TB, answer *httptest.ResponseRecorder, path string) {
	t.Helper()
	if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || got != houseIssuer+path {
		t.Fatalf("status %d to %q, want 303 to %q\n%.2000s", answer.Code, got, houseIssuer+path, answer.Body)
	}
}

// wantHTML checks the status and that the page has, or with "!" has not, each text.
func wantHTML(t testing.TB, answer *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if answer.Code != status {
		t.Fatalf("status %d (to %q), want %d\n%.2000s", answer.Code, answer.Header().Get("Location"), status, answer.Body)
	}
	body := html.UnescapeString(answer.Body.String())
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if strings.Contains(body, unwanted) == not {
			t.Errorf("want %q in the page:\n%s", text, body)
		}
	}
}

// wantOutcome checks the last line of the log.
func (w *house) wantOutcome(outcome string) {
	w.Helper()
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, `"outcome":"`+outcome+`"`) {
		w.Errorf("want outcome %q, logged %s", outcome, last)
	}
}
