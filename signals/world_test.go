package signals_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/signals"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	issuer    = "https://id.example/auth"
	relayName = "signals"
)

func operator() audit.Actor { return audit.Actor{Kind: audit.CommandLine, ID: "root"} }

// world is a transmitter on a real database, with the domain whose causes it tells,
// and a queue whose jobs the test does itself.
type world struct {
	t   *testing.T
	db  *sqldb.DB
	tr  *signals.Transmitter
	web *httptest.Server
	log bytes.Buffer
	key *rsa.PrivateKey

	mu    sync.Mutex
	clock time.Time
	queue []jobs.Job

	users    *accounts.Users
	sessions *accounts.Sessions
	groups   *accounts.Groups
	apis     *accounts.APIs
	clients  *accounts.Clients
}

func newWorld(t *testing.T) *world {
	return newWorldOn(t, sqldbtest.SQLite(t))
}

func newWorldOn(t *testing.T, databaseURL string) *world {
	t.Helper()
	w := &world{t: t, clock: time.UnixMilli(1_800_000_000_000)}
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: databaseURL, Now: w.now, TokenLife: time.Hour})
	w.must(err)
	t.Cleanup(db.Close)
	_, err = db.Migrate(t.Context())
	w.must(err)
	w.must(db.EnsureRelay(t.Context(), relayName))
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("s", 40)))
	w.must(err)
	w.key, err = rsa.GenerateKey(rand.Reader, 2048)
	w.must(err)
	w.db = db
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	at, err := url.Parse(issuer)
	w.must(err)
	w.tr = &signals.Transmitter{
		Issuer: at, Authorizer: w, Signer: w, Streams: db, Subjects: db, Events: db, Deliveries: db,
		Accounts: db, Relay: relayName, Tx: db, Audit: db,
		Jobs: w, Keyring: keyring, Client: http.DefaultClient, AllowHTTP: true, Log: log, Now: w.now,
	}
	router := mux.NewRouter()
	w.tr.Mount(router)
	w.web = httptest.NewServer(router)
	t.Cleanup(w.web.Close)

	j := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: w.now, Signals: signals.Writer{Jobs: w}}
	hasher := accounts.NewHasher(2, 0)
	w.users = &accounts.Users{Journal: j, Store: db, Lister: db, Sessions: db, Grants: db, Hasher: hasher}
	w.sessions = &accounts.Sessions{Journal: j, Users: db, Store: db, Grants: db, Logger: log}
	w.groups = &accounts.Groups{Journal: j, Store: db, Members: db, Permissions: db, APIs: db, Users: db, Crowds: db, Nesting: db, Managers: db, Reader: db}
	w.apis = &accounts.APIs{Journal: j, Store: db, Permissions: db, Clients: db, Secrets: db, Keys: keyring}
	w.clients = &accounts.Clients{Journal: j, Store: db, Secrets: db, Grants: db, Keys: keyring, Hasher: hasher}
	w.must(w.apis.EnsureBuiltin(t.Context(), issuer))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
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

// Enqueue implements jobs.Enqueuer.
func (w *world) Enqueue(_ context.Context, list ...jobs.Job) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, list...)
	return nil
}

// Receiver implements signals.Authorizer: a token is the name of its client.
func (w *world) Receiver(rw http.ResponseWriter, r *http.Request) (*signals.Receiver, bool) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		rw.WriteHeader(http.StatusUnauthorized)
		return nil, false
	}
	return &signals.Receiver{ClientID: name}, true
}

// SignSET implements signals.Signer.
func (w *world) SignSET(_ context.Context, claims []byte) (string, error) {
	key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: w.key, KeyID: "k"}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("secevent+jwt"))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// work does what is in the queue until it is empty, jobs that fail last, and returns
// these with their errors.
func (w *world) work() (failed []jobs.Job, errs []error) {
	w.t.Helper()
	for {
		w.mu.Lock()
		list := w.queue
		w.queue = nil
		w.mu.Unlock()
		if len(list) == 0 {
			w.mu.Lock()
			w.queue = failed
			w.mu.Unlock()
			return failed, errs
		}
		for _, j := range list {
			if j.ID.IsZero() {
				j.ID = newID()
			}
			j.Attempts++
			if err := w.tr.Work()[j.Kind].Handler.Handle(w.t.Context(), j); err != nil {
				failed, errs = append(failed, j), append(errs, err)
			}
		}
	}
}

// relay does what package relay does, and then the jobs.
func (w *world) relay() {
	w.t.Helper()
	w.passOn()
	if _, errs := w.work(); len(errs) > 0 {
		w.t.Fatal(errs)
	}
}

func (w *world) expand(rows []revocation.Row) {
	w.t.Helper()
	w.must(w.db.InTx(w.t.Context(), func(ctx context.Context) error { return w.tr.Expand(ctx, rows) }))
}

func (w *world) user(name string) *accounts.User {
	w.t.Helper()
	u, err := w.users.Create(w.t.Context(), operator(), accounts.NewUser{Username: name})
	w.must(err)
	return u
}

func (w *world) session(u *accounts.User) string {
	w.t.Helper()
	u, err := w.db.UserBySubject(w.t.Context(), u.Subject)
	w.must(err)
	head, err := w.db.Head(w.t.Context())
	w.must(err)
	_, s, err := w.sessions.Start(w.t.Context(), &accounts.Result{User: u, Position: head.Position}, accounts.Meta{})
	w.must(err)
	return s.ID.String()
}

// client registers a machine client, which is the receiver of its name.
func (w *world) client(permissions ...string) string {
	w.t.Helper()
	c, _, err := w.clients.Register(w.t.Context(), operator(), accounts.Registration{
		Name: "Receiver", Type: accounts.MachineClient, Permissions: append(permissions, accounts.PermissionSignalsManage),
	})
	w.must(err)
	return c.ClientID
}

// call sends a request as a receiver and returns the status and the JSON answer.
func (w *world) call(as, method, path, body string) (int, map[string]any) {
	w.t.Helper()
	status, text := w.raw(as, method, path, body)
	var answer map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			w.t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
	}
	return status, answer
}

func (w *world) raw(as, method, path, body string) (int, []byte) {
	w.t.Helper()
	return w.rawAt(w.web, as, method, path, body)
}

func (w *world) rawAt(at *httptest.Server, as, method, path, body string) (int, []byte) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, at.URL+"/auth"+path, strings.NewReader(body))
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+as)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	w.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	w.must(err)
	if got := answer.Header.Get("Cache-Control"); got != "no-store" {
		w.t.Errorf("%s %s may be cached: %q", method, path, got)
	}
	return answer.StatusCode, text
}

func allTypes() []string {
	return []string{
		caep + "session-revoked", caep + "token-claims-change", caep + "credential-change",
		risc + "account-disabled", risc + "account-enabled", risc + "account-purged",
	}
}

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	ssf  = "https://schemas.openid.net/secevent/ssf/event-type/"
)

// stream makes a stream for everything; endpoint is empty for one that is polled.
func (w *world) stream(as, endpoint, header string) string {
	w.t.Helper()
	config := map[string]any{"events_requested": allTypes()}
	if endpoint != "" {
		delivery := map[string]string{"method": "urn:ietf:rfc:8935", "endpoint_url": endpoint}
		if header != "" {
			delivery["authorization_header"] = header
		}
		config["delivery"] = delivery
	}
	body, err := json.Marshal(config)
	w.must(err)
	status, answer := w.call(as, "POST", "/signals/streams", string(body))
	if status != http.StatusCreated {
		w.t.Fatalf("create: %d %v", status, answer)
	}
	return answer["stream_id"].(string)
}

func (w *world) add(as, stream string, subject any) {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"stream_id": stream, "subject": subject})
	w.must(err)
	if status, answer := w.call(as, "POST", "/signals/subjects/add", string(body)); status != http.StatusOK {
		w.t.Fatalf("add: %d %v", status, answer)
	}
}

func issSub(u *accounts.User) map[string]any {
	return map[string]any{"format": "iss_sub", "iss": issuer, "sub": u.Subject}
}

func complexOf(u *accounts.User, sid string) map[string]any {
	return map[string]any{
		"format": "complex", "user": issSub(u), "session": map[string]any{"format": "opaque", "id": sid},
	}
}

// set is a security event token that was verified.
type set struct {
	typ    string // of its event
	jti    string
	txn    string
	sub    any
	body   map[string]any
	claims map[string]any
}

// verify checks what a receiver must of a token for it (RFC 8417, SSF §4).
func (w *world) verify(token, audience string) set {
	w.t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	w.must(err)
	payload, err := jws.Verify(&w.key.PublicKey)
	w.must(err)
	if typ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ != "secevent+jwt" {
		w.t.Errorf("typ %v", typ)
	}
	var s set
	w.must(json.Unmarshal(payload, &s.claims))
	if s.claims["iss"] != issuer || s.claims["aud"] != audience || s.claims["iat"] == nil {
		w.t.Errorf("claims %v", s.claims)
	}
	for _, name := range []string{"sub", "exp"} {
		if _, there := s.claims[name]; there {
			w.t.Errorf("a token with %s can be taken for another kind", name)
		}
	}
	s.jti, _ = s.claims["jti"].(string)
	s.txn, _ = s.claims["txn"].(string)
	s.sub = s.claims["sub_id"]
	events, _ := s.claims["events"].(map[string]any)
	if s.jti == "" || s.txn == "" || len(events) != 1 {
		w.t.Errorf("claims %v", s.claims)
	}
	for typ, body := range events {
		s.typ, s.body = typ, body.(map[string]any)
	}
	return s
}

// poll asks for all that waits, acknowledges it, and returns it in the order of the
// stream: each answer has one, for the sets of an answer have none (RFC 8936 §2.3).
func (w *world) poll(as, stream string) []set {
	w.t.Helper()
	var sets []set
	for {
		found, more := w.pollOnce(as, stream, `{"returnImmediately":true,"maxEvents":1}`)
		for _, s := range found {
			sets = append(sets, s)
			w.pollOnce(as, stream, `{"maxEvents":0,"ack":["`+s.jti+`"]}`)
		}
		if !more {
			break
		}
	}
	return sets
}

func (w *world) pollOnce(as, stream, body string) (sets []set, more bool) {
	w.t.Helper()
	status, answer := w.call(as, "POST", "/signals/poll/"+stream, body)
	if status != http.StatusOK {
		w.t.Fatalf("poll: %d %v", status, answer)
	}
	for jti, token := range answer["sets"].(map[string]any) {
		s := w.verify(token.(string), as)
		if s.jti != jti {
			w.t.Errorf("under %s is %s", jti, s.jti)
		}
		sets = append(sets, s)
	}
	more, _ = answer["moreAvailable"].(bool)
	return sets, more
}

func types(sets []set) []string {
	list := []string{}
	for _, s := range sets {
		list = append(list, strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s.typ, caep), risc), ssf))
	}
	return list
}
