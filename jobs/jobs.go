// Package jobs runs what must be done later, and must not be forgotten: a durable
// queue in the database.
//
// A job is enqueued in the transaction of its cause, so neither exists without the
// other. Workers of all nodes claim due jobs, each in one atomic statement, for as
// long as a lease lasts; a node that dies leaves its jobs to the others when the
// lease ends. So a job is done at least once: never by two at a time, but again if
// its worker died between doing it and saying so. Handlers send an id that stays
// the same over all tries, for receivers to know a repetition by.
//
// Jobs of one target (a host, a client) run at most a few at a time, and failing
// ones wait longer and longer, so that one who hangs holds up nobody else.
package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ErrFinal in a Handler's error says that another try would fail as this one did:
// the job is given up at once.
var ErrFinal = errors.New("jobs: not to be tried again")

// Job is one thing to do.
type Job struct {
	ID        id.ID  // made by Enqueue if zero; the same over all tries
	Kind      string // says which Handler does it
	Target    string // jobs of one kind and target share a bound; may be empty
	Payload   string // what the Handler needs; no secrets, for it is kept in plain text
	RunAt     int64  // Unix milliseconds of the next try; zero means now
	Attempts  int    // tries begun, this one included when it is handled
	CreatedAt int64  // Unix milliseconds; set by Enqueue
}

// Enqueuer takes jobs, in the caller's transaction if there is one.
type Enqueuer interface {
	Enqueue(ctx context.Context, jobs ...Job) error
}

// Handler does the jobs of one kind. An error means that it is tried again, unless
// it wraps ErrFinal; its text is kept and logged, so it must hold no secret. The
// context ends after the kind's timeout.
type Handler interface {
	Handle(ctx context.Context, j Job) error
}

// Policy is how the jobs of one kind are tried.
type Policy struct {
	Timeout     time.Duration // of one try; zero means 10 seconds
	GiveUpAfter time.Duration // from CreatedAt; zero means 12 hours
	// Backoff is the wait after the given number of tries, before jitter; nil
	// means Backoff of this package.
	Backoff func(attempt int) time.Duration
}
