package provider

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// Administrators tells the admin API who asks: it implements api.Authorizer of package
// admin/api.
type Administrators struct {
	Provider *Provider
	Callers  *admin.Callers
	// Problems is the address below which problems are explained: their types are it
	// and a word.
	Problems string
}

// Administrator finds the person or the machine whose access token the request
// carries: one of ours, for the issuer as audience, that lives. What they hold is read
// from the database; the token's scopes narrow it. Otherwise it answers, and returns
// false.
func (a *Administrators) Administrator(w http.ResponseWriter, r *http.Request) (*admin.Caller, bool) {
	// In the header alone: a body is not a form here, and no browser sends the header
	// by itself.
	found, err := headerBearers(r)
	var raw string
	if err == nil {
		raw, err = onlyBearer(found)
	}
	var c *admin.Caller
	if err == nil {
		c, err = a.caller(r.Context(), raw)
	}
	if err != nil {
		a.refuse(w, r, err)
		return nil, false
	}
	return c, true
}

func (a *Administrators) caller(ctx context.Context, raw string) (*admin.Caller, error) {
	p := a.Provider
	at, err := p.moment(ctx)
	if err != nil {
		return nil, err
	}
	t, live, err := p.liveAccess(ctx, raw, at)
	if err != nil {
		return nil, err
	}
	if !live || t.Audience != p.issuer {
		return nil, errGone()
	}
	web.Event(ctx).ClientID = t.ClientID
	scope := strings.Fields(t.Scope)
	var c *admin.Caller
	switch {
	case t.GrantID != "":
		web.Event(ctx).UserID = t.Subject
		c, err = a.Callers.Person(ctx, t.Subject, t.ClientID, scope)
	case t.Subject == t.ClientID:
		c, err = a.Callers.Machine(ctx, t.ClientID, scope)
	default:
		// Neither a person's grant nor a client that acts for itself.
		return nil, errGone()
	}
	if errors.Is(err, admin.ErrNoCaller) {
		return nil, errGone()
	}
	audit.Through(ctx, t.ClientID, t.SessionID)
	return c, err
}

// refuse answers with a problem and a challenge (RFC 6750 §3, RFC 9728 §5.1).
func (a *Administrators) refuse(w http.ResponseWriter, r *http.Request, err error) {
	challenge := `Bearer realm="Gatehouse", resource_metadata="` + a.Provider.resourceURL() + `"`
	problem := web.Problem{Status: http.StatusUnauthorized, Title: "An access token is needed", Type: a.Problems + "unauthorized"}
	if errors.Is(err, errNoToken) {
		w.Header().Set("WWW-Authenticate", challenge)
		web.WriteProblem(w, r, problem)
		return
	}
	e := asError(err)
	event := web.Event(r.Context())
	event.Error = e.Code
	problem.Status, problem.Detail = e.Status, e.Description
	switch {
	case e.Status < http.StatusInternalServerError:
		w.Header().Set("WWW-Authenticate", challenge+`, error="`+e.Code+`", error_description="`+printable(e.Description)+`"`)
	default:
		event.Cause = err
		problem.Title, problem.Type = "Not available at the moment", a.Problems+"unavailable"
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
		}
	}
	if e.Status == http.StatusBadRequest {
		problem.Title, problem.Type = "The request cannot be read", a.Problems+"bad-request"
	}
	web.WriteProblem(w, r, problem)
}
