package provider

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/web"
)

// answerError writes an error of a back channel: JSON, never cached.
func (p *Provider) answerError(w http.ResponseWriter, r *http.Request, err error) {
	e := asError(err)
	noteRefusal(r, e)
	if e.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		// RFC 9110 §11.6.1: a 401 always names a scheme.
		w.Header().Set("WWW-Authenticate", `Basic realm="Gatehouse", charset="UTF-8"`)
	}
	retryAfter(w, e)
	web.NoStore(w)
	web.WriteJSON(w, e.Status, map[string]string{"error": e.Code, "error_description": printable(e.Description)})
}

// retryAfter says when to come back, in whole seconds.
func retryAfter(w http.ResponseWriter, e *Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
}

// postOnly answers anything but POST.
func (p *Provider) postOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodPost {
		return true
	}
	w.Header().Set("Allow", http.MethodPost)
	p.answerError(w, r, newError(http.StatusMethodNotAllowed, "invalid_request", "Only POST is allowed here"))
	return false
}

// formError turns what web.ParseForm refuses into a protocol error.
func formError(err error) error {
	var bad *web.FormError
	if errors.As(err, &bad) {
		return newError(bad.Status, "invalid_request", printable(bad.Error()))
	}
	return invalidRequest("The parameters cannot be read")
}
