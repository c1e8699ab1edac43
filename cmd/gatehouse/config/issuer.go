package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/web"
)

// setIssuer keeps the one spelling of an issuer that tokens, discovery and clients
// compare byte for byte: scheme and host in lower case, no default port, no
// trailing slash (OpenID Connect Discovery §3, RFC 8414 §2).
func (c *Config) setIssuer(v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return errors.New("write an absolute URL, such as https://id.example.com")
	case u.User != nil:
		return errors.New("an issuer has no user or password in it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(v, "#"):
		return errors.New("an issuer has neither a query nor a fragment")
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("the scheme %q is not https", u.Scheme)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("%s: plain http is only for loopback; use https, by tls_cert and tls_key or by a proxy in front", v)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	if u.RawPath != "" || u.Path != "" && u.Path != path.Clean(u.Path) || strings.ContainsAny(u.Path, `%;\{} `) {
		return errors.New("the path has escapes, dots or double slashes; write it plainly, such as https://example.com/id")
	}
	if p := u.Port(); p != "" {
		if _, err := parsePort(p); err != nil {
			return err
		}
	}
	origin, err := url.Parse(web.Origin(u))
	if err != nil {
		return errors.New("the host cannot be read")
	}
	u.Host = origin.Host
	c.Issuer = u
	return nil
}

// loopback reports whether a host is this machine alone.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// listenPort is where an issuer on loopback is expected; any other has a proxy in
// front or says where to listen.
func listenPort(issuer *url.URL) string {
	if p := issuer.Port(); p != "" && loopback(issuer.Hostname()) {
		return p
	}
	return defaultPort
}
