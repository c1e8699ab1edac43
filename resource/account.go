package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

const (
	requestTimeout = 10 * time.Second
	tokenEndpoint  = "token endpoint" // in errors
	// metadataAge is how long the issuer's endpoints are remembered.
	metadataAge = time.Hour
	// maxExpiresIn bounds what is believed of a token's lifetime.
	maxExpiresIn = 24 * time.Hour
)

// account is the API's own client at the issuer.
type account struct {
	source     *source // for metadata
	client     *http.Client
	issuer     string
	id, secret string
	now        func() time.Time

	// turn is held while what follows is read or fetched; a channel, so that who
	// waits can give up.
	turn       chan struct{}
	found      issuerMetadata
	foundAt    time.Time
	token      string
	renewAfter time.Time
}

func newAccount(cfg Config) *account {
	src := newSource(cfg)
	return &account{
		source: src, client: src.client, issuer: cfg.Issuer, id: cfg.ClientID, secret: cfg.ClientSecret,
		now: cfg.Now, turn: make(chan struct{}, 1),
	}
}

// answerError is an answer that is not the one wanted. It holds nothing secret.
type answerError struct {
	what       string
	status     int
	code       string        // OAuth error code, if the answer has one
	retryAfter time.Duration // what it asked for, within a day
}

// Error says what was asked and what came.
func (e *answerError) Error() string {
	text := fmt.Sprintf("%s: answered %d", e.what, e.status)
	if e.code != "" {
		text += " " + e.code
	}
	return text
}

// refusal describes a response that is not 200.
func refusal(what string, resp *http.Response) error {
	e := &answerError{what: what, status: resp.StatusCode}
	if seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16); err == nil {
		e.retryAfter = time.Duration(seconds) * time.Second
	}
	var body struct {
		Error string `json:"error"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, 4<<10)).Decode(&body) == nil && isScopeToken(body.Error) && len(body.Error) < 64 {
		e.code = body.Error
	}
	return e
}

// endpoints returns where the issuer's endpoints are. The caller holds the turn.
func (a *account) endpoints(ctx context.Context) (issuerMetadata, error) {
	if a.foundAt.IsZero() || a.now().Sub(a.foundAt) > metadataAge {
		found, err := a.source.metadata(ctx)
		if err != nil {
			return found, fmt.Errorf("discovering %s: %w", a.issuer, err)
		}
		for _, address := range []string{found.Token, found.Introspection} {
			// The secret goes there.
			if err := checkURL(address); err != nil {
				return found, fmt.Errorf("an endpoint of %s %w", a.issuer, err)
			}
		}
		a.found, a.foundAt = found, a.now()
	}
	return a.found, nil
}

func (a *account) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *account) release() { <-a.turn }

// bearer returns an access token for the feed, a new one if the last has used up
// most of its time.
func (a *account) bearer(ctx context.Context) (string, error) {
	if err := a.take(ctx); err != nil {
		return "", err
	}
	defer a.release()
	if a.token != "" && a.now().Before(a.renewAfter) {
		return a.token, nil
	}
	asked := a.now()
	found, err := a.endpoints(ctx)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token     string `json:"access_token"`
		Type      string `json:"token_type"`
		ExpiresIn int64  `json:"expires_in"`
	}
	err = a.post(ctx, tokenEndpoint, found.Token, url.Values{
		"grant_type": {"client_credentials"}, "scope": {wire.Scope}, "resource": {a.issuer},
	}, &answer)
	if err != nil {
		a.foundAt = time.Time{} // it may have moved
		return "", err
	}
	if answer.Token == "" || !strings.EqualFold(answer.Type, "Bearer") || strings.ContainsAny(answer.Token, " \r\n") {
		return "", errors.New("token endpoint: answered without a bearer token")
	}
	lifetime := time.Duration(min(max(answer.ExpiresIn, 0), int64(maxExpiresIn/time.Second))) * time.Second
	a.token, a.renewAfter = answer.Token, asked.Add(lifetime*4/5)
	return a.token, nil
}

// forget drops token, which the feed has refused.
func (a *account) forget(ctx context.Context, token string) {
	if a.take(ctx) != nil {
		return
	}
	defer a.release()
	if a.token == token {
		a.token = ""
	}
}

// introspection returns where tokens are introspected.
func (a *account) introspection(ctx context.Context) (string, error) {
	if err := a.take(ctx); err != nil {
		return "", err
	}
	defer a.release()
	found, err := a.endpoints(ctx)
	return found.Introspection, err
}

// post sends a form with the client's credentials (RFC 6749 §2.3.1) and reads the
// JSON answer into answer.
func (a *account) post(ctx context.Context, what, address string, form url.Values, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(a.id), url.QueryEscape(a.secret))
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(what, resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxDocumentBytes)).Decode(answer); err != nil {
		// Not the decoder's words: they may quote what was read.
		return fmt.Errorf("%s: answered no JSON", what)
	}
	return nil
}
