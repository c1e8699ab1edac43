package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ActionKeepAccount is asked of somebody who signs in to an account that is to be
// deleted: whether they want to keep it. It comes before every other action.
const ActionKeepAccount Action = "keep_account"

// PathKeepAccount is the page that asks, relative to the issuer.
const PathKeepAccount = "/account/keep"

const (
	// DeletionGrace is how long somebody can undo the deletion of their account.
	DeletionGrace = 14 * 24 * time.Hour

	deletionRound = 10 * time.Minute
)

// reasonDeletionPlanned ends everything of somebody who wants their account deleted.
const reasonDeletionPlanned = reasonSignOutEverywhere

// ErrDeletionPlanned refuses to plan a deletion twice.
var ErrDeletionPlanned = errors.New("the account is to be deleted already")

// Deletion ends accounts at the wish of their owners: at once for everybody else,
// and for good after a while in which the owner can come back.
type Deletion struct {
	Journal
	Users *Users
	Store DeletionStore
	Links Links
	Log   *slog.Logger
	Grace time.Duration // zero means DeletionGrace
	Every time.Duration // between two rounds of Run; zero means 10 minutes
}

// DueAccount is an account whose time has come. The zero DueAccount stands before all
// others.
type DueAccount struct {
	ID      id.ID
	Subject string
	At      int64 // when it was to be deleted
}

// DeletionStore finds the accounts whose time has come.
type DeletionStore interface {
	// ClaimDeletion returns the account that was due first after the given one, and
	// locks its row for the transaction in ctx; rows that another transaction holds
	// are passed over. ErrNotFound means that there is none.
	ClaimDeletion(ctx context.Context, now int64, after DueAccount) (DueAccount, error)
}

// Plan has an account deleted when the grace is over, and signs its owner out
// everywhere at once. It returns the time, in Unix milliseconds. Errors: ErrNotFound,
// ErrLastSuperuser, ErrDeletionPlanned.
func (d *Deletion) Plan(ctx context.Context, actor audit.Actor, subject string) (at int64, err error) {
	err = d.Users.change(ctx, actor, subject, func(ctx context.Context, u *User, now int64) (*effect, error) {
		if u.DeleteAt != 0 {
			return nil, ErrDeletionPlanned
		}
		if err := d.Users.SpareLast(ctx, u); err != nil {
			return nil, err
		}
		at = now + orDefault(d.Grace, DeletionGrace)
		u.DeleteAt = at
		e, err := d.Users.die(ctx, "user.delete.plan", u, now, reasonDeletionPlanned)
		if err != nil {
			return nil, err
		}
		e.details["at"] = at
		e.mails = d.mail(MailDeletionPlanned, u, at, PathKeepAccount)
		return e, nil
	})
	return at, err
}

// Undo keeps an account that was to be deleted. What planning the deletion ended
// stays ended. It returns ErrNotFound if no deletion was planned.
func (d *Deletion) Undo(ctx context.Context, actor audit.Actor, subject string) error {
	return d.Users.change(ctx, actor, subject, func(_ context.Context, u *User, now int64) (*effect, error) {
		if u.DeleteAt == 0 {
			return nil, ErrNotFound
		}
		u.DeleteAt = 0
		e := userEffect("user.delete.undo", u, nil)
		e.mails = d.mail(MailDeletionUndone, u, now, PathLinkSecurity)
		return e, nil
	})
}

func (d *Deletion) mail(kind MailKind, u *User, when int64, path string) []Mail {
	return mailTo(u, kind, map[string]string{
		MailDataWhen: strconv.FormatInt(when, 10), MailDataLink: d.Links.To(path, nil),
	})
}

// mailTo is a mail to somebody at their verified address, in their language; nobody
// is told of an account at an address that may be another person's.
func mailTo(u *User, kind MailKind, data map[string]string) []Mail {
	if u.Email == "" || !u.EmailVerified {
		return nil
	}
	data[MailDataName] = u.Name
	return []Mail{{Kind: kind, To: u.Email, Language: u.Profile.Locale, Data: data}}
}

// Run deletes accounts whose time has come, until ctx ends.
func (d *Deletion) Run(ctx context.Context) error {
	every := d.Every
	if every == 0 {
		every = deletionRound
	}
	for {
		if _, err := d.Round(ctx); err != nil && ctx.Err() == nil {
			d.Log.ErrorContext(ctx, "accounts that are to be deleted were not all deleted", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// Round deletes the accounts whose time has come, each in a transaction of its own,
// and returns how many it deleted. Several nodes may do it at once: each account is
// claimed by the lock on its row, under which its time is looked at again, so that a
// person who comes back at the last moment is not deleted.
func (d *Deletion) Round(ctx context.Context) (deleted int, err error) {
	var after DueAccount
	var failed []error
	for {
		last := after
		err := d.Tx.InTx(ctx, func(ctx context.Context) error {
			due, err := d.Store.ClaimDeletion(ctx, d.now(), last)
			if err != nil {
				return fmt.Errorf("claim an account to delete: %w", err)
			}
			after = due
			return d.Users.Delete(ctx, audit.Actor{Kind: audit.System, ID: "deletion"}, due.Subject)
		})
		switch {
		case err == nil:
			deleted++
		case after == last: // nobody was claimed
			if !errors.Is(err, ErrNotFound) {
				failed = append(failed, err)
			}
			return deleted, errors.Join(failed...)
		default: // the last superuser, say: the others must not wait for an operator
			failed = append(failed, fmt.Errorf("delete an account: %w", err))
		}
	}
}
