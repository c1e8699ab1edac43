package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const someSecret = "an-example-secret-of-at-least-32-bytes"

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	yaml := write(t, "gatehouse.yaml", `
issuer: https://file.example.com
brand_name: File
log_level: warn
trusted_proxies: [10.0.0.0/8, "::1"]
access_token_lifetime: 5m
demo_app_port: 9401
outbound_private: true
`)
	redis := write(t, "redis", "redis://:pass@localhost\n")
	c, err := Load(Flags{Config: yaml, Issuer: "https://FLAG.example.com:443/id/", DataDir: "/srv/data"}, []string{
		"GATEHOUSE_ISSUER=https://variable.example.com",
		"GATEHOUSE_BRAND_NAME=Variable",
		"GATEHOUSE_REDIS_URL_FILE=" + redis,
		"GATEHOUSE_LOG_FORMAT=",
		"GATEHOUSE_PORT=tcp://10.0.0.1:80", "GATEHOUSE_SERVICE_HOST=10.0.0.1", "GATEHOUSE_TEST_LONG=1",
		"HOME=/root",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{
		"issuer": c.Issuer.String(), "given": c.IssuerGiven, "brand": c.BrandName, "level": c.LogLevel, "format": c.LogFormat,
		"proxies": len(c.TrustedProxies), "life": c.AccessTokenLifetime, "app": c.DemoAppPort, "api": c.DemoAPIPort,
		"outbound": c.OutboundPrivate, "redis": c.RedisURL.Reveal(), "listen": c.Listen, "database": c.Database().Reveal(), "dir": c.DataDir,
	}
	want := map[string]any{
		"issuer": "https://flag.example.com/id", "given": true, "brand": "Variable", "level": "warn", "format": "",
		"proxies": 2, "life": 5 * time.Minute, "app": 9401, "api": 8402,
		"outbound": true, "redis": "redis://:pass@localhost", "listen": "localhost:8400", "database": "sqlite:///srv/data/gatehouse.db", "dir": "/srv/data",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestConfigFileByVariable(t *testing.T) {
	yaml := write(t, "gatehouse.yaml", "issuer: http://localhost:9000/\n")
	c, err := Load(Flags{}, []string{"GATEHOUSE_CONFIG=" + yaml})
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer.String() != "http://localhost:9000" || c.Listen != "localhost:9000" {
		t.Errorf("issuer %s, listen %s", c.Issuer, c.Listen)
	}
}

func TestSecrets(t *testing.T) {
	other := strings.Repeat("b", 40)
	for name, value := range map[string]string{"commas": someSecret + "," + other, "lines": "\n" + someSecret + "\r\n" + other + "\n"} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(Flags{SecretFile: write(t, "secret", value)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Secrets) != 2 || c.Secrets[0].Reveal() != someSecret || c.Secrets[1].Reveal() != other {
				t.Errorf("%d secrets", len(c.Secrets))
			}
		})
	}
}

// refusal is settings that do not make sense.
type refusal struct {
	flags Flags
	env   []string
	yaml  string
	want  []string // all in the error
}

func refusals() map[string]refusal {
	return map[string]refusal{
		"misspelled variable":   {env: []string{"GATEHOUSE_ISUER=x"}, want: []string{"GATEHOUSE_ISUER", "did you mean GATEHOUSE_ISSUER?"}},
		"small letters":         {env: []string{"GATEHOUSE_issuer=x"}, want: []string{"did you mean GATEHOUSE_ISSUER?"}},
		"alien variable":        {env: []string{"GATEHOUSE_COLOUR_SCHEME_OF_PAGES=x"}, want: []string{"the names are", "GATEHOUSE_DATA_DIR"}},
		"misspelled name":       {yaml: "data-dir: x", want: []string{"data-dir", "did you mean data_dir?"}},
		"nested value":          {yaml: "issuer: {a: b}", want: []string{"issuer", "write a text"}},
		"not YAML":              {yaml: "issuer: [" + someSecret, want: []string{"not a YAML mapping"}},
		"a list":                {yaml: "- a\n- b\n", want: []string{"not a YAML mapping"}},
		"no such file":          {flags: Flags{Config: "/nonexistent.yaml"}, want: []string{"/nonexistent.yaml"}},
		"variable and its file": {env: []string{"GATEHOUSE_SECRET=" + someSecret, "GATEHOUSE_SECRET_FILE=/x"}, want: []string{"both GATEHOUSE_SECRET and GATEHOUSE_SECRET_FILE"}},
		"flag and its file":     {flags: Flags{RedisURL: "redis://x", RedisURLFile: "/x"}, want: []string{"both --redis-url and --redis-url-file"}},
		"file of a plain name":  {env: []string{"GATEHOUSE_ISSUER_FILE=/x"}, want: []string{"GATEHOUSE_ISSUER_FILE"}},
		"missing secret file":   {env: []string{"GATEHOUSE_SECRET_FILE=/nonexistent"}, want: []string{"GATEHOUSE_SECRET_FILE", "no such file"}},
		"short secret":          {env: []string{"GATEHOUSE_SECRET=short-secret"}, want: []string{"GATEHOUSE_SECRET", "at least 32", "openssl rand"}},
		"database, no secret":   {flags: Flags{DatabaseURL: "postgres://db/x"}, want: []string{"no secret", "GATEHOUSE_SECRET_FILE"}},
		"database scheme":       {flags: Flags{DatabaseURL: "mysql://db/x"}, want: []string{"--database-url", "postgres://"}},
		"relative database":     {flags: Flags{DatabaseURL: "sqlite://data/x.db"}, want: []string{"absolute path"}},
		"http off loopback":     {flags: Flags{Issuer: "http://id.example.com"}, want: []string{"--issuer", "https"}},
		"issuer query":          {flags: Flags{Issuer: "https://id.example.com/?a=b"}, want: []string{"query"}},
		"issuer fragment":       {flags: Flags{Issuer: "https://id.example.com/#"}, want: []string{"fragment"}},
		"issuer user":           {flags: Flags{Issuer: "https://u:pw123@id.example.com"}, want: []string{"user or password"}},
		"issuer relative":       {flags: Flags{Issuer: "id.example.com"}, want: []string{"absolute URL"}},
		"issuer scheme":         {flags: Flags{Issuer: "ftp://id.example.com"}, want: []string{"ftp"}},
		"issuer dots":           {flags: Flags{Issuer: "https://id.example.com/a/../b"}, want: []string{"dots"}},
		"issuer escapes":        {flags: Flags{Issuer: "https://id.example.com/a%2Fb"}, want: []string{"escapes"}},
		"issuer port":           {flags: Flags{Issuer: "https://id.example.com:99999"}, want: []string{"port"}},
		"listen without port":   {flags: Flags{Listen: "localhost"}, want: []string{"host:port"}},
		"listen on a name":      {flags: Flags{Listen: "id.example.com:443"}, want: []string{"IP address"}},
		"cert without key":      {flags: Flags{Issuer: "https://x", TLSCert: "a"}, want: []string{"tls_key"}},
		"key without cert":      {flags: Flags{Issuer: "https://x", TLSKey: "a"}, want: []string{"tls_cert"}},
		"TLS with http issuer":  {flags: Flags{TLSCert: "a", TLSKey: "b"}, want: []string{"GATEHOUSE_ISSUER"}},
		"proxies":               {flags: Flags{TrustedProxies: "10.0.0.0/8, proxy"}, want: []string{`"proxy"`}},
		"all proxies":           {flags: Flags{TrustedProxies: "0.0.0.0/0"}, want: []string{"everybody"}},
		"log format":            {flags: Flags{LogFormat: "xml"}, want: []string{"--log-format", "json, text"}},
		"log level":             {env: []string{"GATEHOUSE_LOG_LEVEL=loud"}, want: []string{"GATEHOUSE_LOG_LEVEL", "debug"}},
		"lifetime":              {flags: Flags{AccessTokenLifetime: "2h"}, want: []string{"1h"}},
		"lifetime unit":         {flags: Flags{AccessTokenLifetime: "10"}, want: []string{"duration"}},
		"port":                  {env: []string{"GATEHOUSE_DEMO_APP_PORT=http"}, want: []string{"GATEHOUSE_DEMO_APP_PORT", "65535"}},
	}
}

func TestRefused(t *testing.T) {
	for name, test := range refusals() {
		t.Run(name, func(t *testing.T) {
			if test.yaml != "" {
				test.flags.Config = write(t, "c.yaml", test.yaml)
			}
			_, err := Load(test.flags, test.env)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
			for _, s := range []string{someSecret, "short-secret", "pw123"} {
				if strings.Contains(err.Error(), s) {
					t.Errorf("a secret is in: %v", err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

func TestCheckDev(t *testing.T) {
	tests := map[string]struct {
		flags Flags
		want  string
	}{
		"default":         {Flags{}, ""},
		"other ports":     {Flags{Issuer: "http://127.0.0.1:9", DemoAppPort: "10", DemoAPIPort: "11"}, ""},
		"public issuer":   {Flags{Issuer: "https://id.example.com"}, "use serve"},
		"public listener": {Flags{Listen: ":8400"}, "use localhost"},
		"same port":       {Flags{DemoAppPort: "8400"}, "must differ"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Load(test.flags, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = c.CheckDev()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestEnsureSecret(t *testing.T) {
	dir := t.TempDir()
	load := func() *Config {
		t.Helper()
		c, err := Load(Flags{DataDir: dir}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, second := load(), load()
	for _, c := range []*Config{first, second} {
		if err := c.EnsureSecret(); err != nil {
			t.Fatal(err)
		}
	}
	if first.Secrets[0].Reveal() != second.Secrets[0].Reveal() {
		t.Error("the second start has another secret")
	}
	info, err := os.Stat(first.SecretFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
	// Two starts at once agree on one.
	if err := os.Remove(first.SecretFile()); err != nil {
		t.Fatal(err)
	}
	const nodes = 16
	made := make(chan string, nodes)
	for range nodes {
		c := load()
		go func() {
			if err := c.EnsureSecret(); err != nil {
				made <- err.Error()
				return
			}
			made <- c.Secrets[0].Reveal()
		}()
	}
	want := <-made
	for range nodes - 1 {
		if got := <-made; got != want {
			t.Error("two starts made two secrets")
		}
	}
	// A lost secret is not replaced: the keys would not open.
	if err := os.Remove(first.SecretFile()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.DatabaseFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := load().EnsureSecret(); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("lost secret: %v", err)
	}
}

func TestEnsureFolder(t *testing.T) {
	c := &Config{DataDir: filepath.Join(write(t, "file", "x"), "data")}
	err := c.EnsureFolder()
	if err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("%v", err)
	}
	c = &Config{DataDir: filepath.Join(t.TempDir(), "a", "b")}
	if err := c.EnsureFolder(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(c.DataDir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"issuer", "data_dir", "redis_url"}
	for _, test := range []struct{ name, want string }{
		{"isuer", "issuer"}, {"datadir", "data_dir"}, {"redisurl", "redis_url"}, {"zzz", ""}, {"", ""},
	} {
		if got, _ := Nearest(test.name, known); got != test.want {
			t.Errorf("%q: %q, want %q", test.name, got, test.want)
		}
	}
}
