package accounts

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Consent is what a person allowed a client, once for all its grants.
type Consent struct {
	UserID    id.ID
	ClientID  id.ID
	Scopes    []string // allowed
	Asked     []string // shown to the person, allowed or not: what need not be asked again
	ValidFrom int64    // ledger position of the last disconnect (L2)
	GrantedAt int64
	UpdatedAt int64
	RevokedAt int64 // disconnected; the row stays for its ValidFrom
	ExpiresAt int64 // zero means without end
}

// Grant is one authorization that a client got from a person: refresh tokens and
// access tokens hang on it, and its ID is the gid of tokens.
type Grant struct {
	ID        id.ID
	UserID    id.ID
	ClientID  id.ID
	SessionID id.ID
	Offline   bool // survives its session
	Scopes    []string
	Resources []string
	CreatedAt int64
	EndedAt   int64
	EndReason string
}

// GrantFilter says which grants to end. Zero members do not restrict; at least
// one must be set.
type GrantFilter struct {
	GrantID      id.ID
	UserID       id.ID
	ClientID     id.ID
	SessionIDs   []id.ID
	SessionBound bool // spare the offline ones
}

// GrantStore keeps consents and ends grants.
type GrantStore interface {
	ConsentOf(ctx context.Context, userID, clientID id.ID) (*Consent, error)
	// PutConsent inserts or replaces every column but ValidFrom.
	PutConsent(ctx context.Context, c *Consent) error
	// ForgetAsked lets everybody be asked again what they allowed a client; what
	// they allowed stays.
	ForgetAsked(ctx context.Context, clientID id.ID) error
	GrantByID(ctx context.Context, grantID id.ID) (*Grant, error)
	GrantsOf(ctx context.Context, userID id.ID) ([]Grant, error) // not ended, newest first
	// EndGrants ends grants, and also throws away the unredeemed codes that the
	// filter meets; it returns the ids of both: a code's grant has its id before
	// it exists, so that a redemption in flight is killed by the same row.
	EndGrants(ctx context.Context, f GrantFilter, at int64, reason string) ([]id.ID, error)
}
