package sqldb

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// SQLSTATE codes of PostgreSQL (appendix A of its manual).
const (
	foreignKeyViolation  = "23503"
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// mapped gives the errors of both drivers the names of the domain. A violated
// foreign key means that what a row refers to is not there (any more).
func mapped(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	var lite *sqlite.Error
	switch {
	case errors.As(err, &pg):
		switch pg.Code {
		case uniqueViolation:
			return fmt.Errorf("%w: %w", accounts.ErrConflict, err)
		case foreignKeyViolation:
			return fmt.Errorf("%w: %w", accounts.ErrNotFound, err)
		}
	case errors.As(err, &lite):
		switch lite.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%w: %w", accounts.ErrConflict, err)
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return fmt.Errorf("%w: %w", accounts.ErrNotFound, err)
		}
	}
	return err
}

// retryable reports whether PostgreSQL ended a transaction that may succeed when
// it runs again. SQLite never does: its transactions begin with the write lock.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == serializationFailure || pg.Code == deadlockDetected)
}
