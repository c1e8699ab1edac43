package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ accounts.AuditWriter = (*DB)(nil)
	_ accounts.Tx          = (*DB)(nil)
)

const (
	// The row that makes it wait for the chain is a trigger's.
	insertAudit = `INSERT INTO audit (id, at, format, actor_kind, actor_id, actor_name, action, target_kind, target_id,
  details, before_values, after_values, request_id, address, session, commitments, personal, salt)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`
	auditColumns = `id, at, format, actor_kind, actor_id, actor_name, action, target_kind, target_id, details,
  before_values, after_values, request_id, address, session, commitments, personal, salt, erased_at`
	auditTail = `SELECT ` + auditColumns + ` FROM audit ORDER BY id DESC LIMIT $1`
)

// AuditEntry is an event as it was written.
type AuditEntry = auditlog.Entry

// WriteAudit implements accounts.AuditWriter.
func (d *DB) WriteAudit(ctx context.Context, e audit.Event) error {
	r, err := auditlog.NewRecord(id.New(), d.now(), e, audit.OriginFrom(ctx))
	if err == nil {
		_, err = d.exec(ctx, insertAudit, r.ID, r.At, r.Format, r.ActorKind, r.ActorID, r.ActorName, r.Action, r.TargetKind,
			r.TargetID, r.Details, r.Before, r.After, r.RequestID, r.Address, r.Session, r.Commitments, r.Personal, r.Salt)
	}
	if err != nil {
		return fmt.Errorf("write audit event %s: %w", e.Action, err)
	}
	return nil
}

// AuditTail returns the latest events, newest first.
func (d *DB) AuditTail(ctx context.Context, limit int) ([]AuditEntry, error) {
	entries, err := d.auditEntries(ctx, auditTail, limit)
	if err != nil {
		return nil, fmt.Errorf("read audit events: %w", err)
	}
	return entries, nil
}

// auditEntries runs a query for auditColumns.
func (d *DB) auditEntries(ctx context.Context, sql string, args ...any) ([]AuditEntry, error) {
	var entries []AuditEntry
	err := d.query(ctx, sql, func(row scanner) error {
		e, err := scanAudit(row)
		entries = append(entries, e)
		return err
	}, args...)
	return entries, err
}

// auditDest is what auditColumns are scanned into.
func auditDest(r *auditlog.Record) []any {
	return []any{
		&r.ID, &r.At, &r.Format, &r.ActorKind, &r.ActorID, &r.ActorName, &r.Action, &r.TargetKind, &r.TargetID,
		&r.Details, &r.Before, &r.After, &r.RequestID, &r.Address, &r.Session, &r.Commitments, &r.Personal, &r.Salt, &r.ErasedAt,
	}
}

func scanAudit(row scanner) (AuditEntry, error) {
	var r auditlog.Record
	if err := row.Scan(auditDest(&r)...); err != nil {
		return AuditEntry{}, err
	}
	return r.Entry()
}
