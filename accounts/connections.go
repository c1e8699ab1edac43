package accounts

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	reasonClientRevoked      = "client-revoked"
	reasonClientDisconnected = "client-disconnected"
)

// ConsentEnder takes back what everybody allowed a client.
type ConsentEnder interface {
	// RevokeConsents takes back all consents for a client and returns how many those
	// were.
	RevokeConsents(ctx context.Context, clientID id.ID, at int64) (int, error)
}

// Connections ends what all people together gave one client.
type Connections struct {
	Journal
	Clients  ClientStore
	Grants   GrantStore
	Consents ConsentEnder
}

// EndGrants ends all grants and tokens of a client, also those that it got for
// itself. What people allowed it stays: it gets others without asking them. Errors:
// ErrNotFound.
func (s *Connections) EndGrants(ctx context.Context, actor audit.Actor, clientID string) error {
	return s.end(ctx, actor, clientID, "client.revoke", reasonClientRevoked, nil)
}

// Disconnect is EndGrants that also takes back what people allowed the client.
// Whoever allows it something in the same moment has allowed it anew. Errors:
// ErrNotFound.
func (s *Connections) Disconnect(ctx context.Context, actor audit.Actor, clientID string) error {
	return s.end(ctx, actor, clientID, "client.disconnect", reasonClientDisconnected, s.Consents.RevokeConsents)
}

func (s *Connections) end(ctx context.Context, actor audit.Actor, clientID, action, reason string, consents func(ctx context.Context, clientID id.ID, at int64) (int, error)) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		c, err := s.Clients.LockClient(ctx, clientID)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", clientID, err)
		}
		// Grants before consents, as whoever disconnects one person's app locks them.
		ended, err := s.Grants.EndGrants(ctx, GrantFilter{ClientID: c.ID}, now, reason)
		if err != nil {
			return nil, fmt.Errorf("end grants: %w", err)
		}
		details := map[string]any{"grants": len(ended)}
		if consents != nil {
			if details["consents"], err = consents(ctx, c.ID, now); err != nil {
				return nil, fmt.Errorf("revoke consents: %w", err)
			}
		}
		e := clientEffect(action, c, details)
		// The stamp kills the codes that are being issued at this moment (L2).
		e.rows = []revocation.Entry{{Kind: revocation.Client, Key: c.ClientID, Reason: reason}}
		e.stamps = []revocation.Stamp{{Subject: revocation.ClientValidFrom, ID: c.ClientID}}
		return e, nil
	})
}
