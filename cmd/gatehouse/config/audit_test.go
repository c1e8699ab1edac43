package config

import (
	"strings"
	"testing"
	"time"
)

func TestAudit(t *testing.T) {
	for name, tt := range map[string]struct {
		environ []string
		refused string // empty: it is taken
	}{
		"nothing":          {nil, ""},
		"tcp":              {[]string{"AUDIT_SYSLOG_URL=tcp://logs:601"}, ""},
		"tls with files":   {[]string{"AUDIT_SYSLOG_URL=tls://logs", "AUDIT_SYSLOG_CA=ca", "AUDIT_SYSLOG_CERT=c", "AUDIT_SYSLOG_KEY=k"}, ""},
		"another scheme":   {[]string{"AUDIT_SYSLOG_URL=http://logs"}, "is not udp, tcp or tls"},
		"a password":       {[]string{"AUDIT_SYSLOG_URL=tcp://a:hidden@logs"}, "write udp://"},
		"CA without TLS":   {[]string{"AUDIT_SYSLOG_URL=tcp://logs", "AUDIT_SYSLOG_CA=ca"}, "go with a tls:// address"},
		"key alone":        {[]string{"AUDIT_SYSLOG_URL=tls://logs", "AUDIT_SYSLOG_KEY=k"}, "go together"},
		"retention":        {[]string{"AUDIT_RETENTION=400d"}, ""},
		"retention, hours": {[]string{"AUDIT_RETENTION=48h"}, ""},
		"too short":        {[]string{"AUDIT_RETENTION=23h"}, "at least a day"},
		"negative":         {[]string{"AUDIT_RETENTION=-5d"}, "at least a day"},
		"no unit":          {[]string{"AUDIT_RETENTION=400"}, "at least a day"},
	} {
		var environ []string
		for _, e := range tt.environ {
			environ = append(environ, "GATEHOUSE_"+e)
		}
		_, err := Load(Flags{}, environ)
		if tt.refused == "" && err != nil || tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s tells the password: %v", name, err)
		}
	}
	c, err := Load(Flags{AuditFlags: AuditFlags{AuditRetention: "400d", AuditSyslogURL: "tls://logs"}}, nil)
	if err != nil || c.Audit.Retention != 400*24*time.Hour || c.Audit.Syslog.Host != "logs:6514" {
		t.Errorf("%+v, %v", c, err)
	}
	if conf, err := c.Audit.SyslogTLS(); conf == nil || err != nil {
		t.Errorf("%v, %v", conf, err)
	}
	c.Audit.SyslogCA = t.TempDir() + "/none"
	if _, err := c.Audit.SyslogTLS(); err == nil {
		t.Error("a file that is not there")
	}
}
