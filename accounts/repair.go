package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// reasonLost is that of the row by which every token refreshes after a repair.
const reasonLost = "lost-timeline"

// HeadRaiser makes the ledger's positions go on above one, with a row of kind All
// there.
type HeadRaiser interface {
	AppendAllAbove(ctx context.Context, position int64, reason string) error
}

// Repair does again what a database forgot that came back behind what it had
// promised: a failover to a lagging replica, a restored backup (L8).
type Repair struct {
	Journal
	Head        HeadRaiser
	Users       *Users
	Sessions    *Sessions
	Consents    *Consents
	Clients     *Clients
	Connections *Connections
	APIs        *APIs
	// Compromise takes a signing key out of use.
	Compromise func(ctx context.Context, actor audit.Actor, kid, reason string) error
	Log        *slog.Logger
}

// Apply ends again, in one transaction, what the given rows had ended, makes
// positions go on above the given one, and makes every access token refresh.
//
// A row says whom a cause concerned and not all that it took: which group a
// person left, which permission a group lost. Such causes cannot be done again;
// they are named in the log and in the audit event, for an operator.
func (r *Repair) Apply(ctx context.Context, position int64, rows []revocation.Row) error {
	by := audit.Actor{Kind: audit.System, ID: "repair"}
	var open []string
	err := r.Tx.InTx(ctx, func(ctx context.Context) error {
		open = open[:0]
		for _, row := range rows {
			done, err := r.again(ctx, by, row)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("repair row %d, %s: %w", row.Position, row.Kind, err)
			}
			if !done {
				open = append(open, fmt.Sprintf("%s %s: %s", row.Kind, cmp.Or(row.Key, row.Audience), row.Reason))
			}
		}
		err := r.record(ctx, by, func(context.Context, int64) (*effect, error) {
			return &effect{action: "ledger.repair", kind: "all", details: map[string]any{
				"position": position, "rows": len(rows), "not_repaired": open,
			}}, nil
		})
		if err != nil {
			return err
		}
		return r.Head.AppendAllAbove(ctx, position, reasonLost)
	})
	if err != nil {
		return err
	}
	r.Log.ErrorContext(ctx, "the database had lost a part of the ledger: what it had ended was ended again, every access token must be refreshed",
		"position", position, "rows", len(rows))
	for _, what := range open {
		r.Log.ErrorContext(ctx, "this was taken back before the loss, and an operator must do it again", "what", what)
	}
	return nil
}

// again does one cause again. It reports whether nothing is left to do.
func (r *Repair) again(ctx context.Context, by audit.Actor, row revocation.Row) (bool, error) {
	switch row.Kind {
	case revocation.Session:
		return true, r.endSession(ctx, by, row)
	case revocation.Grant:
		gid, err := id.Parse(row.Key)
		if err != nil {
			return true, nil
		}
		return true, r.Consents.RevokeGrant(ctx, by, gid, row.Reason)
	case revocation.User:
		return r.endUser(ctx, by, row)
	case revocation.Client:
		return r.endClient(ctx, by, row)
	case revocation.Key:
		return true, r.Compromise(ctx, by, row.Key, row.Reason)
	case revocation.Token:
		return true, r.Ledger.Append(ctx, revocation.Entry{
			Kind: row.Kind, Key: row.Key, Audience: row.Audience, Reason: row.Reason, ExpiresAt: row.ExpiresAt,
		})
	case revocation.All:
		if row.Audience != "" { // a deleted one is disabled, as a client is
			return row.Reason == reasonAPIDisabled, r.APIs.Disable(ctx, by, row.Audience)
		}
		return true, nil
	case revocation.Permission:
		return row.Reason == reasonAPIDisabled, nil // its API's own row does it
	}
	return false, nil
}

func (r *Repair) endClient(ctx context.Context, by audit.Actor, row revocation.Row) (bool, error) {
	switch row.Reason {
	case reasonClientDisabled, reasonClientDeleted:
		return row.Reason == reasonClientDisabled, r.Clients.Disable(ctx, by, row.Key)
	case reasonClientCompromised:
		return true, r.Clients.Compromised(ctx, by, row.Key)
	case reasonClientRevoked:
		return true, r.Connections.EndGrants(ctx, by, row.Key)
	case reasonClientDisconnected:
		return true, r.Connections.Disconnect(ctx, by, row.Key)
	case reasonAPIDisabled:
		return true, nil // its API's own row does it
	}
	return false, nil
}

// endUser bans who was banned, and who was deleted, because a person who asked
// for that must not find the account alive; what was a new password is one that
// nobody knows any more, so the old one must not open anything: an operator sees
// to both.
func (r *Repair) endUser(ctx context.Context, by audit.Actor, row revocation.Row) (bool, error) {
	switch row.Reason {
	case reasonBan, reasonDeletion:
		err := r.Users.Ban(ctx, by, row.Key)
		if errors.Is(err, ErrLastSuperuser) {
			return false, nil
		}
		return row.Reason == reasonBan, err
	}
	return row.Reason != reasonPasswordReset, r.Users.SignOutEverywhere(ctx, by, row.Key)
}

func (r *Repair) endSession(ctx context.Context, by audit.Actor, row revocation.Row) error {
	sid, err := id.Parse(row.Key)
	if err != nil {
		return nil // a stamp's row: nobody's session
	}
	return r.record(ctx, by, func(ctx context.Context, now int64) (*effect, error) {
		s, err := r.Sessions.Store.SessionByID(ctx, sid)
		if err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
		return r.Sessions.endOne(ctx, s.UserID, sid, now, "session.end", row.Reason)
	})
}
