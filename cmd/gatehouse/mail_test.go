package main

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// mailCall is a call with settings for a mail server.
func mailCall(t *testing.T, server *testenv.SMTPServer, more ...string) (c *call, out *bytes.Buffer) {
	t.Helper()
	out = new(bytes.Buffer)
	environ := append([]string{
		"GATEHOUSE_ISSUER=https://id.example.com", "GATEHOUSE_SMTP_URL=" + server.URL(), "GATEHOUSE_MAIL_FROM=Acme <id@example.com>",
		"GATEHOUSE_BRAND_NAME=Acme",
	}, more...)
	return &call{ctx: t.Context(), environ: environ, stdin: strings.NewReader(""), stdout: out, stderr: out, now: time.Now}, out
}

func TestMailTestCommand(t *testing.T) {
	server := testenv.SMTP(t, testenv.SMTPOptions{User: "gate", Password: "right"})
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "mails"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "mails", "mail.txt"), []byte("Our own: {{.Outro}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, out := mailCall(t, server, "GATEHOUSE_SMTP_PASSWORD=right", "GATEHOUSE_TEMPLATES_DIR="+folder)
	if err := (&mailTest{To: "ada@example.org"}).Run(c); err != nil {
		t.Fatal(err)
	}
	m := server.Next(t, "ada@example.org")
	if m.Subject != "Test mail of Acme" || !strings.HasPrefix(m.Text, "Our own: ") || m.Greeting != "id.example.com" || m.From != "id@example.com" {
		t.Errorf("%+v", m)
	}
	if !strings.Contains(out.String(), "took the mail: ") {
		t.Error(out)
	}
}

func TestMailTestCommandFails(t *testing.T) {
	server := testenv.SMTP(t, testenv.SMTPOptions{User: "gate", Password: "right"})
	c, _ := mailCall(t, server, "GATEHOUSE_SMTP_PASSWORD=hunter2")
	if err := (&mailTest{To: "ada@example.org"}).Run(c); err == nil || !strings.Contains(err.Error(), "sign in: 535") {
		t.Errorf("error %v", err)
	}
	c, _ = mailCall(t, server, "GATEHOUSE_SMTP_PASSWORD=right")
	if err := (&mailTest{To: "ada"}).Run(c); err == nil || !strings.Contains(err.Error(), "not one plain mail address") {
		t.Errorf("error %v", err)
	}
	c.environ = nil
	if err := (&mailTest{To: "ada@example.org"}).Run(c); err == nil || !strings.Contains(err.Error(), "smtp_url") {
		t.Errorf("error %v", err)
	}
	if n := len(server.Mails()); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestDoctorChecksMail(t *testing.T) {
	signIn := testenv.SMTPOptions{User: "gate", Password: "right"}
	for name, tt := range map[string]struct {
		opts   testenv.SMTPOptions
		env    []string
		change func(c *config.Config)
		level  string
		text   string
	}{
		"well":           {opts: signIn, env: []string{"GATEHOUSE_SMTP_PASSWORD=right"}, level: levelOK, text: "lets us in as gate"},
		"no user":        {level: levelOK, text: "answers"},
		"wrong password": {opts: signIn, env: []string{"GATEHOUSE_SMTP_PASSWORD=hunter2"}, level: levelError, text: "smtp_password_file"},
		"certificate":    {opts: testenv.SMTPOptions{StartTLS: true}, level: levelError, text: "the server's certificate"},
		"nobody there":   {change: func(c *config.Config) { c.Mail.Server.Port = 1 }, level: levelError, text: "firewall"},
		"not set":        {change: func(c *config.Config) { c.Mail.Server = nil }, level: levelWarning, text: "set smtp_url"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := mailCall(t, testenv.SMTP(t, tt.opts), tt.env...)
			cfg, err := c.config()
			if err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(cfg)
			}
			d := &diagnosis{call: c}
			d.checkMail(t.Context(), cfg)
			if len(d.findings) != 1 {
				t.Fatalf("%+v", d.findings)
			}
			f := d.findings[0]
			if f.Level != tt.level || !strings.Contains(f.Text+f.Remedy, tt.text) || strings.Contains(f.Text+f.Remedy, "hunter2") {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestHelloName(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://id.example.com:8443/x": "id.example.com", "http://127.0.0.1:8400": "[127.0.0.1]", "http://[::1]:8400": "[IPv6:::1]",
	} {
		u, err := url.Parse(issuer)
		if err != nil {
			t.Fatal(err)
		}
		if got := helloName(u); got != want {
			t.Errorf("%s: %s", issuer, got)
		}
	}
}
