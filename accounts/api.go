package accounts

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// API is what a resource server serves: the audience of access tokens.
type API struct {
	ID       id.ID
	Audience string // absolute URI without fragment; an empty path is stored without a slash (RFC 8707 §2)
	Name     string
	Texts    Texts // names in other languages
	// TokenLifetime is the lifetime of access tokens for this API in
	// milliseconds; zero means the client's or the default.
	TokenLifetime int64
	// TokenAlgorithm signs access tokens for this API; empty means ES256.
	TokenAlgorithm string
	// AuthenticationClaims asks for auth_time, acr and amr in access tokens
	// (RFC 9068 §2.2.1).
	AuthenticationClaims bool
	// StatusList asks for access tokens that name their place in a token status
	// list, for resource servers that follow no feed.
	StatusList     bool
	DisabledAt     int64
	CreatedAt      int64
	UpdatedAt      int64
	Permissions    []Permission // filled by the readers
	ResourceServer string       // client_id of its resource server's own client, filled by the readers
}

// Permission is a right within an API, and at the same time the scope that asks
// for it. Its name is unique in the deployment.
type Permission struct {
	ID          id.ID
	APIID       id.ID
	Name        string // RFC 6749 §3.3 scope-token of the letters a-z 0-9 : _ . -
	Description string // "Can add post"; shown on the consent page
	Texts       Texts  // descriptions in other languages
	CreatedAt   int64
}

// APIStore keeps APIs and permissions. Every change bumps the ledger's change
// counter.
type APIStore interface {
	InsertAPI(ctx context.Context, a *API) error // ErrConflict when the audience is taken
	APIByAudience(ctx context.Context, audience string) (*API, error)
	ListAPIs(ctx context.Context) ([]API, error)
	UpdateAPI(ctx context.Context, a *API) error
	DeleteAPI(ctx context.Context, apiID id.ID) error // with its permissions
}

// PermissionStore keeps the permissions of APIs.
type PermissionStore interface {
	InsertPermission(ctx context.Context, p *Permission) error // ErrConflict when the name is taken
	// PermissionsByName returns those of the names that exist, with their API's
	// audience in the map's key order of the answer undefined.
	PermissionsByName(ctx context.Context, names []string) (map[string]Permission, error)
	UpdatePermission(ctx context.Context, p *Permission) error
	DeletePermission(ctx context.Context, permissionID id.ID) error
	// LockPermissions waits for the transactions that change what clients or sets hold,
	// or what permissions there are, and keeps others from it until its own ends. With
	// alone false it lets others in who ask for the same, and keeps only those out who
	// take permissions from everybody. ClientStore.LockClient, InsertClient and
	// SetHoldingStore.LockPermissionSet do the latter by themselves; it comes before
	// all locks of rows.
	LockPermissions(ctx context.Context, alone bool) error
}
