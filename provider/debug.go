package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Console asks the endpoints in the name of a client, without its credential: it
// implements admin.Protocol. Who may have it do so is decided by package admin.
//
// The requests run through the endpoints' own handlers, so that what an operator sees
// is what the client would get, every check included.
type Console struct{ Provider *Provider }

var _ admin.Protocol = (*Console)(nil)

// voucher stands for a client's credential. It travels in the context of a request that
// is made in this process, under a key that only this package has: nothing that comes
// over the network can be one.
type voucher struct {
	clientID string
	by       audit.Actor // who asks
}

type voucherKey struct{}

func voucherFrom(ctx context.Context) *voucher {
	v, _ := ctx.Value(voucherKey{}).(*voucher)
	return v
}

// operator is the sub of the person for whom the console asks; empty where it does not.
func (v *voucher) operator() string {
	if v == nil {
		return ""
	}
	return v.by.ID
}

// Ask sends one request to an endpoint. Errors of the protocol are answers. What the
// audit log tells of it was done by a person, through the client.
func (d *Console) Ask(ctx context.Context, by audit.Actor, app *accounts.Client, call admin.Call) (admin.Wire, error) {
	if by.Kind != audit.Person || by.ID == "" {
		return admin.Wire{}, errors.New("a client is asked for by nobody")
	}
	path, endpoint := d.endpoint(call.Endpoint)
	if endpoint == nil {
		return admin.Wire{}, errors.New("no such endpoint: " + string(call.Endpoint))
	}
	ctx = context.WithValue(ctx, voucherKey{}, &voucher{clientID: app.ClientID, by: by})
	origin := audit.OriginFrom(ctx)
	origin.Client = app.ClientID
	ctx = audit.WithOrigin(ctx, origin)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Provider.url(path), strings.NewReader(call.Form.Encode()))
	if err != nil {
		return admin.Wire{}, err
	}
	const formType = "application/x-www-form-urlencoded"
	shown := admin.Wire{Method: r.Method, URL: r.URL.String(), Form: pairs(call.Form)}
	switch {
	case call.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+call.Bearer)
		r.Method, shown.Method, r.Body, r.ContentLength = http.MethodGet, http.MethodGet, http.NoBody, 0
		shown.Header = [][2]string{{"Authorization", "Bearer " + call.Bearer}}
	default:
		r.Header.Set("Content-Type", formType)
		shown.Header = [][2]string{{"Content-Type", formType}}
		showCredential(&shown, app)
	}
	var answer recorder
	endpoint(&answer, r)
	answer.WriteHeader(http.StatusOK)
	shown.Status, shown.Body = answer.status, answer.body.String()
	for _, name := range []string{"Content-Type", "Cache-Control", "Www-Authenticate", "Retry-After"} {
		if value := answer.Header().Get(name); value != "" {
			shown.AnswerHeader = append(shown.AnswerHeader, [2]string{name, value})
		}
	}
	return shown, nil
}

func (d *Console) endpoint(e admin.Endpoint) (string, http.HandlerFunc) {
	p := d.Provider
	switch e {
	case admin.EndpointPush:
		return pathPAR, p.pushedRequest
	case admin.EndpointToken:
		return pathToken, p.token
	case admin.EndpointIntrospect:
		return pathIntrospect, p.introspect
	case admin.EndpointRevoke:
		return pathRevoke, p.revoke
	case admin.EndpointUserinfo:
		return pathUserinfo, p.userinfo
	}
	return "", nil
}

// showCredential writes down where the client's credential would stand.
func showCredential(w *admin.Wire, app *accounts.Client) {
	switch app.AuthMethod {
	case accounts.AuthSecret:
		w.Header = append(w.Header, [2]string{"Authorization", "Basic …"})
		w.User = url.QueryEscape(app.ClientID) // RFC 6749 §2.3.1
	case accounts.AuthPrivateKeyJWT:
		w.Form = append(w.Form, [2]string{"client_assertion_type", assertionType}, [2]string{"client_assertion", "…"})
	default:
		w.Form = append(w.Form, [2]string{"client_id", app.ClientID})
	}
}

// pairs lists a form in the order of the names.
func pairs(form url.Values) [][2]string {
	var list [][2]string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			list = append(list, [2]string{name, value})
		}
	}
	return list
}

// recorder keeps an answer in memory.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// Once reports whether a run that begins again with this id has not been used; it is
// used up by that, in one statement (L14).
func (d *Console) Once(ctx context.Context, run id.ID, until int64) (bool, error) {
	return d.Provider.Grants.UseAssertion(ctx, "urn:gatehouse:console", run.String(), until)
}

// Keep remembers what was shown of a run, for a while. It may be lost.
func (d *Console) Keep(ctx context.Context, run id.ID, sealed []byte, ttl time.Duration) error {
	return d.Provider.Pushed.Put(ctx, d.runKey(run), sealed, ttl)
}

// Kept returns what Keep was given, or nothing.
func (d *Console) Kept(ctx context.Context, run id.ID) ([]byte, error) {
	sealed, err := d.Provider.Pushed.Get(ctx, d.runKey(run))
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, nil
	}
	return sealed, err
}

func (d *Console) runKey(run id.ID) string {
	return "debug:" + base64.RawURLEncoding.EncodeToString(d.Provider.Keyring.Derive("debug-run", run[:]))
}

// indented writes a part of a JWT for people.
func indented(part string) string {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return part
	}
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}
