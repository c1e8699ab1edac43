package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin/api"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

const operatorsIssuer = "http://localhost:8400"

// office is the whole server before a crowd, and who administers it: a superuser in a
// browser, and a program with a token.
type office struct {
	testing.TB
	server http.Handler
	db     *pgx.Conn // beside the server
	cookie *http.Cookie
	bearer string
}

// crowdSize is how many users there are.
func crowdSize() int {
	if os.Getenv("GATEHOUSE_TEST_LONG") != "" {
		return 1_000_000
	}
	return 1_000
}

// openOffice serves a database that a crowd is in.
func openOffice(tb testing.TB, databaseURL string) *office {
	tb.Helper()
	ctx := tb.Context()
	environ := []string{
		"GATEHOUSE_ISSUER=" + operatorsIssuer, "GATEHOUSE_DATABASE_URL=" + databaseURL, "GATEHOUSE_SECRET=" + strings.Repeat("k", 40),
	}
	c := &call{ctx: ctx, environ: environ, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now}
	d, err := c.open(false)
	must(tb, err)
	tb.Cleanup(d.close)
	must(tb, d.prepare(ctx))
	a, err := newApp(d)
	must(tb, err)
	following, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.tail.Run(following) }()
	tb.Cleanup(func() { stop(); <-ended })
	o := &office{TB: tb, server: a.handler}
	o.db, err = pgx.Connect(ctx, databaseURL)
	must(tb, err)
	tb.Cleanup(func() { _ = o.db.Close(context.WithoutCancel(ctx)) }) // it only reads

	by := commandActor()
	u, err := d.users.Create(ctx, by, accounts.NewUser{Username: "head of the office", Staff: true, Superuser: true})
	must(tb, err)
	_, position, err := d.db.UserByLogin(ctx, u.UsernameKey)
	must(tb, err)
	token, _, err := d.sessions.Start(ctx, &accounts.Result{User: u, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}, accounts.Meta{})
	must(tb, err)
	o.cookie = &http.Cookie{Name: web.Cookies{Issuer: d.cfg.Issuer}.Name(flow.SessionCookie), Value: token}
	program, secret, err := d.clients.Register(ctx, by, accounts.Registration{Name: "Operators", Type: accounts.MachineClient, Permissions: accounts.AdminPermissions()})
	must(tb, err)
	form := strings.NewReader("grant_type=client_credentials&scope=" + url.QueryEscape(strings.Join(accounts.AdminPermissions(), " ")))
	r := httptest.NewRequest(http.MethodPost, operatorsIssuer+"/oauth2/token", form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(program.ClientID, url.QueryEscape(secret.Reveal()))
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	w := o.serve(r)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.AccessToken == "" {
		tb.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	o.bearer = answer.AccessToken
	return o
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func (o *office) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	o.server.ServeHTTP(w, r)
	return w
}

// request asks for one page.
func (o *office) request(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, operatorsIssuer+path, nil)
	if strings.HasPrefix(path, api.Base) {
		r.Header.Set("Authorization", "Bearer "+o.bearer)
	} else {
		r.AddCookie(o.cookie)
	}
	return r
}

var nextPattern = regexp.MustCompile(`<a href="([^"]*)" rel="next">`)

// onward is the way on in a page's own list, and not in what its group could still be
// given; the place on the page, which a browser keeps to itself, is left out.
func onward(page string) string {
	for _, found := range nextPattern.FindAllStringSubmatch(page, -1) {
		if path, place, _ := strings.Cut(html.UnescapeString(found[1]), "#"); place != "offered" {
			return path
		}
	}
	return ""
}

// visit gets one page, and returns how many rows it has and the path of the next.
func (o *office) visit(path string) (rows int, next string) {
	o.Helper()
	w := o.serve(o.request(path))
	if w.Code != http.StatusOK {
		o.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	text := w.Body.String()
	if !strings.HasPrefix(path, api.Base) {
		return strings.Count(text, `<th scope="row">`), onward(text)
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
		Next  string            `json:"next"`
	}
	must(o, json.Unmarshal(w.Body.Bytes(), &list))
	if list.Next != "" {
		at, err := url.Parse(path)
		must(o, err)
		q := at.Query()
		q.Set("cursor", list.Next)
		next = at.Path + "?" + q.Encode()
	}
	return len(list.Items), next
}

// ask reads one value from the database.
func (o *office) ask(sql string, args ...any) string {
	o.Helper()
	var value string
	if err := o.db.QueryRow(o.Context(), sql, args...).Scan(&value); err != nil {
		o.Fatalf("%v\nin %s", err, sql)
	}
	return value
}

// TestLists: every list of the console and of the API answers, and walked through it has
// as many rows as the database; no page reads a large table from end to end.
func TestLists(t *testing.T) {
	address, users := sqldbtest.Postgres(t), crowdSize()
	crowd{users: users, now: time.Now()}.fill(t, address)
	served := address
	if users < 100_000 { // then PostgreSQL rather reads everything, where it can
		served += "&enable_seqscan=off"
	}
	t.Run("walk", func(t *testing.T) { openOffice(t, served).walk() })
	// The server has ended, and told of all that it read. There are not so many groups
	// that none may look at all of them: for who holds a permission, which all may.
	db, err := pgx.Connect(t.Context(), address)
	must(t, err)
	defer func() { _ = db.Close(t.Context()) }() // it only reads
	rows, err := db.Query(t.Context(), `SELECT relname FROM pg_stat_user_tables WHERE seq_scan > 0 AND relname = ANY($1)`, []string{
		"users", "group_members", "sessions", "grants", "consents", "audit", "audit_chain", "revocations",
	})
	must(t, err)
	read, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(read) > 0 {
		t.Errorf("read from end to end: %v, %v", read, err)
	}
}

// walk gets every list, page by page.
func (o *office) walk() {
	list := o.listings()
	want := make([]int, len(list))
	for i, l := range list {
		if l.count == "" {
			continue
		}
		if _, err := fmt.Sscan(o.ask(l.count), &want[i]); err != nil {
			o.Fatal(err)
		}
	}
	// What was read by now is not the server's.
	for _, text := range []string{`SELECT pg_stat_force_next_flush()`, `SELECT pg_stat_reset()`} {
		if _, err := o.db.Exec(o.Context(), text); err != nil {
			o.Fatal(err)
		}
	}
	const pages = 6
	for i, l := range list {
		rows, next := o.visit(l.path)
		for n := 1; next != "" && n < pages; n++ {
			var more int
			more, next = o.visit(next)
			rows += more
		}
		if l.count != "" && (next == "" && rows != want[i] || next != "" && rows > want[i]) {
			o.Errorf("%s (%s): %d rows, want %d", l.name, l.path, rows, want[i])
		}
	}
}

// BenchmarkLists takes the time of the first and second page of each list at the
// server: what it takes to route, authorize, read, render and log.
func BenchmarkLists(b *testing.B) {
	address := sqldbtest.Postgres(b)
	crowd{users: crowdSize(), now: time.Now()}.fill(b, address)
	o := openOffice(b, address)
	for _, l := range o.listings() {
		face := "console/"
		if l.isAPI() {
			face = "api/"
		}
		_, second := o.visit(l.path)
		b.Run(face+l.name, func(b *testing.B) { o.time(b, l.path) })
		if second != "" {
			b.Run(face+l.name+", page 2", func(b *testing.B) { o.time(b, second) })
		}
	}
}

// time gets a page again and again, and reports the median and the longest.
func (o *office) time(b *testing.B, path string) {
	var took []time.Duration
	for b.Loop() {
		r := o.request(path)
		begin := time.Now()
		w := o.serve(r)
		took = append(took, time.Since(begin))
		if w.Code != http.StatusOK {
			b.Fatalf("%s: %d", path, w.Code)
		}
	}
	slices.Sort(took)
	inMS := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(inMS(took[len(took)/2]), "p50-ms")
	b.ReportMetric(inMS(took[len(took)-1]), "max-ms")
}
