package signals_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/revocation/relay"
	"github.com/gatehouse-id/gatehouse/signals"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// TestWhole: from the cause through the ledger, the relay and the queue to a receiver
// that is down at first, on two nodes at once, each event once and in order.
func TestWhole(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		testWhole(t, newWorldOn(t, sqldbtest.SQLite(t)))
	})
	t.Run("PostgreSQL", func(t *testing.T) { testWhole(t, newWorldOn(t, sqldbtest.Postgres(t))) })
}

func testWhole(t *testing.T, w *world) {
	w.tr.Jobs = w.db
	w.users.Signals = signals.Writer{Jobs: w.db}
	ctx, stop := context.WithCancel(t.Context())
	var nodes sync.WaitGroup
	defer nodes.Wait()
	defer stop()
	for range 2 {
		worker := &jobs.Worker{Store: w.db, Work: w.tr.Work(), Now: w.now, Log: w.tr.Log}
		passing := &relay.Relay{Name: "signals", Store: w.db, Sinks: []relay.Sink{w.tr}, Log: w.tr.Log, Passed: worker.Hint}
		nodes.Go(func() { _ = worker.Run(ctx) })
		nodes.Go(func() { _ = passing.Run(ctx) })
	}
	in := newInbox(t)
	in.answers = []int{503, 503}
	me := w.client()
	streamID := w.stream(me, in.URL, "")
	u := w.user("alice")
	w.add(me, streamID, issSub(u))
	w.eventually(func() bool { // the cursor is there: what follows is told
		_, _, err := w.db.RelayState(ctx, "signals")
		return err == nil
	})
	var got []set
	until := func(n int) {
		t.Helper()
		for range 3000 {
			// For the pauses between tries; slowly, or leases would end meanwhile.
			w.pass(100 * time.Millisecond)
			if got = append(got, in.take(w, me)...); len(got) >= n {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("only %v came", types(got))
	}
	w.must(w.users.Ban(t.Context(), operator(), u.Subject))
	until(4) // one of them three times
	w.must(w.users.Unban(t.Context(), operator(), u.Subject))
	until(5)
	if !equal(types(got), "session-revoked", "session-revoked", "session-revoked", "account-disabled", "account-enabled") {
		t.Errorf("pushed %v", types(got))
	}
	if got[0].jti != got[2].jti {
		t.Error("another jti at another try")
	}
}
