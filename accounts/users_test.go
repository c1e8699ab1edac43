package accounts_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestUsers_Create(t *testing.T) {
	w := newWorld(t)
	create := func(n accounts.NewUser) (*accounts.User, error) { return w.users.Create(t.Context(), operator(), n) }
	alice, err := create(accounts.NewUser{Username: "Alice", Email: "Alice@Test.com", EmailVerified: true, Password: "testpass123"})
	w.must(err)
	if len(alice.Subject) != 22 || alice.Username != "Alice" || alice.Email != "Alice@Test.com" {
		t.Errorf("%+v", alice)
	}
	for _, name := range []string{"alice", "ALICE@test.com", alice.Subject} {
		if found, err := w.users.Find(t.Context(), name); err != nil || found.ID != alice.ID {
			t.Errorf("Find(%q): %v", name, err)
		}
	}
	if _, err := w.users.Find(t.Context(), "nobody"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("Find(nobody): %v", err)
	}
	w.client("App")
	clients, err := w.db.ListClients(t.Context(), "", 1)
	w.must(err)
	for name, tt := range map[string]struct {
		n    accounts.NewUser
		want error
	}{
		"username taken":          {accounts.NewUser{Username: "ＡLICE"}, accounts.ErrConflict},
		"address taken":           {accounts.NewUser{Username: "b", Email: "alice@TEST.com", EmailVerified: true}, accounts.ErrConflict},
		"address not verified":    {accounts.NewUser{Username: "c", Email: "alice@TEST.com"}, nil},
		"sub taken":               {accounts.NewUser{Username: "d", Subject: alice.Subject}, accounts.ErrConflict},
		"sub is a client":         {accounts.NewUser{Username: "e", Subject: clients[0].ClientID}, accounts.ErrConflict},
		"sub too long":            {accounts.NewUser{Username: "f", Subject: strings.Repeat("a", 256)}, accounts.ErrInvalid},
		"sub with a space":        {accounts.NewUser{Username: "f", Subject: "a b"}, accounts.ErrInvalid},
		"username with @":         {accounts.NewUser{Username: "f@g"}, accounts.ErrInvalid},
		"address with line break": {accounts.NewUser{Username: "f", Email: "a@b.org\r\nBcc: x"}, accounts.ErrInvalid},
		"verified without":        {accounts.NewUser{Username: "f", EmailVerified: true}, accounts.ErrInvalid},
		"bcrypt":                  {accounts.NewUser{Username: "f", PasswordHash: "$2a$10$x"}, accounts.ErrInvalid},
	} {
		if _, err := create(tt.n); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	var weak *accounts.WeakPassword
	if _, err := create(accounts.NewUser{Username: "g", Password: "short"}); !errors.As(err, &weak) {
		t.Errorf("weak password: %v", err)
	}
	if _, err := create(accounts.NewUser{Username: "g", Password: "short", AnyPassword: true, Demo: true}); err != nil {
		t.Errorf("demonstration account: %v", err)
	}
}

// Attack 231.
func TestUsers_LastSuperuser(t *testing.T) {
	w := newWorld(t)
	one, two := w.user("one"), w.user("two")
	w.must(w.users.SetSuperuser(t.Context(), operator(), one.Subject, true))
	w.must(w.users.SetSuperuser(t.Context(), operator(), two.Subject, true))
	w.must(w.users.Ban(t.Context(), operator(), two.Subject))
	for name, err := range map[string]error{
		"ban":    w.users.Ban(t.Context(), operator(), one.Subject),
		"demote": w.users.SetSuperuser(t.Context(), operator(), one.Subject, false),
		"delete": w.users.Delete(t.Context(), operator(), one.Subject),
	} {
		if !errors.Is(err, accounts.ErrLastSuperuser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.must(w.users.Delete(t.Context(), operator(), two.Subject)) // a banned one is not the last active
	if ready, err := w.db.ReadySuperusers(t.Context()); err != nil || len(ready) != 1 {
		t.Errorf("superusers %v, %v", ready, err)
	}
}

// Two who ban each other at once must not leave nobody.
func TestUsers_LastSuperuser_Race(t *testing.T) {
	for name, url := range map[string]string{
		"SQLite": sqldbtest.SQLite(t), "PostgreSQL": sqldbtest.Postgres(t),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOn(t, url)
			people := []*accounts.User{w.user("one"), w.user("two")}
			for _, u := range people {
				w.must(w.users.SetSuperuser(t.Context(), operator(), u.Subject, true))
			}
			errs := make([]error, len(people))
			var wg sync.WaitGroup
			for i, u := range people {
				wg.Go(func() { errs[i] = w.users.Ban(t.Context(), operator(), u.Subject) })
			}
			wg.Wait()
			if ready, err := w.db.ReadySuperusers(t.Context()); err != nil || len(ready) != 1 {
				t.Errorf("superusers %v, %v; the bans said %v", ready, err, errs)
			}
			if errs[0] == nil == (errs[1] == nil) || !errors.Is(errors.Join(errs...), accounts.ErrLastSuperuser) {
				t.Errorf("the bans said %v", errs)
			}
		})
	}
}

func TestUsers_ChangePassword(t *testing.T) {
	w := newWorld(t)
	alice := w.person("alice")
	proof, err := w.attempt("alice", password, "192.0.2.1")
	w.must(err)
	token, kept, err := w.sessions.Start(t.Context(), proof, accounts.Meta{})
	w.must(err)
	other, _ := w.session(alice)
	var weak *accounts.WeakPassword
	if err := w.users.ChangePassword(t.Context(), operator(), proof, "alice", kept.ID); !errors.As(err, &weak) {
		t.Errorf("weak password: %v", err)
	}
	w.must(w.users.ChangePassword(t.Context(), operator(), proof, "another pass", kept.ID))
	if _, _, err := w.sessions.Find(t.Context(), token); err != nil {
		t.Errorf("the browser that asked: %v", err)
	}
	if _, _, err := w.sessions.Find(t.Context(), other); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("another browser: %v", err)
	}
	if err := w.users.ChangePassword(t.Context(), operator(), proof, "a third pass", kept.ID); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("with the proof of the old password: %v", err)
	}
	if _, err := w.attempt("alice", password, "192.0.2.1"); !errors.Is(err, accounts.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := w.attempt("alice", "another pass", "192.0.2.1"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

// A nil actor is a mistake, and an event tells who did it.
func TestJournal_Actor(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	if err := w.users.Ban(t.Context(), audit.Actor{}, u.Subject); err == nil {
		t.Error("a change without an actor was made")
	}
	w.must(w.users.Ban(t.Context(), audit.Actor{Kind: audit.Person, ID: "sub-of-admin", Name: "admin"}, u.Subject))
	tail, err := w.db.AuditTail(t.Context(), 1)
	w.must(err)
	if e := tail[0]; e.Action != "user.ban" || e.TargetKind != "user" || e.TargetID != u.Subject || e.Actor.ID != "sub-of-admin" {
		t.Errorf("%+v", e)
	}
}

// Attack 234: what is rolled back is not in the log, nor in the ledger.
func TestJournal_RollsBack(t *testing.T) {
	w := newWorld(t)
	events, position := len(w.events(1000)), w.position()
	if err := w.groups.Delete(t.Context(), operator(), "nobody"); !errors.Is(err, accounts.ErrNotFound) {
		t.Fatal(err)
	}
	_, _, _, err := w.apis.Create(t.Context(), operator(), accounts.NewAPI{Audience: "https://x.example", Name: "X", Permissions: []accounts.NewPermission{
		{Name: "x:read", Description: "Read"}, {Name: "x:read", Description: "Read"},
	}})
	if !errors.Is(err, accounts.ErrConflict) {
		t.Fatal(err)
	}
	if _, err := w.apis.Find(t.Context(), "https://x.example"); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("half an API: %v", err)
	}
	if len(w.events(1000)) != events || w.position() != position {
		t.Error("something was written")
	}
}

// L2, as a race: whatever the order, after a reset no session of an old proof
// lives.
func TestRace_SignInAndReset(t *testing.T) {
	w := newWorld(t)
	u := w.person("alice")
	proof := w.proof(u)
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 64 {
		wg.Go(func() {
			<-begin
			if i == 32 {
				w.must(w.users.SetPassword(t.Context(), operator(), u.Subject, "another pass"))
				return
			}
			_, _, err := w.sessions.Start(t.Context(), proof, accounts.Meta{})
			if err != nil && !errors.Is(err, accounts.ErrCredentials) {
				t.Error(err)
			}
		})
	}
	close(begin)
	wg.Wait()
	after, err := w.db.UserBySubject(t.Context(), u.Subject)
	w.must(err)
	live, err := w.db.SessionsOf(t.Context(), u.ID, w.now().UnixMilli())
	w.must(err)
	if slices.ContainsFunc(live, func(s accounts.Session) bool { return s.Live(w.now().UnixMilli(), after.ValidFrom) }) {
		t.Errorf("%d sessions live on", len(live))
	}
}
