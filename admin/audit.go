package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// AuditReader searches the audit log. *auditlog.Log is one.
type AuditReader interface {
	Search(ctx context.Context, q auditlog.Query, after auditlog.Cursor, limit int) (*auditlog.Page, error)
	Event(ctx context.Context, eventID id.ID) (*auditlog.Entry, error)
}

var _ AuditReader = (*auditlog.Log)(nil)

// SearchAudit returns a page of the audit log, newest first. A page may be short and
// have one after it. Errors: *Forbidden, accounts.ErrInvalid.
func (a *Admin) SearchAudit(ctx context.Context, c *Caller, q auditlog.Query, after auditlog.Cursor, limit int) (*auditlog.Page, error) {
	if err := c.need(accounts.AdminAuditRead); err != nil {
		return nil, err
	}
	found, err := a.Audit.Search(ctx, q, after, limit)
	if errors.Is(err, auditlog.ErrQuery) {
		return nil, fmt.Errorf("%w: %w", accounts.ErrInvalid, err)
	}
	return found, err
}

// AuditEvent returns one event. Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) AuditEvent(ctx context.Context, c *Caller, eventID id.ID) (*auditlog.Entry, error) {
	if err := c.need(accounts.AdminAuditRead); err != nil {
		return nil, err
	}
	return a.Audit.Event(ctx, eventID)
}
