package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/outbound"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// logoutTokenLifetime is the longest that OpenID Connect Back-Channel Logout §2.4
// recommends.
const logoutTokenLifetime = 2 * time.Minute

// logoutToken is the claims of a logout token (OpenID Connect Back-Channel Logout
// 1.0 §2.4). It never has a nonce, by which it could be taken for an ID token.
// Times are Unix seconds.
type logoutToken struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	IssuedAt  int64               `json:"iat"`
	ExpiresAt int64               `json:"exp"`
	ID        string              `json:"jti"`
	Events    map[string]struct{} `json:"events"`
	SessionID string              `json:"sid,omitempty"`
}

// maxRefusedTries is how often a client is told that answers 400, within three
// quarters of an hour. §2.8 has one answer for a token that is wrong and for a logout
// that failed: the first stays so, the second may be a database that was restarted.
const maxRefusedTries = 6

const backchannelEvent = "http://schemas.openid.net/event/backchannel-logout"

// BackchannelSender tells clients of the ends of sessions: it is the jobs.Handler of
// BackchannelKind. Each try has a fresh token, whose jti is the same.
type BackchannelSender struct {
	Issuer  string
	Clients ClientReader
	Keys    *keys.Ring
	// HTTP must be of package outbound: the addresses are the clients'.
	HTTP *http.Client
	Now  func() time.Time
	Log  *slog.Logger
}

// Handle implements jobs.Handler.
func (b *BackchannelSender) Handle(ctx context.Context, j jobs.Job) error {
	var f farewell
	if err := json.Unmarshal([]byte(j.Payload), &f); err != nil || f.ClientID == "" || f.Subject == "" {
		return fmt.Errorf("%w: the payload is damaged", jobs.ErrFinal)
	}
	c, err := b.receiver(ctx, f)
	if err != nil || c == nil {
		return err
	}
	signed, err := b.token(ctx, c, f, j.ID.String())
	if err != nil {
		return err
	}
	return b.post(ctx, c.BackchannelLogoutURI, signed, j.Attempts)
}

// receiver returns the client as it is registered now, or nil if there is nobody to
// tell any more: nobody vouches for the address of a client that is gone.
func (b *BackchannelSender) receiver(ctx context.Context, f farewell) (*accounts.Client, error) {
	c, _, err := b.Clients.ClientByID(ctx, f.ClientID, b.Now().UnixMilli())
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the client: %w", err)
	}
	if c.DisabledAt != 0 || c.BackchannelLogoutURI == "" {
		return nil, nil
	}
	if c.BackchannelLogoutSessionRequired && f.SessionID == "" {
		b.Log.WarnContext(ctx, "a client wants to be told of sessions alone, and there was none", "client_id", f.ClientID)
		return nil, nil
	}
	return c, nil
}

func (b *BackchannelSender) token(ctx context.Context, c *accounts.Client, f farewell, jti string) (string, error) {
	set, err := b.Keys.Current(ctx)
	if err != nil {
		return "", fmt.Errorf("signing keys: %w", err)
	}
	// §2.4: the keys of ID tokens, and so their algorithm.
	algorithm := c.IDTokenAlgorithm
	if algorithm == "" {
		algorithm = keys.RS256
	}
	key, err := set.Signer(algorithm)
	if err != nil {
		return "", fmt.Errorf("sign a logout token: %w", err)
	}
	now := b.Now()
	payload, err := json.Marshal(logoutToken{
		Issuer: b.Issuer, Subject: f.Subject, Audience: c.ClientID, ID: jti, SessionID: f.SessionID,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(logoutTokenLifetime).Unix(),
		Events: map[string]struct{}{backchannelEvent: {}},
	})
	if err != nil {
		return "", fmt.Errorf("encode a logout token: %w", err)
	}
	return key.Sign(keys.TypeLogout, payload)
}

// post sends the token (§2.5). What the client answers is never repeated: it could
// be anything.
func (b *BackchannelSender) post(ctx context.Context, uri, signed string, attempt int) error {
	form := url.Values{"logout_token": {signed}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(form))
	if err != nil {
		return fmt.Errorf("%w: the back-channel logout URI cannot be called", jobs.ErrFinal)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Gatehouse")
	resp, err := b.HTTP.Do(r)
	if err != nil {
		return fmt.Errorf("call the client: %w", outbound.Cause(err))
	}
	// Read to the end, so that the connection can be used again; a body that is too
	// long or breaks off changes nothing about the status.
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 2:
		// §2.8 names 200, and 204 for frameworks that make it of an empty answer.
		// Whoever answers another of this class has not failed either.
		return nil
	case resp.StatusCode == http.StatusBadRequest && attempt >= maxRefusedTries:
		return fmt.Errorf("%w: the client refused the logout token (400)", jobs.ErrFinal)
	}
	return fmt.Errorf("the client answered %d", resp.StatusCode)
}
