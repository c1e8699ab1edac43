package web

import (
	"net/http"
	"net/url"
	"strings"
)

// maxPath bounds what SafePath lets through, in bytes.
const maxPath = 2048

// onlyCanonical answers 404 to a path that has another spelling.
func onlyCanonical(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// EscapedPath re-encodes a RawPath with bytes that may not be there, and
		// would hide how the client spelled it.
		path := r.URL.EscapedPath()
		if r.URL.RawPath != "" && path != r.URL.RawPath || !canonical(path) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// canonical reports whether an escaped path is spelled in the only way that this
// server answers to: rooted, without empty or dot segments, without parameters
// (";x"), backslashes or control characters, and with nothing escaped that means
// the same unescaped (RFC 3986 §6.2.2) or would change the segments. A proxy that
// guards a prefix then sees the same path as the router does.
func canonical(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' || c == ';' || c < ' ' || c == 0x7f:
			return false
		case c == '%':
			if i+2 >= len(path) || !canonicalEscape(path[i+1:i+3]) {
				return false
			}
			i += 2
		}
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return false
		}
	}
	return true
}

func canonicalEscape(hex string) bool {
	hi, lo := fromHex(hex[0]), fromHex(hex[1])
	if hi < 0 || lo < 0 {
		return false
	}
	c := byte(hi<<4 | lo)
	return c > 0x1f && c != 0x7f && !isAlnum(c) && !strings.ContainsRune(`-._~/\;`, rune(c))
}

func fromHex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// SafePath checks a place to go on to that came from outside (next, return_to). It
// returns s and true only if s is a rooted path of this origin, with or without a
// query, that no browser can read as another origin.
func SafePath(s string) (string, bool) {
	if len(s) > maxPath {
		return "", false
	}
	for i := range len(s) {
		// Browsers drop tabs and newlines inside URLs and read \ as /.
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return "", false
		}
	}
	path, _, _ := strings.Cut(s, "?")
	if !canonical(path) {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil {
		return "", false
	}
	return s, true
}
