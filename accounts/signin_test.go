package accounts_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/argon2"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const password = secret.Text("testpass123")

// person makes an account with the password.
func (w *world) person(name string) *accounts.User {
	w.t.Helper()
	u, err := w.users.Create(w.t.Context(), operator(), accounts.NewUser{
		Username: name, Email: name + "@test.com", EmailVerified: true, Password: password,
	})
	w.must(err)
	return u
}

func (w *world) attempt(login string, pw secret.Text, address string) (*accounts.Result, error) {
	return w.auth.Authenticate(w.t.Context(), accounts.Attempt{Login: login, Password: pw, Address: address})
}

func TestAuthenticate(t *testing.T) {
	w := newWorld(t)
	w.argon()
	alice := w.person("Alice")
	banned := w.person("banned")
	w.must(w.users.Ban(t.Context(), operator(), banned.Subject))
	w.user("without-password")
	_, err := w.users.Create(t.Context(), operator(), accounts.NewUser{Username: "unverified", Email: "x@test.com", Password: password})
	w.must(err)
	for _, tt := range []struct {
		login string
		pw    secret.Text
		want  error
	}{
		{"Alice", password, nil},
		{"ALICE", password, nil},
		{" alice ", password, nil},
		{"alice@TEST.com", password, nil},
		{"alice", "wrong", accounts.ErrCredentials},
		{"alice", "", accounts.ErrCredentials},
		{"alice", "testpass123\x00", accounts.ErrCredentials},
		{"nobody", password, accounts.ErrCredentials},
		{"nobody@test.com", password, accounts.ErrCredentials},
		{"x@test.com", password, accounts.ErrCredentials}, // a mail address that was never verified signs nobody in
		{"without-password", "", accounts.ErrCredentials},
		{"without-password", password, accounts.ErrCredentials},
		{"", password, accounts.ErrCredentials},
		{"a\x00b", password, accounts.ErrCredentials},
		{strings.Repeat("x", 1<<20), password, accounts.ErrCredentials},
		{"banned", "wrong", accounts.ErrCredentials}, // strangers cannot tell
		{"banned", password, accounts.ErrBanned},     // the owner can
	} {
		before := len(w.events(1000))
		r, err := w.attempt(tt.login, tt.pw, tt.login)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%.20q: %v, want %v", tt.login, err, tt.want)
		}
		if err != nil && len(w.events(1000)) != before+1 {
			t.Errorf("%.20q: a refused sign-in is not in the audit log", tt.login)
		}
		if err == nil && (r.User.Subject != alice.Subject || r.Known == "" || !slices.Equal(r.AMR, []string{"pwd"})) {
			t.Errorf("%q: %+v", tt.login, r)
		}
	}
	tail, err := w.db.AuditTail(t.Context(), 1000)
	w.must(err)
	for _, e := range tail {
		if text := fmt.Sprintf("%+v", e); strings.Contains(text, "testpass") || strings.Contains(text, "$argon2id$") {
			t.Errorf("a secret in the audit log: %s", text)
		}
	}
	if strings.Contains(w.log.String(), "testpass") {
		t.Error("a password in the log")
	}
}

// Attack 202: every spelling of an account's names pays from one bucket.
func TestAuthenticate_OneCounterForAllSpellings(t *testing.T) {
	w := newWorld(t)
	w.person("alice")
	var throttled *accounts.Throttled
	spellings := []string{"alice", "ALICE", "alice@test.com", "Ａlice", "Alice@Test.COM"}
	for i := range 11 {
		login := spellings[i%len(spellings)]
		_, err := w.attempt(login, "wrong", "192.0.2.1")
		if last := i == 10; errors.As(err, &throttled) != last {
			t.Errorf("attempt %d (%s): %v", i+1, login, err)
		}
	}
	if throttled == nil || throttled.Wait <= 0 || throttled.Wait > time.Minute {
		t.Fatalf("wait %+v", throttled)
	}
	// Attack 204: the right password does not help while it is throttled.
	if _, err := w.attempt("alice", password, "192.0.2.1"); !errors.As(err, &throttled) {
		t.Errorf("right password: %v", err)
	}
	// From elsewhere the owner gets in; and after the wait from here too.
	if _, err := w.attempt("alice", password, "192.0.2.2"); err != nil {
		t.Errorf("from another address: %v", err)
	}
	w.pass(throttled.Wait)
	if _, err := w.attempt("alice", password, "192.0.2.1"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// An unknown name is throttled as a known one, or the difference would tell.
func TestAuthenticate_ThrottlesUnknownAlike(t *testing.T) {
	w := newWorld(t)
	w.person("alice")
	outcome := func(login, address string) (kinds []string) {
		for range 7 {
			_, err := w.attempt(login, "wrong", address)
			kinds = append(kinds, fmt.Sprintf("%T %v", err, errors.Is(err, accounts.ErrCredentials)))
		}
		return kinds
	}
	if diff := cmp.Diff(outcome("alice", "192.0.2.1"), outcome("nobody", "192.0.2.2")); diff != "" {
		t.Errorf("known -, unknown +:\n%s", diff)
	}
}

// A right password forgives the wrong ones before it, at that address.
func TestAuthenticate_Forgives(t *testing.T) {
	w := newWorld(t)
	w.person("alice")
	for round := range 3 {
		for range 9 {
			if _, err := w.attempt("alice", "wrong", "192.0.2.1"); !errors.Is(err, accounts.ErrCredentials) {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if _, err := w.attempt("alice", password, "192.0.2.1"); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	// But not the account's own bucket, or a botnet would profit from its owner.
	var throttled *accounts.Throttled
	var err error
	for i := range 31 - 27 {
		_, err = w.attempt("alice", "wrong", fmt.Sprintf("203.0.113.%d", i))
	}
	if !errors.As(err, &throttled) {
		t.Errorf("the account's 31st wrong password: %v", err)
	}
}

// A right password costs nothing, so nobody is throttled by signing in often.
func TestAuthenticate_GivesBack(t *testing.T) {
	w := newWorld(t)
	w.person("alice")
	for i := range 12 {
		if _, err := w.attempt("alice", password, "192.0.2.1"); err != nil {
			t.Fatalf("sign-in %d: %v", i+1, err)
		}
	}
}

// A botnet that empties the account's bucket does not lock the owner out of the
// browser in which they have signed in before, and gains nothing by its cookie's
// neighbours.
func TestAuthenticate_KnownBrowser(t *testing.T) {
	w := newWorld(t)
	w.person("alice")
	w.person("mallory")
	r, err := w.attempt("alice", password, "192.0.2.1")
	w.must(err)
	foreign, err := w.attempt("mallory", password, "198.51.100.1")
	w.must(err)
	var throttled *accounts.Throttled
	for i := range 31 {
		_, err = w.attempt("alice", "wrong", fmt.Sprintf("203.0.113.%d", i))
	}
	if !errors.As(err, &throttled) {
		t.Fatalf("a botnet's 31st attempt: %v", err)
	}
	if _, err := w.attempt("alice", password, "192.0.2.1"); !errors.As(err, &throttled) {
		t.Fatalf("an unknown browser meanwhile: %v", err)
	}
	known := func(value string, pw secret.Text) (*accounts.Result, error) {
		return w.auth.Authenticate(t.Context(), accounts.Attempt{Login: "alice", Password: pw, Address: "192.0.2.1", Known: value})
	}
	again, err := known(r.Known, password)
	if err != nil {
		t.Fatalf("the owner's browser: %v", err)
	}
	if again.Known != r.Known {
		t.Error("a known browser was given another name, and so another bucket")
	}
	for _, value := range []string{foreign.Known, r.Known + "x", r.Known[1:], r.Known[:len(r.Known)-1] + "!", ".", strings.Repeat("a", 4096), r.Known + "\n"} {
		if _, err := known(value, password); !errors.As(err, &throttled) {
			t.Errorf("cookie %.40q: %v", value, err)
		}
	}
	// A stolen cookie does not let its thief guess without end.
	for range 11 {
		_, err = known(r.Known, "wrong")
	}
	if !errors.As(err, &throttled) {
		t.Errorf("11th wrong password with the cookie: %v", err)
	}
}

// One address that tries many accounts runs dry.
func TestAuthenticate_SprayFromOneAddress(t *testing.T) {
	w := newWorld(t)
	var throttled *accounts.Throttled
	for i := range 31 {
		_, err := w.attempt(fmt.Sprintf("user%d", i), "Winter2026!", "192.0.2.1")
		if last := i == 30; errors.As(err, &throttled) != last {
			t.Fatalf("attempt %d: %v", i+1, err)
		}
	}
}

// A limiter that does not answer locks nobody out, and is logged.
func TestAuthenticate_LimiterDown(t *testing.T) {
	w := newWorld(t)
	w.person("alice")
	w.limiter.broken = errors.New("connection refused")
	if _, err := w.attempt("alice", password, "192.0.2.1"); err != nil {
		t.Errorf("sign-in: %v", err)
	}
	if !strings.Contains(w.log.String(), "sign-in limit not checked") {
		t.Error("not logged")
	}
}

// What is not an attempt is not counted as one: the caller went away before the
// password was hashed, or another bucket was empty.
func TestAuthenticate_NoAttempt(t *testing.T) {
	w := newWorld(t)
	w.person("alice")
	ctx, cancel := context.WithCancel(t.Context())
	w.limiter.spent = cancel
	_, err := w.auth.Authenticate(ctx, accounts.Attempt{Login: "alice", Password: "wrong", Address: "192.0.2.1"})
	if !errors.Is(err, context.Canceled) || len(w.limiter.drained()) != 0 {
		t.Errorf("given up: %v, %d buckets drained", err, len(w.limiter.drained()))
	}
	w.limiter.spent = nil
	for i := range 30 {
		_, _ = w.attempt("alice", "wrong", fmt.Sprintf("203.0.113.%d", i))
	}
	before := w.limiter.drained()
	var throttled *accounts.Throttled
	if _, err := w.attempt("alice", "wrong", "192.0.2.1"); !errors.As(err, &throttled) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.limiter.drained()); diff != "" {
		t.Errorf("a throttled attempt was counted:\n%s", diff)
	}
}

// A hash under other parameters is replaced at the next sign-in.
func TestStart_RenewsHash(t *testing.T) {
	w := newWorld(t)
	w.argon()
	salt := []byte("0123456789abcdef")
	key := argon2.IDKey([]byte(password.Reveal()), salt, 1, 4096, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	hash := "$argon2id$v=19$m=4096,t=1,p=1$" + encode(salt) + "$" + encode(key)
	u, err := w.users.Create(t.Context(), operator(), accounts.NewUser{Username: "imported", PasswordHash: hash})
	w.must(err)
	r, err := w.attempt("imported", password, "192.0.2.1")
	w.must(err)
	_, _, err = w.sessions.Start(t.Context(), r, accounts.Meta{})
	w.must(err)
	after, err := w.db.UserBySubject(t.Context(), u.Subject)
	w.must(err)
	if !strings.HasPrefix(after.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash is still %.40s", after.PasswordHash)
	}
	if _, err := w.attempt("imported", password, "192.0.2.1"); err != nil {
		t.Errorf("with the new hash: %v", err)
	}
}
