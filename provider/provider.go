package provider

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/ory/fosite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/templates"
)

// ClientReader finds clients; the position read with one becomes the first of a
// decision's inputs.
type ClientReader interface {
	ClientByID(ctx context.Context, clientID string, now int64) (*accounts.Client, accounts.Mark, error)
}

// Origins are those of pages that may use the back channel from the browser.
type Origins interface {
	// SPAOrigin reports whether an enabled client of the type spa has a redirect
	// URI of that origin.
	SPAOrigin(ctx context.Context, origin string) (bool, error)
}

// SecretVerifier compares a presented secret with a client's live ones.
type SecretVerifier interface {
	VerifySecret(ctx context.Context, c *accounts.Client, presented secret.Text) (bool, error)
}

// Sessions are the browsers that are signed in.
type Sessions interface {
	// Find returns the live session of a cookie's token, or
	// accounts.ErrNotFound.
	Find(ctx context.Context, token string) (*accounts.Session, *accounts.User, error)
	// Touch notes that the session is in use.
	Touch(ctx context.Context, session *accounts.Session)
	SignOut(ctx context.Context, by audit.Actor, subject string, session id.ID) error
}

// Consents are what people allowed clients. An operator allows for the people
// what a first-party client asks.
type Consents interface {
	Allow(ctx context.Context, by audit.Actor, user *accounts.User, c *accounts.Client, asked, allowed []string) error
	RevokeGrant(ctx context.Context, by audit.Actor, grant id.ID, reason string) error
}

// Tokens takes back single access tokens.
type Tokens interface {
	Revoke(ctx context.Context, by audit.Actor, k revocation.Keys, audience string, expiresAt int64) error
}

// Pushed keeps pushed authorization requests for a minute or two.
type Pushed interface {
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Get returns an error that wraps accounts.ErrNotFound for what is unknown or
	// has expired.
	Get(ctx context.Context, key string) ([]byte, error)
}

// Limiter spends from a budget of so many at once and one more each interval; it
// returns how long to wait, zero if the budget sufficed.
type Limiter interface {
	Spend(ctx context.Context, key string, burst int, every time.Duration, n int) (time.Duration, error)
}

// Refusals remembers redirect URIs of known clients that were refused.
type Refusals interface {
	// Note neither waits nor fails.
	Note(clientID id.ID, uri string)
}

// Lifetimes are the defaults; a client or an API may have its own.
type Lifetimes struct {
	PushedRequest   time.Duration
	Flow            time.Duration
	Code            time.Duration
	AccessToken     time.Duration
	IDToken         time.Duration
	RefreshIdle     time.Duration
	RefreshAbsolute time.Duration
	RefreshGrace    time.Duration // how long a rotated refresh token is answered with its successor
}

// DefaultLifetimes are those of a deployment that sets none.
func DefaultLifetimes() Lifetimes {
	return Lifetimes{
		PushedRequest:   90 * time.Second,
		Flow:            time.Hour,
		Code:            60 * time.Second,
		AccessToken:     10 * time.Minute,
		IDToken:         10 * time.Minute,
		RefreshIdle:     30 * 24 * time.Hour,
		RefreshAbsolute: 365 * 24 * time.Hour,
		RefreshGrace:    30 * time.Second,
	}
}

// Provider serves the protocol's endpoints. Its fields are its dependencies; all
// of them must be set before Mount.
type Provider struct {
	Issuer    *url.URL // without a trailing slash
	Lifetimes Lifetimes
	Clients   ClientReader
	Origins   Origins
	Secrets   SecretVerifier
	Sessions  Sessions
	Standings granting.StandingStore
	Grants    granting.GrantStore
	Flows     flow.Store
	Pushed    Pushed
	Ledger    revocation.Reader
	Consents  Consents
	Tokens    Tokens
	Keys      *keys.Ring
	Keyring   *secret.Keyring
	Limiter   Limiter
	Cookies   web.Cookies
	Pages     *templates.Renderer
	Log       *slog.Logger
	Now       func() time.Time
	// Statuses gives tokens their places in status lists. Without it there are no
	// tokens for APIs that ask for one.
	Statuses StatusLists
	// Tail may be nil: then every request asks the database.
	Tail Tail
	// Settings say what is asked of everybody before an app gets a code, whether people
	// can make accounts themselves, and for how long access tokens are good.
	Settings accounts.SettingsSource
	// Factors must be set like the other stores.
	Factors Factors
	// Refusals may be nil: then nobody remembers.
	Refusals Refusals
	// Counter may be nil: then nothing is counted.
	Counter Counter

	issuer string
	guard  guard

	document    atomic.Pointer[published] // the metadata
	clients     memory[*accounts.Client]
	permissions memory[permission] // by name
	// strictGroups has one entry.
	strictGroups memory[[]id.ID]
	origins      memory[bool]
	tokens       recent[[sha256.Size]byte, *knownToken]
	fosite       *fosite.Fosite

	refreshes, redemptions crowd // what the token endpoint does at once
}

// Mount adds the endpoints to r, whose root is the origin of the issuer. Pages
// that a person sees go through pages, which sets their headers.
func (p *Provider) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	if p.Issuer == nil || p.Issuer.Host == "" {
		return fmt.Errorf("provider: no issuer")
	}
	p.issuer = p.Issuer.String()
	p.fosite = newFosite(p)
	p.refreshes, p.redemptions = newCrowd(), newCrowd()
	p.clients.kept.limit, p.permissions.kept.limit, p.origins.kept.limit = knownClients, knownPermissions, knownOrigins
	p.strictGroups.kept.limit = 1
	p.tokens.limit = knownTokens

	path := p.Issuer.Path
	page := func(h http.HandlerFunc) http.Handler { return pages(h) }
	// Protocol routes come first: gorilla/mux tries its routes in order.
	back := p.backChannel()
	for endpoint, h := range map[string]http.HandlerFunc{
		pathToken: p.counted(counts.AtToken, p.token), pathRevoke: p.counted(counts.AtRevoke, p.revoke), pathUserinfo: p.userinfo,
	} {
		r.Handle(path+endpoint, back.Wrap(h))
	}
	r.HandleFunc(path+pathIntrospect, p.counted(counts.AtIntrospect, p.introspect))
	r.HandleFunc(path+pathPAR, p.counted(counts.AtPAR, p.pushedRequest))
	r.Handle(path+flow.PathAuthorize, page(p.counted(counts.AtAuthorize, p.authorize)))
	r.Handle(path+pathLogout, page(p.logout))
	r.Handle(path+pathJWKS, web.OpenCORS(http.HandlerFunc(p.jwks)))
	metadata := web.OpenCORS(http.HandlerFunc(p.metadata))
	for _, at := range p.metadataPaths() {
		r.Handle(at, metadata)
	}
	r.Handle(pathResource+path, web.OpenCORS(http.HandlerFunc(p.resourceMetadata)))
	return nil
}

// Paths of the endpoints, relative to the issuer.
const (
	pathToken      = "/oauth2/token"
	pathRevoke     = "/oauth2/revoke"
	pathIntrospect = "/oauth2/introspect"
	pathPAR        = "/oauth2/par"
	pathUserinfo   = "/userinfo"
	pathLogout     = "/logout"
	pathJWKS       = "/.well-known/jwks.json"
)

func (p *Provider) url(path string) string { return p.issuer + path }
