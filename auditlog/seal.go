package auditlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	sealEvery   = 400 * time.Millisecond
	sealBatch   = 500
	sealTimeout = 30 * time.Second
	longestRest = 30 * time.Second
)

// Batch is what one step of the sealer writes.
type Batch struct {
	Rows   []*Record // with their numbers
	Hashes [][]byte  // one for each
	// Changed are those of Rows that were brought into the present format.
	Changed []*Record
	Head    Point
	HeadMAC []byte
	At      int64 // Unix milliseconds
	// Gone are people who were deleted: what is personal in rows by or about them is
	// erased, in this batch and everywhere.
	Gone []string
}

// SealStore is what the sealer works on.
type SealStore interface {
	InTx(ctx context.Context, f func(ctx context.Context) error) error
	// AuditWaits reports whether a row waits.
	AuditWaits(ctx context.Context) (bool, error)
	// LockAuditHead returns the ends of the chain and keeps the head to the
	// transaction; false if somebody else has it.
	LockAuditHead(ctx context.Context) (*Ends, bool, error)
	// AuditWaiting returns rows that wait, and of the people in them those who were
	// deleted.
	AuditWaiting(ctx context.Context, limit int) (rows []*Record, gone []string, err error)
	// SealAudit writes a batch.
	SealAudit(ctx context.Context, b *Batch) error
}

// Sealer chains what was committed.
type Sealer struct {
	Store   SealStore
	Keyring *secret.Keyring
	Now     func() time.Time
	Log     *slog.Logger
	// Every is how long it rests between two looks; zero means 400 ms.
	Every time.Duration

	seen int64 // the highest head that this process knows of
}

// errElsewhere says that another node seals.
var errElsewhere = errors.New("auditlog: another node seals")

// Run seals until ctx ends; it returns nil. One goroutine runs it.
func (s *Sealer) Run(ctx context.Context) error {
	every := s.Every
	if every <= 0 {
		every = sealEvery
	}
	for failures := 0; ; {
		err := s.CatchUp(ctx)
		rest := every
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			rest = min(every<<min(failures, 10), longestRest)
			s.Log.ErrorContext(ctx, "the audit log is not sealed: nothing proves that its newest events are complete", "failures", failures, "error", err)
		default:
			failures = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rest):
		}
	}
}

// CatchUp seals what waits now. Errors: ErrHead.
func (s *Sealer) CatchUp(ctx context.Context) error {
	for {
		waits, err := s.Store.AuditWaits(ctx)
		if err != nil || !waits {
			return err
		}
		n, err := s.step(ctx)
		if errors.Is(err, errElsewhere) {
			return nil
		}
		if err != nil || n < sealBatch {
			return err
		}
	}
}

// step seals one batch.
func (s *Sealer) step(ctx context.Context) (sealed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, sealTimeout)
	defer cancel()
	var head Point
	err = s.Store.InTx(ctx, func(ctx context.Context) error {
		ends, mine, err := s.Store.LockAuditHead(ctx)
		if err != nil {
			return err
		}
		if !mine {
			return errElsewhere
		}
		if err := ends.check(s.Keyring); err != nil {
			return err
		}
		if ends.Head.Seq < s.seen {
			s.Log.ErrorContext(ctx, "the audit log has lost its end: the database was put back, or somebody cut it off",
				"was", s.seen, "is", ends.Head.Seq)
			s.seen = 0 // told once
		}
		rows, gone, err := s.Store.AuditWaiting(ctx, sealBatch)
		if err != nil {
			return err
		}
		if sealed = len(rows); sealed == 0 {
			head = ends.Head
			return nil
		}
		b, err := s.batch(ends.Head, rows, gone)
		if err != nil {
			return err
		}
		head = b.Head
		return s.Store.SealAudit(ctx, b)
	})
	if err == nil {
		s.seen = max(s.seen, head.Seq)
	}
	return sealed, err
}

// batch chains rows behind a head.
func (s *Sealer) batch(head Point, rows []*Record, gone []string) (*Batch, error) {
	b := &Batch{Rows: rows, At: s.Now().UnixMilli(), Gone: gone}
	for _, r := range rows {
		if r.Format == formatPlain {
			if err := r.upgrade(); err != nil {
				return nil, fmt.Errorf("bring an old event into the present form: %w", err)
			}
			b.Changed = append(b.Changed, r)
		}
		head = Point{Seq: head.Seq + 1, Hash: r.sum(head.Hash, head.Seq+1)}
		r.Seq = head.Seq
		b.Hashes = append(b.Hashes, head.Hash)
	}
	b.Head, b.HeadMAC = head, head.mac(s.Keyring, macHead)
	return b, nil
}

// Persons returns the subs of the people whom rows are about or who made them.
func Persons(rows []*Record) []string {
	var subs []string
	for _, r := range rows {
		subs = append(subs, r.persons()...)
	}
	slices.Sort(subs)
	return slices.Compact(subs)
}

// ActionAccept is the action of the event that Accept writes.
const ActionAccept = "audit.accept"

// Accept lets the chain go on from the row that is its last, after somebody has
// looked into why its end is not authentic: until then nothing is sealed. What was
// lost or changed before stays unproven; the event says who accepted that. It
// returns where the chain goes on.
func (s *Sealer) Accept(ctx context.Context, actor audit.Actor, reason string, store AcceptStore) (Point, error) {
	var from Point
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		ends, mine, err := s.Store.LockAuditHead(ctx)
		if err != nil {
			return err
		}
		if !mine {
			return errors.New("a node is sealing at this moment: try again")
		}
		if ends.check(s.Keyring) == nil {
			return ErrNothingToAccept
		}
		was := ends.Head
		if from = ends.Last; from.Seq == 0 {
			from = ends.Anchor
		}
		next := &Ends{Head: from, At: s.Now().UnixMilli(), Anchor: ends.Anchor}
		if next.Head.Seq > 0 {
			next.HeadMAC = next.Head.mac(s.Keyring, macHead)
		}
		if next.Anchor.Seq > 0 {
			next.AnchorMAC = next.Anchor.mac(s.Keyring, macAnchor)
		}
		if err := store.PutAuditEnds(ctx, next); err != nil {
			return err
		}
		return store.WriteAudit(ctx, audit.Event{
			Actor: actor, Action: ActionAccept, TargetKind: "audit", Details: map[string]any{"reason": reason},
			Before: map[string]any{"head": was.Seq}, After: map[string]any{"head": from.Seq},
		})
	})
	return from, err
}

// ErrNothingToAccept says that the chain's end is authentic.
var ErrNothingToAccept = errors.New("the end of the audit chain is authentic: there is nothing to accept")

// AcceptStore writes what Accept decides.
type AcceptStore interface {
	WriteAudit(ctx context.Context, e audit.Event) error
	PutAuditEnds(ctx context.Context, e *Ends) error
}
