package main

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// countedSignIns writes audit events and counts the sign-ins among them: they are too
// many to be counted again in the log for each look at the console's first page. One
// whose transaction comes to nothing in the end counts all the same.
type countedSignIns struct {
	accounts.AuditWriter
	counter *counts.Counter
}

// WriteAudit implements accounts.AuditWriter.
func (c countedSignIns) WriteAudit(ctx context.Context, e audit.Event) error {
	if err := c.AuditWriter.WriteAudit(ctx, e); err != nil {
		return err
	}
	switch e.Action {
	case "user.sign_in":
		c.counter.Count(counts.What{Kind: counts.SignIn, Name: counts.Success}, id.ID{})
	case "user.sign_in.refuse":
		cause, _ := e.Details["cause"].(string)
		c.counter.Count(counts.What{Kind: counts.SignIn, Name: cause}, id.ID{})
	}
	return nil
}

// chainHealth looks at how the audit log is sealed.
func (d *domain) chainHealth(ctx context.Context) (*auditlog.Health, error) {
	return auditlog.Look(ctx, d.db, d.keyring, d.now())
}
