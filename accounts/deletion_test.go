package accounts_test

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func (w *world) deletion() *accounts.Deletion {
	return &accounts.Deletion{
		Journal: w.users.Journal, Users: w.users, Store: w.db, Links: accounts.Links{Issuer: "https://id.example"}, Log: slog.New(slog.NewJSONHandler(&w.log, nil)),
	}
}

func onBothEngines(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	for name, url := range map[string]func() string{
		"SQLite":     func() string { return sqldbtest.SQLite(t) },
		"PostgreSQL": func() string { return sqldbtest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) { f(t, newWorldOn(t, url())) })
	}
}

// A deletion that is planned ends everything at once, and is deleted in time once,
// however many nodes look for it and whoever comes back meanwhile.
func TestAttack_213_DeletionRace(t *testing.T) {
	onBothEngines(t, func(t *testing.T, w *world) {
		ctx, d := t.Context(), w.deletion()
		const people = 16
		var subjects []string
		for i := range people {
			u := w.user(fmt.Sprint("leaver", i))
			token, _ := w.session(u)
			_, err := d.Plan(ctx, operator(), u.Subject)
			w.must(err)
			if _, _, err := w.sessions.Find(ctx, token); !errors.Is(err, accounts.ErrNotFound) {
				t.Errorf("still signed in: %v", err)
			}
			subjects = append(subjects, u.Subject)
		}
		if _, err := d.Plan(ctx, operator(), subjects[0]); !errors.Is(err, accounts.ErrDeletionPlanned) {
			t.Errorf("planned twice: %v", err)
		}
		w.pass(accounts.DeletionGrace - time.Minute)
		if n, err := d.Round(ctx); n != 0 || err != nil {
			t.Fatalf("%d deleted before their time, %v", n, err)
		}
		w.pass(time.Minute)
		var (
			mu            sync.Mutex
			deleted, kept int
			group         sync.WaitGroup
		)
		for range 4 {
			group.Go(func() {
				n, err := d.Round(ctx)
				mu.Lock()
				defer mu.Unlock()
				deleted += n
				if err != nil {
					t.Error(err)
				}
			})
		}
		for _, sub := range subjects[:people/2] {
			group.Go(func() {
				err := d.Undo(ctx, operator(), sub)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					kept++
				case !errors.Is(err, accounts.ErrNotFound):
					t.Error(err)
				}
			})
		}
		group.Wait()
		n, err := d.Round(ctx) // what was locked was passed over
		w.must(err)
		there := 0
		for _, sub := range subjects {
			u, err := w.db.UserBySubject(ctx, sub)
			if err == nil && u.DeleteAt == 0 {
				there++
			}
		}
		if deleted+n+kept != people || there != kept {
			t.Errorf("%d and %d deleted, %d kept, %d there of %d", deleted, n, kept, there, people)
		}
	})
}

// A report ends the other sessions and takes no chances with the password.
func TestAlarm(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	a := &accounts.Alarm{Journal: w.users.Journal, Users: w.db, Sessions: w.db, Grants: w.db}
	u := w.user("ada")
	mine, here := w.session(u)
	theirs, _ := w.session(u)
	for range 2 {
		w.must(a.Raise(ctx, operator(), u.Subject, here, id.ID{}))
	}
	if _, _, err := w.sessions.Find(ctx, mine); err != nil {
		t.Errorf("their own session: %v", err)
	}
	if _, _, err := w.sessions.Find(ctx, theirs); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("the other session: %v", err)
	}
	found, err := w.db.UserBySubject(ctx, u.Subject)
	w.must(err)
	if len(found.RequiredActions) != 0 {
		t.Errorf("somebody without a password has to change it: %v", found.RequiredActions)
	}
	w.must(w.users.Ban(ctx, operator(), u.Subject))
	if err := a.Raise(ctx, operator(), u.Subject, here, id.ID{}); !errors.Is(err, accounts.ErrBanned) {
		t.Errorf("of somebody who is banned: %v", err)
	}
	if err := a.Raise(ctx, operator(), u.Subject, &accounts.Session{}, id.ID{}); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("in no session: %v", err)
	}
}
