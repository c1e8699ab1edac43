package testenv

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// PostgresServer is a PostgreSQL that one test has for itself, to take it away and
// give it back. Its methods fail the test when they do not succeed, and so belong
// to the goroutine of the test; they are not for several at once.
type PostgresServer struct {
	// URL (postgres://...) of an empty database; it stays the same over Stop and
	// Start.
	URL string

	tb   testing.TB
	node *postgresNode
}

// OwnPostgres starts a PostgreSQL for this test alone, which can have replicas; it
// ends with the test.
func OwnPostgres(tb testing.TB) *PostgresServer {
	tb.Helper()
	psql, err := postgresProgram("psql")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	node, err := newPostgresNode(psql, "-c", "wal_level=replica", "-c", "max_wal_senders=4", "-c", "max_replication_slots=4")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(node.crash)
	name, err := node.create("template1")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return &PostgresServer{URL: node.dsn(name), tb: tb, node: node}
}

// Stop ends the server like a crash: at once, connections cut. What was committed
// is kept.
func (s *PostgresServer) Stop() { s.node.crash() }

// Start runs the server again on the same port.
func (s *PostgresServer) Start() {
	s.tb.Helper()
	if err := s.node.start(); err != nil {
		s.tb.Fatalf("testenv: %v", err)
	}
}

// Replica starts an asynchronous streaming replica, and returns once it has all
// that is committed by now.
func (s *PostgresServer) Replica() *PostgresServer {
	s.tb.Helper()
	r, err := s.node.replica()
	if err != nil {
		s.tb.Fatalf("testenv: %v", err)
	}
	s.tb.Cleanup(r.crash)
	u, err := url.Parse(s.URL)
	if err != nil {
		s.tb.Fatalf("testenv: %v", err)
	}
	u.Host = r.admin.Host
	return &PostgresServer{URL: u.String(), tb: s.tb, node: r}
}

// replica copies a running server and follows it.
func (n *postgresNode) replica() (*postgresNode, error) {
	r, err := newPostgresFolder(n.psql, n.args)
	if err != nil {
		return nil, err
	}
	if r.as, err = giveAway(r.dir); err != nil {
		return nil, err
	}
	password, _ := n.admin.User.Password()
	// -R writes the connection, its password included, into the copy's settings.
	err = r.perform("pg_basebackup", []string{"PGPASSWORD=" + password}, "-D", r.data(), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync",
		"-h", n.admin.Hostname(), "-p", n.admin.Port(), "-U", "postgres")
	if err != nil {
		return nil, err
	}
	if err := r.startSomewhere(n.admin.User); err != nil {
		return nil, err
	}
	return r, r.catchUp(n)
}

// catchUp waits until a replica has all that its primary has committed by now.
func (n *postgresNode) catchUp(primary *postgresNode) error {
	head, err := primary.say(primary.admin, "SELECT pg_current_wal_lsn()")
	if err != nil {
		return err
	}
	return n.process.await(func() error {
		caught, err := n.say(n.admin, "SELECT pg_last_wal_replay_lsn() >= '"+head+"'::pg_lsn")
		if err == nil && caught != "t" {
			err = fmt.Errorf("the replica has not reached %s", head)
		}
		return err
	})
}

// CatchUp waits until a replica has all that its primary has committed by now.
func (s *PostgresServer) CatchUp(primary *PostgresServer) {
	s.tb.Helper()
	if err := s.node.catchUp(primary.node); err != nil {
		s.tb.Fatalf("testenv: %v", err)
	}
}

// Promote makes a replica a primary with what it has by now.
func (s *PostgresServer) Promote() {
	s.tb.Helper()
	if err := s.node.run(s.node.admin, "SELECT pg_promote(true, 30)"); err != nil {
		s.tb.Fatalf("testenv: %v", err)
	}
}

// CopyPostgres returns the DSN of a copy of a database of Postgres as it is now: a
// backup. Whoever is connected is cut off for the moment that it takes. The copy is
// dropped when the test ends.
func CopyPostgres(tb testing.TB, dsn string) string {
	tb.Helper()
	c, name := clusterOf(tb, dsn)
	var copied string
	err := c.alone(name, func() (err error) {
		copied, err = c.create(name)
		return err
	})
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.drop(copied); err != nil {
			tb.Errorf("testenv: %v", err)
		}
	})
	return c.dsn(copied)
}

// RestorePostgres puts a copy of another database in the place of one, under the
// feet of whoever is connected to that.
func RestorePostgres(tb testing.TB, dsn, backup string) {
	tb.Helper()
	c, name := clusterOf(tb, dsn)
	_, source := clusterOf(tb, backup)
	err := c.drop(name)
	if err == nil {
		err = c.run(c.admin, "CREATE DATABASE "+name+" TEMPLATE "+source)
	}
	if err != nil {
		tb.Fatalf("testenv: restore: %v", err)
	}
}

// alone runs f while nobody is, or can be, connected to a database.
func (c *cluster) alone(name string, f func() error) error {
	if err := c.run(c.admin, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	const end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = "
	err := c.run(c.admin, end+"'"+name+"'")
	if err == nil {
		err = f()
	}
	return errors.Join(err, c.run(c.admin, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true"))
}

// clusterOf returns the shared cluster and the name of a database in it.
func clusterOf(tb testing.TB, dsn string) (*cluster, string) {
	tb.Helper()
	c, err := postgres()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal("testenv: not a URL") // the parser's error would repeat the password
	}
	name := strings.TrimPrefix(u.Path, "/")
	if u.Host != c.admin.Host || !strings.HasPrefix(name, "test_") {
		tb.Fatalf("testenv: not a database of this test's")
	}
	return c, name
}
