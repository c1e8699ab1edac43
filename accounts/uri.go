package accounts

import (
	"net/netip"
	"strconv"
	"strings"
)

const maxURIBytes = 2048

// splitURI takes an absolute URI with an authority apart without decoding or
// mending anything: what two parsers read differently is refused instead.
type splitURI struct {
	scheme string
	host   string // with the brackets of an IPv6 address
	port   string // with its colon, or empty
	path   string
	query  string // with its question mark, or empty
}

// parseURI splits a URI of the form scheme://authority..., all ASCII. It refuses
// (ErrInvalid) userinfo, fragments, odd hosts and ports, dot segments however they
// are written, and characters that browsers rewrite.
func parseURI(raw string) (splitURI, error) {
	var u splitURI
	if err := uriBytes(raw); err != nil {
		return u, err
	}
	var ok bool
	var rest string
	u.scheme, rest, ok = strings.Cut(raw, "://")
	if !ok || !validScheme(u.scheme) {
		return u, invalid("not an absolute URI")
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.Contains(authority, "@") {
		return u, invalid("a URI with user information")
	}
	if err := u.setAuthority(authority); err != nil {
		return u, err
	}
	u.path, u.query = tail, ""
	if i := strings.IndexByte(tail, '?'); i >= 0 {
		u.path, u.query = tail[:i], tail[i:]
	}
	return u, validPath(u.path)
}

func (u *splitURI) setAuthority(authority string) error {
	u.host = authority
	from := strings.LastIndexByte(authority, ']') + 1
	if i := strings.IndexByte(authority[from:], ':'); i >= 0 {
		u.host, u.port = authority[:from+i], authority[from+i:]
		if !validPort(u.port[1:]) {
			return invalid("not a port")
		}
	}
	if !validHost(u.host) {
		return invalid("not a host name or address in ASCII and lower case")
	}
	return nil
}

func (u splitURI) String() string { return u.scheme + "://" + u.host + u.port + u.path + u.query }

// uriBytes refuses what no URI holds (RFC 3986 §2) or what browsers change before
// they use it, an asterisk, which somebody might take for a wildcard, and escapes
// that are broken or hide a control character or a backslash.
func uriBytes(raw string) error {
	if raw == "" || len(raw) > maxURIBytes {
		return invalid("a URI has 1 to %d bytes", maxURIBytes)
	}
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c <= ' ' || c >= 0x7f:
			return invalid("a URI holds no spaces, control characters or letters beyond ASCII")
		case strings.IndexByte("\\\"<>^`{|}", c) >= 0:
			return invalid("a URI holds no %q", string(c))
		case c == '#':
			return invalid("a URI with a fragment")
		case c == '*':
			return invalid("wildcards are not supported")
		case c == '%':
			if i+2 >= len(raw) {
				return invalid("a broken escape")
			}
			b, err := strconv.ParseUint(raw[i+1:i+3], 16, 8)
			if err != nil || b < 0x20 || b == 0x7f || b == '\\' {
				return invalid("a broken or forbidden escape")
			}
		}
	}
	return nil
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// validHost accepts lower-case names of letters, digits, hyphens and underscores,
// dotted IPv4 and bracketed IPv6 addresses in their one canonical form. A name
// whose last label is a number is an address to browsers (WHATWG URL §3.5).
func validHost(h string) bool {
	if strings.HasPrefix(h, "[") {
		a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(h, "["), "]"))
		return err == nil && a.Is6() && a.Zone() == "" && "["+a.String()+"]" == h
	}
	if a, err := netip.ParseAddr(h); err == nil {
		return a.Is4() && a.String() == h
	}
	if len(h) > 253 {
		return false
	}
	var last string
	for label := range strings.SplitSeq(h, ".") {
		if !validLabel(label) {
			return false
		}
		last = label
	}
	if strings.HasPrefix(last, "0x") {
		return false
	}
	return strings.Trim(last, "0123456789") != ""
}

func validLabel(l string) bool {
	if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for i := range len(l) {
		c := l[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// validPath refuses dot segments, also escaped or with parameters ("..;"), which
// servers and browsers resolve differently, and a path that begins with two
// slashes, which some take for an authority.
func validPath(path string) error {
	if strings.HasPrefix(path, "//") {
		return invalid("a path that begins with two slashes")
	}
	for segment := range strings.SplitSeq(path, "/") {
		plain, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(segment), "%2e", "."), ";")
		plain, _, _ = strings.Cut(plain, "%3b")
		if plain == "." || plain == ".." {
			return invalid("a path with dot segments")
		}
	}
	return nil
}

// isLoopback is true for the three ways to write this machine; other spellings
// (127.1, 2130706433, names that resolve to it) are not accepted for it.
func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "[::1]"
}

// CanonicalAudience returns the form in which the audience URI of an API is kept
// and compared: scheme and host in lower case, no default port, no slash for an
// empty path (clients send https://x/ for https://x). Allowed are https, http on
// loopback, and URNs, each without fragment and userinfo (RFC 8707 §2). Errors:
// ErrInvalid.
func CanonicalAudience(s string) (string, error) {
	if err := uriBytes(s); err != nil {
		return "", err
	}
	if len(s) > 4 && strings.EqualFold(s[:4], "urn:") {
		return canonicalURN(s[4:])
	}
	// Only scheme and authority are free of case.
	start := strings.Index(s, "://")
	if start < 0 {
		return "", invalid("an audience is an https URI or a URN")
	}
	end := strings.IndexAny(s[start+3:], "/?")
	if end < 0 {
		end = len(s)
	} else {
		end += start + 3
	}
	u, err := parseURI(strings.ToLower(s[:end]) + s[end:])
	if err != nil {
		return "", err
	}
	switch {
	case u.scheme == "https" && u.port == ":443", u.scheme == "http" && u.port == ":80":
		u.port = ""
	}
	if u.scheme != "https" && (u.scheme != "http" || !isLoopback(u.host)) {
		return "", invalid("an audience is an https URI, an http URI on loopback, or a URN")
	}
	if u.path == "/" {
		u.path = ""
	}
	return u.String(), nil
}

// canonicalURN takes what follows "urn:" (RFC 8141 §2, without components).
func canonicalURN(s string) (string, error) {
	nid, nss, ok := strings.Cut(s, ":")
	if !ok || nss == "" || !validLabel(strings.ToLower(nid)) || strings.ContainsAny(nid, "_") ||
		len(nid) < 2 || len(nid) > 32 || strings.ContainsAny(nss, "?[]") || nss[0] == '/' {
		return "", invalid("not a URN")
	}
	return "urn:" + strings.ToLower(nid) + ":" + nss, nil
}
