package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// pushed is a pushed authorization request as it is kept (RFC 9126).
//
// It is read, never taken, so that the person may load the sign-in page twice. The
// grant that will come of it has its id from the beginning, and the row of its
// code exists once: that is what makes the request usable once (L14), whatever
// becomes of the copy kept here.
type pushed struct {
	ClientID  string `json:"client_id"`
	Params    string `json:"params"`
	GrantID   id.ID  `json:"grant_id"`
	ExpiresAt int64  `json:"expires_at"` // Unix milliseconds
	// Operator is the sub of the person for whom the operators' console pushed it, which
	// alone has its answers sent to the console; empty if the client pushed it.
	Operator string `json:"operator,omitempty"`
}

// operator is empty where no request was pushed.
func (r *pushed) operator() string {
	if r == nil {
		return ""
	}
	return r.Operator
}

const (
	requestURIPrefix = "urn:ietf:params:oauth:request_uri:"
	requestURIBytes  = 32
)

// pushedRequest is the endpoint that takes authorization requests from clients.
func (p *Provider) pushedRequest(w http.ResponseWriter, r *http.Request) {
	if !p.postOnly(w, r) {
		return
	}
	form, err := web.ParseForm(w, r, "resource")
	if err != nil {
		p.answerError(w, r, formError(err))
		return
	}
	answer, err := p.push(r, form)
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	web.NoStore(w)
	web.WriteJSON(w, http.StatusCreated, answer)
}

func (p *Provider) push(r *http.Request, form url.Values) (map[string]any, error) {
	ctx, now := r.Context(), p.Now()
	c, err := p.authenticate(ctx, r, form, now)
	if err != nil {
		return nil, err
	}
	if err := p.spendHere(ctx, func(network string) string { return limitKey("par", c.ClientID, network) }, pushedBurst, pushedEvery); err != nil {
		return nil, err
	}
	if form.Has("request_uri") {
		return nil, invalidRequest("A pushed request cannot hold a request_uri") // RFC 9126 §2.1
	}
	for _, credential := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		form.Del(credential)
	}
	form.Set("client_id", c.ClientID)
	operator := voucherFrom(ctx).operator()
	a, err := p.readAuthorization(ctx, form, operator, func(context.Context, string) (*accounts.Client, accounts.Mark, bool, error) {
		return c.Client, c.mark, false, nil
	})
	if err != nil {
		return nil, err
	}
	if len(a.resources) > 0 {
		st := &granting.Standing{Mark: c.mark}
		if err := p.complete(ctx, st, a.scopes, a.resources); err != nil {
			return nil, err
		}
		if err := p.knownResources(a, st); err != nil {
			return nil, err
		}
	}
	key := base64.RawURLEncoding.EncodeToString(secret.Random(requestURIBytes))
	stored, err := json.Marshal(pushed{
		ClientID: c.ClientID, Params: form.Encode(), GrantID: id.New(),
		ExpiresAt: now.Add(p.Lifetimes.PushedRequest).UnixMilli(), Operator: operator,
	})
	if err != nil {
		return nil, err
	}
	if err := p.Pushed.Put(ctx, p.pushedKey(key), stored, p.Lifetimes.PushedRequest); err != nil {
		return nil, unavailable(err)
	}
	return map[string]any{
		"request_uri": requestURIPrefix + key,
		"expires_in":  int64(p.Lifetimes.PushedRequest.Seconds()),
	}, nil
}

// pushedKey hashes: who can read the store must not be able to use what is in it.
func (p *Provider) pushedKey(key string) string {
	return "par:" + base64.RawURLEncoding.EncodeToString(p.Keyring.Derive("pushed-request", []byte(key)))
}

// takePushed replaces the parameters by those of the pushed request that they
// name. What else the browser brought is ignored: it did not come from the client
// (RFC 9126 §4).
func (p *Provider) takePushed(ctx context.Context, params url.Values) (*pushed, url.Values, error) {
	key, ok := strings.CutPrefix(params.Get("request_uri"), requestURIPrefix)
	if !ok {
		return nil, params, nil
	}
	unknown := &unproven{err: newError(http.StatusBadRequest, "invalid_request_uri", "The request_uri is unknown or has expired").why(counts.ReasonUnknown)}
	if len(key) != base64.RawURLEncoding.EncodedLen(requestURIBytes) {
		return nil, nil, unknown
	}
	stored, err := p.Pushed.Get(ctx, p.pushedKey(key))
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, nil, unknown
	}
	if err != nil {
		return nil, nil, unavailable(err)
	}
	var request pushed
	if err := json.Unmarshal(stored, &request); err != nil {
		return nil, nil, unknown
	}
	if request.ClientID != params.Get("client_id") || p.Now().UnixMilli() >= request.ExpiresAt {
		return nil, nil, unknown
	}
	original, err := url.ParseQuery(request.Params)
	if err != nil {
		return nil, nil, unknown
	}
	return &request, original, nil
}
