package accounts

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// SetSecondFactor makes a second factor a must for a group's members, or no longer.
// It ends nothing: sessions of one factor are asked for the second one when they next
// come by. Errors: ErrNotFound.
func (s *Groups) SetSecondFactor(ctx context.Context, actor audit.Actor, name string, must bool) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		g, err := s.Find(ctx, name)
		if err != nil || g.SecondFactor == must {
			return nil, err
		}
		if err := s.Store.DemandFactor(ctx, g.ID, must); err != nil {
			return nil, fmt.Errorf("demand a second factor: %w", err)
		}
		e := groupEffect("group.second_factor", g, map[string]any{"needed": must})
		return e.changed(values{"second_factor": g.SecondFactor}, values{"second_factor": must}), nil
	})
}
