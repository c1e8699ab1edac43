package passkey_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/passkey"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

const issuer = "https://login.example.com:8443"

// world is the domain of sign-ins on a database in a file, with devices that answer
// for real.
type world struct {
	t       testing.TB
	db      *sqldb.DB
	log     bytes.Buffer
	users   *accounts.Users
	factors *accounts.Factors
	signIns *accounts.SignIns

	mu    sync.Mutex
	clock time.Time
}

// free lets every attempt through.
type free struct{}

func (free) Spend(context.Context, string, int, time.Duration, int) (time.Duration, error) {
	return 0, nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, clock: time.UnixMilli(1_800_000_000_000)}
	db, err := sqldb.Open(t.Context(), sqldb.Options{URL: sqldbtest.SQLite(t), Now: w.now, TokenLife: time.Hour})
	w.must(err)
	t.Cleanup(db.Close)
	_, err = db.Migrate(t.Context())
	w.must(err)
	keys, err := secret.NewKeyring(secret.Text(bytes.Repeat([]byte("k"), 32)))
	w.must(err)
	logger := slog.New(slog.NewJSONHandler(&w.log, nil))
	j := accounts.Journal{Tx: db, Audit: db, Ledger: db, Now: w.now}
	w.db = db
	w.users = &accounts.Users{Journal: j, Store: db, Lister: db, Sessions: db, Grants: db}
	w.factors = &accounts.Factors{
		Journal: j, Users: db, Sessions: db, Grants: db, Store: db, TOTPs: db, Passkeys: db, Recovery: db,
		Devices: db, Waiting: db, WebAuthn: relyingParty(t), Keys: keys, Logger: logger,
	}
	w.signIns = &accounts.SignIns{
		Journal: j, Users: db, Factors: w.factors, Waiting: db, Limiter: free{}, Keys: keys, Logger: logger,
		Sessions: &accounts.Sessions{Journal: j, Users: db, Store: db, Grants: db, Logger: logger},
	}
	return w
}

func relyingParty(t testing.TB) *passkey.RelyingParty {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	rp, err := passkey.New(u, "", "Acme")
	if err != nil {
		t.Fatal(err)
	}
	return rp
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

func (w *world) person(name string) *accounts.User {
	w.t.Helper()
	u, err := w.users.Create(w.t.Context(), audit.Actor{Kind: audit.CommandLine, ID: "root"}, accounts.NewUser{Username: name, Name: "A " + name})
	w.must(err)
	return u
}

func actorOf(u *accounts.User) audit.Actor { return audit.Actor{Kind: audit.Person, ID: u.Subject} }

// password is what Authenticate makes of a right password.
func (w *world) password(u *accounts.User) *accounts.Passage {
	w.t.Helper()
	found, position, err := w.db.UserByLogin(w.t.Context(), u.UsernameKey)
	w.must(err)
	p, err := w.signIns.Proceed(w.t.Context(), &accounts.Result{User: found, Position: position, AMR: []string{"pwd"}}, accounts.Meta{}, "")
	w.must(err)
	return p
}

// device is a phone or key with one passkey.
type device struct {
	virtual.Authenticator
	rp  virtual.RelyingParty
	key virtual.Credential
}

func newDevice(u *accounts.User) *device {
	d := &device{
		Authenticator: virtual.NewAuthenticatorWithOptions(virtual.AuthenticatorOptions{UserHandle: u.ID[:]}),
		rp:            virtual.RelyingParty{ID: "login.example.com", Name: "Acme", Origin: issuer},
		key:           virtual.NewCredential(virtual.KeyTypeEC2),
	}
	for len(d.key.Key.AttestationData()) != 77 { // it writes coordinates that begin with a zero too short
		d.key = virtual.NewCredential(virtual.KeyTypeEC2)
	}
	return d
}

// create answers a question for a new passkey.
func (d *device) create(t testing.TB, options []byte) []byte {
	t.Helper()
	parsed, err := virtual.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(virtual.CreateAttestationResponse(d.rp, d.Authenticator, d.key, *parsed))
}

// answer answers a question for a passkey.
func (d *device) answer(t testing.TB, options []byte) []byte {
	t.Helper()
	parsed, err := virtual.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(virtual.CreateAssertionResponse(d.rp, d.Authenticator, d.key, *parsed))
}

// forge changes what a device has said and signs it again with its key.
func (d *device) forge(t testing.TB, response []byte, client func(map[string]any), data func([]byte) []byte) []byte {
	t.Helper()
	var top map[string]any
	must(t, json.Unmarshal(response, &top))
	said, _ := top["response"].(map[string]any)
	raw := func(name string) []byte {
		text, _ := said[name].(string)
		b, err := base64.RawURLEncoding.DecodeString(text)
		must(t, err)
		return b
	}
	clientData, authData := raw("clientDataJSON"), raw("authenticatorData")
	if client != nil {
		var c map[string]any
		must(t, json.Unmarshal(clientData, &c))
		client(c)
		var err error
		clientData, err = json.Marshal(c)
		must(t, err)
	}
	if data != nil {
		authData = data(authData)
	}
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(append(bytes.Clone(authData), hash[:]...))
	signature, err := d.key.Key.Sign(digest[:])
	must(t, err)
	for name, b := range map[string][]byte{"clientDataJSON": clientData, "authenticatorData": authData, "signature": signature} {
		said[name] = base64.RawURLEncoding.EncodeToString(b)
	}
	changed, err := json.Marshal(top)
	must(t, err)
	return changed
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// enrol adds the device's passkey to a person, in a session of theirs.
func (w *world) enrol(u *accounts.User, session *accounts.Session, d *device) ([]string, error) {
	w.t.Helper()
	options, ceremony, err := w.factors.BeginPasskey(w.t.Context(), u)
	w.must(err)
	return w.factors.FinishPasskey(w.t.Context(), actorOf(u), session, ceremony, "", d.create(w.t, options))
}

// enrolled is a person with a passkey.
func (w *world) enrolled(name string) (*accounts.User, *device, *accounts.Session) {
	w.t.Helper()
	u := w.person(name)
	d := newDevice(u)
	session := w.password(u).Session
	_, err := w.enrol(u, session, d)
	w.must(err)
	return u, d, w.session(session.ID)
}

func (w *world) session(sid id.ID) *accounts.Session {
	w.t.Helper()
	s, err := w.db.SessionByID(w.t.Context(), sid)
	w.must(err)
	return s
}

// signIn signs in with the device's passkey, alone or after a pending sign-in.
func (w *world) signIn(pending string, answer func(options []byte) []byte) (*accounts.Passage, error) {
	w.t.Helper()
	options, ceremony, err := w.signIns.PasskeyOptions(w.t.Context(), pending)
	w.must(err)
	return w.signIns.Passkey(w.t.Context(), pending, ceremony, answer(options), accounts.Meta{}, false)
}

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
