package resource

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
)

// State says how far what a verifier knows of the ledger can be relied on.
type State = follow.State

// The states.
const (
	// Off: the verifier has no credentials and follows nothing.
	Off = follow.Off
	// Cold: nothing is known yet.
	Cold = follow.Cold
	// Syncing: everything is being fetched, and what is known is not fresh.
	Syncing = follow.Syncing
	// Fresh: the issuer's database confirmed within ten seconds that nothing is
	// missing.
	Fresh = follow.Fresh
	// Stale: it did not, or something was not understood. The route's [Policy]
	// decides.
	Stale = follow.Stale
)

// Events are called when something happens that an operator may want to count.
// They may be called by several goroutines at once and must return quickly; nil
// ones are left out.
type Events struct {
	// State is called when the state has changed.
	State func(old, new State)
	// Lag is called with the age of what is known, whenever more is.
	Lag func(time.Duration)
	// Size is called with the set's size when it has changed.
	Size func(rows, bytes int)
	// Refused is called with one of the Reason constants for each refusal of the
	// middleware and of [Verifier.Verify].
	Refused func(reason string)
	// Introspected is called with one of the Outcome constants.
	Introspected func(outcome string)
	// Allowed is called for each token that passed by the policy [Allow].
	Allowed func()
	// Behind is called when tokens prove that the issuer's ledger has lost
	// something (L17), at most once a minute.
	Behind func()
}

// ErrClosed is returned by [Verifier.Ready] once the verifier is closed.
var ErrClosed = errors.New("resource: the verifier is closed")

// State returns how far what is known of the ledger can be relied on now.
func (v *Verifier) State() State {
	if v.feed == nil {
		return Off
	}
	return v.feed.core.State(v.now())
}

// Ready waits until the ledger has been known completely once, or ctx ends. It
// returns at once when nothing is followed. Errors: ErrClosed, ctx's.
func (v *Verifier) Ready(ctx context.Context) error {
	if v.feed == nil {
		return nil
	}
	select {
	case <-v.feed.ready:
		return nil
	default:
	}
	select {
	case <-v.feed.ready:
		return nil
	case <-v.feed.stopped:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close stops following the ledger and closes all channels of [Verifier.Done].
// What is known goes stale ten seconds later.
func (v *Verifier) Close() {
	if v.feed != nil {
		v.feed.close()
	}
	v.streams.close()
}
