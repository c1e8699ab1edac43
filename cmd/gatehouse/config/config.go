// Package config reads the settings of Gatehouse and refuses what does not make
// sense, each with one line that says how to mend it.
//
// Every setting has one name, written --some-name as a flag, GATEHOUSE_SOME_NAME
// as a variable and some_name in the YAML file. A flag goes before a variable,
// that before the file, that before the default. Some settings can be kept in the
// database as well (Config.Keep): that goes before the default alone. A secret setting can also come
// from a file, named by the setting with "file" behind it (--redis-url-file,
// GATEHOUSE_REDIS_URL_FILE, redis_url_file); giving both in one place is an error.
// The secret itself has no flag: every user of a machine can read command lines.
//
// Unknown names are refused, so that a misspelled setting is not a lost one.
// Variables that are empty count as not given.
package config

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Config is all settings, checked.
type Config struct {
	// Issuer has no trailing slash.
	Issuer *url.URL
	// IssuerGiven is false when Issuer is the default.
	IssuerGiven bool
	// Listen is host:port. The host "localhost" means both loopback addresses.
	Listen string
	// ListenGiven is false when Listen is the default.
	ListenGiven bool
	// DatabaseURL is empty for a SQLite database in DataDir; see Database.
	DatabaseURL secret.Text
	RedisURL    secret.Text // empty without Redis
	DataDir     string      // absolute
	// Secrets begins with the current one. It is empty when the secret is the one
	// of the data folder; see EnsureSecret.
	Secrets             []secret.Text
	TLSCert, TLSKey     string // files, both or none
	TrustedProxies      []netip.Prefix
	LogFormat           string // "json", "text", or empty for the command's own default
	LogLevel            string // "debug", "info", "warn", "error"
	AccessTokenLifetime time.Duration
	// OutboundPrivate lets apps and receivers be told things at private addresses.
	OutboundPrivate bool
	BrandName       string
	Brand           Brand
	TemplatesDir    string // replaces ours by name; empty for none
	// DemoAppPort and DemoAPIPort are those of the demo app and API.
	DemoAppPort, DemoAPIPort int
	// Dev is set by `gatehouse dev`: mails go to a page of its own.
	Dev bool
	// People is about accounts.
	People People
	// Mail is how people are told.
	Mail Mail
	// Audit is about the audit log.
	Audit Audit
	// Guard is for `gatehouse guard` alone.
	Guard Guard

	// given are the settings that the database could keep and that are given here.
	given map[string]Pin
}

// Flags are the settings as the command line gives them; empty means not given.
type Flags struct {
	Config string `name:"config" placeholder:"FILE" group:"settings" help:"YAML file with settings."`

	Issuer              string `name:"issuer" placeholder:"URL" group:"settings" help:"Where Gatehouse is reached (http://localhost:8400)."`
	Listen              string `name:"listen" placeholder:"HOST:PORT" group:"settings" help:"Where to listen (localhost:8400, both loopback addresses)."`
	DatabaseURL         string `name:"database-url" placeholder:"URL" group:"settings" help:"postgres://... or sqlite:///path (SQLite in the data folder)."`
	DatabaseURLFile     string `name:"database-url-file" placeholder:"FILE" group:"settings" help:"File that holds the database URL."`
	RedisURL            string `name:"redis-url" placeholder:"URL" group:"settings" help:"redis://..., redis+sentinel://... or redis+cluster://... (none)."`
	RedisURLFile        string `name:"redis-url-file" placeholder:"FILE" group:"settings" help:"File that holds the Redis URL."`
	DataDir             string `name:"data-dir" placeholder:"DIR" group:"settings" help:"Folder of the database and the secret (data)."`
	SecretFile          string `name:"secret-file" placeholder:"FILE" group:"settings" help:"File that holds the secret, and earlier ones a line each below it (made in the data folder)."`
	TLSCert             string `name:"tls-cert" placeholder:"FILE" group:"settings" help:"Certificate chain, PEM; without it TLS is a front proxy's."`
	TLSKey              string `name:"tls-key" placeholder:"FILE" group:"settings" help:"Key of the certificate, PEM."`
	TrustedProxies      string `name:"trusted-proxies" placeholder:"LIST" group:"settings" help:"Addresses or prefixes whose forwarded headers count, with commas (none)."`
	LogFormat           string `name:"log-format" placeholder:"json|text" group:"settings" help:"Form of the log (json; text for dev)."`
	LogLevel            string `name:"log-level" placeholder:"LEVEL" group:"settings" help:"debug, info, warn or error (info)."`
	AccessTokenLifetime string `name:"access-token-lifetime" placeholder:"DURATION" group:"settings" help:"Lifetime of access tokens where neither client nor API has its own (10m)."`
	OutboundPrivate     string `name:"outbound-private" placeholder:"BOOL" group:"settings" help:"Whether sign-outs and signals are also sent to loopback and private addresses (false; dev: true)."`
	BrandName           string `name:"brand-name" placeholder:"NAME" group:"settings" help:"Name on the pages (Gatehouse)."`
	TemplatesDir        string `name:"templates-dir" placeholder:"DIR" group:"settings" help:"Folder whose pages, texts and styles replace ours (none)."`
	DemoAppPort         string `name:"demo-app-port" placeholder:"PORT" group:"settings" help:"Port of the demo app of dev (8401)."`
	DemoAPIPort         string `name:"demo-api-port" placeholder:"PORT" group:"settings" help:"Port of the demo API of dev (8402)."`

	BrandFlags  `embed:""`
	PeopleFlags `embed:""`
	MailFlags   `embed:""`
	AuditFlags  `embed:""`

	// Guard is what the command guard was given.
	Guard GuardFlags `kong:"-"`
}

// Database is the URL of the database, given or not.
func (c *Config) Database() secret.Text {
	if c.DatabaseURL != "" {
		return c.DatabaseURL
	}
	return secret.Text((&url.URL{Scheme: "sqlite", Path: c.databaseFile()}).String())
}

// DatabaseFile is the file of a SQLite database, or empty for PostgreSQL.
func (c *Config) DatabaseFile() string {
	if c.DatabaseURL == "" {
		return c.databaseFile()
	}
	u, err := url.Parse(c.DatabaseURL.Reveal())
	if err != nil || u.Scheme != "sqlite" {
		return ""
	}
	return filepath.Clean(u.Path)
}

func (c *Config) databaseFile() string { return filepath.Join(c.DataDir, "gatehouse.db") }
