package accounts_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

const (
	goodPassword  = "violet tractor sings 91 low"
	otherPassword = "seven amber ladders whisper 4"
)

// postbox keeps the mails instead of sending them.
type postbox struct {
	mu    sync.Mutex
	mails []accounts.Mail
}

func (b *postbox) Mail(_ context.Context, m accounts.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, m)
	return nil
}

// last is the newest mail, which must be of a kind and to an address.
func (b *postbox) last(t testing.TB, kind accounts.MailKind, to string) accounts.Mail {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mails) == 0 {
		t.Fatalf("no mail, want %s", kind)
	}
	m := b.mails[len(b.mails)-1]
	if m.Kind != kind || m.To != to {
		t.Fatalf("mail %s to %s, want %s to %s", m.Kind, m.To, kind, to)
	}
	return m
}

func (b *postbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mails)
}

// doors is the way in on a world of its own.
type doors struct {
	*world
	box           *postbox
	hashes        atomic.Int64
	settings      *accounts.Settings
	signUps       *accounts.SignUps
	resets        *accounts.Resets
	codes         *accounts.MailCodes
	verifications *accounts.Verifications
	addresses     *accounts.Addresses
	invites       *accounts.Invites
	terms         *accounts.Terms
	setup         *accounts.Setup
	factors       *accounts.Factors
	signIns       *accounts.SignIns
}

func newDoors(t testing.TB) *doors {
	t.Helper()
	return newDoorsOn(t, sqldbtest.SQLite(t))
}

func newDoorsOn(t testing.TB, databaseURL string) *doors {
	t.Helper()
	d := &doors{world: newWorldOn(t, databaseURL), box: &postbox{}}
	d.users.Mails = d.box
	d.users.Hasher = accounts.CountingHasher(&d.hashes)
	d.auth.Hasher = d.users.Hasher
	p := &accounts.Proofs{
		Store: d.db, Users: d.users, Limiter: d.limiter, Keys: d.auth.Keys, Logger: d.auth.Logger,
		Links: accounts.Links{Issuer: "https://id.example.com/sub"},
	}
	d.settings = &accounts.Settings{SignUp: accounts.SignUpOpen, Policy: accounts.SignInPolicy{TermsVersion: "2"}}
	d.users.Settings = d.settings
	d.signUps = &accounts.SignUps{Proofs: p}
	d.resets, d.codes = &accounts.Resets{Proofs: p}, &accounts.MailCodes{Proofs: p}
	d.verifications, d.addresses = &accounts.Verifications{Proofs: p}, &accounts.Addresses{Proofs: p}
	j := d.users.Journal
	d.factors = &accounts.Factors{
		Journal: j, Users: d.db, Sessions: d.db, Grants: d.db, Store: d.db, TOTPs: d.db, Passkeys: d.db, Recovery: d.db,
		Devices: d.db, Waiting: d.db, Keys: d.auth.Keys, Logger: d.auth.Logger,
	}
	d.signIns = &accounts.SignIns{
		Journal: j, Users: d.db, Sessions: d.sessions, Factors: d.factors, Waiting: d.db, Limiter: d.limiter, Keys: d.auth.Keys, Logger: d.auth.Logger,
	}
	d.addresses.Factors = d.factors
	d.invites = &accounts.Invites{Proofs: p, Groups: d.groups}
	d.terms = &accounts.Terms{Users: d.users}
	d.setup = &accounts.Setup{Users: d.users, Store: d.db, Keys: d.auth.Keys}
	return d
}

// onBoth runs a test on both engines.
func onBoth(t *testing.T, test func(t *testing.T, d *doors)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, newDoors(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, newDoorsOn(t, sqldbtest.Postgres(t))) })
}

// here is a browser, and elsewhere another.
func here() accounts.Asker {
	return accounts.Asker{Browser: "this browser", Address: "192.0.2.1", Language: "en", Flow: "a flow"}
}

// onTheWay is here, with an app in mind.
func onTheWay(app string) accounts.Asker {
	a := here()
	a.App.Name = app
	return a
}

func elsewhere() accounts.Asker {
	return accounts.Asker{Browser: "another browser", Address: "198.51.100.1", Language: "en"}
}

// member makes an account with a password and a proven address.
func (d *doors) member(name string) *accounts.User {
	d.t.Helper()
	u, err := d.users.Create(d.t.Context(), operator(), accounts.NewUser{
		Username: name, Email: name + "@test.com", EmailVerified: true, Password: goodPassword,
	})
	d.must(err)
	return u
}

func (d *doors) stored(u *accounts.User) *accounts.User {
	d.t.Helper()
	found, err := d.db.UserBySubject(d.t.Context(), u.Subject)
	d.must(err)
	return found
}

// totp gives somebody an authenticator app, and recovery codes.
func (d *doors) totp(u *accounts.User, name string) {
	d.t.Helper()
	now := d.now().UnixMilli()
	d.must(d.db.InsertTOTP(d.t.Context(), &accounts.TOTP{ID: id.New(), UserID: u.ID, Name: name, Sealed: []byte("sealed"), CreatedAt: now}))
	d.must(d.db.ReplaceRecoveryCodes(d.t.Context(), u.ID, [][]byte{[]byte(name)}, now))
}

// tokenOf is the token of a mail's link, which must lead to a path of the issuer.
func tokenOf(t testing.TB, m accounts.Mail, path string) string {
	t.Helper()
	return tokenIn(t, m.Data[accounts.MailDataLink], path)
}

func tokenIn(t testing.TB, link, path string) string {
	t.Helper()
	query, ok := strings.CutPrefix(link, "https://id.example.com/sub"+path+"?")
	values, err := url.ParseQuery(query)
	if !ok || err != nil || !strings.HasPrefix(values.Get("token"), "gh_mail_") {
		t.Fatalf("link %q, want one to %s", link, path)
	}
	return values.Get("token")
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func wantField(t testing.TB, err error, field string, why error) {
	t.Helper()
	bad := (*accounts.BadField)(nil)
	if !errors.As(err, &bad) || bad.Field != field || why != nil && !errors.Is(err, why) {
		t.Fatalf("error %v, want one about %s (%v)", err, field, why)
	}
}

// askReset asks for a reset and returns the mail.
func (d *doors) askReset(u *accounts.User, a accounts.Asker) (proofID string, m accounts.Mail) {
	d.t.Helper()
	proofID, err := d.resets.Ask(d.t.Context(), u.Email, a)
	d.must(err)
	return proofID, d.box.last(d.t, accounts.MailResetPassword, u.Email)
}

// dump is what the files of the database hold.
func (d *doors) dump() string {
	d.t.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(d.path + suffix)
		d.must(err)
		all = append(all, b...)
	}
	return string(all)
}

// work is what one call costs.
type work struct {
	Hashes, Mails int
	Trips         []string
}

// measure counts what f costs, on a connection that tells of each round trip.
func (d *doors) measure(f func()) work {
	d.t.Helper()
	var w work
	traced, err := sqldb.Open(d.t.Context(), sqldb.Options{
		URL: "sqlite://" + d.path, Now: d.now, TokenLife: 2 * time.Hour, Trace: func(sql string) { w.Trips = append(w.Trips, sql) },
	})
	d.must(err)
	defer traced.Close()
	p, users := d.resets.Proofs, *d.users
	p.Store, d.users.Store = traced, traced
	d.users.Tx, d.users.Audit, d.users.Ledger = traced, traced, traced
	w.Trips = nil
	hashes, mails := d.hashes.Load(), d.box.count()
	f()
	w.Hashes, w.Mails = int(d.hashes.Load()-hashes), d.box.count()-mails
	p.Store, *d.users = d.db, users
	return w
}

func (d *doors) named(username string) *accounts.User {
	d.t.Helper()
	u, _, err := d.db.UserByLogin(d.t.Context(), username)
	d.must(err)
	return u
}
