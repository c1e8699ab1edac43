package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var (
	_ accounts.AuditWriter = (*DB)(nil)
	_ accounts.Tx          = (*DB)(nil)
)

const (
	insertAudit = `INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, details,
  request_id, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	auditTail = `SELECT id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, details, request_id, address
FROM audit ORDER BY id DESC LIMIT $1`
)

// AuditEntry is an event as it was written.
type AuditEntry struct {
	ID id.ID
	At int64 // Unix milliseconds
	audit.Event
	audit.Origin
}

// WriteAudit implements accounts.AuditWriter.
func (d *DB) WriteAudit(ctx context.Context, e audit.Event) error {
	if e.Details == nil {
		e.Details = map[string]any{}
	}
	from := audit.OriginFrom(ctx)
	_, err := d.exec(ctx, insertAudit, id.New(), d.now(), e.Actor.Kind, e.Actor.ID, e.Actor.Name, e.Action,
		e.TargetKind, e.TargetID, object{e.Details}, from.RequestID, from.Address)
	if err != nil {
		return fmt.Errorf("write audit event %s: %w", e.Action, err)
	}
	return nil
}

// AuditTail returns the latest events, newest first.
func (d *DB) AuditTail(ctx context.Context, limit int) ([]AuditEntry, error) {
	var entries []AuditEntry
	err := d.query(ctx, auditTail, func(row scanner) error {
		e, err := scanAudit(row)
		entries = append(entries, e)
		return err
	}, limit)
	if err != nil {
		return nil, fmt.Errorf("read audit events: %w", err)
	}
	return entries, nil
}
