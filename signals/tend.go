package signals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	// keepEvents is how long an event waits for its receiver.
	keepEvents = 7 * 24 * time.Hour
	// stalledFor is longer than a job waits between two tries.
	stalledFor = 3 * time.Hour
	tendEvery  = time.Minute

	reasonTooOld = "Events waited for seven days and were dropped"
)

// Run tends the streams until ctx ends. It may run on every node.
func (t *Transmitter) Run(ctx context.Context) error {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := t.Tend(ctx); err != nil && ctx.Err() == nil {
			t.Log.ErrorContext(ctx, "tend signal streams", "error", err)
		}
	}
}

// Tend pauses streams whose events have waited for too long and drops these, and
// puts streams back to work whose job was lost.
func (t *Transmitter) Tend(ctx context.Context) error {
	overdue, err := t.Deliveries.OverdueStreams(ctx, t.now()-keepEvents.Milliseconds())
	if err != nil {
		return fmt.Errorf("overdue streams: %w", err)
	}
	var failed []error
	for _, streamID := range overdue {
		if err := t.expire(ctx, streamID); err != nil {
			failed = append(failed, fmt.Errorf("expire events of stream %s: %w", streamID, err))
		}
	}
	stalled, err := t.Deliveries.StalledStreams(ctx, t.now()-stalledFor.Milliseconds())
	if err != nil {
		failed = append(failed, fmt.Errorf("stalled streams: %w", err))
	}
	for i := range stalled {
		s := &stalled[i]
		if err := t.handOver(ctx, s, s.PushJob, 0); err != nil {
			failed = append(failed, fmt.Errorf("wake stream %s: %w", s.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (t *Transmitter) expire(ctx context.Context, streamID id.ID) error {
	return t.Tx.InTx(ctx, func(ctx context.Context) error {
		locked, err := t.Streams.LockStreams(ctx, []id.ID{streamID})
		if err != nil || len(locked) == 0 {
			return err
		}
		dropped, err := t.Events.DropOlder(ctx, streamID, t.now()-keepEvents.Milliseconds())
		if err != nil || dropped == 0 {
			return err // another node was first
		}
		return t.pause(ctx, &locked[0], reasonTooOld)
	})
}
