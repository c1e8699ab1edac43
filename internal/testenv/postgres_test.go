package testenv

import (
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// query runs a statement in the database of dsn.
func query(t *testing.T, dsn, statement string) error {
	t.Helper()
	c, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return c.run(target, statement)
}

func TestPostgresGivesEachItsOwn(t *testing.T) {
	var first string
	t.Run("first", func(t *testing.T) {
		first = Postgres(t)
		second := Postgres(t)
		for _, dsn := range []string{first, second} {
			if err := query(t, dsn, "CREATE TABLE mine (id int)"); err != nil {
				t.Error(err)
			}
		}
	})
	if err := query(t, first, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("after the test the database answers %v, want it dropped", err)
	}
}

func TestPostgresUsesTheGivenCluster(t *testing.T) {
	own, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEHOUSE_TEST_POSTGRES", own.admin.String())
	given, err := openPostgres()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(given.database(t, "template1"))
	if err != nil {
		t.Fatal(err)
	}
	if u.Host != own.admin.Host {
		t.Errorf("the database is at %s, want %s", u.Host, own.admin.Host)
	}
	if err := query(t, u.String(), "SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestPostgresWantsItsPassword(t *testing.T) {
	dsn := Postgres(t)
	target, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	target.User = url.UserPassword("postgres", "guessed")
	if err := query(t, target.String(), "SELECT 1"); err == nil {
		t.Error("a wrong password was let in")
	}
}

func TestPostgresFrom(t *testing.T) {
	var runs atomic.Int32
	prepare := func(dsn string) error {
		runs.Add(1)
		return query(t, dsn, "CREATE TABLE filled AS SELECT 1 AS one")
	}
	t.Run("copies", func(t *testing.T) {
		for range 3 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				dsn := PostgresFrom(t, "filled", prepare)
				// Whoever looks into a copy must not see another's changes.
				if err := query(t, dsn, "ALTER TABLE filled ADD COLUMN two int"); err != nil {
					t.Error(err)
				}
			})
		}
	})
	if got := runs.Load(); got != 1 {
		t.Errorf("prepare ran %d times, want once", got)
	}
}

func TestPostgresFromReportsThePreparer(t *testing.T) {
	c, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken migration")
	for range 2 {
		if _, err := c.template("broken", func(string) error { return broken }); !errors.Is(err, broken) {
			t.Errorf("template = %v, want the preparer's error", err)
		}
	}
}

func TestPostgresSaysWhichVariableIsWrong(t *testing.T) {
	const secret = "hunter2"
	for _, given := range []string{"host=x password=" + secret, "postgres://u:" + secret + "@[::1", "mysql://u:" + secret + "@h/d"} {
		t.Setenv("GATEHOUSE_TEST_POSTGRES", given)
		_, err := openPostgres()
		if err == nil || !strings.Contains(err.Error(), "GATEHOUSE_TEST_POSTGRES") || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v, want an error that names the variable and not the password", given, err)
		}
	}
}
