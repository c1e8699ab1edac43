// Package sqldbtest gives tests databases that have the schema already. Making it
// takes longer than most tests do, so each test binary makes it once for each
// engine, and its databases are copies: all with the same timeline of the ledger,
// which tests that need two deployments get from databases of their own.
package sqldbtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// SQLite returns the URL of a file of the test's own.
func SQLite(tb testing.TB) string {
	tb.Helper()
	content, err := template()
	if err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	path := filepath.Join(tb.TempDir(), "gatehouse.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	return "sqlite://" + path
}

// Postgres returns the URL of a database of the test's own on a real server.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return testenv.PostgresFrom(tb, "gatehouse", migrate)
}

// template is a file with the schema.
var template = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "gatehouse-schema-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // in the folder for temporary files
	path := filepath.Join(folder, "x.db")
	if err := migrate("sqlite://" + path); err != nil {
		return nil, err
	}
	// The last connection that closes writes everything into the one file.
	if _, err := os.Stat(path + "-wal"); err == nil {
		return nil, fmt.Errorf("%s-wal is left", path)
	}
	return os.ReadFile(path)
})

func migrate(url string) error {
	db, err := sqldb.Open(context.Background(), sqldb.Options{URL: url, TokenLife: time.Hour})
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Migrate(context.Background())
	return err
}
