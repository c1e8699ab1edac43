package sqldb

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// opener opens the database of a test; each call is another node.
type opener func(t testing.TB, change ...func(*Options)) *DB

// tokenLife is how long rows of the ledger live in tests.
const tokenLife = 15 * time.Minute

// onBoth runs f on each engine with an empty database that has its schema.
func onBoth(t *testing.T, f func(t *testing.T, open opener)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, openerOf(sqliteURL(t))) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, openerOf(postgresURL(t))) })
}

// openerOf returns what opens a database that has its schema. What is opened is
// closed with the test.
func openerOf(url string) opener {
	return func(t testing.TB, change ...func(*Options)) *DB {
		t.Helper()
		o := Options{URL: url, TokenLife: tokenLife}
		for _, c := range change {
			c(&o)
		}
		d, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
}

// sqliteURL returns the URL of a new file with the schema.
func sqliteURL(t testing.TB) string {
	t.Helper()
	content, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + path
}

// schema is a file that has the schema: making it takes longer than most tests. The
// tests of other packages have it from sqldbtest, which imports this one.
var schema = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "gatehouse-schema-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // in the folder for temporary files
	path := filepath.Join(folder, "x.db")
	if err := migrate("sqlite://" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// postgresURL returns the URL of a new database with the schema.
func postgresURL(t testing.TB) string {
	t.Helper()
	return testenv.PostgresFrom(t, "gatehouse", migrate)
}

func migrate(url string) error {
	d, err := Open(context.Background(), Options{URL: url, TokenLife: tokenLife})
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.Migrate(context.Background())
	return err
}
