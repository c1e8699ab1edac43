package signals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/jobs"
)

// The kinds of our jobs.
const (
	KindSignal = "signals.tell" // one accounts.Signal, to be put into the streams
	KindPush   = "signals.push" // what waits in one stream, to be pushed
)

// Writer implements accounts.SignalWriter: a signal becomes a job in the
// transaction of its cause.
type Writer struct {
	Jobs jobs.Enqueuer
}

var _ accounts.SignalWriter = Writer{}

// WriteSignal implements accounts.SignalWriter.
func (w Writer) WriteSignal(ctx context.Context, s accounts.Signal) error {
	payload, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode signal: %w", err)
	}
	return w.Jobs.Enqueue(ctx, jobs.Job{Kind: KindSignal, Payload: string(payload)})
}

// tell does the jobs that WriteSignal makes. The job's id, which is the same over
// all tries, keeps a signal from being told twice.
func (t *Transmitter) tell(ctx context.Context, j jobs.Job) error {
	var s accounts.Signal
	if err := json.Unmarshal([]byte(j.Payload), &s); err != nil {
		return fmt.Errorf("%w: decode signal: %w", jobs.ErrFinal, err)
	}
	o, ok := occurrenceOf(s, j.ID.String())
	if !ok {
		// A newer release wrote it, and perhaps does it yet.
		return fmt.Errorf("unknown signal %q", s.Kind)
	}
	return t.Tx.InTx(ctx, func(ctx context.Context) error {
		streams, err := t.Events.ListeningStreams(ctx)
		if err != nil || len(streams) == 0 {
			return err
		}
		if s.Kind == accounts.SignalUnbanned {
			if stands, err := t.stands(ctx, s.Subject); err != nil || !stands {
				return err
			}
		}
		return t.distribute(ctx, streams, []occurrence{o})
	})
}

// errRelayBehind has an unban told a little later.
var errRelayBehind = errors.New("the ban is not told yet")

// stands reports whether the end of a ban may be told now. Bans come through the
// relay and their ends as jobs, and a receiver keeps the account as it was told last:
// so an end that was overtaken by another ban is not told at all, and none before the
// ban that it ends. The relay's cursor is held until the end is in the streams: a ban
// that commits from now on is told after it.
func (t *Transmitter) stands(ctx context.Context, subject string) (bool, error) {
	passed, ok, err := t.Accounts.LockRelay(ctx, t.Relay)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, errRelayBehind
	}
	u, err := t.Accounts.UserBySubject(ctx, subject)
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("find the person: %w", err)
	case !u.Active():
		return false, nil
	case passed < u.ValidFrom: // the position of the last row that ended all they had
		return false, errRelayBehind
	}
	return true, nil
}

// signalBackoff is short at first: the relay is behind for a moment as a rule.
func signalBackoff(attempt int) time.Duration {
	if attempt <= 5 {
		return time.Second
	}
	return jobs.Backoff(attempt - 5)
}

// handle is a function as a jobs.Handler.
type handle func(ctx context.Context, j jobs.Job) error

// Handle implements jobs.Handler.
func (h handle) Handle(ctx context.Context, j jobs.Job) error { return h(ctx, j) }

// Work is how our jobs are done, by kind.
func (t *Transmitter) Work() map[string]jobs.Work {
	return map[string]jobs.Work{
		KindSignal: {Handler: handle(t.tell), Policy: jobs.Policy{GiveUpAfter: keepEvents, Backoff: signalBackoff}},
		// A stream that cannot be reached is paused before its job is given up.
		KindPush: {Handler: handle(t.push), Policy: jobs.Policy{Timeout: pushTimeout, GiveUpAfter: 2 * keepEvents, Backoff: backoff}},
	}
}
