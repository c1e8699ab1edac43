package accounts

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Take takes one factor from a user, by an operator: the person has lost it. All their
// sessions end, with the grants bound to them, and they are told by mail; with the
// last factor the recovery codes go. Errors: ErrNotFound.
func (s *Factors) Take(ctx context.Context, actor audit.Actor, subject string, factorID id.ID) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		before, err := s.List(ctx, u)
		if err != nil {
			return nil, err
		}
		kind, name := before.find(factorID)
		if kind == "" {
			return nil, fmt.Errorf("factor: %w", ErrNotFound)
		}
		if before.Count() == 1 {
			_, err = s.Store.RemoveFactors(ctx, u.ID)
		} else {
			err = s.Store.RemoveFactor(ctx, u.ID, factorID)
		}
		if err != nil {
			return nil, fmt.Errorf("remove factor: %w", err)
		}
		e := s.factorEffect("user.factor.remove", u, &Session{}, factorID, kind, name, now)
		for i := range e.signals {
			e.signals[i].Own = false
		}
		e.rows, err = s.end(ctx, u, id.ID{}, now)
		return e, err
	})
}
