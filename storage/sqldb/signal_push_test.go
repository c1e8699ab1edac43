package sqldb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/signals"
)

func TestSignalPush(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		s := receiver(t, d, "a", "signals:manage")
		one, two := id.New(), id.New()
		ok := func(what string, want bool) func(bool, error) {
			return func(got bool, err error) {
				t.Helper()
				if got != want || err != nil {
					t.Errorf("%s: %v, %v", what, got, err)
				}
			}
		}
		stalled := func(want int, since int64) {
			t.Helper()
			list, err := d.StalledStreams(ctx, since)
			if len(list) != want || err != nil {
				t.Errorf("stalled since %d: %v, %v", since, list, err)
			}
		}
		if err := d.InsertEvents(ctx, []signals.Event{event(s, "1", 1)}); err != nil {
			t.Fatal(err)
		}
		stalled(1, 0) // nobody was told
		ok("want", true)(d.WantPush(ctx, s.ID, one, 100))
		ok("want again", false)(d.WantPush(ctx, s.ID, two, 200))
		stalled(0, 100)
		stalled(1, 101)
		ok("finish early", false)(d.FinishPush(ctx, s.ID, one, 1))
		ok("finish another's", false)(d.FinishPush(ctx, s.ID, two, 2))
		ok("hand over another's", false)(d.HandOverPush(ctx, s.ID, two, one, 300))
		ok("hand over", true)(d.HandOverPush(ctx, s.ID, one, two, 300))
		stalled(0, 300)
		ok("finish", true)(d.FinishPush(ctx, s.ID, two, 2))
		ok("from none", true)(d.HandOverPush(ctx, s.ID, id.ID{}, one, 400))
		ok("from none again", false)(d.HandOverPush(ctx, s.ID, id.ID{}, two, 400))

		s.Status = signals.Paused
		if err := d.UpdateStream(ctx, s); err != nil {
			t.Fatal(err)
		}
		stalled(0, 1000)
		s.Method = signals.Poll
		if err := d.UpdateStream(ctx, s); err != nil {
			t.Fatal(err)
		}
		ok("of a poll stream", false)(d.WantPush(ctx, s.ID, two, 500))
		ok("its job is forgotten", false)(d.HandOverPush(ctx, s.ID, one, one, 500))
		ok("of no stream", false)(d.WantPush(ctx, id.New(), two, 500))

		ok("verify", true)(d.NoteVerification(ctx, s.ID, 5000, 1000))
		ok("verify at once", false)(d.NoteVerification(ctx, s.ID, 5999, 1000))
		ok("verify later", true)(d.NoteVerification(ctx, s.ID, 6000, 1000))
	})
}

// TestSignalPush_NoneForgotten: while one job after the other empties the stream,
// and ends, many fill it. What is filled last is never left without a job.
func TestSignalPush_NoneForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		s := receiver(t, d, "a", "signals:manage")
		jobs := make(chan id.ID, 1000)
		var sent atomic.Int64
		var fillers, workers sync.WaitGroup
		const writers, each = 4, 20
		for w := range writers {
			fillers.Go(func() {
				for i := range each {
					job := id.New()
					made := false
					err := d.InTx(ctx, func(ctx context.Context) (err error) {
						if err := d.InsertEvents(ctx, []signals.Event{event(s, fmt.Sprint(w, "/", i), 1)}); err != nil {
							return err
						}
						made, err = d.WantPush(ctx, s.ID, job, 1)
						return err
					})
					if err != nil {
						t.Error(err)
					}
					if made {
						jobs <- job
					}
				}
			})
		}
		var atWork atomic.Int32
		for range 2 {
			workers.Go(func() {
				for job := range jobs {
					if atWork.Add(1) > 1 {
						t.Error("two jobs at once")
					}
					sent.Add(int64(empty(t, d, s.ID, job, func() { atWork.Add(-1) })))
				}
			})
		}
		fillers.Wait()
		close(jobs)
		workers.Wait()
		left, err := d.WaitingEvents(ctx, s.ID, true, 1000)
		if len(left) != 0 || sent.Load() != writers*each || err != nil {
			t.Errorf("%d sent, %d left, %v", sent.Load(), len(left), err)
		}
	})
}

// empty does a job as package signals does; ending is called before it ends.
func empty(t *testing.T, d *DB, streamID, job id.ID, ending func()) (sent int) {
	for {
		s, err := d.StreamByID(t.Context(), streamID)
		if err != nil {
			t.Error(err)
			return sent
		}
		events, err := d.WaitingEvents(t.Context(), streamID, true, 1)
		if err != nil {
			t.Error(err)
			return sent
		}
		if len(events) > 0 {
			n, err := d.DropEvents(t.Context(), streamID, []string{events[0].JTI})
			if err != nil {
				t.Error(err)
				return sent
			}
			sent += n
			continue
		}
		ending()
		done, err := d.FinishPush(t.Context(), streamID, job, s.Wanted)
		if done || err != nil {
			return sent
		}
		// Not ended after all: nobody else has begun meanwhile.
		ending = func() {}
	}
}

// TestSignalPush_EndsAware: a job that saw nothing left does not end while a
// transaction is open that puts something in and relies on it.
func TestSignalPush_EndsAware(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		s, job := receiver(t, d, "a", "signals:manage"), id.New()
		if made, err := d.WantPush(ctx, s.ID, job, 1); !made || err != nil {
			t.Fatal(made, err)
		}
		seen, err := d.StreamByID(ctx, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan bool)
		err = d.InTx(ctx, func(inTx context.Context) error {
			if err := d.InsertEvents(inTx, []signals.Event{event(s, "1", 1)}); err != nil {
				return err
			}
			made, err := d.WantPush(inTx, s.ID, id.New(), 1)
			if made {
				t.Error("a second job")
			}
			go func() {
				done, err := d.FinishPush(ctx, s.ID, job, seen.Wanted)
				if err != nil {
					t.Error(err)
				}
				ended <- done
			}()
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if <-ended {
			t.Error("the job ended, and the event waits for nobody")
		}
	})
}
