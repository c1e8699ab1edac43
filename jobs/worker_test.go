package jobs_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// clock is a time that stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// queue is a database with a queue.
type queue struct {
	*sqldb.DB
	t     *testing.T
	url   string
	clock *clock
	log   *journal
}

// journal is a log that many write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) contains(what string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), what)
}

// onEach runs f on each engine.
func onEach(t *testing.T, f func(t *testing.T, q *queue)) {
	t.Helper()
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return sqldbtest.SQLite(t) },
		"PostgreSQL": func(t *testing.T) string { return sqldbtest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			q := &queue{t: t, url: url(t), clock: new(clock), log: new(journal)}
			q.clock.ms.Store(1_800_000_000_000)
			q.DB = q.node()
			if _, err := q.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			f(t, q)
		})
	}
}

// node opens the database as another process would.
func (q *queue) node() *sqldb.DB {
	q.t.Helper()
	d, err := sqldb.Open(q.t.Context(), sqldb.Options{URL: q.url, Now: q.clock.now, TokenLife: time.Hour})
	if err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(d.Close)
	return d
}

func (q *queue) enqueue(list ...jobs.Job) {
	q.t.Helper()
	if err := q.Enqueue(q.t.Context(), list...); err != nil {
		q.t.Fatal(err)
	}
}

// claim takes a job as a worker of the kind "mail" would.
func (q *queue) claim(d *sqldb.DB) *jobs.Job {
	q.t.Helper()
	j, err := d.ClaimJob(q.t.Context(), jobs.Claim{
		Kinds: []string{"mail"}, Now: q.clock.ms.Load(), LeaseEnds: q.clock.now().Add(time.Minute).UnixMilli(),
	})
	if err != nil {
		q.t.Fatal(err)
	}
	return j
}

type handler func(ctx context.Context, j jobs.Job) error

func (h handler) Handle(ctx context.Context, j jobs.Job) error { return h(ctx, j) }

func (q *queue) worker(h handler, p jobs.Policy) *jobs.Worker {
	return &jobs.Worker{
		Store: q.DB, Work: map[string]jobs.Work{"mail": {Handler: h, Policy: p}}, Now: q.clock.now,
		Log: slog.New(slog.NewTextHandler(q.log, nil)),
	}
}

// run starts workers and returns what stops them and waits.
func (q *queue) run(workers ...*jobs.Worker) (stop func()) {
	ctx, cancel := context.WithCancel(q.t.Context())
	var wg sync.WaitGroup
	for _, w := range workers {
		wg.Go(func() {
			if err := w.Run(ctx); err != nil {
				q.t.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	q.t.Cleanup(stop)
	return stop
}

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// empty looks past the store: it must not claim anything.
func (q *queue) empty() bool {
	driver, source := "pgx", q.url
	if path, ok := strings.CutPrefix(q.url, "sqlite://"); ok {
		driver, source = "sqlite", path
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		q.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var n int
	if err := db.QueryRowContext(q.t.Context(), `SELECT count(*) FROM jobs`).Scan(&n); err != nil {
		q.t.Fatal(err)
	}
	return n == 0
}

func TestEnqueueWithItsCause(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		undone := errors.New("undone")
		err := q.InTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(q.Enqueue(ctx, jobs.Job{Kind: "mail"}), undone)
		})
		if !errors.Is(err, undone) || q.claim(q.DB) != nil {
			t.Errorf("a job without its cause, %v", err)
		}
		want := jobs.Job{ID: id.New(), Kind: "mail", Target: "a", Payload: `{"x":"ünïcode"}`}
		q.enqueue(want, jobs.Job{Kind: "mail", RunAt: q.clock.ms.Load() + 1})
		want.RunAt, want.CreatedAt, want.Attempts = q.clock.ms.Load(), q.clock.ms.Load(), 1
		if got := q.claim(q.DB); got == nil || *got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got := q.claim(q.DB); got != nil {
			t.Errorf("not due, but claimed: %+v", got)
		}
		if err := q.Enqueue(t.Context(), want); err == nil {
			t.Error("one id twice")
		}
		q.enqueue()
	})
}

// Many nodes at once: each job is claimed by one, and none is left.
func TestClaimRace(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		const count, nodes = 120, 4
		list := make([]jobs.Job, count)
		for i := range list {
			list[i] = jobs.Job{Kind: "mail", Target: fmt.Sprint(i % 7)}
		}
		q.enqueue(list...)
		var mu sync.Mutex
		claims := map[id.ID]int{}
		var wg sync.WaitGroup
		for range nodes {
			node := q.node()
			for range 2 {
				wg.Go(func() {
					for j := q.claim(node); j != nil; j = q.claim(node) {
						mu.Lock()
						claims[j.ID]++
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		if len(claims) != count {
			t.Errorf("%d of %d claimed", len(claims), count)
		}
		for job, n := range claims {
			if n != 1 {
				t.Errorf("job %s was claimed %d times", job, n)
			}
		}
	})
}

// A worker that dies loses its job to another one when the lease ends; if it was
// only slow, what it says no longer counts.
func TestLease(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		q.enqueue(jobs.Job{Kind: "mail"})
		first := q.claim(q.DB)
		q.clock.advance(time.Minute - time.Millisecond)
		if q.claim(q.DB) != nil {
			t.Fatal("two have it")
		}
		q.clock.advance(time.Millisecond)
		second := q.claim(q.node())
		if second == nil || second.ID != first.ID || second.Attempts != 2 {
			t.Fatalf("lost: %+v", second)
		}
		if ok, err := q.FinishJob(t.Context(), *first); ok || err != nil {
			t.Errorf("the first finished the job of the second: %v", err)
		}
		if ok, err := q.PostponeJob(t.Context(), *first, 0, "x"); ok || err != nil {
			t.Errorf("the first postponed the job of the second: %v", err)
		}
		if ok, err := q.FinishJob(t.Context(), *second); !ok || err != nil || !q.empty() {
			t.Errorf("not finished: %v", err)
		}
	})
}

func TestWorkersDoEachJobOnce(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		const count = 100
		var mu sync.Mutex
		done := map[string]int{}
		work := handler(func(_ context.Context, j jobs.Job) error {
			mu.Lock()
			defer mu.Unlock()
			done[j.Payload]++
			return nil
		})
		for i := range count {
			q.enqueue(jobs.Job{Kind: "mail", Payload: fmt.Sprint(i), Target: fmt.Sprint(i % 3)})
		}
		other := q.worker(work, jobs.Policy{})
		other.Store, other.Log = q.node(), slog.New(slog.DiscardHandler)
		stop := q.run(q.worker(work, jobs.Policy{}), other)
		eventually(t, "all jobs done", func() bool { mu.Lock(); defer mu.Unlock(); return len(done) == count })
		stop()
		for payload, n := range done {
			if n != 1 {
				t.Errorf("job %s was done %d times", payload, n)
			}
		}
		if !q.empty() {
			t.Error("a job was left behind")
		}
	})
}

func TestTriesAgainLaterAndLater(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		tries := make(chan jobs.Job)
		w := q.worker(func(_ context.Context, j jobs.Job) error {
			tries <- j
			switch j.Attempts {
			case 1:
				return errors.New("bad\x00\xff" + strings.Repeat("x", 1000))
			case 2:
				panic("a bug")
			case 3:
				return fmt.Errorf("wrapped: %w", context.DeadlineExceeded)
			}
			return nil
		}, jobs.Policy{})
		q.run(w)
		q.enqueue(jobs.Job{Kind: "mail", Payload: "p"})
		w.Hint()
		first := <-tries
		for attempt := 1; attempt <= 3; attempt++ {
			// The lease of a try under way would end when the clock moves.
			eventually(t, "noted", func() bool { return q.log.contains(fmt.Sprintf("attempts=%d ", attempt)) })
			// Not before its time, and at the latest a quarter after it.
			q.clock.advance(jobs.Backoff(attempt) - time.Millisecond)
			w.Hint()
			select {
			case j := <-tries:
				t.Fatalf("too early: %+v", j)
			case <-time.After(30 * time.Millisecond):
			}
			q.clock.advance(jobs.Backoff(attempt)/4 + time.Millisecond)
			w.Hint()
			j := <-tries
			if j.ID != first.ID || j.CreatedAt != first.CreatedAt || j.Payload != "p" || j.Attempts != attempt+1 {
				t.Errorf("try %d: %+v", attempt+1, j)
			}
		}
		eventually(t, "finished", q.empty)
	})
}

func TestGivesUp(t *testing.T) {
	refused := fmt.Errorf("%w: refused", jobs.ErrFinal)
	for name, c := range map[string]struct {
		failure error
		age     time.Duration // at the first try
		tries   int32
	}{
		"what cannot succeed":           {refused, 0, 1},
		"what is too old":               {errors.New("down"), time.Hour, 1},
		"what would be too old by then": {errors.New("down"), time.Hour - 5*time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, q *queue) {
				var tries atomic.Int32
				q.enqueue(jobs.Job{Kind: "mail", Target: "app"})
				q.clock.advance(c.age)
				w := q.worker(func(context.Context, jobs.Job) error { tries.Add(1); return c.failure }, jobs.Policy{GiveUpAfter: time.Hour})
				stop := q.run(w)
				var events []sqldb.AuditEntry
				eventually(t, "an audit event", func() bool {
					var err error
					events, err = q.AuditTail(t.Context(), 10)
					return err != nil || len(events) > 0
				})
				stop()
				if len(events) != 1 {
					t.Fatalf("events %+v", events)
				}
				e := events[0]
				if e.Action != "job.give_up" || e.Actor.Kind != audit.System || e.TargetKind != "mail" || e.TargetID != "app" {
					t.Errorf("event %+v", e)
				}
				if tries.Load() != c.tries || !q.empty() {
					t.Errorf("%d tries, empty %v", tries.Load(), q.empty())
				}
				if !q.log.contains("level=ERROR") {
					t.Error("it is not in the log")
				}
			})
		})
	}
}

// A job that kills its worker each time ends by its age.
func TestGivesUpWhatNeverAnswers(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		q.enqueue(jobs.Job{Kind: "mail"})
		q.claim(q.DB) // and dies
		q.clock.advance(2 * time.Hour)
		w := q.worker(func(context.Context, jobs.Job) error { t.Error("tried again"); return nil }, jobs.Policy{GiveUpAfter: time.Hour})
		q.run(w)
		eventually(t, "given up", func() bool { events, _ := q.AuditTail(t.Context(), 1); return len(events) == 1 })
	})
}

// Who hangs takes what is his, and no more.
func TestTargetsDoNotHoldUpOthers(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		const hanging, others = 20, 12
		release := make(chan struct{})
		var under, most, done atomic.Int32
		w := q.worker(func(_ context.Context, j jobs.Job) error {
			if j.Target != "hangs" {
				done.Add(1)
				return nil
			}
			n := under.Add(1)
			defer under.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-release
			return nil
		}, jobs.Policy{Timeout: time.Minute})
		w.Total = 4
		for range hanging {
			q.enqueue(jobs.Job{Kind: "mail", Target: "hangs"})
		}
		q.clock.advance(time.Second)
		for i := range others { // due later than all that hang
			q.enqueue(jobs.Job{Kind: "mail", Target: fmt.Sprint(i)})
		}
		stop := q.run(w)
		eventually(t, "the others are done", func() bool { return done.Load() == others })
		close(release)
		eventually(t, "all is done", q.empty)
		stop()
		if most.Load() != 2 {
			t.Errorf("%d of one target at once, want 2", most.Load())
		}
	})
}

func TestTimeoutOfATry(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		tried := make(chan error, 1)
		w := q.worker(func(ctx context.Context, _ jobs.Job) error {
			<-ctx.Done()
			tried <- ctx.Err()
			return ctx.Err()
		}, jobs.Policy{Timeout: 20 * time.Millisecond})
		q.enqueue(jobs.Job{Kind: "mail"})
		stop := q.run(w)
		if err := <-tried; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		stop()
		q.clock.advance(time.Minute)
		if j := q.claim(q.DB); j == nil || j.Attempts != 2 {
			t.Errorf("it is not tried again: %+v", j)
		}
	})
}

// A stop waits for what is under way and begins nothing new.
func TestStopDrains(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		started, release := make(chan struct{}), make(chan struct{})
		w := q.worker(func(ctx context.Context, _ jobs.Job) error {
			started <- struct{}{}
			<-release
			return ctx.Err()
		}, jobs.Policy{Timeout: time.Minute})
		w.Total = 1
		q.enqueue(jobs.Job{Kind: "mail"}, jobs.Job{Kind: "mail"})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		<-started
		cancel()
		select {
		case <-ended:
			t.Fatal("it did not wait")
		case <-time.After(20 * time.Millisecond):
		}
		close(release)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		q.clock.advance(time.Hour)
		if j := q.claim(q.DB); j == nil || j.Attempts != 1 {
			t.Errorf("left: %+v, want the one that was not begun", j)
		}
		if q.claim(q.DB) != nil {
			t.Error("what was done is still there")
		}
	})
}

// What this node does not know, a newer one does.
func TestUnknownKindsAreLeft(t *testing.T) {
	onEach(t, func(t *testing.T, q *queue) {
		q.enqueue(jobs.Job{Kind: "of the next release"}, jobs.Job{Kind: "mail"})
		if j := q.claim(q.DB); j == nil || j.Kind != "mail" {
			t.Errorf("%+v", j)
		}
		if j := q.claim(q.DB); j != nil {
			t.Errorf("%+v", j)
		}
	})
}

func TestBackoff(t *testing.T) {
	var sum time.Duration
	for attempt := 0; attempt < 20; attempt++ {
		if jobs.Backoff(attempt) < 10*time.Second || jobs.Backoff(attempt+1) < jobs.Backoff(attempt) {
			t.Errorf("after %d: %s", attempt, jobs.Backoff(attempt))
		}
		sum += jobs.Backoff(attempt)
	}
	if sum < 12*time.Hour {
		t.Errorf("20 tries in %s", sum)
	}
}
