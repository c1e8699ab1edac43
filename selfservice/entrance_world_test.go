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
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/selfservice"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	entrancePassword = "violet tractor sings 91 low"
	entranceOther    = "seven amber ladders whisper 4"
	entranceIssuer   = "https://id.example.com"
	// entranceFlow is the id of a flow that nobody here looks at.
	entranceFlow = "AZBx3f2ycAC4xQmHq0bT3w"
)

// entranceWorld is the way in on SQLite, with mails that are kept here.
type entranceWorld struct {
	testing.TB
	now      time.Time
	log      bytes.Buffer
	db       *sqldb.DB
	server   http.Handler
	handler  *selfservice.Entrance
	settings *accounts.Settings
	users    *accounts.Users
	sessions *accounts.Sessions
	mails    []accounts.Mail
	factor   map[string]bool // subs of those who have a second factor
	passed   []string        // the amr of those who came in
	missing  string          // what everybody has to do first
}

func entranceOperator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

// Mail implements accounts.Mailer.
func (w *entranceWorld) Mail(_ context.Context, m accounts.Mail) error {
	w.mails = append(w.mails, m)
	return nil
}

// Proved implements selfservice.Provers as accounts.SignIns does it, with the second
// factor of those who have one still to come.
func (w *entranceWorld) Proved(ctx context.Context, u *accounts.User, position int64, amr []string, m accounts.Meta, _ string) (*accounts.Passage, error) {
	w.passed = append(w.passed, strings.Join(amr, " "))
	if w.factor[u.Subject] {
		return &accounts.Passage{User: u, Pending: "pending-of-" + u.Username, PendingUntil: w.now.Add(10 * time.Minute).UnixMilli()}, nil
	}
	token, session, err := w.sessions.Start(ctx, &accounts.Result{User: u, Position: position, AMR: amr}, m)
	return &accounts.Passage{User: u, Token: token, Session: session, Known: "known"}, err
}

func newEntrance(t testing.TB) *entranceWorld {
	t.Helper()
	w := &entranceWorld{TB: t, now: time.UnixMilli(1_790_000_000_000), factor: map[string]bool{}}
	clock := func() time.Time { return w.now }
	logger := slog.New(slog.NewJSONHandler(&w.log, nil))
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
	issuer, err := url.Parse(entranceIssuer)
	w.must(err)
	renderer, err := templates.New(templates.Options{})
	w.must(err)
	journal := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: clock, Mails: w}
	w.users = &accounts.Users{Journal: journal, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: accounts.NewHasher(2, 0)}
	w.sessions = &accounts.Sessions{Journal: journal, Users: db, Store: db, Grants: db, Logger: logger}
	groups := &accounts.Groups{Journal: journal, Store: db, Members: db, Permissions: db, APIs: db, Users: db, Crowds: db, Nesting: db, Managers: db, Reader: db}
	p := &accounts.Proofs{
		Store: db, Users: w.users, Limiter: entranceLimits{cache.NewMemory(clock, 1<<20)}, Keys: keys, Logger: logger,
		Links: accounts.Links{Issuer: entranceIssuer},
	}
	w.settings = &accounts.Settings{SignUp: accounts.SignUpOpen, SignInByMail: true}
	w.users.Settings = w.settings
	w.handler = &selfservice.Entrance{
		Desk: &hosted.Desk{
			Issuer: issuer, Cookies: web.Cookies{Issuer: issuer}, Keyring: keys, Pages: renderer, Sessions: w.sessions, Now: clock,
			Missing: func(context.Context, *accounts.Session, *accounts.User) (string, error) { return w.missing, nil },
		},
		SignUps: &accounts.SignUps{Proofs: p}, Invites: &accounts.Invites{Proofs: p, Groups: groups},
		Resets: &accounts.Resets{Proofs: p}, Codes: &accounts.MailCodes{Proofs: p}, Verifications: &accounts.Verifications{Proofs: p},
		Addresses: &accounts.Addresses{Proofs: p}, Setup: &accounts.Setup{Users: w.users, Store: db, Keys: keys},
		Terms: &accounts.Terms{Users: w.users}, SignIns: w, Passwords: w.users, Mails: true, Settings: w.settings,
	}
	router := web.NewRouter()
	w.must(w.handler.Mount(router, web.Pages))
	router.NotFoundHandler = web.Pages(http.HandlerFunc(w.handler.NotFound))
	w.server = (&web.Front{Issuer: issuer, Log: logger, Now: clock}).Wrap(router)
	return w
}

type entranceLimits struct{ *cache.Memory }

func (l entranceLimits) Spend(ctx context.Context, key string, burst int, every time.Duration, n int) (time.Duration, error) {
	return l.Memory.Spend(ctx, key, cache.Limit{Burst: burst, Every: every}, n)
}

func (w *entranceWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// member makes an account with a password and an address.
func (w *entranceWorld) member(name string, verified bool) *accounts.User {
	w.Helper()
	u, err := w.users.Create(w.Context(), entranceOperator(), accounts.NewUser{
		Username: name, Email: name + "@example.org", EmailVerified: verified, Password: entrancePassword,
	})
	w.must(err)
	return u
}

func (w *entranceWorld) stored(u *accounts.User) *accounts.User {
	w.Helper()
	found, err := w.db.UserBySubject(w.Context(), u.Subject)
	w.must(err)
	return found
}

// mail is the newest one, of a kind and to an address.
func (w *entranceWorld) mail(kind accounts.MailKind, to string) accounts.Mail {
	w.Helper()
	if len(w.mails) == 0 {
		w.Fatalf("no mail, want %s", kind)
	}
	m := w.mails[len(w.mails)-1]
	if m.Kind != kind || m.To != to {
		w.Fatalf("mail %s to %s, want %s to %s", m.Kind, m.To, kind, to)
	}
	return m
}

// link is the path of a mail's link.
func (w *entranceWorld) link(m accounts.Mail) string {
	w.Helper()
	path, ok := strings.CutPrefix(m.Data[accounts.MailDataLink], entranceIssuer)
	if !ok {
		w.Fatalf("link %q", m.Data[accounts.MailDataLink])
	}
	return path
}

// entranceBrowser keeps cookies and sends forms, without scripts.
type entranceBrowser struct {
	*entranceWorld
	jar  map[string]string
	site string
}

func (w *entranceWorld) browser() *entranceBrowser {
	return &entranceBrowser{entranceWorld: w, jar: map[string]string{}, site: "same-origin"}
}

// as is a browser in which somebody is signed in.
func (w *entranceWorld) as(u *accounts.User) *entranceBrowser {
	w.Helper()
	found, position, err := w.db.UserByLogin(w.Context(), u.UsernameKey)
	w.must(err)
	token, _, err := w.sessions.Start(w.Context(), &accounts.Result{User: found, Position: position, AMR: []string{"pwd"}}, accounts.Meta{})
	w.must(err)
	b := w.browser()
	b.jar[w.handler.Cookies.Name(flow.SessionCookie)] = token
	return b
}

func (b *entranceBrowser) has(cookie string) bool { return b.jar[b.handler.Cookies.Name(cookie)] != "" }

func (b *entranceBrowser) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest(http.MethodGet, entranceIssuer+path, nil))
}

func (b *entranceBrowser) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, entranceIssuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", b.site)
	return b.do(r)
}

func (b *entranceBrowser) do(r *http.Request) *httptest.ResponseRecorder {
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := httptest.NewRecorder()
	b.server.ServeHTTP(answer, r)
	for _, c := range answer.Result().Cookies() {
		b.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
	return answer
}

// follow opens where an answer leads.
func (b *entranceBrowser) follow(answer *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	b.Helper()
	path, ours := strings.CutPrefix(answer.Header().Get("Location"), entranceIssuer)
	if answer.Code != http.StatusSeeOther || !ours {
		b.Fatalf("status %d to %q\n%s", answer.Code, answer.Header().Get("Location"), answer.Body)
	}
	return b.get(path)
}

// send fills the form of a page, with its hidden fields, and posts it to where it
// says.
func (b *entranceBrowser) send(page *httptest.ResponseRecorder, pairs ...string) *httptest.ResponseRecorder {
	b.Helper()
	action, form := b.form(page, pairs...)
	return b.post(action, form)
}

func (b *entranceBrowser) form(page *httptest.ResponseRecorder, pairs ...string) (action string, form url.Values) {
	b.Helper()
	body := page.Body.String()
	_, body, ok := strings.Cut(body, "<main")
	found := regexp.MustCompile(`<form method="post" action="([^"]*)"`).FindStringSubmatch(body)
	if !ok || found == nil {
		b.Fatalf("no form in the page (status %d to %q)\n%s", page.Code, page.Header().Get("Location"), page.Body)
	}
	body, _, _ = strings.Cut(body[strings.Index(body, found[0]):], "</form>")
	form = url.Values{"action": {"continue"}}
	for _, in := range regexp.MustCompile(`<input type="([a-z]+)"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if in[1] != "checkbox" {
			form.Set(in[2], html.UnescapeString(in[3]))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return found[1], form
}

func (w *entranceWorld) wantRedirect(answer *httptest.ResponseRecorder, to string) {
	w.Helper()
	if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || got != entranceIssuer+to {
		w.Fatalf("status %d to %q, want 303 to %q\n%s", answer.Code, got, to, answer.Body)
	}
}

// wantPage checks the status and that the page has, or with "!" has not, each text.
func (w *entranceWorld) wantPage(answer *httptest.ResponseRecorder, status int, texts ...string) {
	w.Helper()
	if answer.Code != status {
		w.Fatalf("status %d (to %q), want %d\n%s", answer.Code, answer.Header().Get("Location"), status, answer.Body)
	}
	body := html.UnescapeString(answer.Body.String())
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if strings.Contains(body, unwanted) == not {
			w.Errorf("want %q in the page:\n%s", text, body)
		}
	}
}
