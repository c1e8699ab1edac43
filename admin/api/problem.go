package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

var (
	errMediaType  = errors.New("the body must be application/json; a PATCH may be application/merge-patch+json")
	errRepeated   = errors.New("a parameter was given more than once")
	errSemicolon  = errors.New("a semicolon in the query must be written as %3B")
	errEscape     = errors.New("a percent sign in the query must be written as %25, if it does not stand before two hexadecimal digits")
	errCharacters = errors.New("a parameter holds the character NUL, or is not UTF-8")
)

// parameterError is a parameter that cannot be meant so.
type parameterError struct{ name, detail string }

// Error implements error.
func (e *parameterError) Error() string { return e.name + ": " + e.detail }

// Unwrap makes it one of what somebody typed.
func (e *parameterError) Unwrap() error { return accounts.ErrInvalid }

// kind is one type of problem: what the page about the API explains, and the errors
// that are answered with it.
type kind struct {
	slug   string
	status int
	title  string
	of     []error
	// detail is what callers are told; empty means the error's own text, which must
	// hold nothing of the inside.
	detail string
}

// kinds lists the types of problems, in the order in which an error is looked for.
func kinds() []kind {
	return []kind{
		{slug: "more-than-held", status: 403, title: "This would give more than you hold", of: []error{admin.ErrMoreThanHeld}},
		{slug: "superior", status: 403, title: "The account or app holds more than you do", of: []error{admin.ErrSuperior}},
		{slug: "superuser-only", status: 403, title: "Only a superuser may do this", of: []error{admin.ErrSuperuserOnly}},
		{slug: "last-superuser", status: 409, title: "The last superuser must stay one", of: []error{accounts.ErrLastSuperuser}},
		{slug: "built-in", status: 409, title: "The built-in API cannot be changed", of: []error{accounts.ErrBuiltin}},
		{slug: "of-api", status: 409, title: "The app belongs to an API", of: []error{accounts.ErrOfAPI}},
		{slug: "not-possible", status: 409, title: "Not possible in this state", of: []error{
			admin.ErrState, accounts.ErrClosed, accounts.ErrDeletionPlanned, accounts.ErrLastFactor, accounts.ErrBanned,
		}},
		{slug: "changed", status: 412, title: "It has changed since you read it", of: []error{admin.ErrChanged}},
		{slug: "if-match-missing", status: 428, title: "Say which state you change", of: []error{errNoMatch}},
		{slug: "bad-cursor", status: 400, title: "The cursor is not for this list", of: []error{errCursor}},
		{slug: "bad-request", status: 400, title: "The request cannot be read", of: []error{errRepeated, errSemicolon, errEscape, errCharacters}},
		{slug: "media-type", status: 415, title: "The body is of another type", of: []error{errMediaType}},
		{slug: "bad-idempotency-key", status: 400, title: "The Idempotency-Key cannot be used", of: []error{errKey}},
		{slug: "idempotency-in-progress", status: 409, title: "The first request with this key is not done", of: []error{errInProgress}},
		{slug: "idempotency-unknown", status: 409, title: "The first request with this key was cut off", of: []error{errUnfinished}},
		{slug: "idempotency-mismatch", status: 422, title: "The key was used for another request", of: []error{errMismatch}},
		{slug: "not-found", status: 404, title: "Not found", of: []error{accounts.ErrNotFound, errRef}, detail: "There is no such thing"},
		{slug: "conflict", status: 409, title: "Taken by something else", of: []error{accounts.ErrConflict}, detail: "Something else has this name, address or id already"},
		{slug: "invalid", status: 422, title: "Not valid", of: []error{accounts.ErrInvalid}},
		{slug: "busy", status: 503, title: "Too busy at the moment", of: []error{accounts.ErrBusy}, detail: "Try again in a moment"},
		// Answered by other ways than by an error of the domain.
		{slug: "unauthorized", status: 401, title: "An access token is needed"},
		{slug: "forbidden", status: 403, title: "A permission is missing"},
		{slug: "too-many-requests", status: 429, title: "Too many requests"},
		{slug: "method-not-allowed", status: 405, title: "Method not allowed"},
		{slug: "too-large", status: 413, title: "The body is too large"},
		{slug: "server-error", status: 500, title: "Something went wrong here"},
		{slug: "unavailable", status: 503, title: "Not available at the moment"},
	}
}

// problem makes one of a kind.
func (h *Handler) problem(status int, slug, detail string) web.Problem {
	p := web.Problem{Type: h.Issuer.String() + Base + "/docs#problem-" + slug, Status: status, Title: http.StatusText(status), Detail: detail}
	for _, k := range kinds() {
		if k.slug == slug {
			p.Title = k.title
		}
	}
	return p
}

// refused is a problem on its way through huma.
type refused struct {
	web.Problem
	header http.Header
}

// Error implements error.
func (e *refused) Error() string { return e.Title }

// GetStatus serves huma.
func (e *refused) GetStatus() int { return e.Status }

// ContentType serves huma (RFC 9457 §3).
func (e *refused) ContentType(string) string { return web.ProblemType }

// GetHeaders serves huma.
func (e *refused) GetHeaders() http.Header { return e.header }

// refuse turns an error into what the caller is told. What is none of the known
// kinds may pass by itself, so it is 503; its cause goes to the log.
func (h *Handler) refuse(ctx context.Context, err error) error {
	var same *notModified
	if errors.As(err, &same) {
		return same
	}
	p := h.explain(ctx, err)
	p.RequestID = web.RequestID(ctx)
	web.Event(ctx).Error = p.Type[strings.LastIndex(p.Type, "#problem-")+len("#problem-"):]
	if p.Status >= http.StatusInternalServerError {
		web.Event(ctx).Cause = err
	}
	return p
}

func (h *Handler) explain(_ context.Context, err error) *refused {
	var already *refused
	if errors.As(err, &already) {
		return already
	}
	header := http.Header{}
	var forbidden *admin.Forbidden
	if errors.As(err, &forbidden) {
		header.Set("WWW-Authenticate", `Bearer realm="Gatehouse", error="insufficient_scope", scope="`+forbidden.Permission+`"`)
		return &refused{h.problem(http.StatusForbidden, "forbidden", "The permission "+forbidden.Permission+" is needed, and an access token that carries it"), header}
	}
	var throttled *accounts.Throttled
	if errors.As(err, &throttled) {
		header.Set("Retry-After", strconv.Itoa(seconds(throttled.Wait)))
		return &refused{h.problem(http.StatusTooManyRequests, "too-many-requests", "Try again later"), header}
	}
	var weak *accounts.WeakPassword
	if errors.As(err, &weak) {
		err = fmt.Errorf("%w: %w", accounts.ErrInvalid, err)
	}
	for _, k := range kinds() {
		for _, of := range k.of {
			if !errors.Is(err, of) {
				continue
			}
			detail := k.detail
			if detail == "" {
				detail = err.Error()
			}
			if k.status == http.StatusServiceUnavailable {
				header.Set("Retry-After", "1")
			}
			p := h.problem(k.status, k.slug, detail)
			p.Errors = fieldsOf(err)
			return &refused{p, header}
		}
	}
	header.Set("Retry-After", "1")
	return &refused{h.problem(http.StatusServiceUnavailable, "unavailable", "Try again in a moment"), header}
}

// fieldsOf tells which parts of the request an error is about.
func fieldsOf(err error) []web.ProblemField {
	var parameter *parameterError
	if errors.As(err, &parameter) {
		return []web.ProblemField{{Parameter: parameter.name, Detail: parameter.detail}}
	}
	var claims *accounts.ProfileError
	if errors.As(err, &claims) {
		return claimFields(claims)
	}
	f := web.ProblemField{}
	var named *admin.Field
	var bad *accounts.BadField
	var weak *accounts.WeakPassword
	switch {
	case errors.As(err, &named):
		f.Pointer, f.Detail = "#/"+named.Name, named.Err.Error()
	case errors.As(err, &bad):
		f.Pointer, f.Detail = "#/"+bad.Field, bad.Err.Error()
	}
	if errors.As(err, &weak) {
		f.Pointer, f.Detail, f.Reason = "#/password", weak.Error(), weak.Reason
	}
	if f == (web.ProblemField{}) {
		return nil
	}
	return []web.ProblemField{f}
}

func claimFields(e *accounts.ProfileError) []web.ProblemField {
	list := make([]web.ProblemField, len(e.Fields))
	for i, c := range e.Fields {
		list[i] = web.ProblemField{Pointer: "#/profile/" + c.Claim, Detail: "not valid", Reason: string(c.Cause)}
		switch c.Claim {
		case "name":
			list[i].Pointer = "#/name"
		case "street_address", "locality", "region", "postal_code", "country":
			list[i].Pointer = "#/profile/address/" + c.Claim
		}
		if c.Limit > 0 {
			list[i].Detail = "at most " + strconv.Itoa(c.Limit) + " characters"
		}
	}
	return list
}

func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// write answers with the problem of an error, outside huma's own way.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, err error) {
	var p *refused
	if !errors.As(h.refuse(r.Context(), err), &p) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	for name, values := range p.header {
		w.Header()[name] = values
	}
	web.WriteProblem(w, r, p.Problem)
}

// transform turns huma's own errors into problems. It leaves out the values that huma
// echoes: one may be a password.
func (h *Handler) transform(hc huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *refused:
		return e.Problem, nil
	case *huma.ErrorModel:
		return h.fromHuma(hc.Context(), e), nil
	}
	return v, nil
}

func (h *Handler) fromHuma(ctx context.Context, e *huma.ErrorModel) web.Problem {
	slug, detail := "invalid", "The request is not valid"
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestTimeout:
		slug, detail = "bad-request", "The request cannot be read"
	case http.StatusRequestEntityTooLarge:
		slug, detail = "too-large", "The body is too large"
	case http.StatusUnsupportedMediaType:
		slug, detail = "media-type", errMediaType.Error()
	case http.StatusInternalServerError:
		slug, detail = "server-error", ""
	}
	p := h.problem(e.Status, slug, detail)
	p.RequestID = web.RequestID(ctx)
	web.Event(ctx).Error = slug
	for i, d := range e.Errors {
		if i == maxFields {
			p.Errors = append(p.Errors, web.ProblemField{Detail: fmt.Sprintf("and %d more", len(e.Errors)-i)})
			break
		}
		if d != nil {
			p.Errors = append(p.Errors, fieldOf(d))
		}
	}
	return p
}

// maxFields is how many parts of a request a problem names: an answer must not be
// longer than what was sent.
const maxFields = 20

// fieldOf translates huma's location, such as "body.emails[1].value" or "query.limit".
func fieldOf(d *huma.ErrorDetail) web.ProblemField {
	f := web.ProblemField{Detail: d.Message}
	where, rest, _ := strings.Cut(d.Location, ".")
	switch {
	case where == "body" || strings.HasPrefix(where, "body["):
		path := strings.TrimPrefix(d.Location, "body")
		f.Pointer = "#" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(path)
	case rest != "":
		f.Parameter = rest
	}
	return f
}
