package accounts

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ClientType is the kind of app; it decides the defaults of registration and the
// rules for redirect URIs.
type ClientType string

// The types of clients.
const (
	WebClient      ClientType = "web"      // confidential, with a server of its own
	SPAClient      ClientType = "spa"      // public, in the browser
	NativeClient   ClientType = "native"   // public, on a device (RFC 8252)
	MachineClient  ClientType = "machine"  // acts for itself (client credentials)
	ResourceClient ClientType = "resource" // an API's resource server: introspects, follows the ledger
)

// Client authentication methods. A client with a secret may send it by either of
// the two ways of RFC 6749 §2.3.1.
const (
	AuthNone          = "none"
	AuthSecret        = "client_secret"
	AuthPrivateKeyJWT = "private_key_jwt"
)

// Client is a registered app.
type Client struct {
	ID         id.ID
	ClientID   string
	Name       string
	Texts      Texts // the name, and addresses of pages, in other languages
	Type       ClientType
	APIID      id.ID  // of a ResourceClient, else zero
	APIAud     string // audience of that API, filled by the readers
	AuthMethod string
	JWKS       string // public keys for private_key_jwt, a JWK Set

	GrantTypes             []string
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	// BackchannelLogoutURI is where the client hears that a session of a person has
	// ended (OpenID Connect Back-Channel Logout 1.0 §2.2); empty means nowhere.
	BackchannelLogoutURI string
	// BackchannelLogoutSessionRequired refuses to be told without the session's id.
	BackchannelLogoutSessionRequired bool

	Scopes         []string // what it may ask; for machines, what it holds comes from Permissions
	OptionalScopes []string // subset of Scopes that the person may untick
	Permissions    []string // held by a machine or resource client itself
	PermissionSets []string // names of the sets that it holds besides, filled by the readers, sorted
	SetPermissions []string // what those sets hold, filled by the readers, sorted; see Held
	VisibleGroups  []string // names of the groups that scope "groups" may show it; "*" means all

	HomeURI   string
	LogoURI   string
	PolicyURI string
	TermsURI  string

	IDTokenAlgorithm string // RS256 by default (OpenID Connect Core §15.1)
	FirstParty       bool   // the operator's own app: consent is not asked
	RequirePKCE      bool
	RequirePAR       bool
	RotateRefresh    bool // false for FAPI clients
	// RequiredACR is the assurance below which nobody gets into the app: ACRTwoFactors,
	// or empty for any.
	RequiredACR string
	// TokenEndpointAudience allows an assertion whose aud is the token endpoint,
	// as clients before rfc7523bis send it.
	TokenEndpointAudience bool

	// Lifetimes in milliseconds; zero means the default.
	AccessTokenLifetime int64
	IDTokenLifetime     int64
	RefreshIdle         int64
	RefreshAbsolute     int64

	Demo       bool
	DisabledAt int64
	ValidFrom  int64 // ledger position (L2)
	CreatedAt  int64
	UpdatedAt  int64

	Secrets []ClientSecret // live ones, filled by ClientByID
}

// ClientSecret is one of a client's live secrets; several may overlap while a
// secret is replaced.
type ClientSecret struct {
	ID        id.ID
	Hash      string // "mac:" + base64url of a keyed hash, or an argon2id PHC string for imported ones
	CreatedAt int64
	ExpiresAt int64 // zero means without end
}

// Public reports whether the client has no credential (RFC 6749 §2.1).
func (c *Client) Public() bool { return c.AuthMethod == AuthNone }

// Allows reports whether the client may use a grant type.
func (c *Client) Allows(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// Optional reports whether the person may untick a scope.
func (c *Client) Optional(scope string) bool { return slices.Contains(c.OptionalScopes, scope) }

// ClientStore keeps clients. Every change bumps the ledger's change counter.
type ClientStore interface {
	InsertClient(ctx context.Context, c *Client) error // ErrConflict when the client_id is taken or is a user's sub
	// ClientByID returns the client with its secrets that have not ended, and
	// the head of the ledger in the same snapshot.
	ClientByID(ctx context.Context, clientID string, now int64) (c *Client, head Mark, err error)
	ListClients(ctx context.Context, after string, limit int) ([]Client, error) // in order of client_id
	// UpdateClient writes every column but ValidFrom, and replaces the
	// permissions; an ErrNotFound when it is gone.
	UpdateClient(ctx context.Context, c *Client) error
	DeleteClient(ctx context.Context, clientID id.ID) error
	// LockClient returns the client without secrets. Until the transaction ends nobody
	// else changes it, and no permission leaves the deployment.
	LockClient(ctx context.Context, clientID string) (*Client, error)
}

// SecretStore keeps the secrets of clients.
type SecretStore interface {
	InsertSecret(ctx context.Context, clientID id.ID, s ClientSecret) error
	// ExpireSecrets lets all live secrets of a client end at the given time at
	// the latest, and returns how many it touched.
	ExpireSecrets(ctx context.Context, clientID id.ID, at int64) (int, error)
	// EndSecret lets one secret of a client end at the given time, and reports whether
	// it would have lived longer.
	EndSecret(ctx context.Context, clientID, secretID id.ID, at int64) (bool, error)
}

// Mark is where the ledger's counter stood in the snapshot of a read.
type Mark struct {
	Position int64 // becomes the rev of what is decided by the read
	Change   int64 // tells whether a copy of keys in memory is still true
}
