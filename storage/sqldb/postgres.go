package sqldb

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errNotCommitted is returned when PostgreSQL answers COMMIT with ROLLBACK,
// which it does when a statement before it failed.
var errNotCommitted = errors.New("the transaction had failed before and was rolled back")

// postgres is the engine on a pool of connections.
type postgres struct {
	db   *DB
	pool *pgxpool.Pool
	// tail holds one connection, for the ledger alone; it is opened when first used.
	tail *pgxpool.Pool
}

func openPostgres(ctx context.Context, d *DB) (engine, error) {
	cfg, err := pgxpool.ParseConfig(d.opts.URL)
	if err != nil {
		// The parser's error repeats the URL, in which it hides the password only
		// as far as it could parse it.
		return nil, badURL(Postgres, "cannot be parsed")
	}
	if !strings.Contains(d.opts.URL, "pool_max_conns") {
		cfg.MaxConns = int32(max(10, 4*runtime.NumCPU()))
	}
	if !strings.Contains(d.opts.URL, "target_session_attrs") {
		// A replica's snapshot may lie behind what was revoked (L18).
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	// Every statement finds its rows by an index whatever its arguments are, so
	// planning it anew each time, which costs as much as running it, gains nothing. Nor
	// do workers and compiled expressions: both cost more to start than any of them
	// takes, and the estimates that ask for them know no arguments.
	for name, value := range map[string]string{
		"application_name":                    "gatehouse",
		"statement_timeout":                   "10s",
		"lock_timeout":                        "5s",
		"idle_in_transaction_session_timeout": "30s",
		"plan_cache_mode":                     "force_generic_plan",
		"max_parallel_workers_per_gather":     "0",
		"jit":                                 "off",
	} {
		if _, given := cfg.ConnConfig.RuntimeParams[name]; !given {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	one := cfg.Copy()
	one.MaxConns, one.MinConns = 1, 0
	tail, err := pgxpool.NewWithConfig(ctx, one)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &postgres{db: d, pool: pool, tail: tail}, nil
}

func (p *postgres) ping(ctx context.Context) error { return p.pool.Ping(ctx) }

func (p *postgres) close() {
	p.tail.Close()
	p.pool.Close()
}

func (p *postgres) watch(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error {
	p.db.traced(st.text)
	rows, err := p.tail.Query(ctx, st.text, args...)
	return collect(rows, err, scan)
}

func (p *postgres) exec(ctx context.Context, st *statement, args []any) (int64, error) {
	p.db.traced(st.text)
	tag, err := p.pool.Exec(ctx, st.text, args...)
	return tag.RowsAffected(), err
}

func (p *postgres) query(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error {
	p.db.traced(st.text)
	rows, err := p.pool.Query(ctx, st.text, args...)
	return collect(rows, err, scan)
}

func collect(rows pgx.Rows, err error, scan func(row scanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// execRelaxed sends everything in one round trip. The setting is local to the
// transaction: on the connection it would outlive it and weaken the next user's
// commits (L15).
func (p *postgres) execRelaxed(ctx context.Context, st *statement, args []any) (int64, error) {
	p.db.traced(st.text)
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer release(conn)
	var n int64
	var b pgx.Batch
	b.Queue("begin")
	b.Queue("select set_config('synchronous_commit', 'off', true)")
	b.Queue(st.text, args...).Exec(func(tag pgconn.CommandTag) error {
		n = tag.RowsAffected()
		return nil
	})
	b.Queue("commit")
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return 0, err
	}
	return n, nil
}

// release gives a connection back without a transaction on it. (The pool would
// close one that has, and opening another costs milliseconds.)
func release(conn *pgxpool.Conn) {
	if c := conn.Conn(); !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = c.Exec(ctx, "rollback") // if it fails the pool closes the connection
	}
	conn.Release()
}

func (p *postgres) begin(ctx context.Context) (engineTx, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	p.db.traced("begin")
	if _, err := conn.Exec(ctx, "begin isolation level read committed"); err != nil {
		release(conn)
		return nil, err
	}
	return &postgresTx{db: p.db, conn: conn}, nil
}

// postgresTx is a transaction on a connection of its own.
type postgresTx struct {
	db   *DB
	conn *pgxpool.Conn
}

func (t *postgresTx) exec(ctx context.Context, st *statement, args []any) (int64, error) {
	t.db.traced(st.text)
	tag, err := t.conn.Exec(ctx, st.text, args...)
	return tag.RowsAffected(), err
}

func (t *postgresTx) query(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error {
	t.db.traced(st.text)
	rows, err := t.conn.Query(ctx, st.text, args...)
	return collect(rows, err, scan)
}

// commit sends the steps and COMMIT in one round trip, so that the counter's
// lock, which the steps take, is held for the commit alone (L21).
func (t *postgresTx) commit(ctx context.Context, steps []step) (advanced, error) {
	defer release(t.conn)
	var a advanced
	var b pgx.Batch
	for _, s := range steps {
		q := b.Queue(t.db.statement(s.sql).text, t.db.bind(s.args)...)
		if s.advances {
			q.QueryRow(func(row pgx.Row) error { return row.Scan(&a.position, &a.change, &a.timeline, &a.hash) })
		}
	}
	b.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return errNotCommitted
		}
		return nil
	})
	t.db.tracedSteps(steps)
	if err := t.conn.SendBatch(ctx, &b).Close(); err != nil {
		return advanced{}, err
	}
	return a, nil
}

func (t *postgresTx) rollback(context.Context) {
	t.db.traced("rollback")
	release(t.conn)
}
