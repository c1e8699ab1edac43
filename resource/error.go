package resource

import (
	"errors"
	"net/http"
)

// What [Verifier.Verify] and the middleware refuse, for use with [errors.Is].
var (
	// ErrNoToken: the request carries no access token (401).
	ErrNoToken = errors.New("resource: no access token")
	// ErrInvalidRequest: the request is malformed, for example with two
	// tokens (400).
	ErrInvalidRequest = errors.New("resource: invalid request")
	// ErrInvalidToken: the token is not one of this issuer for this API that
	// is valid now (401).
	ErrInvalidToken = errors.New("resource: invalid token")
	// ErrRevoked: the token is an invalid one because the ledger took it back (401).
	ErrRevoked = errors.New("resource: revoked token")
	// ErrInsufficientScope: the token is valid and its scope does not do (403).
	ErrInsufficientScope = errors.New("resource: insufficient scope")
	// ErrInsufficientAuthentication: the token is valid, and its person has to sign in
	// again or by more than they did (401, RFC 9470).
	ErrInsufficientAuthentication = errors.New("resource: insufficient user authentication")
	// ErrUnavailable: the issuer's keys, or its ledger, cannot be had, so nothing
	// can be said about the token (503).
	ErrUnavailable = errors.New("resource: keys or revocations unavailable")
)

const (
	codeInvalidRequest             = "invalid_request"
	codeInvalidToken               = "invalid_token"
	codeInsufficientScope          = "insufficient_scope"
	codeInsufficientAuthentication = "insufficient_user_authentication"
	codeUnavailable                = "temporarily_unavailable"
)

// Error is a refusal. Its Code and Description may be shown to the caller:
// they hold nothing of the token. What it wraps is for the log.
type Error struct {
	// Code is an error code of RFC 6750 §3.1 or RFC 9470 §3, or
	// temporarily_unavailable. It is empty when the request carries no token, as that section asks.
	Code string
	// Description says in one English sentence what is wrong.
	Description string
	// Status is the HTTP status that the code has.
	Status int

	cause   error
	reason  string // what Events.Refused is told
	revoked bool
}

// Error returns the code, the description and the cause.
func (e *Error) Error() string {
	text := "resource: "
	if e.Code != "" {
		text += e.Code + ": "
	}
	text += e.Description
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the sentinel error of e's code.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case "":
		return target == ErrNoToken
	case codeInvalidRequest:
		return target == ErrInvalidRequest
	case codeInvalidToken:
		return target == ErrInvalidToken || e.revoked && target == ErrRevoked
	case codeInsufficientScope:
		return target == ErrInsufficientScope
	case codeInsufficientAuthentication:
		return target == ErrInsufficientAuthentication
	case codeUnavailable:
		return target == ErrUnavailable
	}
	return false
}

func noToken() error {
	return &Error{Description: "an access token is needed in the Authorization header", Status: http.StatusUnauthorized, reason: ReasonMissing}
}

func invalidRequest(description string) error {
	return &Error{Code: codeInvalidRequest, Description: description, Status: http.StatusBadRequest, reason: ReasonMalformed}
}

func invalidToken(description string, cause error) error {
	return &Error{Code: codeInvalidToken, Description: description, Status: http.StatusUnauthorized, cause: cause, reason: ReasonInvalid}
}

func insufficientScope() error {
	return &Error{
		Code: codeInsufficientScope, Description: "the access token lacks a permission", Status: http.StatusForbidden,
		reason: ReasonScope,
	}
}

func insufficientAuthentication(description string) error {
	return &Error{
		Code: codeInsufficientAuthentication, Description: description, Status: http.StatusUnauthorized,
		reason: ReasonAuthentication,
	}
}

func unavailable(cause error) error {
	return &Error{
		Code: codeUnavailable, Description: "the access token cannot be checked at the moment",
		Status: http.StatusServiceUnavailable, cause: cause, reason: ReasonUnavailable,
	}
}

// revokedToken tells the app in words what happened: where a refresh may heal it,
// it should try one.
func revokedToken(reason, description string) error {
	return &Error{
		Code: codeInvalidToken, Description: description, Status: http.StatusUnauthorized, reason: reason, revoked: true,
	}
}

// denied is the answer of the policy Deny.
func denied() error {
	return &Error{
		Code: codeUnavailable, Description: "revocations cannot be checked at the moment",
		Status: http.StatusServiceUnavailable, reason: ReasonStale,
	}
}
