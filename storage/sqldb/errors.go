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
	unknownCharacter     = "22021" // a text with NUL, or that is not UTF-8
)

// mapped gives the errors of both drivers the names of the domain. A violated
// foreign key means that what a row refers to is not there (any more). PostgreSQL's
// texts are UTF-8 without NUL; SQLite keeps and finds any bytes.
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
		case unknownCharacter:
			return &unstorable{err}
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

// unstorable is the error of a text that PostgreSQL does not take. Nothing that is looked
// for can have it as its name, and nothing that is written can hold it.
type unstorable struct{ cause error }

// Error implements error, in words that may be shown.
func (e *unstorable) Error() string { return "a text holds the character NUL, or is not UTF-8" }

// Unwrap makes it an error of those who ask for what is not there or write what is not
// valid, and none of the database.
func (e *unstorable) Unwrap() []error {
	return []error{accounts.ErrNotFound, accounts.ErrInvalid, e.cause}
}

// retryable reports whether PostgreSQL ended a transaction that may succeed when
// it runs again. SQLite never does: its transactions begin with the write lock.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == serializationFailure || pg.Code == deadlockDetected)
}
