package api

import (
	"encoding/base64"
	"errors"
	"strings"
)

// errRef is returned for a segment that no thing has.
var errRef = errors.New("not the name of anything")

// Subs, client ids, names of groups and audiences may hold characters that have a
// meaning in a path, a slash for instance. In paths such a name is written as a tilde
// and its base64url; all others stand for themselves. Each name has one segment.

// segment returns how a name is written in a path.
func segment(name string) string {
	if name != "" && name[0] != '~' && name != "." && name != ".." && !strings.ContainsFunc(name, reserved) {
		return name
	}
	return "~" + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// fromSegment reads what segment wrote of a name that something could have. Errors:
// errRef.
func fromSegment(s string) (string, error) {
	name := s
	if encoded, is := strings.CutPrefix(s, "~"); is {
		b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
		if err != nil {
			return "", errRef
		}
		name = string(b)
	}
	if segment(name) != s || !storable(name) {
		return "", errRef
	}
	return name, nil
}

// reserved is everything but the unreserved characters of RFC 3986 §2.3.
func reserved(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
}
