package accounts

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// tokenRowMargin is how long the row of a token outlives it: leeway of verifiers
// and a margin for clocks (L12).
const tokenRowMargin = 2 * time.Minute

// RevocationReader answers whether a token is dead already.
type RevocationReader interface {
	Revoked(ctx context.Context, k revocation.Keys) (bool, error)
}

// Tokens takes back access tokens themselves.
type Tokens struct {
	Journal
	Revocations RevocationReader
}

// Revoke kills one access token (RFC 7009), which the caller has verified and
// found to be the client's own. A token that has expired (expiresAt, Unix
// milliseconds) or is dead already gets no row (L26).
func (s *Tokens) Revoke(ctx context.Context, actor audit.Actor, k revocation.Keys, audience string, expiresAt int64) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		if k.ID == "" || expiresAt <= now {
			return nil, nil
		}
		dead, err := s.Revocations.Revoked(ctx, k)
		if err != nil {
			return nil, fmt.Errorf("ask the ledger: %w", err)
		}
		if dead {
			return nil, nil
		}
		return &effect{
			action: "token.revoke", kind: "token", target: k.ID,
			details: map[string]any{"client_id": k.ClientID, "sub": k.Subject},
			rows: []revocation.Entry{{
				Kind: revocation.Token, Key: k.ID, Audience: audience, Reason: reasonTokenRevoked,
				ExpiresAt: expiresAt + tokenRowMargin.Milliseconds(),
			}},
		}, nil
	})
}

// RevokeID kills the access token of a jti that somebody has seen, in a log for
// instance. Nothing else is known of it: every follower is told, and the row stays as
// long as the longest-lived token. An id that was made longer ago gets none (L26).
// Errors: ErrInvalid for what is no jti of ours.
func (s *Tokens) RevokeID(ctx context.Context, actor audit.Actor, jti string) error {
	made, err := id.Parse(jti)
	if err != nil {
		return invalid("jti: %s", err)
	}
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		longest := LongestAccessToken.Milliseconds() + tokenRowMargin.Milliseconds()
		if made.Time()+longest <= now {
			return nil, nil
		}
		dead, err := s.Revocations.Revoked(ctx, revocation.Keys{ID: jti, Rev: math.MaxInt64}) // no row but its own matches
		if err != nil {
			return nil, fmt.Errorf("ask the ledger: %w", err)
		}
		if dead {
			return nil, nil
		}
		return &effect{
			action: "token.revoke", kind: "token", target: jti,
			rows: []revocation.Entry{{Kind: revocation.Token, Key: jti, Reason: reasonTokenRevoked, ExpiresAt: now + longest}},
		}, nil
	})
}

// All makes every access token of the deployment refresh once: for emergencies.
func (s *Tokens) All(ctx context.Context, actor audit.Actor, reason string) error {
	if err := label("reason", reason, 100); err != nil {
		return err
	}
	return s.record(ctx, actor, func(context.Context, int64) (*effect, error) {
		return &effect{
			action: "token.revoke_all", kind: "all", details: map[string]any{"reason": reason},
			rows: []revocation.Entry{{Kind: revocation.All, Reason: reason}},
		}, nil
	})
}
