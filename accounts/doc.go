// Package accounts is the domain of people and apps: users, groups, permissions,
// APIs, clients, sessions, consents and the causes that end them. It knows
// neither HTTP nor SQL.
//
// Every function that changes something takes the actor, runs in one transaction
// and writes an audit event there. Whatever takes something away also appends its
// row to the ledger in that transaction (docs/revocation.md, "What each cause ends"),
// as its last statement.
//
// Locks are taken in the order user, permissions (PermissionStore.LockPermissions),
// permission set, client, session, grant, counter (L22); who takes a permission from
// everybody locks no user.
package accounts

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Errors that storage returns, to be tested with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("already exists")
)

// Tx runs f in a transaction that travels in the context; a nested call joins
// the outer one. An error from f rolls back and is returned as it is.
type Tx interface {
	InTx(ctx context.Context, f func(ctx context.Context) error) error
}

// AuditWriter writes an event in the transaction of ctx; the origin comes from
// the context as well.
type AuditWriter interface {
	WriteAudit(ctx context.Context, e audit.Event) error
}
