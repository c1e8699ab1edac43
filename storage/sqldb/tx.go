package sqldb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// maxTries is how often a transaction runs that lost a deadlock or a
// serialization conflict: once and three times again.
const maxTries = 4

// errTxOver is returned when a context is used after its transaction ended.
var errTxOver = errors.New("sqldb: the transaction of this context is over")

// tx is a transaction in a context.
type tx struct {
	engineTx
	queue queue
	over  bool
}

// txKey finds the transaction of one database: another one in the same process
// is not concerned.
type txKey struct{ db *DB }

func (d *DB) txOf(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{d}).(*tx)
	return t
}

// InTx runs f in a transaction that travels in the context; a nested call joins
// the outer one. An error from f, or a panic in it, rolls back. What f appended
// to the ledger is written with the commit.
//
// If PostgreSQL ends the transaction to break a deadlock, f runs again, up to
// three times: it must not have effects beyond the database.
func (d *DB) InTx(ctx context.Context, f func(ctx context.Context) error) error {
	if t := d.txOf(ctx); t != nil {
		if t.over {
			return errTxOver
		}
		return f(ctx)
	}
	var err error
	for try := range maxTries {
		if try > 0 {
			if waited := pause(ctx, try); waited != nil {
				return errors.Join(err, waited)
			}
		}
		if err = d.tryTx(ctx, f); !retryable(err) {
			return err
		}
	}
	return err
}

func (d *DB) tryTx(ctx context.Context, f func(ctx context.Context) error) error {
	et, err := d.engine.begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", mapped(err))
	}
	t := &tx{engineTx: et}
	committing := false
	defer func() {
		t.over = true
		if !committing { // an error, a panic or runtime.Goexit
			et.rollback(context.WithoutCancel(ctx))
		}
	}()
	if err := f(context.WithValue(ctx, txKey{d}, t)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	steps := t.queue.steps(d)
	committing = true
	// From here on the caller's impatience no longer counts: a commit that is cut
	// off may have happened or not, and nobody would be told of it. The
	// database's own timeouts bound it.
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	a, err := et.commit(detached, steps)
	if err != nil {
		return fmt.Errorf("commit: %w", mapped(err))
	}
	if a.timeline != "" && d.opts.Committed != nil {
		d.opts.Committed(revocation.Head{Position: a.position, Change: a.change, Timeline: a.timeline, Hash: a.hash})
	}
	return nil
}

// commitTimeout lies above lock_timeout and statement_timeout.
const commitTimeout = 15 * time.Second

// pause waits before another try: longer each time, and not in step with the
// transaction that won.
func pause(ctx context.Context, try int) error {
	base := time.Duration(try) * 5 * time.Millisecond
	timer := time.NewTimer(base + rand.N(base))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
