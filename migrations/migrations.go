// Package migrations holds the schema of both engines and brings a database up
// to it.
//
// Invariants:
//   - Files of both engines are numbered alike; number n of one means the same as
//     number n of the other.
//   - A file that has landed never changes: a test compares each with its
//     checksum in testdata/checksums.
//   - Each file runs in one transaction together with the note that it ran, so an
//     interrupted one leaves nothing behind.
//   - Code runs on its own schema and on the one after it (a node that has not
//     been replaced yet), so a migration never breaks the code before it.
//   - However many nodes start at once, one of them migrates and the others wait.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// ErrTooNew is returned when the database was migrated by a release that is more
// than one schema ahead of this one.
var ErrTooNew = errors.New("the database is newer than this release of Gatehouse")

// Dialect is the engine of a database.
type Dialect string

// The dialects; also the folders of their files.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Migration is one numbered change of the schema.
type Migration struct {
	Version   int64     `json:"version"`
	Name      string    `json:"name"`
	Applied   bool      `json:"applied"`
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

// Lock makes others wait until unlock is called. It is needed for SQLite, whose
// locks end with each transaction; PostgreSQL has advisory locks.
type Lock func(ctx context.Context) (unlock func() error, err error)

// Migrator migrates one database.
type Migrator struct {
	db       *sql.DB
	provider *goose.Provider
}

// New takes over db: Close closes it. Its connections must not have a statement
// timeout, for building an index may take long.
func New(db *sql.DB, dialect Dialect, exclusive Lock) (*Migrator, error) {
	folder, err := fs.Sub(files, string(dialect))
	if err != nil {
		return nil, err
	}
	return newMigrator(db, dialect, folder, exclusive)
}

func newMigrator(db *sql.DB, dialect Dialect, folder fs.FS, exclusive Lock) (*Migrator, error) {
	gooseDialect, locking := goose.DialectSQLite3, goose.WithLocker(&locker{lock: exclusive})
	if dialect == Postgres {
		// Tried once a second, for five minutes.
		l, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, err
		}
		gooseDialect, locking = goose.DialectPostgres, goose.WithSessionLocker(l)
	}
	p, err := goose.NewProvider(gooseDialect, db, folder, locking, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return &Migrator{db: db, provider: p}, nil
}

// Close closes the database's handle.
func (m *Migrator) Close() error { return m.db.Close() }

// Up applies what is pending, in order, and returns the names of the files that
// it applied. ErrTooNew if the database is ahead of this release by more than one
// migration.
func (m *Migrator) Up(ctx context.Context) ([]string, error) {
	results, err := m.provider.Up(ctx)
	if partial := (*goose.PartialError)(nil); errors.As(err, &partial) {
		results = partial.Applied
	}
	var applied []string
	for _, r := range results {
		applied = append(applied, path.Base(r.Source.Path))
	}
	if err != nil {
		return applied, fmt.Errorf("migrate: %w", err)
	}
	return applied, m.checkAge(ctx)
}

// Status lists all migrations that this release knows, in order.
func (m *Migrator) Status(ctx context.Context) ([]Migration, error) {
	known, err := m.provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("status of migrations: %w", err)
	}
	list := make([]Migration, len(known))
	for i, s := range known {
		list[i] = Migration{
			Version: s.Source.Version, Name: path.Base(s.Source.Path),
			Applied: s.State == goose.StateApplied, AppliedAt: s.AppliedAt,
		}
	}
	return list, m.checkAge(ctx)
}

// Pending reports whether a migration has not been applied. It waits for nobody,
// so that readiness checks may call it.
func (m *Migrator) Pending(ctx context.Context) (bool, error) {
	pending, err := m.provider.HasPending(ctx)
	if err != nil {
		return false, fmt.Errorf("pending migrations: %w", err)
	}
	return pending, m.checkAge(ctx)
}

func (m *Migrator) checkAge(ctx context.Context) error {
	current, newest, err := m.provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("version of the database: %w", err)
	}
	if current > newest+1 {
		return fmt.Errorf("%w: it is at version %d, this release knows %d", ErrTooNew, current, newest)
	}
	return nil
}

// locker is a Lock in the form that goose calls.
type locker struct {
	lock   Lock
	unlock func() error
}

// Lock implements goose's Locker.
func (l *locker) Lock(ctx context.Context, _ *sql.DB) (err error) {
	l.unlock, err = l.lock(ctx)
	return err
}

// Unlock implements goose's Locker.
func (l *locker) Unlock(context.Context, *sql.DB) error { return l.unlock() }
