package testenv

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Postgres returns the DSN (postgres://...) of a new, empty database that is
// dropped when the test ends, whoever is still connected.
//
// The cluster behind it starts at the first call in a test binary. It listens
// on 127.0.0.1 and on a socket in the temporary folder, allows 300
// connections and does not fsync, so figures measured on it say nothing about
// disks. If GATEHOUSE_TEST_POSTGRES is set, the URL of a superuser's database,
// databases are made there instead.
func Postgres(tb testing.TB) string {
	tb.Helper()
	c, err := postgres()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return c.database(tb, "template1")
}

// PostgresFrom is like Postgres, but the database is a copy of the one that
// prepare has filled. prepare runs once per test binary and template name,
// and must close its connections; its error fails every test that asks for
// this template.
func PostgresFrom(tb testing.TB, template string, prepare func(dsn string) error) string {
	tb.Helper()
	c, err := postgres()
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	source, err := c.template(template, prepare)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return c.database(tb, source)
}

// postgres is the cluster of this test binary.
var postgres = sync.OnceValues(openPostgres)

type cluster struct {
	psql  string
	admin *url.URL

	mu        sync.Mutex
	templates map[string]func() (string, error)
}

func openPostgres() (*cluster, error) {
	psql, err := postgresProgram("psql")
	if err != nil {
		return nil, err
	}
	c := &cluster{psql: psql, templates: map[string]func() (string, error){}}
	given := os.Getenv("GATEHOUSE_TEST_POSTGRES")
	if given == "" {
		c.admin, err = startPostgres(c)
		return c, err
	}
	// The parser's error would repeat the password.
	if c.admin, err = url.Parse(given); err != nil || !strings.HasPrefix(c.admin.Scheme, "postgres") {
		return nil, errors.New("GATEHOUSE_TEST_POSTGRES is not a URL of the form postgres://user:password@host:port/database")
	}
	return c, nil
}

// postgresFolders is where Debian and Homebrew keep what is not in PATH.
func postgresFolders() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
	}
}

// startPostgres makes a cluster, starts it and returns the superuser's URL.
func startPostgres(c *cluster) (*url.URL, error) {
	n, err := newPostgresNode(c.psql, "-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	if err != nil {
		return nil, err
	}
	return n.admin, nil
}

// giveAway hands files to the account that PostgreSQL has to run as when the
// tests run as root; it returns nil when they do not.
func giveAway(files ...string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", account.Username, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", account.Username, err)
	}
	for _, file := range files {
		if err := os.Chown(file, int(uid), int(gid)); err != nil {
			return nil, fmt.Errorf("hand over to %s: %w", account.Username, err)
		}
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// run lets psql execute one statement in the database that target names.
func (c *cluster) run(target *url.URL, statement string) error {
	_, err := c.say(target, statement)
	return err
}

// say is run, and returns the values of the result, without their names.
func (c *cluster) say(target *url.URL, statement string) (string, error) {
	public := *target
	environment := append(os.Environ(), "PGCONNECT_TIMEOUT=10")
	if password, ok := target.User.Password(); ok {
		// A command line is everybody's to read, an environment is not.
		public.User = url.User(target.User.Username())
		environment = append(environment, "PGPASSWORD="+password)
	}
	cmd := exec.Command(c.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", public.String(), "-c", statement)
	cmd.Env = environment
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, text)
	}
	return text, nil
}

func (c *cluster) dsn(name string) string {
	u := *c.admin
	u.Path = "/" + name
	return u.String()
}

// create makes a database under a name that nobody else has, since the
// cluster can be shared by several test binaries.
func (c *cluster) create(source string) (string, error) {
	name := "test_" + strings.ToLower(rand.Text()[:16])
	if err := c.run(c.admin, "CREATE DATABASE "+name+" TEMPLATE "+source); err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	return name, nil
}

func (c *cluster) drop(name string) error {
	if err := c.run(c.admin, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop a database: %w", err)
	}
	return nil
}

func (c *cluster) database(tb testing.TB, source string) string {
	tb.Helper()
	name, err := c.create(source)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.drop(name); err != nil {
			tb.Errorf("testenv: %v", err)
		}
	})
	return c.dsn(name)
}

// template returns the database behind a template's name and makes it at the
// first call, while others who ask for the same one wait.
func (c *cluster) template(name string, prepare func(dsn string) error) (string, error) {
	c.mu.Lock()
	made, ok := c.templates[name]
	if !ok {
		made = sync.OnceValues(func() (string, error) { return c.prepare(name, prepare) })
		c.templates[name] = made
	}
	c.mu.Unlock()
	return made()
}

func (c *cluster) prepare(name string, prepare func(dsn string) error) (string, error) {
	source, err := c.create("template1")
	if err != nil {
		return "", err
	}
	theKeeper.beforeEnd(func() error { return c.drop(source) })
	if err := prepare(c.dsn(source)); err != nil {
		return "", fmt.Errorf("prepare template %s: %w", name, err)
	}
	// A database with a connection cannot be copied, and one that a pool is
	// still closing would make the first copy fail now and then.
	end := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + source + "'"
	if err := c.run(c.admin, end); err != nil {
		return "", fmt.Errorf("prepare template %s: %w", name, err)
	}
	return source, nil
}
