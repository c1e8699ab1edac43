package provider

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// token is the token endpoint (RFC 6749 §3.2).
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if !p.postOnly(w, r) {
		return
	}
	form, err := web.ParseForm(w, r, "resource")
	if err != nil {
		p.answerError(w, r, formError(err))
		return
	}
	crowd := p.crowdOf(form.Get("grant_type"))
	if err := crowd.enter(r.Context()); err != nil {
		p.answerError(w, r, err)
		return
	}
	defer crowd.leave()
	answer, err := p.exchange(r, form)
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "issued"
	web.NoStore(w)
	web.WriteJSON(w, http.StatusOK, answer)
}

// exchange is the token request in its phases: who asks, what they hold, whether
// the gate lets them, and then, once, the writing.
func (p *Provider) exchange(r *http.Request, form url.Values) (map[string]any, error) {
	now := p.Now()
	who, err := p.authenticateEarly(r.Context(), r, form, now)
	if err != nil {
		return nil, err
	}
	x := &exchange{grantType: form.Get("grant_type"), now: now, form: form, caller: who, client: &client{Client: who.Client}, mark: who.mark}
	web.Event(r.Context()).GrantType = grantName(x.grantType)
	asked, err := p.tokenAsk(r.Context(), x)
	if err != nil {
		return nil, err
	}
	ctx := withExchange(r.Context(), x)
	r = r.WithContext(ctx)
	// fosite reads the body unless the form is there already.
	r.PostForm, r.Form = form, form

	if x.grantType == grantMachine {
		if err := p.loadMachine(ctx, x, asked); err != nil {
			return nil, err
		}
	}
	request, err := p.fosite.NewAccessRequest(ctx, r, newSession(""))
	if err != nil {
		return nil, x.reason(err)
	}
	if x.verdict, err = p.gate(ctx).decide(x.client.Client, x.mark, x.standing, x.basis, asked); err != nil {
		return nil, err
	}
	if x.standing.User != nil {
		web.Event(ctx).UserID = x.standing.User.Subject
	}
	response, err := p.fosite.NewAccessResponse(ctx, request)
	if err != nil {
		return nil, x.reason(err)
	}
	answer := response.ToMap()
	if len(x.verdict.scopes) == 0 { // the grammar knows no empty scope (RFC 6749 §3.3)
		delete(answer, "scope")
	}
	return answer, nil
}

// reason prefers what our own code said over what fosite made of it.
func (x *exchange) reason(err error) error {
	switch {
	case x.err != nil:
		return x.err
	case x.why != "":
		return asError(err).why(x.why)
	}
	return err
}

// tokenAsk reads what the request wants, and refuses grant types that do not
// exist or are not the client's.
func (p *Provider) tokenAsk(ctx context.Context, x *exchange) (ask, error) {
	a := ask{grantType: x.grantType, now: x.now}
	switch {
	case x.grantType == "":
		return a, invalidRequest("The grant_type is missing")
	case grantName(x.grantType) == "unknown":
		return a, newError(http.StatusBadRequest, "unsupported_grant_type", "The grant_type is not supported")
	}
	if err := p.allows(ctx, x); err != nil {
		return a, err
	}
	var missing string
	switch x.grantType {
	case grantCode:
		missing = "code"
	case grantRefresh:
		missing = "refresh_token"
	}
	if missing != "" && !x.form.Has(missing) {
		return a, invalidRequest("The parameter is missing: " + missing)
	}
	if x.grantType != grantCode { // RFC 6749 §4.1.3 has no scope
		scopes, err := parseScope(x.form.Get("scope"))
		if err != nil {
			return a, err
		}
		a.scopes = scopes
	}
	resources, err := canonicalResources(x.form["resource"])
	if err != nil {
		return a, err
	}
	switch len(resources) {
	case 0:
	case 1:
		a.resource = resources[0]
	default:
		return a, invalidTarget("An access token is for one resource")
	}
	return a, nil
}

// allows refuses a grant type that is not the client's. The gate says so too, but
// fosite asks before it; what was last seen of the client must not refuse it.
func (p *Provider) allows(ctx context.Context, x *exchange) error {
	if x.caller.early && !x.client.Allows(x.grantType) {
		if err := p.proveAgain(ctx, x.caller, x.now, p.freshClient); err != nil {
			return err
		}
		x.client.Client, x.mark = x.caller.Client, x.caller.mark
	}
	if !x.client.Allows(x.grantType) {
		return unauthorizedClient("The client may not use this grant type")
	}
	return nil
}

// grantName bounds what the log may be told.
func grantName(grantType string) string {
	switch grantType {
	case grantCode, grantRefresh, grantMachine:
		return grantType
	}
	return "unknown"
}

// canonicalResources reads resource indicators: absolute URIs without a fragment
// (RFC 8707 §2), in the form in which audiences are registered.
func canonicalResources(raw []string) ([]string, error) {
	const most = 10
	if len(raw) > most {
		return nil, invalidTarget("Too many resources")
	}
	var resources []string
	for _, r := range raw {
		uri, err := accounts.CanonicalAudience(r)
		if err != nil {
			return nil, invalidTarget("A resource must be an https URI, an http URI on loopback, or a URN, without a fragment")
		}
		resources = append(resources, uri)
	}
	return resources, nil
}

// seconds since the epoch, or zero for none.
func unix(ms int64) int64 {
	if ms == 0 {
		return 0
	}
	return time.UnixMilli(ms).Unix()
}
