package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Why something ended, as rows, sessions, grants and events tell it. Exported are
// those that callers choose between.
const (
	ReasonRefreshReuse = "refresh-reuse" // RFC 9700 §4.14.2
	ReasonCodeReuse    = "code-reuse"    // RFC 6749 §4.1.2
	ReasonRevoked      = "revoked"       // the client gave its token back (RFC 7009)

	reasonSignOut           = "sign-out"
	reasonSessionEnded      = "session-ended"
	reasonReplaced          = "session-replaced"
	reasonSignOutEverywhere = "sign-out-everywhere"
	reasonPasswordChange    = "password-change"
	reasonPasswordReset     = "password-reset"
	reasonBan               = "ban"
	reasonDeletion          = "deletion"
	reasonMembershipRemoved = "membership-removed"
	reasonMembershipShorter = "membership-shortened"
	reasonMembershipEnded   = "membership-ended"
	reasonGroupTakenOut     = "group-taken-out"
	reasonStaffRemoved      = "staff-removed"
	reasonSuperuserRemoved  = "superuser-removed"
	reasonConsentNarrowed   = "consent-narrowed"
	reasonPermissionRevoked = "permission-revoked"
	reasonPermissionDeleted = "permission-deleted"
	reasonGroupDeleted      = "group-deleted"
	reasonAPIDisabled       = "api-disabled"
	reasonAPIDeleted        = "api-deleted"
	reasonDisconnected      = "disconnected"
	reasonClientReduced     = "client-reduced"
	reasonClientDisabled    = "client-disabled"
	reasonClientDeleted     = "client-deleted"
	reasonClientCompromised = "client-compromised"
	reasonTokenRevoked      = "token-revoked"
)

// Journal is how a change is made: in one transaction, with an event in the audit
// log (several if one cannot name all whom it concerns), and with what it takes away written to the ledger at the end.
type Journal struct {
	Tx     Tx
	Audit  AuditWriter
	Ledger revocation.Appender
	Now    func() time.Time
	// Signals takes what others are told of beyond the ledger's rows. Nil means
	// that nobody is.
	Signals SignalWriter
	// Mails takes what people are told of by mail. Nil means that nobody is.
	Mails Mailer
}

// effect is what a change leaves behind besides the state itself.
type effect struct {
	action  string // audit.Event.Action
	kind    string // audit.Event.TargetKind
	target  string // audit.Event.TargetID
	details map[string]any
	// before and after are what changed about the target; see effect.changed.
	before, after map[string]any
	// also are more events of the same change, where one would have to name too many.
	// Of them nothing but the event counts.
	also    []*effect
	rows    []revocation.Entry
	stamps  []revocation.Stamp
	signals []Signal
	mails   []Mail
}

// errNoActor is a mistake of the caller: a change that nobody made.
var errNoActor = errors.New("accounts: change without an actor")

// record runs f in a transaction and writes down its effect. A nil effect means
// that nothing changed: neither an event nor a row is written (L19). f may run
// more than once, when the database asks for a retry.
func (j *Journal) record(ctx context.Context, actor audit.Actor, f func(ctx context.Context, now int64) (*effect, error)) error {
	if actor.Kind == "" {
		return errNoActor
	}
	return j.Tx.InTx(ctx, func(ctx context.Context) error {
		e, err := f(ctx, j.now())
		if err != nil || e == nil {
			return err
		}
		for _, told := range append([]*effect{e}, e.also...) {
			err := j.Audit.WriteAudit(ctx, audit.Event{
				Actor: actor, Action: told.action, TargetKind: told.kind, TargetID: told.target, Details: told.details,
				Before: told.before, After: told.after,
			})
			if err != nil {
				return fmt.Errorf("write audit event %s: %w", told.action, err)
			}
		}
		if err := j.signal(ctx, e.signals); err != nil {
			return fmt.Errorf("signal %s: %w", e.action, err)
		}
		if err := j.mail(ctx, e.mails); err != nil {
			return fmt.Errorf("mail about %s: %w", e.action, err)
		}
		if len(e.rows) > 0 {
			if err := j.Ledger.Append(ctx, e.rows...); err != nil {
				return fmt.Errorf("append %s to the ledger: %w", e.action, err)
			}
		}
		if len(e.stamps) > 0 {
			if err := j.Ledger.Stamp(ctx, e.stamps...); err != nil {
				return fmt.Errorf("stamp %s: %w", e.action, err)
			}
		}
		return nil
	})
}

func (j *Journal) signal(ctx context.Context, signals []Signal) error {
	if j.Signals == nil {
		return nil
	}
	for _, s := range signals {
		if err := j.Signals.WriteSignal(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) mail(ctx context.Context, mails []Mail) error {
	if j.Mails == nil {
		return nil
	}
	for _, m := range mails {
		if err := j.Mails.Mail(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// now is the time in Unix milliseconds.
func (j *Journal) now() int64 { return j.Now().UnixMilli() }
