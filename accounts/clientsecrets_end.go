package accounts

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// EndSecret ends one of a client's live secrets before its time, when everything has
// its successor. Tokens go on: for a secret in other hands there is Compromised.
// Errors: ErrNotFound if the client has no such live secret.
func (s *Clients) EndSecret(ctx context.Context, actor audit.Actor, clientID string, secretID id.ID) error {
	return s.change(ctx, actor, clientID, func(ctx context.Context, c *Client, now int64) (*effect, error) {
		ended, err := s.Secrets.EndSecret(ctx, c.ID, secretID, now)
		if err != nil {
			return nil, fmt.Errorf("end secret: %w", err)
		}
		if !ended {
			return nil, fmt.Errorf("secret of client %q: %w", clientID, ErrNotFound)
		}
		return clientEffect("client.secret.end", c, map[string]any{"secret": secretID.String()}), nil
	})
}

// Generated reports whether the secret was made here, and so is checked by a hash that
// costs nothing.
func (s *ClientSecret) Generated() bool { return strings.HasPrefix(s.Hash, generatedHash) }
