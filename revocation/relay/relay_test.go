package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/revocation/relay"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// ledger is a database with a ledger, at a time that stands still until it is moved.
type ledger struct {
	*sqldb.DB
	t   *testing.T
	url string

	mu    sync.Mutex
	clock time.Time
	log   strings.Builder
}

func onEach(t *testing.T, f func(t *testing.T, l *ledger)) {
	t.Helper()
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return sqldbtest.SQLite(t) },
		"PostgreSQL": func(t *testing.T) string { return sqldbtest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{t: t, url: url(t), clock: time.UnixMilli(1_800_000_000_000)}
			l.DB = l.node()
			if _, err := l.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			f(t, l)
		})
	}
}

func (l *ledger) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock
}

func (l *ledger) advance(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock = l.clock.Add(d)
}

// Write is the log of relays.
func (l *ledger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (l *ledger) logged(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.log.String(), what)
}

// node opens the database as another process would.
func (l *ledger) node() *sqldb.DB {
	l.t.Helper()
	d, err := sqldb.Open(l.t.Context(), sqldb.Options{URL: l.url, Now: l.now, TokenLife: time.Hour})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(d.Close)
	return d
}

func (l *ledger) add(keys ...string) {
	l.t.Helper()
	for _, key := range keys {
		if err := l.InTx(l.t.Context(), func(ctx context.Context) error {
			return l.Append(ctx, revocation.Entry{Kind: revocation.Grant, Key: key, Reason: "test"})
		}); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *ledger) relay(sinks ...relay.Sink) *relay.Relay {
	return &relay.Relay{Name: "test", Store: l.DB, Sinks: sinks, Log: slog.New(slog.NewTextHandler(l, nil))}
}

// run starts relays and returns what stops them and waits.
func (l *ledger) run(relays ...*relay.Relay) (stop func()) {
	ctx, cancel := context.WithCancel(l.t.Context())
	var wg sync.WaitGroup
	for _, r := range relays {
		wg.Go(func() {
			if err := r.Run(ctx); err != nil {
				l.t.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	l.t.Cleanup(stop)
	return stop
}

// sink turns each row into a job, and remembers what it was given.
type sink struct {
	queue jobs.Enqueuer
	fail  func(rows []revocation.Row) error

	mu    sync.Mutex
	calls int
}

func (s *sink) Expand(ctx context.Context, rows []revocation.Row) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	for _, r := range rows {
		if err := s.queue.Enqueue(ctx, jobs.Job{Kind: "row", Payload: r.Key}); err != nil {
			return err
		}
	}
	if s.fail != nil {
		return s.fail(rows)
	}
	return nil
}

// passed takes the jobs that the sink made, in order.
func (l *ledger) passed() []string {
	l.t.Helper()
	var keys []string
	for {
		j, err := l.ClaimJob(l.t.Context(), jobs.Claim{Kinds: []string{"row"}, Now: l.now().UnixMilli(), LeaseEnds: l.now().Add(time.Hour).UnixMilli()})
		if err != nil {
			l.t.Fatal(err)
		}
		if j == nil {
			return keys
		}
		if _, err := l.FinishJob(l.t.Context(), *j); err != nil {
			l.t.Fatal(err)
		}
		keys = append(keys, j.Payload)
		l.advance(time.Millisecond)
	}
}

func (l *ledger) position(d *sqldb.DB) (position, head int64) {
	l.t.Helper()
	position, head, err := d.RelayState(l.t.Context(), "test")
	if err != nil {
		l.t.Fatal(err)
	}
	return position, head
}

// caughtUp waits until everything was passed on.
func (l *ledger) caughtUp() {
	l.t.Helper()
	eventually(l.t, "caught up", func() bool {
		position, head, err := l.RelayState(l.t.Context(), "test")
		return err == nil && position == head
	})
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func same(t *testing.T, want, got []string) {
	t.Helper()
	sort := func(keys []string) map[string]int {
		m := map[string]int{}
		for _, k := range keys {
			m[k]++
		}
		return m
	}
	if diff := cmp.Diff(sort(want), sort(got)); diff != "" {
		t.Errorf("passed on (-want +got):\n%s", diff)
	}
}

func TestBeginsAtTheHeadAndGoesOn(t *testing.T) {
	onEach(t, func(t *testing.T, l *ledger) {
		l.add("before")
		changed := make(chan struct{})
		hints := 0
		s := &sink{queue: l.DB}
		r := l.relay(s)
		r.Changed, r.Passed, r.Batch = func() <-chan struct{} { return changed }, func() { hints++ }, 2
		stop := l.run(r)
		eventually(t, "it began", func() bool { _, _, err := l.RelayState(t.Context(), "test"); return err == nil })
		l.add("a", "b", "c", "d", "e")
		close(changed)
		l.caughtUp()
		stop()
		same(t, []string{"a", "b", "c", "d", "e"}, l.passed())
		if hints == 0 {
			t.Error("nobody was told that there is work")
		}
		l.add("while it was down")
		stop = l.run(l.relay(s))
		l.caughtUp()
		stop()
		same(t, []string{"while it was down"}, l.passed())
	})
}

// Several nodes at once, and one that dies in the middle again and again: every row
// is passed on exactly once.
func TestExactlyOnce(t *testing.T) {
	onEach(t, func(t *testing.T, l *ledger) {
		const count = 60
		if err := l.EnsureRelay(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		failures := 5
		flaky := func([]revocation.Row) error {
			mu.Lock()
			defer mu.Unlock()
			if failures--; failures >= 0 {
				return errors.New("dies after it wrote its messages")
			}
			return nil
		}
		var want []string
		var relays []*relay.Relay
		for range 3 {
			node := l.node()
			r := l.relay(&sink{queue: node, fail: flaky})
			r.Store, r.Batch = node, 7
			relays = append(relays, r)
		}
		stop := l.run(relays...)
		for i := range count {
			key := strings.Repeat("k", i+1)
			want = append(want, key)
			l.add(key)
		}
		l.caughtUp()
		stop()
		same(t, want, l.passed())
		if !l.logged("not passed on") {
			t.Error("the failures are not in the log")
		}
	})
}

// Who finds the cursor locked leaves it alone.
func TestOneNodeAtATime(t *testing.T) {
	l := &ledger{t: t, url: sqldbtest.Postgres(t), clock: time.UnixMilli(1_800_000_000_000)}
	l.DB = l.node()
	if _, err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := l.node()
	for _, d := range []*sqldb.DB{l.DB, other} {
		if err := d.EnsureRelay(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	err := l.InTx(t.Context(), func(ctx context.Context) error {
		if _, ok, err := l.LockRelay(ctx, "test"); !ok || err != nil {
			t.Errorf("not locked: %v", err)
		}
		return other.InTx(t.Context(), func(ctx context.Context) error {
			_, ok, err := other.LockRelay(ctx, "test")
			if ok {
				t.Error("two have the cursor")
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.LockRelay(t.Context(), "test"); err == nil {
		t.Error("a lock outside a transaction")
	}
}

// Rows wait for the relay, but not for one that nobody runs any more; and what it
// has missed by that is said.
func TestRowsWaitForTheRelay(t *testing.T) {
	onEach(t, func(t *testing.T, l *ledger) {
		l.add("a")
		purge := func(want int) {
			t.Helper()
			n, err := l.Purge(t.Context(), l.now().UnixMilli(), 100)
			if err != nil || n != want {
				t.Errorf("%d rows dropped, want %d, %v", n, want, err)
			}
		}
		s := &sink{queue: l.DB}
		if err := l.EnsureRelay(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		l.add("b")
		l.advance(time.Hour + time.Second)
		purge(1) // a, which no relay will ask for
		purge(0)
		stop := l.run(l.relay(s))
		l.caughtUp()
		stop()
		purge(1)
		same(t, []string{"b"}, l.passed())

		l.add("c")
		l.advance(25 * time.Hour)
		purge(0)
		l.advance(2 * time.Second)
		purge(1)
		l.add("d")
		stop = l.run(l.relay(s))
		l.caughtUp()
		stop()
		same(t, []string{"d"}, l.passed())
		if !l.logged("had gone before") {
			t.Error("nobody is told of what was missed")
		}
		// The cursor goes on to the head although its rows are gone.
		l.add("e")
		l.advance(26 * time.Hour)
		purge(2) // d was passed on
		stop = l.run(l.relay(s))
		l.caughtUp()
		stop()
		if position, head := l.position(l.DB); position != head {
			t.Errorf("at %d, the head is %d", position, head)
		}
	})
}

// A cursor never goes back: what was passed on is not passed on again.
func TestCursorNeverGoesBack(t *testing.T) {
	onEach(t, func(t *testing.T, l *ledger) {
		l.add("a", "b")
		if err := l.EnsureRelay(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
		if err := l.MoveRelay(t.Context(), "test", 1); err == nil {
			t.Error("it went back")
		}
		if err := l.EnsureRelay(t.Context(), "test"); err != nil {
			t.Error(err)
		}
		if position, _ := l.position(l.DB); position != 2 {
			t.Errorf("at %d", position)
		}
	})
}
