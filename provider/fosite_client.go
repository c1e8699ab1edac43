package provider

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// client shows one of our clients to fosite, for one request. It is not an
// OpenIDConnectClient on purpose: that switches off every path of fosite that
// reads keys or request objects with the outdated JOSE library.
type client struct {
	*accounts.Client
	redirectURI string   // the one that our matcher accepted in this request
	scopes      []string // that may be asked in this request
}

func (c *client) GetID() string               { return c.ClientID }
func (c *client) GetHashedSecret() []byte     { return nil }
func (c *client) IsPublic() bool              { return c.Public() }
func (c *client) GetScopes() fosite.Arguments { return c.scopes }

// GetRedirectURIs returns the URI that our matcher accepted and no other: fosite's
// loopback rule compares decoded paths, ignores userinfo and lets https match http.
func (c *client) GetRedirectURIs() []string {
	if c.redirectURI == "" {
		return nil
	}
	return []string{c.redirectURI}
}

func (c *client) GetGrantTypes() fosite.Arguments    { return c.GrantTypes }
func (c *client) GetResponseTypes() fosite.Arguments { return fosite.Arguments{"code"} }
func (c *client) GetAudience() fosite.Arguments      { return nil }

// GetResponseModes implements fosite.ResponseModeClient.
func (c *client) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeDefault, fosite.ResponseModeQuery, fosite.ResponseModeFormPost}
}

func (c *client) needsPKCE() bool { return c.RequirePKCE || c.Public() }

var _ fosite.ResponseModeClient = (*client)(nil)

// authenticatedClient is fosite's client authentication: ours has run before.
func authenticatedClient(ctx context.Context, _ *http.Request, _ url.Values) (fosite.Client, error) {
	return exchangeFrom(ctx).client, nil
}

// session is what fosite carries through a request. Everything that matters is in
// the exchange; the session only holds the expiries that fosite sets and asks.
type session struct {
	expires map[fosite.TokenType]time.Time
	subject string
}

func newSession(subject string) *session {
	return &session{expires: map[fosite.TokenType]time.Time{}, subject: subject}
}

func (s *session) SetExpiresAt(k fosite.TokenType, at time.Time) { s.expires[k] = at }
func (s *session) GetExpiresAt(k fosite.TokenType) time.Time     { return s.expires[k] }
func (s *session) GetUsername() string                           { return "" }
func (s *session) GetSubject() string                            { return s.subject }

func (s *session) Clone() fosite.Session {
	c := newSession(s.subject)
	for k, at := range s.expires {
		c.expires[k] = at
	}
	return c
}

var (
	_ fosite.Client  = (*client)(nil)
	_ fosite.Session = (*session)(nil)
)

// noFetcher and noHasher stand where fosite would otherwise build its own on first
// use, without a lock. Neither is ever called.
type (
	noFetcher struct{ fosite.JWKSFetcherStrategy }
	noHasher  struct{ fosite.Hasher }
)
