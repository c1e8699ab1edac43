package sqldb

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/storagetest"
)

// imported is a user as an import makes one, with everything that it can have.
func imported(name string) accounts.User {
	return accounts.User{
		ID: id.New(), Subject: "old|" + name, Username: strings.ToUpper(name), UsernameKey: name, Email: name + "@Example.org",
		EmailKey: name + "@example.org", EmailVerified: true, PasswordHash: `$2b$04$"\'` + name, Name: `N "'\ ü ` + name,
		Profile: accounts.Profile{GivenName: "<&>\u2028", Locale: "de", Address: &accounts.Address{Country: "x"}},
		Staff:   true, Superuser: true, BannedAt: 5, CreatedAt: 6, UpdatedAt: 7,
	}
}

func TestInsertUsers(t *testing.T) {
	inWorld(t, func(t *testing.T, d *DB, w *storagetest.World) {
		ctx := t.Context()
		first := imported("first")
		made, err := d.InsertUsers(ctx, []accounts.User{first})
		must(t, err)
		if !slices.Equal(made, []id.ID{first.ID}) {
			t.Fatalf("made %v", made)
		}
		got, err := d.UserBySubject(ctx, first.Subject)
		must(t, err)
		if diff := cmp.Diff(&first, got); diff != "" {
			t.Errorf("user (-want +got):\n%s", diff)
		}
		app := w.AddClient(t, "an-app")
		clash := func(name string, change func(*accounts.User)) accounts.User {
			u := imported(name)
			change(&u)
			return u
		}
		batch := []accounts.User{
			clash("a", func(u *accounts.User) { u.Subject = first.Subject }),
			clash("b", func(u *accounts.User) { u.UsernameKey = first.UsernameKey }),
			clash("c", func(u *accounts.User) { u.EmailKey = first.EmailKey }),
			clash("d", func(u *accounts.User) { u.EmailKey, u.EmailVerified = first.EmailKey, false }), // addresses that nobody proved may repeat
			clash("e", func(u *accounts.User) { u.Subject = app.ClientID }),
			clash("f", func(u *accounts.User) { u.Email, u.EmailKey, u.EmailVerified = "", "", false }),
			clash("g", func(u *accounts.User) { u.Email, u.EmailKey, u.EmailVerified = "", "", false }),
			imported("h"), clash("i", func(u *accounts.User) { u.UsernameKey = "h" }), // one before it in the list
		}
		made, err = d.InsertUsers(ctx, batch)
		must(t, err)
		var names []string
		for _, u := range batch {
			if slices.Contains(made, u.ID) {
				names = append(names, strings.ToLower(u.Username))
			}
		}
		if !slices.Equal(names, []string{"d", "f", "g", "h"}) {
			t.Errorf("made %q", names)
		}
		if made, err := d.InsertUsers(ctx, nil); err != nil || len(made) > 0 {
			t.Errorf("nobody: %v, %v", made, err)
		}
		if _, err := d.exec(ctx, `DELETE FROM users WHERE username_key IN strings($1)`, []string{"d", "f", "g", "h"}); err != nil {
			t.Fatal(err)
		}
		found, err := d.Namesakes(ctx, []string{first.Subject, app.ClientID, "x"}, []string{"first", "x"}, []string{first.EmailKey})
		must(t, err)
		slices.SortFunc(found, func(a, b accounts.Namesake) int { return strings.Compare(a.Subject, b.Subject) })
		want := []accounts.Namesake{
			{Subject: app.ClientID, Client: true},
			{Subject: first.Subject, UsernameKey: "first", EmailKey: first.EmailKey, EmailVerified: true},
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("namesakes (-want +got):\n%s", diff)
		}
	})
}

func TestAddMembers(t *testing.T) {
	inWorld(t, func(t *testing.T, d *DB, w *storagetest.World) {
		ctx := t.Context()
		readers, writers := w.AddGroup(t, "readers"), w.AddGroup(t, "writers")
		other := w.AddUser(t, "other")
		all := []accounts.NewMember{
			{UserID: other.ID, GroupID: readers.ID}, {UserID: other.ID, GroupID: writers.ID}, {UserID: other.ID, GroupID: writers.ID},
			{UserID: w.User.ID, GroupID: readers.ID},
		}
		for range 2 {
			must(t, d.AddMembers(ctx, all, 9))
		}
		for _, u := range []struct {
			user id.ID
			want []string
		}{{other.ID, []string{"readers", "writers"}}, {w.User.ID, []string{"readers"}}} {
			got, err := d.GroupsOf(ctx, u.user, 10)
			must(t, err)
			got = slices.DeleteFunc(got, func(name string) bool { return name != "readers" && name != "writers" })
			if !slices.Equal(got, u.want) {
				t.Errorf("groups %q, want %q", got, u.want)
			}
		}
		if err := d.AddMembers(ctx, []accounts.NewMember{{UserID: other.ID, GroupID: id.New()}}, 9); err == nil {
			t.Error("a member of a group that is gone")
		}
	})
}

// A thousand users are a handful of round trips.
func TestInsertUsers_RoundTrips(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		var users []accounts.User
		for i := range 1000 {
			users = append(users, imported(fmt.Sprint("u", i)))
		}
		trips := 0
		d.trace = func(string) { trips++ }
		made, err := d.InsertUsers(t.Context(), users)
		d.trace = nil
		if err != nil || len(made) != 1000 || trips > 4 {
			t.Errorf("%d made in %d round trips, %v", len(made), trips, err)
		}
	})
}

// Of several imports of the same people at once each person is made by one, and an
// app never gets a person's sub as its id, nor the other way round.
func TestInsertUsers_Race(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		const nodes, people = 4, 60
		var mu sync.Mutex
		winners := map[string]int{}
		var wg sync.WaitGroup
		for n := range nodes {
			d := open(t)
			wg.Go(func() {
				var users []accounts.User
				for i := range people {
					users = append(users, imported(fmt.Sprint("u", (i*7+n*13)%people)))
				}
				made, err := d.InsertUsers(t.Context(), users)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, u := range users {
					if slices.Contains(made, u.ID) {
						winners[u.Subject]++
					}
				}
			})
			wg.Go(func() {
				for i := range people / 10 {
					c := &accounts.Client{ID: id.New(), ClientID: fmt.Sprintf("old|u%d", (i+n)*5%people), Name: "x", Type: accounts.WebClient}
					err := d.InsertClient(t.Context(), c)
					mu.Lock()
					if err == nil {
						winners[c.ClientID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(winners) != people {
			t.Errorf("%d names were given, want %d", len(winners), people)
		}
		for name, n := range winners {
			if n != 1 {
				t.Errorf("%s was given %d times", name, n)
			}
		}
	})
}

// Neither the lookup of namesakes nor the check for clients reads a table from end
// to end.
func TestImportStatementsUseIndexes(t *testing.T) {
	names := []string{"a", "b"}
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for _, p := range []planned{{sql: namesakes, args: []any{names, names, names}}, {sql: importSQLite, args: []any{"[]"}}} {
			for _, line := range sqlitePlan(t, d, p) {
				if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "VIRTUAL TABLE") {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		d := openerOf(postgresURL(t) + "&enable_seqscan=off")(t)
		for _, p := range []planned{{sql: namesakes, args: []any{names, names, names}}, {sql: importPostgres, args: []any{"[]"}}} {
			for _, line := range postgresPlan(t, d, p) {
				if strings.Contains(line, "Seq Scan") {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
}
