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
	insertConcernsPostgres = `INSERT INTO audit_concerns (concern, audit_id) SELECT c, $2 FROM unnest($1::text[]) AS c`
	insertConcernsSQLite   = `INSERT INTO audit_concerns (concern, audit_id) SELECT value, $2 FROM json_each($1)`

	auditColumns = `id, at, format, actor_kind, actor_id, actor_name, action, target_kind, target_id, details,
  before_values, after_values, request_id, address, session, commitments, personal, salt, erased_at`
	auditTail = `SELECT ` + auditColumns + ` FROM audit ORDER BY id DESC LIMIT $1`
)

// AuditEntry is an event as it was written.
type AuditEntry = auditlog.Entry

// WriteAudit implements accounts.AuditWriter.
func (d *DB) WriteAudit(ctx context.Context, e audit.Event) error {
	r, err := auditlog.NewRecord(id.New(), d.now(), e, audit.OriginFrom(ctx))
	if err == nil && len(r.Concerns) == 0 {
		err = d.insertAudit(ctx, r)
	} else if err == nil {
		err = d.InTx(ctx, func(ctx context.Context) error {
			if err := d.insertAudit(ctx, r); err != nil {
				return err
			}
			_, err := d.exec(ctx, d.either(insertConcernsPostgres, insertConcernsSQLite), r.Concerns, r.ID)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("write audit event %s: %w", e.Action, err)
	}
	if t := d.txOf(ctx); t != nil {
		t.queue.causes.note(r)
	}
	return nil
}

func (d *DB) insertAudit(ctx context.Context, r *auditlog.Record) error {
	_, err := d.exec(ctx, insertAudit, r.ID, r.At, r.Format, r.ActorKind, r.ActorID, r.ActorName, r.Action, r.TargetKind,
		r.TargetID, r.Details, r.Before, r.After, r.RequestID, r.Address, r.Session, r.Commitments, r.Personal, r.Salt)
	return err
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
