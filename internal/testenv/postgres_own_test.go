package testenv

import (
	"net/url"
	"testing"
)

// at runs a statement on a server of a test's own.
func (s *PostgresServer) at(t *testing.T, statement string) string {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.node.say(target, statement)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestOwnPostgres: what was committed survives a crash; a replica that was down
// while something was committed lacks it when it is promoted.
func TestOwnPostgres(t *testing.T) {
	primary := OwnPostgres(t)
	primary.at(t, "CREATE TABLE kept AS SELECT 1 AS n")
	primary.Stop()
	primary.Start()
	if got := primary.at(t, "SELECT count(*) FROM kept"); got != "1" {
		t.Errorf("after a crash there are %s rows", got)
	}

	replica := primary.Replica()
	if got := replica.at(t, "SELECT count(*) FROM kept"); got != "1" {
		t.Errorf("the replica has %s rows", got)
	}
	replica.Stop()
	primary.at(t, "INSERT INTO kept VALUES (2)")
	primary.Stop()
	replica.Start()
	replica.Promote()
	if got := replica.at(t, "INSERT INTO kept VALUES (3) RETURNING (SELECT count(*) FROM kept)"); got != "1" {
		t.Errorf("the promoted replica has %s rows", got)
	}
}

// TestRestorePostgres puts a copy back.
func TestRestorePostgres(t *testing.T) {
	dsn := Postgres(t)
	if err := query(t, dsn, "CREATE TABLE first (id int)"); err != nil {
		t.Fatal(err)
	}
	backup := CopyPostgres(t, dsn)
	if err := query(t, dsn, "DROP TABLE first"); err != nil {
		t.Fatal(err)
	}
	RestorePostgres(t, dsn, backup)
	if err := query(t, dsn, "SELECT * FROM first"); err != nil {
		t.Error(err)
	}
}
