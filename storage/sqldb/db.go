package sqldb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Options say which database to open and what the ledger needs to know.
type Options struct {
	URL    string // "postgres://..." or "sqlite:///absolute/path/file.db"
	Now    func() time.Time
	Logger *slog.Logger
	// TokenLife is how long rows of the ledger live: the longest lifetime of an
	// access token, plus leeway, plus a margin (L12). Those of the kind Key live for
	// revocation.KeyLife at least.
	TokenLife time.Duration
	// Marker is the path of a file beside a SQLite database that remembers
	// timeline and position, to reveal a restored backup (L24). Empty means none.
	Marker string
	// Committed is told where the ledger's counter stands after a commit that moved
	// it: all but the floor. It must not block. It may be nil.
	Committed func(h revocation.Head)
	// Trace is told the text of every round trip, never its arguments; several
	// statements in one are separated by ";\n". It is called by many goroutines
	// and must not block. It may be nil.
	Trace func(sql string)
}

// scanner is a row of a result.
type scanner interface {
	Scan(dest ...any) error
}

// runner executes statements on a pool or within one transaction.
type runner interface {
	exec(ctx context.Context, st *statement, args []any) (int64, error)
	query(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error
}

// engine is one of the two databases.
type engine interface {
	runner
	// begin starts a transaction; finish it by commit or rollback.
	begin(ctx context.Context) (engineTx, error)
	execRelaxed(ctx context.Context, st *statement, args []any) (int64, error)
	// watch is query on a connection that nothing else uses.
	watch(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error
	ping(ctx context.Context) error
	close()
}

// engineTx is a transaction of an engine.
type engineTx interface {
	runner
	// commit writes the steps and commits. It reports what the counter said if
	// one of the steps advanced it. After an error the transaction is over.
	commit(ctx context.Context, steps []step) (advanced, error)
	rollback(ctx context.Context)
}

// DB is a database. It implements the store interfaces of the domain.
type DB struct {
	opts       Options
	dialect    Dialect
	engine     engine
	statements sync.Map // text as written -> *statement
	closing    sync.Once
	// trace is told of every round trip; several statements in one are separated
	// by ";\n". Tests set it before the first use.
	trace func(sql string)
}

// Open opens a database; it neither creates nor changes tables (see Migrator).
// An error names the part of the URL that is wrong, never the whole: it may hold
// a password.
func Open(ctx context.Context, opts Options) (*DB, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.TokenLife <= 0 {
		return nil, errors.New("sqldb: TokenLife must be set: rows of the ledger would leave too early")
	}
	d := &DB{opts: opts, trace: opts.Trace}
	dialect, err := dialectOf(opts.URL)
	if err != nil {
		return nil, err
	}
	d.dialect = dialect
	if dialect == SQLite {
		d.engine, err = openSQLite(ctx, d)
	} else {
		d.engine, err = openPostgres(ctx, d)
	}
	if err != nil {
		return nil, fmt.Errorf("sqldb: open: %w", err)
	}
	return d, nil
}

// Close waits for running statements and closes all connections.
func (d *DB) Close() { d.closing.Do(d.engine.close) }

// Ping asks the database for an answer.
func (d *DB) Ping(ctx context.Context) error { return d.engine.ping(ctx) }

// Dialect tells which engine it is.
func (d *DB) Dialect() Dialect { return d.dialect }

func (d *DB) now() int64 { return d.opts.Now().UnixMilli() }

// traced tells a test of a round trip.
func (d *DB) traced(sql string) {
	if d.trace != nil {
		d.trace(sql)
	}
}

// tracedSteps tells a test of a commit in one round trip.
func (d *DB) tracedSteps(steps []step) {
	if d.trace == nil {
		return
	}
	var texts []string
	for _, s := range steps {
		texts = append(texts, d.statement(s.sql).text)
	}
	d.trace(strings.Join(append(texts, "commit"), ";\n"))
}

// runner returns the transaction of ctx, or the engine.
func (d *DB) runner(ctx context.Context) (runner, error) {
	t := d.txOf(ctx)
	if t == nil {
		return d.engine, nil
	}
	if t.over {
		return nil, errTxOver
	}
	return t.engineTx, nil
}

// exec runs a statement and returns how many rows it touched.
func (d *DB) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	r, err := d.runner(ctx)
	if err != nil {
		return 0, err
	}
	n, err := r.exec(ctx, d.statement(sql), d.bind(args))
	return n, mapped(err)
}

// query calls scan for each row. The rows of a read outside a transaction come
// from one snapshot.
func (d *DB) query(ctx context.Context, sql string, scan func(row scanner) error, args ...any) error {
	r, err := d.runner(ctx)
	if err != nil {
		return err
	}
	return mapped(r.query(ctx, d.statement(sql), d.bind(args), func(row scanner) error {
		return scan(columns{row})
	}))
}

// queryRow scans the first row, or returns accounts.ErrNotFound.
func (d *DB) queryRow(ctx context.Context, sql string, args []any, dest ...any) error {
	found := false
	err := d.query(ctx, sql, func(row scanner) error {
		if found {
			return nil
		}
		found = true
		return row.Scan(dest...)
	}, args...)
	if err == nil && !found {
		return accounts.ErrNotFound
	}
	return err
}

// execRelaxed runs one statement whose loss in a power cut is harmless. In a
// transaction it is exec: a transaction commits as a whole.
func (d *DB) execRelaxed(ctx context.Context, sql string, args ...any) (int64, error) {
	if d.txOf(ctx) != nil {
		return d.exec(ctx, sql, args...)
	}
	n, err := d.engine.execRelaxed(ctx, d.statement(sql), d.bind(args))
	return n, mapped(err)
}
