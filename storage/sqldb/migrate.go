package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gatehouse-id/gatehouse/migrations"
)

// migrationWait is how long a node waits for another that migrates.
const migrationWait = 5 * time.Minute

// Migrator returns what brings this database up to its schema, on connections of
// its own. Close it.
func (d *DB) Migrator() (*migrations.Migrator, error) {
	if p, ok := d.engine.(*postgres); ok {
		cfg := p.pool.Config().ConnConfig
		// Building an index on a large table takes longer than any request may.
		cfg.RuntimeParams["statement_timeout"] = "0"
		cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
		return migrations.New(stdlib.OpenDB(*cfg), migrations.Postgres, nil)
	}
	l := d.engine.(*lite)
	connector, err := newSQLiteConnector(l.path, false)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return migrations.New(db, migrations.SQLite, l.lockForMigration)
}

// Migrate applies what is pending and returns the names of the files that it
// applied.
func (d *DB) Migrate(ctx context.Context) ([]string, error) {
	m, err := d.Migrator()
	if err != nil {
		return nil, err
	}
	applied, err := m.Up(ctx)
	return applied, errors.Join(err, m.Close())
}

// lockForMigration holds a lock on an empty database beside ours, which several
// processes share and which ends with the process that holds it. (A lock on ours
// would end with the first migration's transaction.)
func (l *lite) lockForMigration(ctx context.Context) (func() error, error) {
	db := sql.OpenDB(newSQLiteLock(l.path+"-migrate", migrationWait))
	conn, err := db.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wait for another process that migrates: %w", err), db.Close())
	}
	return func() error { return errors.Join(conn.Close(), db.Close()) }, nil
}
