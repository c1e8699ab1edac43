// Package relay turns rows of the ledger into messages to others: back-channel
// logout, shared signals and whatever comes after them. It reads the ledger itself
// instead of being called by the causes, so that every cause, present and future,
// reaches every face of it.
//
// Invariants:
//   - The messages of a row and the note that it was passed on commit in one
//     transaction: no row is passed on twice or not at all, whatever dies when.
//   - One node works at a time for each name: the cursor's row is locked, and who
//     finds it locked goes on.
//   - A first start begins at the present head: what happened before anybody
//     wanted to be told is not told.
//   - Rows stay in the ledger until every relay has passed them, but no longer than
//     a day after their time: a relay that nobody runs any more must not fill the
//     database. What a relay has missed by that is logged.
//
// Give each sink a relay of its own: one that fails then holds up itself alone.
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// Sink turns rows into messages: it enqueues jobs in the transaction of ctx. Rows
// come in the order of their positions, each exactly once; an error brings all of
// them again.
type Sink interface {
	Expand(ctx context.Context, rows []revocation.Row) error
}

// Store keeps the cursors and reads the ledger.
type Store interface {
	InTx(ctx context.Context, f func(ctx context.Context) error) error
	// EnsureRelay makes a cursor at the present head where there is none.
	EnsureRelay(ctx context.Context, name string) error
	// RelayState returns where the cursor and the ledger's head are.
	RelayState(ctx context.Context, name string) (position, head int64, err error)
	// LockRelay returns the cursor and keeps it to the transaction; false if
	// another node has it.
	LockRelay(ctx context.Context, name string) (position int64, ok bool, err error)
	MoveRelay(ctx context.Context, name string, position int64) error
	After(ctx context.Context, position int64, limit int) ([]revocation.Row, error)
}

const (
	defaultBatch = 500
	lookEvery    = time.Second
	longestPause = 30 * time.Second
	stepTimeout  = time.Minute
)

// Relay passes the ledger on to its sinks.
type Relay struct {
	Name  string // of its cursor; never changes once it has run
	Store Store
	Sinks []Sink
	Log   *slog.Logger
	// Changed returns a channel that is closed when the ledger may have moved, such
	// as Tail.Changed; nil means that it is looked at each second alone.
	Changed func() <-chan struct{}
	// Passed is called after messages were committed, such as Worker.Hint. It must
	// not block; it may be nil.
	Passed func()
	// Batch is how many rows are passed on in one transaction; zero means 500.
	Batch int
}

// Run passes rows on until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	made := false
	for failures := 0; ; {
		// Taken before looking: what moves while we look is not missed.
		changed := r.changed()
		err := r.catchUp(ctx, &made)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			r.Log.ErrorContext(ctx, "the ledger is not passed on", "relay", r.Name, "failures", failures, "error", err)
		default:
			failures = 0
		}
		if !rest(ctx, changed, failures) {
			return nil
		}
	}
}

func (r *Relay) changed() <-chan struct{} {
	if r.Changed == nil {
		return nil
	}
	return r.Changed()
}

// rest waits for the ledger to move, for a second at most; after failures longer
// each time, whatever moves. It is false when ctx ends.
func rest(ctx context.Context, changed <-chan struct{}, failures int) bool {
	pause := lookEvery
	if failures > 0 {
		pause, changed = min(lookEvery<<min(failures, 10), longestPause), nil
	}
	timer := time.NewTimer(pause/2 + rand.N(pause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}

// catchUp passes on what there is, a batch after the other.
func (r *Relay) catchUp(ctx context.Context, made *bool) error {
	if !*made {
		if err := r.Store.EnsureRelay(ctx, r.Name); err != nil {
			return err
		}
		*made = true
	}
	for {
		position, head, err := r.Store.RelayState(ctx, r.Name)
		if err != nil || position >= head {
			return err
		}
		more, err := r.step(ctx, head)
		if err != nil || !more {
			return err
		}
	}
}

// errElsewhere ends a step that another node is doing.
var errElsewhere = errors.New("relay: another node has the cursor")

// step passes one batch on, in one transaction. Above the head, which was read
// before, nothing is certain; up to it, what the batch does not hold is gone.
func (r *Relay) step(ctx context.Context, head int64) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	batch := r.Batch
	if batch <= 0 {
		batch = defaultBatch
	}
	var passed int
	err = r.Store.InTx(ctx, func(ctx context.Context) error {
		position, ok, err := r.Store.LockRelay(ctx, r.Name)
		if err != nil {
			return err
		}
		if !ok {
			return errElsewhere
		}
		rows, err := r.Store.After(ctx, position, batch)
		if err != nil {
			return err
		}
		if passed = len(rows); passed > 0 {
			if err := r.pass(ctx, position, rows); err != nil {
				return err
			}
			position = rows[passed-1].Position
		}
		if passed < batch {
			position = max(position, head)
		}
		return r.Store.MoveRelay(ctx, r.Name, position)
	})
	if errors.Is(err, errElsewhere) {
		return false, nil
	}
	if err == nil && passed > 0 && r.Passed != nil {
		r.Passed()
	}
	return passed == batch, err
}

func (r *Relay) pass(ctx context.Context, position int64, rows []revocation.Row) error {
	// Positions have no gaps but where rows were dropped, or where the ledger went
	// on above what a lost one had reached, which a row of the kind All tells.
	if first := rows[0]; first.Position > position+1 && first.Kind != revocation.All {
		r.Log.WarnContext(ctx, "rows of the ledger had gone before they were passed on",
			"relay", r.Name, "after", position, "next", first.Position)
	}
	for _, s := range r.Sinks {
		if err := s.Expand(ctx, rows); err != nil {
			return fmt.Errorf("positions %d to %d: %w", rows[0].Position, rows[len(rows)-1].Position, err)
		}
	}
	return nil
}
