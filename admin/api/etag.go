package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

var errNoMatch = errors.New("a PATCH needs the header If-Match: the ETag of what you have read, or * to change it whatever it is")

// Seen is what a GET of one thing takes.
type Seen struct {
	IfNoneMatch string `header:"If-None-Match" maxLength:"1024" doc:"ETags that you have; one of them is answered with 304."`
}

// Match is what a change takes that depends on the state before it.
type Match struct {
	IfMatch string `header:"If-Match" maxLength:"1024" doc:"The ETag of the state that you change, or *. A PATCH without it is answered with 428."`
}

// tagOf is the strong validator of a representation (RFC 9110 §8.8.3).
func tagOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode for a tag: %w", err)) // our own types can be encoded
	}
	sum := sha256.Sum256(b)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// given refuses a change that does not say which state it is of (RFC 6585 §3).
func (m Match) given() error {
	if strings.TrimSpace(m.IfMatch) == "" {
		return errNoMatch
	}
	return nil
}

// holds reports whether the precondition is met (RFC 9110 §13.1.1); without one it is.
func (m Match) holds(tag string) bool {
	return strings.TrimSpace(m.IfMatch) == "" || matches(m.IfMatch, tag, false)
}

// unchanged returns an error that becomes 304 if the caller has the state (RFC 9110
// §13.1.2).
func (s Seen) unchanged(tag string) error {
	if matches(s.IfNoneMatch, tag, true) {
		return &notModified{tag}
	}
	return nil
}

// matches compares a list of tags. Those that were made weak on the way count for
// reading alone, and so does the part about a thing's mark.
func matches(list, tag string, reading bool) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if reading {
			one = strings.TrimPrefix(one, "W/")
		} else if thing, _, more := strings.Cut(one, partOf); more {
			one = thing + `"`
		}
		if one == "*" || one == tag {
			return true
		}
	}
	return false
}

// notModified is the answer 304.
type notModified struct{ tag string }

// Error implements error.
func (e *notModified) Error() string { return "not modified" }

// GetStatus serves huma.
func (e *notModified) GetStatus() int { return http.StatusNotModified }

// GetHeaders serves huma.
func (e *notModified) GetHeaders() http.Header { return http.Header{"Etag": {e.tag}} }
