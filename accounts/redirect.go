package accounts

import (
	"strings"
)

// MaxRedirectURIs is how many redirect URIs a client may have, of each kind.
const MaxRedirectURIs = 50

// RedirectKind says where a redirect URI leads.
type RedirectKind string

// The kinds of redirect URIs. Whoever holds the domain holds an HTTPSRedirect;
// any program on the person's device can take the other two, so their clients
// cannot be told from an impostor (RFC 8252 §8.6): consent is always asked.
const (
	HTTPSRedirect    RedirectKind = "https"
	LoopbackRedirect RedirectKind = "loopback"
	CustomRedirect   RedirectKind = "custom"
)

// PathDebugCallback is where the operators' console takes answers to the requests that
// it makes in the name of clients, below the issuer. It is nobody's redirect URI.
const PathDebugCallback = "/admin/clients/debug/callback"

// KindOfRedirect tells the kind of a redirect URI that was proven to be the
// client's.
func KindOfRedirect(raw string) RedirectKind {
	u, err := parseURI(raw)
	switch {
	case err != nil || u.scheme != "https" && u.scheme != "http":
		return CustomRedirect
	case isLoopback(u.host):
		return LoopbackRedirect
	case u.scheme == "https":
		return HTTPSRedirect
	}
	return CustomRedirect
}

// ValidateRedirectURI checks a redirect URI at registration: https, http on
// loopback, and for native apps schemes of their own that hold a dot (RFC 8252
// §7.1), which leaves no javascript:, data: or the like. All must be written as
// browsers will send them, since they are compared byte for byte. Errors:
// ErrInvalid.
func ValidateRedirectURI(t ClientType, raw string) error {
	if t != WebClient && t != SPAClient && t != NativeClient {
		return invalid("a client of type %q has no redirect URIs", t)
	}
	if err := uriBytes(raw); err != nil {
		return err
	}
	scheme, _, ok := strings.Cut(raw, ":")
	if !ok || !validScheme(scheme) {
		return invalid("a redirect URI is absolute, its scheme in lower case")
	}
	if path, _, _ := strings.Cut(raw, "?"); strings.HasSuffix(path, PathDebugCallback) {
		return invalid("this address belongs to the console of an authorization server")
	}
	if scheme != "https" && scheme != "http" {
		return validateCustomScheme(t, scheme, raw)
	}
	u, err := parseURI(raw)
	if err != nil {
		return err
	}
	if scheme == "http" && !isLoopback(u.host) {
		return invalid("http is for loopback only (localhost, 127.0.0.1, [::1]); use https")
	}
	return nil
}

func validateCustomScheme(t ClientType, scheme, raw string) error {
	if t != NativeClient {
		return invalid("scheme %q: only native apps have schemes of their own", scheme)
	}
	if !strings.Contains(scheme, ".") {
		return invalid("scheme %q: use the reverse of a domain name that you hold, such as com.example.app", scheme)
	}
	rest := raw[len(scheme)+1:]
	if strings.HasPrefix(rest, "//") {
		_, err := parseURI(raw)
		return err
	}
	if !strings.HasPrefix(rest, "/") {
		return invalid("a slash follows the scheme, as in %s:/callback", scheme)
	}
	path, _, _ := strings.Cut(rest, "?")
	if strings.Contains(path, "@") {
		return invalid("a URI with user information")
	}
	return validPath(path)
}

// MatchRedirectURI reports whether the redirect URI of a request is one of the
// client's: byte for byte, except that a native app on loopback may use any port
// (RFC 8252 §7.3), for localhost too. Nothing is decoded or normalized.
func MatchRedirectURI(c *Client, raw string) bool {
	return matchRedirect(c.Type, c.RedirectURIs, raw)
}

// MatchPostLogoutURI is MatchRedirectURI for where a person is sent after signing
// out (OpenID Connect RP-Initiated Logout §3).
func MatchPostLogoutURI(c *Client, raw string) bool {
	return matchRedirect(c.Type, c.PostLogoutRedirectURIs, raw)
}

func matchRedirect(t ClientType, registered []string, raw string) bool {
	if raw == "" || len(raw) > maxURIBytes {
		return false
	}
	host, tail, loopback := splitLoopback(raw)
	for _, r := range registered {
		if r == raw {
			return true
		}
		if !loopback || t != NativeClient {
			continue
		}
		if h, rest, ok := splitLoopback(r); ok && h == host && rest == tail {
			return true
		}
	}
	return false
}

// splitLoopback takes an http URI on loopback apart into host and what follows
// the port. It reads exactly the three hosts, so that no parser's idea of a host
// (localhost.evil, localhost@evil, 127.1) takes part.
func splitLoopback(raw string) (host, tail string, ok bool) {
	rest, ok := strings.CutPrefix(raw, "http://")
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, tail = rest[:end], rest[end:]
	from := strings.LastIndexByte(host, ']') + 1
	if i := strings.IndexByte(host[from:], ':'); i >= 0 {
		if !validPort(host[from+i+1:]) {
			return "", "", false
		}
		host = host[:from+i]
	}
	return host, tail, isLoopback(host)
}
