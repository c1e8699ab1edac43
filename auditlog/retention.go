package auditlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	cutEvery = time.Hour
	cutBatch = 1000
)

// ActionCut is the action of the event that tells of rows that left by age.
const ActionCut = "audit.cut"

// Cut is what leaves: all rows of the chain up to a point.
type Cut struct {
	IDs     []id.ID
	Through Point
	MAC     []byte
}

// CutStore lets rows leave.
type CutStore interface {
	InTx(ctx context.Context, f func(ctx context.Context) error) error
	LockAuditHead(ctx context.Context) (*Ends, bool, error)
	AuditLinks(ctx context.Context, after int64, limit int) ([]Link, error)
	AuditGone(ctx context.Context, subs []string) ([]string, error)
	// CutAudit removes rows from the beginning of the chain, with their events, and
	// moves the anchor. Subs of people who were deleted stay known.
	CutAudit(ctx context.Context, c Cut) error
	WriteAudit(ctx context.Context, e audit.Event) error
}

// Retention lets events leave by age, from the beginning of the chain.
type Retention struct {
	Store   CutStore
	Keyring *secret.Keyring
	Keep    time.Duration // for how long they stay; zero means for ever
	// Sent returns up to where the log was sent to those who are sent it: what was
	// not sent yet stays. Nil where nobody is.
	Sent func(ctx context.Context) (int64, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// Run lets events leave, each hour, until ctx ends; it returns nil.
func (r *Retention) Run(ctx context.Context) error {
	if r.Keep <= 0 {
		return nil
	}
	for {
		n, err := r.Cut(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.Log.ErrorContext(ctx, "old audit events do not leave", "error", err)
		case n > 0:
			r.Log.InfoContext(ctx, "old audit events have left", "events", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(cutEvery):
		}
	}
}

// Cut lets the events leave whose time has passed and returns how many did. What
// does not fit the chain stays, and is an error: it is evidence.
func (r *Retention) Cut(ctx context.Context) (int, error) {
	cut := 0
	for {
		n, err := r.step(ctx)
		if errors.Is(err, errElsewhere) {
			return cut, nil
		}
		cut += n
		if err != nil || n < cutBatch {
			return cut, err
		}
	}
}

// step cuts one batch, and writes the event that tells of it with it: the run may end
// before its next batch.
func (r *Retention) step(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, sealTimeout)
	defer cancel()
	err = r.Store.InTx(ctx, func(ctx context.Context) error {
		ends, mine, err := r.Store.LockAuditHead(ctx)
		if err != nil {
			return err
		}
		if !mine {
			return errElsewhere
		}
		if err := ends.check(r.Keyring); err != nil {
			return err
		}
		c, err := r.due(ctx, ends)
		if err != nil {
			return err
		}
		if n = len(c.IDs); n == 0 {
			return nil
		}
		c.MAC = c.Through.mac(r.Keyring, macAnchor)
		if err := r.Store.CutAudit(ctx, c); err != nil {
			return err
		}
		return r.Store.WriteAudit(ctx, audit.Event{
			Actor: audit.Actor{Kind: audit.System, ID: "retention"}, Action: ActionCut, TargetKind: "audit",
			Details: map[string]any{"events": n, "through": c.Through.Seq},
		})
	})
	if err != nil {
		n = 0
	}
	return n, err
}

// due is a batch of rows that have all had their time.
func (r *Retention) due(ctx context.Context, ends *Ends) (Cut, error) {
	c := Cut{Through: ends.Anchor}
	limit := ends.Head.Seq
	if r.Sent != nil {
		sent, err := r.Sent(ctx)
		if err != nil {
			return c, err
		}
		limit = min(limit, sent)
	}
	page, err := r.Store.AuditLinks(ctx, ends.Anchor.Seq, cutBatch)
	if err != nil {
		return c, err
	}
	gone, err := goneIn(ctx, r.Store, page)
	if err != nil {
		return c, err
	}
	oldest := r.Now().Add(-r.Keep).UnixMilli()
	for i := range page {
		l := &page[i]
		if bad := fits(l, c.Through, gone); bad != nil {
			return c, fmt.Errorf("row %d of the audit log stays: %s (run gatehouse audit verify)", bad.Seq, bad.Text)
		}
		if l.Row.At >= oldest || l.Seq > limit {
			break
		}
		c.Through = Point{Seq: l.Seq, Hash: l.Hash}
		c.IDs = append(c.IDs, l.ID)
	}
	return c, nil
}
