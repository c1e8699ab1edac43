package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// errWriterBusy is returned when other transactions of this process held the
// writer for as long as busy_timeout lets other processes hold it.
var errWriterBusy = errors.New("sqlite: the writer was not free in time")

const busyTimeout = 5 * time.Second

// sqliteReaders is how many reads run at once, beside the writer.
const sqliteReaders = 8

// lite is the engine on one file: one connection that writes, and a pool of
// connections that cannot.
type lite struct {
	db     *DB
	path   string
	writer *sql.DB
	// conn is the writer's one connection; who holds turn may use it and its
	// statements.
	conn     *sql.Conn
	turn     chan struct{}
	prepared map[string]*sql.Stmt
	reader   *sql.DB
	reads    sync.Map // text -> *sql.Stmt
	marker   *marker
}

// sqlitePath returns the absolute path in "sqlite:///absolute/path".
func sqlitePath(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", badURL(SQLite, "cannot be parsed")
	case u.Host != "" || u.User != nil || !filepath.IsAbs(u.Path):
		return "", badURL(SQLite, `write "sqlite://" and an absolute path`)
	case u.RawQuery != "" || u.Fragment != "":
		return "", badURL(SQLite, "takes no parameters")
	}
	return filepath.Clean(u.Path), nil
}

// sqliteConnector opens connections with our settings and functions, without
// registering anything for the whole process.
type sqliteConnector struct {
	driver *sqlite.Driver
	dsn    string
}

func newSQLiteConnector(path string, readOnly bool) (*sqliteConnector, error) {
	q := url.Values{
		"_txlock":    {"immediate"}, // a transaction that begins by reading must not lose its turn to write
		"_dqs":       {"false"},
		"_defensive": {"true"},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"foreign_keys(ON)",
			"temp_store(MEMORY)",
		},
	}
	if readOnly {
		q["_query_only"] = []string{"true"}
	}
	d := new(sqlite.Driver)
	if err := d.RegisterDeterministicScalarFunction("sha256", -1, sqliteSHA256); err != nil {
		return nil, err
	}
	file := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return &sqliteConnector{driver: d, dsn: file.String()}, nil
}

// newSQLiteLock opens a file that holds nothing and is only locked.
func newSQLiteLock(path string, wait time.Duration) *sqliteConnector {
	file := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds())},
	}.Encode()}
	return &sqliteConnector{driver: new(sqlite.Driver), dsn: file.String()}
}

// Connect implements driver.Connector.
func (c *sqliteConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements driver.Connector.
func (c *sqliteConnector) Driver() driver.Driver { return c.driver }

// sqliteSHA256 is the function sha256 that PostgreSQL has, of all its arguments
// one after the other.
func sqliteSHA256(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	h := sha256.New()
	for _, a := range args {
		b, ok := a.([]byte)
		if !ok {
			return nil, fmt.Errorf("sha256 of %T", a)
		}
		h.Write(b)
	}
	return h.Sum(nil), nil
}

func openSQLite(ctx context.Context, d *DB) (engine, error) {
	path, err := sqlitePath(d.opts.URL)
	if err != nil {
		return nil, err
	}
	// SQLite gives its other files the mode of the first, which it would make
	// readable for everybody.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	writing, err := newSQLiteConnector(path, false)
	if err != nil {
		return nil, err
	}
	reading, err := newSQLiteConnector(path, true)
	if err != nil {
		return nil, err
	}
	l := &lite{
		db: d, path: path, writer: sql.OpenDB(writing), reader: sql.OpenDB(reading),
		turn: make(chan struct{}, 1), prepared: make(map[string]*sql.Stmt),
	}
	l.writer.SetMaxOpenConns(1)
	l.reader.SetMaxOpenConns(sqliteReaders)
	l.reader.SetMaxIdleConns(sqliteReaders)
	if l.conn, err = l.writer.Conn(ctx); err != nil {
		_ = l.writer.Close()
		return nil, err
	}
	l.marker = newMarker(d.opts.Marker)
	return l, nil
}

func (l *lite) close() {
	l.turn <- struct{}{} // never given back: nothing runs after close
	_ = l.reader.Close()
	for _, st := range l.prepared {
		_ = st.Close()
	}
	_ = l.conn.Close()
	_ = l.writer.Close()
}

func (l *lite) ping(ctx context.Context) error { return l.reader.PingContext(ctx) }

// take waits for the writer's turn. Without a bound, a statement that was given
// the wrong context inside a transaction would wait for itself for ever.
func (l *lite) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(busyTimeout)
	defer timer.Stop()
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errWriterBusy
	}
}

func (l *lite) give() { <-l.turn }

// write returns the writer's statement for a text; the caller holds the turn.
func (l *lite) write(ctx context.Context, text string) (*sql.Stmt, error) {
	if st, ok := l.prepared[text]; ok {
		return st, nil
	}
	st, err := l.conn.PrepareContext(ctx, text)
	if err == nil {
		l.prepared[text] = st
	}
	return st, err
}

// read returns the readers' statement for a text.
func (l *lite) read(ctx context.Context, text string) (*sql.Stmt, error) {
	if st, ok := l.reads.Load(text); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := l.reader.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if first, loaded := l.reads.LoadOrStore(text, st); loaded {
		_ = st.Close()
		return first.(*sql.Stmt), nil
	}
	return st, nil
}

func (l *lite) exec(ctx context.Context, st *statement, args []any) (int64, error) {
	if err := l.take(ctx); err != nil {
		return 0, err
	}
	defer l.give()
	return l.execHeld(ctx, st, args)
}

func (l *lite) execHeld(ctx context.Context, st *statement, args []any) (int64, error) {
	l.db.traced(st.text)
	prepared, err := l.write(ctx, st.text)
	if err != nil {
		return 0, err
	}
	result, err := prepared.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// execRelaxed is exec: SQLite's durability is a property of the connection, and
// a second writer with another one would gain little.
func (l *lite) execRelaxed(ctx context.Context, st *statement, args []any) (int64, error) {
	return l.exec(ctx, st, args)
}

func (l *lite) query(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error {
	if !st.reads {
		if err := l.take(ctx); err != nil {
			return err
		}
		defer l.give()
		return l.queryHeld(ctx, st, args, scan)
	}
	l.db.traced(st.text)
	prepared, err := l.read(ctx, st.text)
	if err != nil {
		return err
	}
	rows, err := prepared.QueryContext(ctx, args...)
	return scanAll(rows, err, scan)
}

// watch reads like any other: readers never wait for the writer.
func (l *lite) watch(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error {
	return l.query(ctx, st, args, scan)
}

func (l *lite) queryHeld(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error {
	l.db.traced(st.text)
	prepared, err := l.write(ctx, st.text)
	if err != nil {
		return err
	}
	rows, err := prepared.QueryContext(ctx, args...)
	return scanAll(rows, err, scan)
}

func scanAll(rows *sql.Rows, err error, scan func(row scanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}
