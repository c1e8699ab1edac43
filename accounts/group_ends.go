package accounts

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	endsRound = time.Second
	endsBatch = 100 // memberships a transaction, which holds SQLite's writer
)

// MembershipEnds removes memberships whose time has come. They count for nothing from
// their end on, and no token lives longer (L11); what this adds is that everybody who
// follows the ledger, or reads the audit log, is told.
type MembershipEnds struct {
	Groups *Groups
	Log    *slog.Logger
	Every  time.Duration // between two rounds of Run; zero means a second
}

// Run removes memberships until ctx ends.
func (m *MembershipEnds) Run(ctx context.Context) error {
	every := m.Every
	if every == 0 {
		every = endsRound
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if _, err := m.Round(ctx); err != nil && ctx.Err() == nil {
			m.Log.ErrorContext(ctx, "memberships that have ended were not all removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Round removes the memberships whose time has come, some in a transaction, and
// returns how many. Several nodes may do it at once: each membership ends once.
func (m *MembershipEnds) Round(ctx context.Context) (ended int, err error) {
	for {
		n, err := m.Groups.endMembers(ctx, endsBatch)
		ended += n
		if err != nil || n < endsBatch {
			return ended, err
		}
	}
}

// endMembers removes at most limit memberships, with an event for each and a row for
// each person.
func (s *Groups) endMembers(ctx context.Context, limit int) (n int, err error) {
	by := audit.Actor{Kind: audit.System, ID: "groups"}
	err = s.Tx.InTx(ctx, func(ctx context.Context) error {
		ended, err := s.Crowds.EndMembers(ctx, s.now(), limit)
		if err != nil {
			return err
		}
		n = len(ended)
		told := make(map[string]bool, n)
		for _, m := range ended {
			err := s.record(ctx, by, func(context.Context, int64) (*effect, error) {
				e := groupEffect("group.member.end", &Group{Name: m.Group}, map[string]any{"sub": m.Subject, "ends_at": m.EndsAt}).changed(values{"members": []string{m.Subject}}, nil)
				if !told[m.Subject] {
					e.rows = []revocation.Entry{{Kind: revocation.Membership, Key: m.Subject, Reason: reasonMembershipEnded}}
				}
				told[m.Subject] = true
				return e, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
