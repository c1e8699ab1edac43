package mail_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/templates"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	secretLink = "https://id.example.com/reset/confirm?token=gh_mail_TopSecretToken"
	secretCode = "31415926"
)

// world is a deployment with a mail server.
type world struct {
	*sqldb.DB
	t       *testing.T
	url     string
	now     atomic.Int64 // Unix milliseconds
	log     *lockedLog
	keyring *secret.Keyring
	smtp    *testenv.SMTPServer
	outbox  *mail.Outbox
}

// lockedLog is a log that many write.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// onEach runs f on each engine.
func onEach(t *testing.T, opts testenv.SMTPOptions, f func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, newWorld(t, "", opts)) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, newWorld(t, sqldbtest.Postgres(t), opts)) })
}

// newWorld uses SQLite without a URL.
func newWorld(t *testing.T, url string, opts testenv.SMTPOptions) *world {
	t.Helper()
	if url == "" {
		url = sqldbtest.SQLite(t)
	}
	w := &world{t: t, url: url, log: new(lockedLog), keyring: newKeyring(t, "first"), smtp: testenv.SMTP(t, opts)}
	w.now.Store(1_800_000_000_000)
	w.DB = w.node()
	if _, err := w.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.outbox = &mail.Outbox{Jobs: w.DB, Keyring: w.keyring, Log: w.logger()}
	return w
}

func newKeyring(t *testing.T, words ...string) *secret.Keyring {
	t.Helper()
	var secrets []secret.Text
	for _, word := range words {
		secrets = append(secrets, secret.Text(strings.Repeat(word+" ", 10)))
	}
	k, err := secret.NewKeyring(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) clock() time.Time { return time.UnixMilli(w.now.Load()) }

func (w *world) advance(d time.Duration) { w.now.Add(d.Milliseconds()) }

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// node opens the database as another process would.
func (w *world) node() *sqldb.DB {
	w.t.Helper()
	d, err := sqldb.Open(w.t.Context(), sqldb.Options{URL: w.url, Now: w.clock, TokenLife: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(d.Close)
	return d
}

func newMails(t *testing.T) *templates.Mails {
	t.Helper()
	pages, err := templates.New(templates.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mails, err := templates.NewMails(pages, nil, issuer())
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

func issuer() *url.URL { return &url.URL{Scheme: "https", Host: "id.example.com"} }

func (w *world) identity() mail.Identity {
	return mail.Identity{
		From:    netmail.Address{Name: "Gatehouse", Address: "id@mail.example.com"},
		ReplyTo: &netmail.Address{Address: "help@example.com"},
	}
}

// sender speaks with the world's mail server.
func (w *world) sender(password string) *mail.SMTP {
	w.t.Helper()
	server, err := mail.ParseServer(w.smtp.URL(), false)
	if err != nil {
		w.t.Fatal(err)
	}
	server.Password = secret.Text(password)
	return &mail.SMTP{Server: *server, Hello: "id.example.com", Roots: w.smtp.Roots()}
}

func (w *world) courier() *mail.Courier {
	return &mail.Courier{
		Identity: w.identity(), Keyring: w.keyring, Writer: newMails(w.t), Sender: w.sender(""), Now: w.clock, Log: w.logger(),
	}
}

// run starts workers and returns what stops them and waits.
func (w *world) run(workers ...*jobs.Worker) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	for _, worker := range workers {
		wg.Go(func() {
			if err := worker.Run(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.t.Cleanup(stop)
	return stop
}

func (w *world) mail(m accounts.Mail) {
	w.t.Helper()
	if err := w.outbox.Mail(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// reset is a mail that holds secrets.
func (w *world) reset(to string) accounts.Mail {
	return accounts.Mail{Kind: accounts.MailResetPassword, To: to, Language: "en", Data: map[string]string{
		accounts.MailDataLink: secretLink, accounts.MailDataCode: secretCode, accounts.MailDataName: "Ada",
		accounts.MailDataUntil: fmt.Sprint(w.clock().Add(time.Hour).UnixMilli()),
	}}
}

// column returns one column of all rows of a table, past the store.
func (w *world) column(query string) []string {
	w.t.Helper()
	driver, source := "pgx", w.url
	if path, ok := strings.CutPrefix(w.url, "sqlite://"); ok {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, text.String)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// queued returns the payloads that wait.
func (w *world) queued() []string { return w.column(`SELECT payload FROM jobs ORDER BY id`) }

// claim takes a job as a worker would.
func (w *world) claim() *jobs.Job {
	w.t.Helper()
	j, err := w.ClaimJob(w.t.Context(), jobs.Claim{
		Kinds: []string{mail.Kind}, Now: w.now.Load(), LeaseEnds: w.clock().Add(time.Minute).UnixMilli(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if j == nil {
		w.t.Fatal("no job is due")
	}
	return j
}

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// silentAbout fails when a text holds what only the recipient may read.
func silentAbout(t *testing.T, what, text string, more ...string) {
	t.Helper()
	for _, s := range append(more, "gh_mail_", "TopSecret", secretCode) {
		if strings.Contains(text, s) {
			t.Errorf("%s holds %q:\n%s", what, s, text)
		}
	}
}
