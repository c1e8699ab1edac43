package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/auditlog"
)

// leastRetention keeps a mistyped unit from emptying the audit log.
const leastRetention = 24 * time.Hour

// Audit is about the audit log.
type Audit struct {
	Syslog *auditlog.SyslogAddress // where it is sent; nil for nowhere
	// Files, PEM: the authority of the receiver's certificate, and what this server
	// shows it; empty for the system's authorities, and for none.
	SyslogCA, SyslogCert, SyslogKey string
	Retention                       time.Duration // zero: for ever
}

// AuditFlags are the same as the command line gives them.
type AuditFlags struct {
	AuditSyslogURL  string `name:"audit-syslog-url" placeholder:"URL" group:"settings" help:"Where the audit log is sent by syslog: udp://host:514, tcp://host:601 or tls://host:6514 (nowhere)."`
	AuditSyslogCA   string `name:"audit-syslog-ca" placeholder:"FILE" group:"settings" help:"Authority of the syslog receiver's certificate, PEM (the system's)."`
	AuditSyslogCert string `name:"audit-syslog-cert" placeholder:"FILE" group:"settings" help:"Certificate shown to the syslog receiver, PEM (none)."`
	AuditSyslogKey  string `name:"audit-syslog-key" placeholder:"FILE" group:"settings" help:"Key of that certificate, PEM."`
	AuditRetention  string `name:"audit-retention" placeholder:"DURATION" group:"settings" help:"How long the audit log is kept, such as 400d (for ever)."`
}

func auditSettings(f AuditFlags) []setting {
	return []setting{
		{name: "audit_syslog_url", flag: f.AuditSyslogURL, apply: func(c *Config, v string) (err error) {
			c.Audit.Syslog, err = auditlog.ParseSyslog(v)
			return err
		}},
		{name: "audit_syslog_ca", flag: f.AuditSyslogCA, apply: text(func(c *Config) *string { return &c.Audit.SyslogCA })},
		{name: "audit_syslog_cert", flag: f.AuditSyslogCert, apply: text(func(c *Config) *string { return &c.Audit.SyslogCert })},
		{name: "audit_syslog_key", flag: f.AuditSyslogKey, apply: text(func(c *Config) *string { return &c.Audit.SyslogKey })},
		{name: "audit_retention", flag: f.AuditRetention, apply: (*Config).setAuditRetention},
	}
}

func (c *Config) setAuditRetention(v string) (err error) {
	if days, ok := strings.CutSuffix(v, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		if n > 36500 {
			err = errors.New("too long")
		}
		c.Audit.Retention = time.Duration(n) * 24 * time.Hour
	} else {
		c.Audit.Retention, err = time.ParseDuration(v)
	}
	if err != nil || c.Audit.Retention < leastRetention {
		return fmt.Errorf("%q is not a time of at least a day, such as 400d or 720h", v)
	}
	return nil
}

// checkAudit finds settings that do not go together.
func (c *Config) checkAudit() error {
	a := c.Audit
	switch files := a.SyslogCA + a.SyslogCert + a.SyslogKey; {
	case files != "" && (a.Syslog == nil || a.Syslog.Network != "tls"):
		return errors.New("audit_syslog_ca, audit_syslog_cert and audit_syslog_key go with a tls:// address in audit_syslog_url")
	case (a.SyslogCert == "") != (a.SyslogKey == ""):
		return errors.New("audit_syslog_cert and audit_syslog_key go together")
	}
	return nil
}

// SyslogTLS reads the files of the settings; nil without TLS.
func (a Audit) SyslogTLS() (*tls.Config, error) {
	if a.Syslog == nil || a.Syslog.Network != "tls" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.SyslogCA != "" {
		pem, err := os.ReadFile(a.SyslogCA)
		if err != nil {
			return nil, fmt.Errorf("audit_syslog_ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("audit_syslog_ca: %s holds no certificate", a.SyslogCA)
		}
	}
	if a.SyslogCert != "" {
		pair, err := tls.LoadX509KeyPair(a.SyslogCert, a.SyslogKey)
		if err != nil {
			return nil, fmt.Errorf("audit_syslog_cert: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
