package sqldb

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// errLockOutsideTx is returned by Lock methods: a lock outside a transaction ends
// before it is of any use.
var errLockOutsideTx = errors.New("sqldb: lock outside a transaction")

// inserted runs an INSERT ... ON CONFLICT DO NOTHING; no row is ErrConflict. (A
// violated constraint would end PostgreSQL's transaction, and a caller may want
// to go on in it.)
func (d *DB) inserted(ctx context.Context, sql string, args ...any) error {
	n, err := d.exec(ctx, sql, args...)
	if err == nil && n == 0 {
		return accounts.ErrConflict
	}
	return err
}

// touched runs a statement on one row; no row is ErrNotFound.
func (d *DB) touched(ctx context.Context, sql string, args ...any) error {
	n, err := d.exec(ctx, sql, args...)
	if err == nil && n == 0 {
		return accounts.ErrNotFound
	}
	return err
}

const (
	lockName = `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`
	// Also the sub of somebody who was deleted: apps may still hold it.
	nameTaken = `SELECT EXISTS (SELECT 1 FROM users WHERE sub = $1) OR EXISTS (SELECT 1 FROM clients WHERE client_id = $1)
OR EXISTS (SELECT 1 FROM audit WHERE target_kind = 'user' AND target_id = $1 AND action = 'user.delete')
OR EXISTS (SELECT 1 FROM audit_gone WHERE sub = $1)`
)

// reserveName makes sure that a name is neither a user's sub nor a client's id,
// and stays so until the transaction ends. Subs and client ids share one space of
// names: a resource server may compare the sub of a token with either (RFC 9700
// §4.15). No constraint reaches over two tables, so who makes one locks the name.
func (d *DB) reserveName(ctx context.Context, name string) error {
	if d.dialect == Postgres { // SQLite's transaction has locked everything
		if _, err := d.exec(ctx, lockName, name); err != nil {
			return err
		}
	}
	var taken bool
	if err := d.queryRow(ctx, nameTaken, []any{name}, &taken); err != nil {
		return err
	}
	if taken {
		return accounts.ErrConflict
	}
	return nil
}
