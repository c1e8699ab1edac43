package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

const (
	defaultTimeout   = 10 * time.Second
	defaultGiveUp    = 12 * time.Hour
	defaultTotal     = 32
	defaultPerTarget = 2
	pollEvery        = time.Second
	leaseMargin      = 30 * time.Second // for the database, and for a node that is slow
	storeTimeout     = 15 * time.Second
	maxError         = 500 // bytes of an error that are kept
)

// Store is the queue as the worker sees it.
type Store interface {
	// ClaimJob takes, in one atomic statement, the job that has been due the
	// longest, counts the try, and keeps it from others until c.LeaseEnds. It
	// returns nil if none is due.
	ClaimJob(ctx context.Context, c Claim) (*Job, error)
	// FinishJob removes a job, and PostponeJob lets it run again later, unless it
	// was claimed anew since: Attempts tells. They report whether they did.
	FinishJob(ctx context.Context, j Job) (bool, error)
	PostponeJob(ctx context.Context, j Job, runAt int64, lastError string) (bool, error)
	InTx(ctx context.Context, f func(ctx context.Context) error) error
	WriteAudit(ctx context.Context, e audit.Event) error
}

// Claim says which jobs a worker can do now.
type Claim struct {
	Kinds     []string
	Busy      []Target // whose bound is reached
	Now       int64    // Unix milliseconds
	LeaseEnds int64    // Unix milliseconds
}

// Target is what jobs of one kind are about.
type Target struct{ Kind, Name string }

// Work is how jobs of one kind are done.
type Work struct {
	Handler Handler
	Policy
}

// Worker does the jobs of the kinds that it has handlers for; others are left to
// nodes that know them. Any number of workers may share a queue.
type Worker struct {
	Store Store
	Work  map[string]Work // by kind
	Now   func() time.Time
	Log   *slog.Logger
	// Total and PerTarget bound how many jobs this worker does at once, of all and
	// of one kind and target; zero means 32 and 2.
	Total, PerTarget int

	once    sync.Once
	wake    chan struct{}
	mu      sync.Mutex
	targets map[Target]int
	running int
}

// Hint says that a job may be due, so that Run looks at once. It never blocks.
func (w *Worker) Hint() {
	w.init()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Worker) init() {
	w.once.Do(func() {
		w.wake, w.targets = make(chan struct{}, 1), map[Target]int{}
	})
}

// Run does jobs until ctx ends, then waits for those that are under way: a
// timeout bounds each of them.
func (w *Worker) Run(ctx context.Context) error {
	w.init()
	var under sync.WaitGroup
	defer under.Wait()
	for {
		for ctx.Err() == nil && w.startOne(ctx, &under) {
		}
		if !w.wait(ctx) {
			return nil
		}
	}
}

// wait returns when there may be something to do, and false when ctx ends. Nodes
// that started together do not look together.
func (w *Worker) wait(ctx context.Context) bool {
	timer := time.NewTimer(pollEvery/2 + rand.N(pollEvery))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-w.wake:
	case <-timer.C:
	}
	return true
}

// startOne claims a job and begins to do it. It reports whether there may be more.
func (w *Worker) startOne(ctx context.Context, under *sync.WaitGroup) bool {
	busy, free := w.busy()
	if !free {
		return false // who finishes gives a hint
	}
	now := w.Now()
	j, err := w.Store.ClaimJob(ctx, Claim{
		Kinds: slices.Sorted(maps.Keys(w.Work)), Busy: busy,
		Now: now.UnixMilli(), LeaseEnds: now.Add(w.lease()).UnixMilli(),
	})
	if err != nil {
		if ctx.Err() == nil {
			w.Log.WarnContext(ctx, "look for jobs", "error", err)
		}
		return false
	}
	if j == nil {
		return false
	}
	w.count(*j, 1)
	under.Go(func() {
		// A stop lets what is under way come to its end.
		w.do(context.WithoutCancel(ctx), *j)
		w.count(*j, -1)
		w.Hint()
	})
	return true
}

// busy returns the targets that have as many jobs under way as they may, and
// whether another job may begin at all.
func (w *Worker) busy() (targets []Target, free bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t, n := range w.targets {
		if n >= orDefault(w.PerTarget, defaultPerTarget) {
			targets = append(targets, t)
		}
	}
	return targets, w.running < orDefault(w.Total, defaultTotal)
}

func (w *Worker) count(j Job, by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running += by
	if j.Target == "" {
		return // of nobody in particular
	}
	t := Target{j.Kind, j.Target}
	if w.targets[t] += by; w.targets[t] == 0 {
		delete(w.targets, t)
	}
}

// lease outlives every try, so that a job is never taken from a worker that lives.
func (w *Worker) lease() time.Duration {
	longest := defaultTimeout
	for _, k := range w.Work {
		longest = max(longest, k.Timeout)
	}
	return longest + leaseMargin
}

func (w *Worker) do(ctx context.Context, j Job) {
	work := w.Work[j.Kind]
	var err error
	// A job whose worker dies each time would never fail; its age ends it.
	if j.Attempts > 1 && w.age(j) > orDefault(work.GiveUpAfter, defaultGiveUp) {
		err = fmt.Errorf("%w: it is too old", ErrFinal)
	} else {
		err = w.try(ctx, work, j)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err = w.settle(ctx, work, j, err); err != nil {
		// It is claimed again when the lease ends.
		w.Log.ErrorContext(ctx, "note the outcome of a job", "job", j.ID, "kind", j.Kind, "error", err)
	}
}

func (w *Worker) age(j Job) time.Duration { return w.Now().Sub(time.UnixMilli(j.CreatedAt)) }

func (w *Worker) try(ctx context.Context, work Work, j Job) (err error) {
	ctx, cancel := context.WithTimeout(ctx, orDefault(work.Timeout, defaultTimeout))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			w.Log.ErrorContext(ctx, "a job panicked", "job", j.ID, "kind", j.Kind, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	return work.Handler.Handle(ctx, j)
}

// settle writes down how a try ended.
func (w *Worker) settle(ctx context.Context, work Work, j Job, failure error) error {
	if failure == nil {
		_, err := w.Store.FinishJob(ctx, j)
		return err
	}
	backoff := Backoff
	if work.Backoff != nil {
		backoff = work.Backoff
	}
	wait := jitter(backoff(j.Attempts))
	if errors.Is(failure, ErrFinal) || w.age(j)+wait > orDefault(work.GiveUpAfter, defaultGiveUp) {
		return w.giveUp(ctx, j, failure)
	}
	mine, err := w.Store.PostponeJob(ctx, j, w.Now().Add(wait).UnixMilli(), clip(failure))
	if err == nil && mine {
		w.Log.InfoContext(ctx, "a job is tried again later",
			"job", j.ID, "kind", j.Kind, "target", j.Target, "attempts", j.Attempts, "wait", wait, "error", failure)
	}
	return err
}

func (w *Worker) giveUp(ctx context.Context, j Job, failure error) error {
	mine := false
	err := w.Store.InTx(ctx, func(ctx context.Context) (err error) {
		if mine, err = w.Store.FinishJob(ctx, j); err != nil || !mine {
			return err
		}
		return w.Store.WriteAudit(ctx, audit.Event{
			Actor: audit.Actor{Kind: audit.System, ID: "jobs"}, Action: "job.give_up", TargetKind: j.Kind, TargetID: j.Target,
			Details: map[string]any{"job": j.ID.String(), "attempts": j.Attempts, "error": clip(failure)},
		})
	})
	if err == nil && mine {
		w.Log.ErrorContext(ctx, "a job was given up",
			"job", j.ID, "kind", j.Kind, "target", j.Target, "attempts", j.Attempts, "error", failure)
	}
	return err
}
