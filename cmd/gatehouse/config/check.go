package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

const (
	defaultPort = "8400"
	// leastLifetime keeps clients from refreshing all the time.
	leastLifetime = time.Minute
	maxBrandRunes = 60
)

func text(field func(c *Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		*field(c) = v
		return nil
	}
}

func oneOf(field func(c *Config) *string, allowed ...string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if !slices.Contains(allowed, v) {
			return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
		}
		*field(c) = v
		return nil
	}
}

func port(field func(c *Config) *int) func(*Config, string) error {
	return func(c *Config, v string) error {
		n, err := parsePort(v)
		*field(c) = n
		return err
	}
}

func yesOrNo(field func(c *Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		if *field(c), err = strconv.ParseBool(v); err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		return nil
	}
}

func parsePort(v string) (int, error) {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", v)
	}
	return int(n), nil
}

func (c *Config) setDataDir(v string) (err error) {
	c.DataDir, err = filepath.Abs(v)
	return err
}

func (c *Config) setListen(v string) error {
	host, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("%q is not host:port, such as localhost:8400 or :8400", v)
	}
	if _, err := parsePort(port); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return fmt.Errorf("%q is not an address of this machine; write an IP address, localhost, or nothing for all", host)
	}
	c.Listen = v
	return nil
}

func (c *Config) setDatabaseURL(v string) error {
	scheme, _, _ := strings.Cut(v, "://")
	switch scheme {
	case "postgres", "postgresql":
	case "sqlite":
		u, err := url.Parse(v)
		if err != nil || u.Host != "" || !filepath.IsAbs(u.Path) || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("write sqlite:// and an absolute path, such as sqlite:///var/lib/gatehouse/gatehouse.db")
		}
	default:
		return errors.New("it must begin with postgres:// or sqlite://")
	}
	c.DatabaseURL = secret.Text(v)
	return nil
}

// setSecret takes several, for the time in which one is replaced.
func (c *Config) setSecret(v string) error {
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			c.Secrets = append(c.Secrets, secret.Text(part))
		}
	}
	return checkSecrets(c.Secrets)
}

func checkSecrets(secrets []secret.Text) error {
	_, err := secret.NewKeyring(secrets...)
	if err != nil {
		return fmt.Errorf("%w (make one with: openssl rand -base64 32)", err)
	}
	return nil
}

func (c *Config) setTrustedProxies(v string) (err error) {
	c.TrustedProxies, err = web.ParsePrefixes(strings.Split(v, ","))
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			return fmt.Errorf("%s trusts everybody's forwarded headers: name the proxies", p)
		}
	}
	return err
}

func (c *Config) setAccessTokenLifetime(v string) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 10m", v)
	}
	if d < leastLifetime || d > accounts.LongestAccessToken {
		return fmt.Errorf("%s is not between %s and %s", d, leastLifetime, accounts.LongestAccessToken)
	}
	c.AccessTokenLifetime = d
	return nil
}

func (c *Config) setBrandName(v string) error {
	if utf8.RuneCountInString(v) > maxBrandRunes || !utf8.ValidString(v) {
		return fmt.Errorf("at most %d characters", maxBrandRunes)
	}
	c.BrandName = v
	return nil
}

// check looks at what only makes sense together, and fills in what depends.
func (c *Config) check() error {
	c.IssuerGiven = c.Issuer != nil
	if c.Issuer == nil {
		if err := c.setIssuer("http://localhost:" + defaultPort); err != nil {
			return err
		}
	}
	c.ListenGiven = c.Listen != ""
	if c.Listen == "" {
		c.Listen = net.JoinHostPort("localhost", listenPort(c.Issuer))
	}
	if c.DatabaseURL != "" && len(c.Secrets) == 0 {
		return errors.New("a database URL is given and no secret: set GATEHOUSE_SECRET_FILE (or GATEHOUSE_SECRET) to the same 32 random bytes on every node (make them with: openssl rand -base64 32)")
	}
	if err := c.checkMail(); err != nil {
		return err
	}
	if err := c.checkPeople(); err != nil {
		return err
	}
	if err := c.checkAudit(); err != nil {
		return err
	}
	return c.checkTLS()
}

func (c *Config) checkTLS() error {
	switch {
	case c.TLSCert == "" && c.TLSKey != "":
		return errors.New("tls_key is given without tls_cert: name the certificate as well")
	case c.TLSCert != "" && c.TLSKey == "":
		return errors.New("tls_cert is given without tls_key: name the certificate's key as well")
	case c.TLSCert != "" && c.Issuer.Scheme == "http":
		return fmt.Errorf("the listener speaks TLS but the issuer is %s: set GATEHOUSE_ISSUER to the https URL", c.Issuer)
	}
	return nil
}

// CheckDev refuses what `gatehouse dev` must not do: be reached from elsewhere, or
// put its well-known passwords where people are.
func (c *Config) CheckDev() error {
	host, ours, _ := net.SplitHostPort(c.Listen)
	switch {
	case c.Issuer.Scheme != "http" || !loopback(c.Issuer.Hostname()):
		return fmt.Errorf("the issuer %s is not http on loopback: dev has accounts whose password everybody knows; use serve", c.Issuer)
	case !loopback(host):
		return fmt.Errorf("listening on %s would show dev's well-known accounts to others: use localhost", c.Listen)
	}
	app, api := strconv.Itoa(c.DemoAppPort), strconv.Itoa(c.DemoAPIPort)
	if app == api || app == ours || api == ours {
		return fmt.Errorf("the ports %s (Gatehouse), %s (demo app) and %s (demo API) must differ", ours, app, api)
	}
	return nil
}
