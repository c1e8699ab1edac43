package guard

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/resource"
)

// prefix begins the names of all headers that tell of a token.
const prefix = "X-Auth-"

// setClaims writes what the token says into h: all names of the list, empty for
// what it does not say, and all of them empty for nobody (nil).
func setClaims(h http.Header, t *resource.Token) {
	if t == nil {
		t = &resource.Token{}
	}
	scopes := make([]string, len(t.Scopes))
	for i, s := range t.Scopes {
		scopes[i] = encoded(s)
	}
	h.Set(prefix+"Subject", encoded(t.Subject))
	h.Set(prefix+"Client", encoded(t.ClientID))
	h.Set(prefix+"Scope", strings.Join(scopes, " "))
	h.Set(prefix+"Session", encoded(t.SessionID))
	h.Set(prefix+"Grant", encoded(t.GrantID))
	h.Set(prefix+"Issued", seconds(t.IssuedAt))
	h.Set(prefix+"Expires", seconds(t.ExpiresAt))
	h.Set(prefix+"Time", seconds(t.AuthTime))
	h.Set(prefix+"Acr", encoded(t.ACR))
}

// seconds is Unix time, or empty for none.
func seconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// encoded returns s with everything but visible ASCII, and the percent sign,
// percent-encoded: no line can end in it, no end is trimmed, and two texts never
// become one.
func encoded(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '%' {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// folded is a header's name as servers of the CGI family compare it: for them
// X_Auth_Subject and X-Auth-Subject are one variable.
func folded(name string) string {
	b := []byte(strings.ToLower(name))
	for i, c := range b {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			b[i] = '-'
		}
	}
	return string(b)
}

// claimsSomething reports whether a server may read the header as one of ours.
func claimsSomething(name string) bool {
	return strings.HasPrefix(folded(name), strings.ToLower(prefix))
}

// imitation returns the name of a header that a proxy would not overwrite
// although the server may read it as one of ours, or "".
func imitation(h http.Header) string {
	for name := range h {
		if claimsSomething(name) && strings.ToLower(name) != folded(name) {
			return name
		}
	}
	return ""
}

// strip removes every header that a server may read as one of ours.
func strip(h http.Header) {
	for name := range h {
		if claimsSomething(name) {
			delete(h, name)
		}
	}
}
