package resource

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refuse answers with err: a challenge (RFC 6750 §3) and a JSON body.
func (v *Verifier) refuse(w http.ResponseWriter, r *http.Request, err error, n need) {
	var refusal *Error
	if !errors.As(err, &refusal) {
		refusal = &Error{Code: codeUnavailable, Status: http.StatusServiceUnavailable, cause: err, reason: ReasonUnavailable}
	}
	v.refused(refusal)
	v.log.DebugContext(r.Context(), "resource: request refused",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", refusal))
	if refusal.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryInterval/time.Second)))
	} else {
		w.Header().Set("WWW-Authenticate", v.challenge(refusal, n))
	}
	code := refusal.Code
	if code == "" {
		code = "missing_token" // for people; the challenge carries no code then
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, refusal.Status, map[string]string{"error": code, "error_description": refusal.Description})
}

// challenge returns the value of WWW-Authenticate for refusal. The scopes go
// with 401 too, so that a client that starts without a token knows what to ask
// for. Where the person has to sign in anew, it says how (RFC 9470 §3).
func (v *Verifier) challenge(refusal *Error, n need) string {
	var b strings.Builder
	b.WriteString("Bearer ")
	write := func(name, value string) {
		if value == "" {
			return
		}
		if name != "realm" {
			b.WriteString(", ")
		}
		b.WriteString(name + `="` + printable(value) + `"`)
	}
	write("realm", v.audience)
	if refusal.Code != "" {
		write("error", refusal.Code)
		write("error_description", refusal.Description)
	}
	if refusal.Status != http.StatusBadRequest {
		write("scope", strings.Join(n.scopes, " "))
	}
	if refusal.Code == codeInsufficientAuthentication {
		write("acr_values", n.acr)
		if n.maxAge > 0 {
			write("max_age", strconv.FormatInt(int64(n.maxAge/time.Second), 10))
		}
	}
	write("resource_metadata", v.metadataURL)
	return b.String()
}

// printable returns s with ? for every byte that RFC 6750 §3 keeps out of its
// parameters. What remains needs no escaping in a quoted string.
func printable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c != ' ' && !isPrintable(c) {
			b[i] = '?'
		}
	}
	return string(b)
}

// isPrintable reports whether c is visible ASCII and neither quote nor
// backslash.
func isPrintable(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != '\\'
}

func writeJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// An error here means that the caller has left.
	_ = json.NewEncoder(w).Encode(document)
}
