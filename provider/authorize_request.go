package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

// authorization is a validated authorization request.
type authorization struct {
	params  url.Values // as they were sent, to be stored with the flow
	client  *client
	mark    accounts.Mark
	early   bool // the client is as last seen: nothing may be decided, nor sent to it
	request fosite.AuthorizeRequester
	pushed  *pushed // nil unless it came by a pushed request
	// operator is the sub of the person for whom the operators' console plays the app;
	// empty where the app speaks for itself.
	operator string

	redirectURI string
	state       string
	formPost    bool

	scopes    []string // asked, of those that the client may ask
	covered   []string // of those, and of those that cover claims asked for by name: what is consented to
	resources []string
	claims    string
	nonce     string
	challenge string
	prompt    []string
	maxAge    time.Duration // negative: none
	essential []string      // acr values one of which must be reached; nil: any
	wished    []string      // acr values, the most wanted first
	subject   string        // who must be signed in, or empty
	loginHint string
	uiLocales string
}

// unproven is an error that was found before client and redirect URI were proven
// to belong together. It is shown on a page; redirecting it anywhere would make
// this server an open redirector (RFC 6749 §4.1.2.1).
type unproven struct {
	err  *Error
	kind unprovenKind
}

type unprovenKind int

const (
	badRequest unprovenKind = iota
	badClient
	badRedirect
	badPerson       // whose request it is not
	tooManyRequests // proven or not: an app could do nothing with it
)

func (u *unproven) Error() string { return u.err.Error() }
func (u *unproven) Unwrap() error { return u.err }

func unprovenRequest(description string) error {
	return &unproven{err: invalidRequest(description)}
}

// maxima of parameters, in bytes. Nothing is ever cut: a client compares what
// comes back.
const (
	maxState     = 4 << 10
	maxNonce     = 1 << 10
	maxLoginHint = 256
)

// readAuthorization validates a request; operator names the person for whom the
// operators' console pushed it, if it did. An *unproven error is for a page; every
// other error comes with an authorization that says where to redirect it.
func (p *Provider) readAuthorization(ctx context.Context, params url.Values, operator string, find finder) (*authorization, error) {
	a := &authorization{params: params, operator: operator, maxAge: -1}
	if err := p.proveClient(ctx, a, find); err != nil {
		return a, err
	}
	if err := a.readResponse(); err != nil {
		return a, err
	}
	if err := a.refuseObjects(); err != nil {
		return a, err
	}
	if err := a.readScopes(); err != nil {
		return a, err
	}
	if err := a.readChallenge(); err != nil {
		return a, err
	}
	if err := p.readPerson(ctx, a); err != nil {
		return a, err
	}
	return a, p.checkWithFosite(ctx, a)
}

// proveClient finds the client and holds the redirect URI against its
// registration.
func (p *Provider) proveClient(ctx context.Context, a *authorization, find finder) error {
	clientID := a.params.Get("client_id")
	if clientID == "" {
		return unprovenRequest("The client_id is missing")
	}
	unknown := &unproven{err: invalidClient("The client is unknown or disabled").why(counts.ReasonUnknownClient), kind: badClient}
	c, mark, early, err := find(ctx, clientID)
	a.early = early
	if errors.Is(err, accounts.ErrNotFound) {
		return unknown
	}
	if err != nil {
		return err
	}
	web.Event(ctx).Client = c.ID
	if c.DisabledAt != 0 {
		return unknown
	}
	a.client, a.mark = &client{Client: c}, mark
	uri := a.params.Get("redirect_uri")
	if uri == "" {
		// RFC 6749 §3.1.2.3 allows to leave it out where there is only one;
		// OpenID Connect does not.
		if len(c.RedirectURIs) != 1 || slices.Contains(strings.Fields(a.params.Get("scope")), scopeOpenID) {
			return &unproven{err: invalidRequest("The redirect_uri is missing").why(counts.ReasonRedirectURI), kind: badRedirect}
		}
		uri = c.RedirectURIs[0]
	}
	return p.proveRedirect(a, uri)
}

// proveRedirect takes the console's own redirect URI from the console alone, whatever a
// client has registered, and of all others those that the client has.
func (p *Provider) proveRedirect(a *authorization, uri string) error {
	c := a.client.Client
	switch {
	case uri == p.url(accounts.PathDebugCallback):
		if a.operator == "" {
			return &unproven{err: invalidRequest("The redirect_uri is the console's").why(counts.ReasonRedirectURI), kind: badRedirect}
		}
	case !accounts.MatchRedirectURI(c, uri):
		if !a.early && p.Refusals != nil { // an early one is proven again
			p.Refusals.Note(c.ID, uri)
		}
		return &unproven{err: invalidRequest("The redirect_uri is not registered for this client").why(counts.ReasonRedirectURI), kind: badRedirect}
	}
	a.redirectURI, a.client.redirectURI = uri, uri
	return nil
}

// readResponse reads what the response has to look like, first of all where errors
// go and with which state.
func (a *authorization) readResponse() error {
	a.state = a.params.Get("state")
	mode := a.params.Get("response_mode")
	a.formPost = mode == "form_post"
	switch {
	case len(a.state) > maxState:
		a.state = ""
		return invalidRequest("The state is too long")
	case mode != "" && mode != "query" && mode != "form_post":
		return invalidRequest("The response_mode must be query or form_post")
	case a.params.Get("response_type") == "":
		return invalidRequest("The response_type is missing")
	case a.params.Get("response_type") != "code":
		return newError(http.StatusBadRequest, "unsupported_response_type", "The only response_type is code")
	case !a.client.Allows(grantCode):
		return unauthorizedClient("The client may not use the authorization code grant")
	}
	return nil
}

// refuseObjects refuses requests by value or by reference, and registration on the
// way (OpenID Connect Core §3.1.2.6).
func (a *authorization) refuseObjects() error {
	refused := func(code, name string) error {
		return newError(http.StatusBadRequest, code, "The parameter is not supported: "+name)
	}
	switch {
	case a.params.Has("request"):
		return refused("request_not_supported", "request")
	case a.params.Has("request_uri"):
		return refused("request_uri_not_supported", "request_uri")
	case a.params.Has("registration"):
		return refused("registration_not_supported", "registration")
	}
	return nil
}

// readScopes keeps those scopes that the client may ask; names that mean nothing
// here are ignored, as OpenID Connect Core §3.1.2.1 wants it.
func (a *authorization) readScopes() error {
	asked, err := parseScope(a.params.Get("scope"))
	if err != nil {
		return err
	}
	a.scopes = intersect(asked, a.client.Scopes)
	if !a.client.Allows(grantRefresh) {
		a.scopes = without(a.scopes, []string{scopeOffline})
	}
	if len(asked) > 0 && len(a.scopes) == 0 {
		return invalidScope("The client may ask for none of these scopes")
	}
	a.client.scopes = a.scopes
	if a.resources, err = canonicalResources(a.params["resource"]); err != nil {
		return err
	}
	slices.Sort(a.resources)
	a.resources = slices.Compact(a.resources)
	return nil
}

// readChallenge checks PKCE before anybody has to sign in for a request that
// cannot succeed (RFC 7636 §4.4.1, S256 only).
func (a *authorization) readChallenge() error {
	a.challenge = a.params.Get("code_challenge")
	method := a.params.Get("code_challenge_method")
	if a.challenge == "" {
		if method != "" || a.client.needsPKCE() {
			return invalidRequest("The code_challenge is missing; PKCE with S256 is required")
		}
		return nil
	}
	if method != "S256" {
		return invalidRequest("The code_challenge_method must be S256")
	}
	if len(a.challenge) != 43 || strings.ContainsFunc(a.challenge, notBase64URL) {
		return invalidRequest("The code_challenge is not the base64url of a SHA-256")
	}
	return nil
}

func notBase64URL(r rune) bool {
	return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// readPerson reads what the request says about who signs in, and how.
func (p *Provider) readPerson(ctx context.Context, a *authorization) error {
	a.prompt = strings.Fields(a.params.Get("prompt"))
	if wrong := without(a.prompt, prompts); len(wrong) > 0 {
		return invalidRequest("The prompt is not supported: " + printable(wrong[0]))
	}
	if a.prompts("none") && len(a.prompt) > 1 {
		return invalidRequest("The prompt none stands alone")
	}
	if raw := a.params.Get("max_age"); raw != "" {
		seconds, err := strconv.ParseInt(raw, 10, 32)
		if err != nil || seconds < 0 {
			return invalidRequest("The max_age is not a number of seconds")
		}
		a.maxAge = time.Duration(seconds) * time.Second
	}
	if a.nonce = a.params.Get("nonce"); len(a.nonce) > maxNonce {
		return invalidRequest("The nonce is too long")
	}
	a.claims = a.params.Get("claims")
	wanted, err := parseClaims(a.claims)
	if err != nil {
		return err
	}
	a.covered = append(slices.Clone(a.scopes), without(intersect(wanted.scopes(), a.client.Scopes), a.scopes)...)
	if a.essential, err = reachable(wanted.demandedACR()); err != nil {
		return err
	}
	if a.wished, err = reachable(strings.Fields(a.params.Get("acr_values"))); err != nil {
		return err
	}
	if len(a.wished) == 0 {
		a.wished = intersect(wanted.wishedACR(), acrValues())
	}
	if hint := a.params.Get("login_hint"); len(hint) <= maxLoginHint {
		a.loginHint = hint
	}
	a.uiLocales = a.params.Get("ui_locales")
	a.subject = wanted.demandedSubject()
	return p.readHint(ctx, a)
}

func unreachableACR() *Error {
	return newError(http.StatusForbidden, "unmet_authentication_requirements", "The demanded acr cannot be reached")
}

// prompts are the values that are understood. Where people cannot make accounts,
// create is the same as login.
var prompts = []string{"none", "login", "consent", "select_account", "create"}

func (a *authorization) prompts(s string) bool { return slices.Contains(a.prompt, s) }

// readHint takes from an id_token_hint who must be signed in.
func (p *Provider) readHint(ctx context.Context, a *authorization) error {
	raw := a.params.Get("id_token_hint")
	if raw == "" {
		return nil
	}
	set, err := p.Keys.At(ctx, a.mark.Change)
	if err != nil {
		return unavailable(err)
	}
	hint, err := token.ParseHint(set, p.issuer, raw)
	if err != nil || a.subject != "" && a.subject != hint.Subject {
		return invalidRequest("The id_token_hint is not a usable ID token of this server")
	}
	a.subject = hint.Subject
	return nil
}

// checkWithFosite lets fosite judge the request too, with what our own rules have
// narrowed: one URI, the scopes that may be asked. A missing state is its last
// check, and no fault in our eyes.
func (p *Provider) checkWithFosite(ctx context.Context, a *authorization) error {
	x := &exchange{client: a.client, mark: a.mark}
	form := url.Values{
		"client_id": {a.client.ClientID}, "redirect_uri": {a.redirectURI}, "response_type": {"code"},
		"scope": {strings.Join(a.scopes, " ")}, "state": {a.state},
		"code_challenge": {a.challenge}, "code_challenge_method": {a.params.Get("code_challenge_method")},
	}
	r := &http.Request{Method: http.MethodGet, Form: form, Header: http.Header{}, URL: &url.URL{}}
	request, err := p.fosite.NewAuthorizeRequest(withExchange(ctx, x), r)
	if err != nil && !(a.state == "" && errors.Is(err, fosite.ErrInvalidState)) {
		return asError(err)
	}
	a.request = request
	return nil
}
