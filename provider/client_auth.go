package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Failed authentications are budgeted by client and network together, so that
// nobody can lock a client out from somewhere else.
const (
	authFailures     = 100
	authFailureEvery = time.Second
)

// credentials are what a request presents to prove its client.
type credentials struct {
	method   string // accounts.AuthNone, AuthSecret or AuthPrivateKeyJWT
	clientID string
	secret   string
	jwt      string
	vouched  bool // for nothing of the above: the console asks in the client's name
}

// presented finds the one way of authentication that the request uses. Two at once
// are refused (RFC 6749 §2.3): which one counts must not be a matter of taste.
func presented(r *http.Request, form url.Values) (credentials, error) {
	var found []credentials
	if header := r.Header.Values("Authorization"); len(header) > 0 {
		if len(header) > 1 {
			return credentials{}, invalidRequest("More than one Authorization header")
		}
		id, secret, err := parseBasic(header[0])
		if err != nil {
			return credentials{}, invalidClient("The Authorization header is not well-formed Basic authentication")
		}
		found = append(found, credentials{method: accounts.AuthSecret, clientID: id, secret: secret})
	}
	if form.Has("client_secret") {
		found = append(found, credentials{method: accounts.AuthSecret, clientID: form.Get("client_id"), secret: form.Get("client_secret")})
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		if form.Get("client_assertion_type") != assertionType {
			return credentials{}, invalidClient("The client_assertion_type is not supported")
		}
		// The token endpoint accepts a request that names the client in the
		// assertion alone (RFC 7521 §4.2).
		jwt := form.Get("client_assertion")
		subject, err := token.UnverifiedSubject(jwt)
		if err != nil || !clean(subject) { // no database keeps a NUL
			return credentials{}, invalidClient("The client assertion is not a JWT that names its client")
		}
		found = append(found, credentials{method: accounts.AuthPrivateKeyJWT, clientID: subject, jwt: jwt})
	}
	switch len(found) {
	case 0:
		return credentials{method: accounts.AuthNone, clientID: form.Get("client_id")}, nil
	case 1:
	default:
		return credentials{}, invalidRequest("More than one method of client authentication")
	}
	c := found[0]
	if named := form.Get("client_id"); named != "" && named != c.clientID {
		return c, invalidRequest("The client_id does not match the client's credentials")
	}
	return c, nil
}

// parseBasic reads Basic credentials, whose parts are form-encoded before they are
// joined (RFC 6749 §2.3.1). It is strict: one decoding, canonical base64, UTF-8.
func parseBasic(header string) (clientID, secret string, err error) {
	errBasic := errors.New("malformed Basic credentials")
	scheme, text, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Basic") {
		return "", "", errBasic
	}
	b, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(text, " "))
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return "", "", errBasic
	}
	name, password, ok := strings.Cut(string(b), ":")
	if !ok {
		return "", "", errBasic
	}
	if clientID, err = url.QueryUnescape(name); err != nil {
		return "", "", errBasic
	}
	if secret, err = url.QueryUnescape(password); err != nil {
		return "", "", errBasic
	}
	if clientID == "" || !clean(clientID) || !clean(secret) {
		return "", "", errBasic
	}
	return clientID, secret, nil
}

func clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// authenticate returns the client of a back-channel request, as it is at a moment
// of the ledger.
func (p *Provider) authenticate(ctx context.Context, r *http.Request, form url.Values, now time.Time) (*caller, error) {
	return p.identify(ctx, r, form, now, func(ctx context.Context, clientID string) (*accounts.Client, accounts.Mark, bool, error) {
		at, err := p.moment(ctx)
		if err != nil {
			return nil, at, false, err
		}
		return p.clientOf(at, now)(ctx, clientID)
	})
}

// authenticateEarly returns the client of a token request, perhaps as it was last
// seen: confirm must follow.
func (p *Provider) authenticateEarly(ctx context.Context, r *http.Request, form url.Values, now time.Time) (*caller, error) {
	return p.identify(ctx, r, form, now, p.seenClient)
}

func (p *Provider) identify(ctx context.Context, r *http.Request, form url.Values, now time.Time, find finder) (*caller, error) {
	cred, err := presented(r, form)
	if err != nil {
		return nil, err
	}
	if v := voucherFrom(ctx); v != nil {
		cred = credentials{clientID: v.clientID, vouched: true}
	}
	if cred.clientID == "" {
		return nil, invalidClient("No client credentials")
	}
	web.Event(ctx).ClientID = cred.clientID
	key := limitKey("client-auth", cred.clientID, web.Bucket(web.ClientIP(ctx)))
	if wait := p.guard.wait(key, now); wait > 0 {
		return nil, tooMany(wait)
	}
	who, err := p.verifyClient(ctx, cred, now, find)
	var refused *Error
	// Who sends a good assertion twice guesses nothing.
	if errors.As(err, &refused) && refused.Code == "invalid_client" && !errors.Is(err, errReplayed) {
		wait, spendErr := p.Limiter.Spend(ctx, key, authFailures, authFailureEvery, 1)
		if spendErr != nil {
			p.Log.WarnContext(ctx, "count a failed client authentication", "error", spendErr)
		}
		if wait > 0 {
			p.guard.bar(key, now.Add(wait), now)
		}
		return nil, err
	}
	return who, err
}

func (p *Provider) verifyClient(ctx context.Context, cred credentials, now time.Time, find finder) (*caller, error) {
	c, mark, early, err := find(ctx, cred.clientID)
	if err != nil {
		return nil, unknownIsRefused(err)
	}
	web.Event(ctx).Client = c.ID
	who := &caller{Client: c, mark: mark, early: early, presented: cred}
	err = p.prove(ctx, who, now)
	var refused *Error
	if early && errors.As(err, &refused) && !errors.Is(err, errReplayed) {
		// The client may have got another secret since it was last seen.
		err = p.proveAgain(ctx, who, now, p.freshClient)
	}
	return who, err
}

// errRefused is the same for unknown, disabled, wrong method and wrong secret.
func errRefused() *Error { return invalidClient("Client authentication failed") }

func unknownIsRefused(err error) error {
	if errors.Is(err, accounts.ErrNotFound) {
		return errRefused()
	}
	return err
}

// prove holds what was presented against the client.
func (p *Provider) prove(ctx context.Context, who *caller, now time.Time) error {
	if who.DisabledAt != 0 {
		return errRefused()
	}
	if who.presented.vouched {
		return nil
	}
	if who.AuthMethod != who.presented.method {
		return errRefused()
	}
	switch who.presented.method {
	case accounts.AuthSecret:
		// Secrets that end by time are held against the clock there.
		ok, err := p.Secrets.VerifySecret(ctx, who.Client, secret.Text(who.presented.secret))
		if err != nil {
			return err
		}
		if !ok {
			return errRefused()
		}
	case accounts.AuthPrivateKeyJWT:
		return p.proveAssertion(ctx, who, now)
	}
	return nil
}

// proveAssertion checks a private_key_jwt, and only when everything else about it
// is right uses up its jti: one that was made for another server must not burn a
// client's own. Within one request that happens once.
func (p *Provider) proveAssertion(ctx context.Context, who *caller, now time.Time) error {
	rules := token.AssertionRules{Issuer: p.issuer, ClientID: who.ClientID, Now: now}
	if who.TokenEndpointAudience {
		rules.AllowTokenEndpoint = p.url(pathToken)
	}
	a, err := token.VerifyAssertion(who.presented.jwt, []byte(who.JWKS), rules)
	if err != nil {
		return invalidClient("The client assertion is not valid: " + printable(err.Error())).because(err)
	}
	if who.spent {
		return nil
	}
	fresh, err := p.Grants.UseAssertion(ctx, who.ClientID, a.JTI, a.ExpiresAt.Add(time.Minute).UnixMilli())
	if err != nil {
		return err
	}
	if !fresh {
		return invalidClient("The client assertion was already used").because(errReplayed).why(counts.ReasonReused)
	}
	who.spent = true
	return nil
}
