package signals_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/signals"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// TestUnban_Order: a receiver keeps the account as it was told last, so the end of a
// ban is told after the ban that it ends, and not at all once there is another.
func TestUnban_Order(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testUnbanOrder(t, newWorld(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { testUnbanOrder(t, newWorldOn(t, sqldbtest.Postgres(t))) })
}

func testUnbanOrder(t *testing.T, w *world) {
	ctx := t.Context()
	me := w.client()
	streamID := w.stream(me, "", "")
	u := w.user("alice")
	w.add(me, streamID, issSub(u))
	ban := func() { w.pass(time.Second); w.must(w.users.Ban(ctx, operator(), u.Subject)) }
	unban := func() { w.pass(time.Second); w.must(w.users.Unban(ctx, operator(), u.Subject)) }
	tell := func(j jobs.Job) error { return w.tr.Work()[signals.KindSignal].Handler.Handle(ctx, j) }
	want := func(what string, list ...string) {
		t.Helper()
		var got []string
		var happened, newest float64
		for _, s := range w.poll(me, streamID) {
			happened, _ = s.claims["toe"].(float64)
			newest = max(newest, happened)
			if strings.HasPrefix(s.typ, risc) {
				got = append(got, strings.TrimPrefix(s.typ, risc))
			}
		}
		// Who goes by the order and who goes by the times end up with the same.
		if !slices.Equal(got, list) || happened != newest {
			t.Errorf("%s: told %v, the last of %v and the newest of %v", what, got, happened, newest)
		}
	}

	ban()
	unban()
	late := w.takeJob() // its first try has failed
	ban()
	w.passOn()
	w.must(tell(late))
	want("overtaken by a ban", "account-disabled", "account-disabled")

	unban()
	now := w.takeJob()
	ban()
	unban()
	if err := tell(now); err == nil {
		t.Error("the end of a ban was told while the relay was behind")
	}
	w.passOn()
	w.must(w.db.InTx(ctx, func(held context.Context) error {
		if _, ok, err := w.db.LockRelay(held, relayName); err != nil || !ok {
			t.Errorf("the cursor is not free: %v", err)
		}
		if w.db.Dialect() == sqldb.Postgres { // SQLite has one writer
			if err := tell(now); err == nil {
				t.Error("the end of a ban was told while the relay was at work")
			}
		}
		return nil
	}))
	w.must(tell(now))
	w.must(tell(w.takeJob()))
	want("the relay behind", "account-disabled", "account-enabled", "account-enabled")

	ban()
	unban()
	last := w.takeJob()
	w.must(w.users.Delete(ctx, operator(), u.Subject))
	w.passOn()
	w.must(tell(last))
	want("deleted since", "account-disabled", "account-purged")
}

// takeJob takes the first job out of the queue, so that a test may do it when it
// likes.
func (w *world) takeJob() jobs.Job {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.queue[0]
	w.queue, j.ID = w.queue[1:], newID()
	return j
}

// passOn hands the rows since the last time to the transmitter, in a transaction that
// moves the relay's cursor.
func (w *world) passOn() {
	w.t.Helper()
	w.must(w.db.InTx(w.t.Context(), func(ctx context.Context) error {
		position, _, err := w.db.LockRelay(ctx, relayName)
		w.must(err)
		rows, err := w.db.After(ctx, position, 1000)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := w.tr.Expand(ctx, rows); err != nil {
			return err
		}
		return w.db.MoveRelay(ctx, relayName, rows[len(rows)-1].Position)
	}))
}
