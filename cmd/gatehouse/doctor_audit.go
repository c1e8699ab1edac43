package main

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// checkAudit looks at the chain's end, at what waits, and at what is sent.
func (d *diagnosis) checkAudit(ctx context.Context, cfg *config.Config, db *sqldb.DB) {
	const check = "audit log"
	ends, err := db.AuditEnds(ctx)
	if err != nil {
		return // the migrations' finding says why
	}
	if ends.Head.Seq == 0 { // there may be no secret yet, and none is made here
		d.ok(check, "nothing is sealed yet")
		return
	}
	if err := cfg.EnsureSecret(); err != nil {
		d.fail("secret", "restore the secret from a backup", "%v", err)
		return
	}
	keyring, err := secret.NewKeyring(cfg.Secrets...)
	if err != nil {
		d.fail("secret", "choose another", "%v", err)
		return
	}
	h, err := auditlog.Look(ctx, db, keyring, d.call.now())
	if err != nil {
		d.fail(check, "check the rights of the database's user", "%s", firstLine(err))
		return
	}
	switch {
	case h.Broken != "":
		d.fail(check, "gatehouse audit verify says where; when it is understood: gatehouse audit accept --reason TEXT", "%s", h.Broken)
	case h.Late:
		d.warn(check, "start a server if none runs; its log says what keeps it from sealing", "%d %s not sealed since more than a minute", h.Waiting, plural(h.Waiting, "event"))
	default:
		d.ok(check, "%d %s sealed", h.Head, plural(int(h.Head), "event"))
	}
	if _, err := cfg.Audit.SyslogTLS(); err != nil {
		d.fail(check, "check the files", "%v", err)
	}
	if cfg.Audit.Syslog == nil {
		return
	}
	for _, s := range h.Streams {
		switch {
		case s.FailingSince != 0:
			d.fail(check, "look at the receiver and at the network between; what waits is sent when it answers",
				"it is not sent since %s, %d behind: %s", time.UnixMilli(s.FailingSince).UTC().Format(time.RFC3339), s.Behind, s.Error)
		case s.Idle && s.Behind > 0:
			d.warn(check, "start a server if none runs", "no node sends it, %d behind", s.Behind)
		default:
			d.ok(check, "sent to %s", cfg.Audit.Syslog.Host)
		}
	}
}
