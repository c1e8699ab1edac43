package migrations_test

import (
	"bufio"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/migrations"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

var land = flag.Bool("land", false, "add the checksums of new migrations to testdata/checksums")

func TestMain(m *testing.M) { testenv.Main(m) }

// sqlFiles returns the migrations of both engines and their checksums.
func sqlFiles(t *testing.T) map[string]string {
	t.Helper()
	sums := make(map[string]string)
	for _, dialect := range []string{"postgres", "sqlite"} {
		names, err := fs.Glob(os.DirFS("."), dialect+"/*")
		if err != nil || len(names) == 0 {
			t.Fatalf("no files for %s: %v", dialect, err)
		}
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(content)
			sums[name] = hex.EncodeToString(sum[:])
		}
	}
	return sums
}

// TestLandedNeverChange: databases have run these files; whoever changes one makes
// two schemas of the same number.
func TestLandedNeverChange(t *testing.T) {
	const path = "testdata/checksums"
	landed := make(map[string]string)
	content, err := os.ReadFile(path)
	if err != nil && !(*land && errors.Is(err, fs.ErrNotExist)) {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(strings.NewReader(string(content))); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		landed[name] = sum
	}
	now := sqlFiles(t)
	for name, sum := range landed {
		if now[name] != sum {
			t.Errorf("%s has landed and must not change: write a new migration", name)
		}
	}
	var lines []string
	for name, sum := range now {
		if landed[name] == "" && !*land {
			t.Errorf("%s is not in %s: run go test ./migrations -land", name, path)
		}
		lines = append(lines, sum+"  "+name+"\n")
	}
	if *land && !t.Failed() {
		slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNumberedAlike: both engines have the same files, each of which goes up only
// and runs in a transaction.
func TestNumberedAlike(t *testing.T) {
	names := map[string][]string{}
	for name := range sqlFiles(t) {
		dialect, file := filepath.Split(name)
		names[dialect] = append(names[dialect], file)
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(content); strings.Contains(text, "NO TRANSACTION") || strings.Contains(text, "+goose Down") {
			t.Errorf("%s is not in a transaction, or has a way down", name)
		}
	}
	slices.Sort(names["postgres/"])
	slices.Sort(names["sqlite/"])
	if !slices.Equal(names["postgres/"], names["sqlite/"]) {
		t.Errorf("files differ: %v", names)
	}
	for i, file := range names["sqlite/"] {
		if !strings.HasPrefix(file, fmt.Sprintf("%05d_", i+1)) {
			t.Errorf("%s is number %d", file, i+1)
		}
	}
}

func onBoth(t *testing.T, f func(t *testing.T, url string, open func() *sqldb.DB)) {
	t.Helper()
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "x.db") },
		"PostgreSQL": func(t *testing.T) string { return testenv.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			u := url(t)
			f(t, u, func() *sqldb.DB {
				d, err := sqldb.Open(t.Context(), sqldb.Options{URL: u, TokenLife: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(d.Close)
				return d
			})
		})
	}
}

func migrator(t *testing.T, d *sqldb.DB) *migrations.Migrator {
	t.Helper()
	m, err := d.Migrator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestUp(t *testing.T) {
	onBoth(t, func(t *testing.T, _ string, open func() *sqldb.DB) {
		ctx, m := t.Context(), migrator(t, open())
		if pending, err := m.Pending(ctx); !pending || err != nil {
			t.Errorf("pending in an empty database: %v, %v", pending, err)
		}
		applied, err := m.Up(ctx)
		if err != nil || len(applied) == 0 || applied[0] != "00001_first.sql" {
			t.Fatalf("applied %q, %v", applied, err)
		}
		again, err := m.Up(ctx)
		if len(again) != 0 || err != nil {
			t.Errorf("applied again: %q, %v", again, err)
		}
		if pending, err := m.Pending(ctx); pending || err != nil {
			t.Errorf("pending: %v, %v", pending, err)
		}
		status, err := m.Status(ctx)
		if err != nil || len(status) != len(applied) {
			t.Fatalf("status %+v, %v", status, err)
		}
		for i, s := range status {
			if s.Version != int64(i)+1 || s.Name != applied[i] || !s.Applied || s.AppliedAt.IsZero() {
				t.Errorf("status %+v", s)
			}
		}
	})
}

// TestUp_Together: nodes that start at once leave one schema and no error, and
// each of them finds it complete.
func TestUp_Together(t *testing.T) {
	onBoth(t, func(t *testing.T, _ string, open func() *sqldb.DB) {
		const nodes = 5
		databases := make([]*sqldb.DB, nodes)
		for i := range databases {
			databases[i] = open()
		}
		var wg sync.WaitGroup
		applied := make([][]string, nodes)
		for i, d := range databases {
			wg.Go(func() {
				var err error
				if applied[i], err = d.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
				if _, err := d.Head(t.Context()); err != nil {
					t.Errorf("the schema is not there: %v", err)
				}
			})
		}
		wg.Wait()
		if all := slices.Concat(applied...); len(all) != len(sqlFiles(t))/2 {
			t.Errorf("applied %q", applied)
		}
	})
}

// TestTooNew: one schema ahead is another node's rolling upgrade; two is a release
// that this one does not know.
func TestTooNew(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, open func() *sqldb.DB) {
		ctx, d := t.Context(), open()
		if _, err := d.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		newest := len(sqlFiles(t)) / 2
		for ahead, want := range []error{nil, nil, migrations.ErrTooNew} {
			if ahead > 0 {
				pretend(t, url, newest+ahead)
			}
			m := migrator(t, d)
			_, errUp := m.Up(ctx)
			_, errPending := m.Pending(ctx)
			_, errStatus := m.Status(ctx)
			for _, err := range []error{errUp, errPending, errStatus} {
				if !errors.Is(err, want) {
					t.Errorf("%d ahead: %v, want %v", ahead, err, want)
				}
			}
		}
	})
}

// pretend notes that a later migration ran.
func pretend(t *testing.T, url string, version int) {
	t.Helper()
	driver, source := "pgx", url
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const note = `INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, $2)`
	if _, err := db.ExecContext(t.Context(), note, version, true); err != nil {
		t.Fatal(err)
	}
}
