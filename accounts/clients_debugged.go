package accounts

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// Debugged writes down that an operator has begun to run the protocol in the name of a
// client, with which grant type. It changes nothing.
func (s *Clients) Debugged(ctx context.Context, actor audit.Actor, c *Client, grantType string) error {
	return s.record(ctx, actor, func(context.Context, int64) (*effect, error) {
		return clientEffect("client.debugged", c, map[string]any{"grant_type": grantType}), nil
	})
}
