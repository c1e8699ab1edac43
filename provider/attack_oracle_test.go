package provider_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// oracle stands before the server in every attack test and judges each answer:
// whatever was asked, there is no 5xx, no redirect but 303, no secret of the
// request in an error or in the log; errors of a back channel are JSON, those of a
// page HTML without a redirect.
type oracle struct {
	t      testing.TB
	next   http.Handler
	log    bytes.Buffer
	logger *slog.Logger

	mu      sync.Mutex
	secrets map[string]string // value → where it was sent
	faults  bool              // the test broke something: 503 is right
}

// sensitive are the parameters whose values may appear in no error and no log.
var sensitive = []string{
	"client_secret", "client_assertion", "code", "code_verifier", "refresh_token", "token", "access_token", "id_token_hint", "confirm",
}

// besieged returns a world on SQLite behind an oracle.
func besieged(t *testing.T) *world {
	t.Helper()
	w, _ := besiegedOn(t, keyedURL(t))
	return w
}

// besiegedOnEach runs f on each database.
func besiegedOnEach(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	onEach(t, func(t *testing.T, s *server) {
		watch(s)
		f(t, newWorld(t, s))
	})
}

func besiegedOn(t *testing.T, databaseURL string) (*world, *oracle) {
	t.Helper()
	s := newServer(t, databaseURL)
	o := watch(s)
	return newWorld(t, s), o
}

// watch puts an oracle before the server, and the server's log into it.
func watch(s *server) *oracle {
	s.t.Helper()
	o := &oracle{t: s.t, secrets: map[string]string{}}
	o.logger = slog.New(slog.NewJSONHandler(&o.log, nil))
	router := web.NewRouter()
	s.provider.Log = o.logger
	if err := s.provider.Mount(router, web.Pages); err != nil {
		s.t.Fatal(err)
	}
	front := &web.Front{Issuer: s.provider.Issuer, Log: o.logger, Now: s.clock.now}
	o.next = front.Wrap(router)
	s.handler = o
	s.t.Cleanup(o.judgeLog)
	return o
}

// ServeHTTP passes a request on and judges the answer.
func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent := o.remember(r)
	rec := httptest.NewRecorder()
	o.next.ServeHTTP(rec, r)
	o.judge(r, rec, sent)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// remember returns the secrets of a request, and leaves it as it was.
func (o *oracle) remember(r *http.Request) []string {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	sent := map[string]string{}
	for _, text := range []string{r.URL.RawQuery, string(body)} {
		values, _ := url.ParseQuery(text) // what cannot be parsed is missing
		for _, name := range sensitive {
			for _, v := range values[name] {
				sent[v] = name
			}
		}
	}
	for _, c := range r.Cookies() {
		sent[c.Value] = "cookie"
	}
	for _, h := range r.Header.Values("Authorization") {
		_, value, _ := strings.Cut(h, " ")
		sent[value] = "authorization"
		if b, err := base64.StdEncoding.DecodeString(value); err == nil {
			_, password, _ := strings.Cut(string(b), ":")
			sent[password] = "password"
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var long []string
	for v, name := range sent {
		if len(v) >= 16 { // shorter ones are words of the tests
			o.secrets[v] = name
			long = append(long, v)
		}
	}
	return long
}

func (o *oracle) judge(r *http.Request, rec *httptest.ResponseRecorder, sent []string) {
	at := r.Method + " " + r.URL.Path
	h, text := rec.Header(), rec.Body.String()
	if rec.Code >= 500 && !(o.faults && rec.Code == http.StatusServiceUnavailable) {
		o.t.Errorf("%s: status %d: %s", at, rec.Code, text)
	}
	if rec.Code >= 300 && rec.Code < 400 && rec.Code != http.StatusSeeOther && rec.Code != http.StatusNotModified {
		o.t.Errorf("%s: status %d, every redirect is 303", at, rec.Code)
	}
	if rec.Code < 400 {
		return
	}
	for _, v := range sent {
		if strings.Contains(text, v) || slices.Contains(h.Values("WWW-Authenticate"), v) {
			o.t.Errorf("%s: the error repeats a secret of the request", at)
		}
	}
	if h.Get("Location") != "" {
		o.t.Errorf("%s: an error with a redirect to %s", at, h.Get("Location"))
	}
	switch {
	case rec.Code == http.StatusForbidden && r.Method == http.MethodOptions: // a preflight has no body
	case slices.Contains([]string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/par", "/userinfo"}, r.URL.Path):
		var e struct{ Error string }
		if json.Unmarshal(rec.Body.Bytes(), &e) != nil || e.Error == "" || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
			o.t.Errorf("%s: an error that is no JSON: %s %s", at, h.Get("Content-Type"), text)
		}
		if h.Get("Cache-Control") != "no-store" {
			o.t.Errorf("%s: the error may be cached", at)
		}
	case r.URL.Path == "/oauth2/authorize" || r.URL.Path == "/logout":
		if !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Cache-Control") != "no-store" {
			o.t.Errorf("%s: an error that is no page, or one to be cached", at)
		}
	}
}

// judgeLog looks through everything that the server wrote.
func (o *oracle) judgeLog() {
	text := o.log.String()
	for v, name := range o.secrets {
		if strings.Contains(text, v) {
			o.t.Errorf("the log holds a secret that was sent as %s", name)
		}
	}
	for _, mark := range []string{"ghc_", "ghr_", "panic", "request_uri:"} {
		if strings.Contains(text, mark) {
			o.t.Errorf("the log holds %q", mark)
		}
	}
}

// keyedURL is a database that has its signing keys already: making RSA keys is
// most of what a new server costs.
func keyedURL(t *testing.T) string {
	t.Helper()
	file, err := keyedDatabase()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + path
}

var keyedDatabase = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "gatehouse-attack-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "gatehouse.db")
	ctx := context.Background() // outlives the test that comes first
	db, err := sqldb.Open(ctx, sqldb.Options{URL: "sqlite://" + path, Now: time.Now, TokenLife: time.Hour})
	if err != nil {
		return nil, err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("s", 40)))
	if err != nil {
		return nil, err
	}
	if err := (&keys.Keeper{Store: db, Keyring: keyring, Now: time.Now}).Ensure(ctx, tester); err != nil {
		return nil, err
	}
	db.Close()
	return os.ReadFile(path)
})

// untouched fails if f writes to the ledger or changes what is cached.
func (w *world) untouched(f func()) {
	w.t.Helper()
	before, err := w.db.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	f()
	after, err := w.db.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if !reflect.DeepEqual(before, after) {
		w.t.Errorf("the ledger moved from %+v to %+v", before, after)
	}
}

// wantPage checks that a request ended on a page of ours.
func wantPage(t *testing.T, resp *http.Response, status int) string {
	t.Helper()
	text := body(t, resp)
	if resp.StatusCode != status || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || resp.Header.Get("Location") != "" {
		t.Errorf("got %d %s %s, want a page with %d", resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Location"), status)
	}
	return text
}

// wantRedirect checks that the client was told an error, with state and issuer.
func wantRedirect(t *testing.T, resp *http.Response, uri, code string) {
	t.Helper()
	q := location(t, resp, uri)
	if q.Get("error") != code || q.Get("iss") != issuer || q.Has("code") {
		t.Errorf("redirect with %v, want the error %s and iss", q, code)
	}
}

func newGet(path string) *http.Request { return httptest.NewRequest(http.MethodGet, issuer+path, nil) }

func formOf(pairs ...string) url.Values { return changed(url.Values{}, pairs...) }

// wantUserinfo asks for userinfo and checks the status, and the challenge of a
// refusal.
func wantUserinfo(t *testing.T, w *world, token string, status int) answer {
	t.Helper()
	r := newGet("/userinfo")
	r.Header.Set("Authorization", "Bearer "+token)
	a := w.ask(r)
	if a.status != status || status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer realm=`) {
		t.Errorf("userinfo: %d %v %s, want %d", a.status, a.header.Values("WWW-Authenticate"), a.raw, status)
	}
	return a
}
