package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxCookie bounds the value of a cookie in bytes, as browsers do.
const maxCookie = 4096

// Cookies sets and reads the cookies of one issuer. On an https issuer they carry
// the prefix __Host-, which keeps sibling domains from planting them
// (RFC 6265bis §4.1.3.2). On http, which is loopback in development, they carry
// neither prefix nor Secure, since Safari and plain clients drop Secure cookies
// there. The name ends in a mark of the issuer: cookies know no ports and these
// know no paths, so two issuers on one host would overwrite each other's.
type Cookies struct {
	Issuer *url.URL
}

// Name returns the name under which the browser keeps the cookie.
func (c Cookies) Name(logical string) string {
	mark := sha256.Sum256([]byte(c.Issuer.String()))
	name := logical + "-" + hex.EncodeToString(mark[:4])
	if c.secure() {
		return "__Host-" + name
	}
	return name
}

func (c Cookies) secure() bool { return c.Issuer.Scheme == "https" }

// Set gives the browser the cookie for maxAge, or until it closes if maxAge is
// zero. The value must be at most 4096 of the characters that RFC 6265 allows in a
// value; base64url and hex are. Anything else is a mistake in the program and
// panics.
func (c Cookies) Set(w http.ResponseWriter, logical, value string, maxAge time.Duration) {
	if value == "" || !isCookieValue(value) {
		panic("cookie " + logical + ": value not fit for a cookie")
	}
	cookie := c.cookie(logical, value)
	if maxAge > 0 {
		cookie.MaxAge = max(1, int(maxAge/time.Second))
	}
	http.SetCookie(w, cookie)
}

// Clear makes the browser forget the cookie.
func (c Cookies) Clear(w http.ResponseWriter, logical string) {
	cookie := c.cookie(logical, "")
	cookie.MaxAge = -1
	http.SetCookie(w, cookie)
}

func (c Cookies) cookie(logical, value string) *http.Cookie {
	return &http.Cookie{
		Name:     c.Name(logical),
		Value:    value,
		Path:     "/",
		Secure:   c.secure(),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// Get returns the cookie's value, or "" if there is none that can be relied on: a
// value that is malformed or too long, or a second cookie of the name (somebody
// else on the domain may have planted either) counts as none.
func (c Cookies) Get(r *http.Request, logical string) string {
	name := c.Name(logical)
	found := ""
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			key, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if key != name {
				continue
			}
			if found != "" || value == "" || !isCookieValue(value) {
				return ""
			}
			found = value
		}
	}
	return found
}

// isCookieValue reports whether s is cookie-octets (RFC 6265 §4.1.1) of a length
// that browsers keep.
func isCookieValue(s string) bool {
	if len(s) > maxCookie {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return true
}
