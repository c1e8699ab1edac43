package provider

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
)

// Error is a protocol error: what a client may be told. Everything that is not an
// Error is server_error or temporarily_unavailable to the outside, and its cause
// goes to the log alone.
type Error struct {
	Code        string // RFC 6749 §4.1.2.1 and §5.2, and their extensions
	Description string // printable ASCII without quote and backslash (RFC 6749 §5.2)
	Status      int    // of the answer when it is not a redirect
	Cause       error  // for the log
	// Reason is one fixed word for the operator that the client is not told: which of
	// the code's several causes it was, if that is known.
	Reason     string
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Description + ": " + e.Cause.Error()
	}
	return e.Code + ": " + e.Description
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// because attaches a cause for the log.
func (e *Error) because(err error) *Error {
	c := *e
	c.Cause = err
	return &c
}

// why attaches a reason.
func (e *Error) why(reason string) *Error {
	c := *e
	c.Reason = reason
	return &c
}

func newError(status int, code, description string) *Error {
	return &Error{Code: code, Description: description, Status: status}
}

func invalidRequest(description string) *Error {
	return newError(http.StatusBadRequest, "invalid_request", description)
}

func invalidGrant(description string) *Error {
	return newError(http.StatusBadRequest, "invalid_grant", description)
}

// hasEnded is what is said when anything that a token stands on has ended. It does not
// say what: a client need not learn that a person was banned.
func hasEnded() *Error {
	return invalidGrant("The authorization has ended").why(counts.ReasonRevoked)
}

func invalidScope(description string) *Error {
	return newError(http.StatusBadRequest, "invalid_scope", description)
}

func invalidTarget(description string) *Error {
	return newError(http.StatusBadRequest, "invalid_target", description)
}

func invalidClient(description string) *Error {
	return newError(http.StatusUnauthorized, "invalid_client", description)
}

func unauthorizedClient(description string) *Error {
	return newError(http.StatusBadRequest, "unauthorized_client", description)
}

func unavailable(cause error) *Error {
	return &Error{
		Code: "temporarily_unavailable", Description: "The server cannot answer at the moment; try again shortly",
		Status: http.StatusServiceUnavailable, Cause: cause, RetryAfter: time.Second,
	}
}

func tooMany(wait time.Duration) *Error {
	return &Error{
		Code: "temporarily_unavailable", Description: "Too many requests; try again later",
		Status: http.StatusTooManyRequests, RetryAfter: wait,
	}
}

// asError turns any error into what a client is told.
//
// A client library that meets an unknown body or server_error on refresh begins a
// new sign-in in the browser, so whatever may pass by itself is
// temporarily_unavailable: the client keeps its tokens and tries again.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var f *fosite.RFC6749Error
	if errors.As(err, &f) {
		return fromFosite(err, f)
	}
	if errors.Is(err, accounts.ErrNotFound) {
		return &Error{Code: "server_error", Description: "Something is missing on the server", Status: http.StatusInternalServerError, Cause: err}
	}
	return unavailable(err)
}

// fromFosite keeps code and hint of fosite's errors. fosite wraps what storage
// returns in server_error or invalid_request; the innermost invalid_grant is what
// the client must see (a lost race is not the server's fault).
func fromFosite(err error, f *fosite.RFC6749Error) *Error {
	if errors.Is(err, fosite.ErrInvalidGrant) {
		f = innermost(err, fosite.ErrInvalidGrant)
	}
	if f.ErrorField == fosite.ErrServerError.ErrorField {
		if cause := f.Unwrap(); cause != nil {
			var e *Error
			if errors.As(cause, &e) {
				return e
			}
		}
		return unavailable(err)
	}
	description := f.HintField
	if description == "" {
		description = f.DescriptionField
	}
	return &Error{Code: f.ErrorField, Description: printable(description), Status: f.CodeField, Cause: err}
}

func innermost(err error, target *fosite.RFC6749Error) *fosite.RFC6749Error {
	found := target
	for err != nil {
		if f, ok := err.(*fosite.RFC6749Error); ok && f.ErrorField == target.ErrorField {
			found = f
		}
		err = errors.Unwrap(err)
	}
	return found
}

// printable keeps the characters that error_description may hold, and no more
// than a client can be expected to log (RFC 6749 §5.2: %x20-21 / %x23-5B /
// %x5D-7E).
func printable(s string) string {
	const longest = 300
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= longest {
			break
		}
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\'')
		case r >= 0x20 && r <= 0x7e:
			b.WriteRune(r)
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}
