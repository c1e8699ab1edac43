package main

import (
	"context"

	"github.com/gatehouse-id/gatehouse/auditlog"
)

// streamSyslog is the name of the stream in the database; it never changes.
const streamSyslog = "syslog"

// auditWorkers are what works on the audit log while a server runs: each returns with
// its context alone.
func (d *domain) auditWorkers() ([]func(ctx context.Context) error, error) {
	cut := &auditlog.Retention{
		Store: d.db, Keyring: d.keyring, Keep: d.cfg.Audit.Retention, Sent: auditlog.Sent(d.db, d.now), Now: d.now, Log: d.log,
	}
	workers := []func(ctx context.Context) error{d.newSealer().Run, cut.Run}
	if d.cfg.Audit.Syslog == nil {
		return workers, nil
	}
	t, err := d.cfg.Audit.SyslogTLS()
	if err != nil {
		return nil, err
	}
	stream := &auditlog.Stream{
		Name: streamSyslog, Store: d.db, Sink: &auditlog.Syslog{Address: *d.cfg.Audit.Syslog, TLS: t}, Now: d.now, Log: d.log,
	}
	return append(workers, stream.Run), nil
}
