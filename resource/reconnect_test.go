package resource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// TestL16_StreamEndsAndResumes: at a drain, or when the feed's own token expires,
// the stream goes on where it was, without a snapshot.
func TestL16_StreamEndsAndResumes(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		for i := range 20 {
			f.cut()
			f.commit(wire.KindSession, fmt.Sprint(i))
			pass(12 * time.Second)
			wantState(t, v, Fresh)
			wantVerify(t, v, f.access(map[string]any{"sid": fmt.Sprint(i)}), ErrRevoked)
		}
		if f.seen().snapshots != 1 || f.seen().tokens != 1 || len(f.seen().opened) != 21 {
			t.Errorf("%d snapshots, %d tokens, %d streams", f.seen().snapshots, f.seen().tokens, len(f.seen().opened))
		}
		pass(5 * time.Minute)
		f.cut()
		pass(time.Second)
		wantState(t, v, Fresh)
		if f.seen().tokens != 2 {
			t.Errorf("%d tokens, want a second before the first expires", f.seen().tokens)
		}
		f.do(func() { f.tokens = 7 }) // what the follower has is refused
		f.cut()
		pass(3 * time.Second)
		wantState(t, v, Fresh)
		if f.seen().tokens != 8 {
			t.Errorf("no new token after 401")
		}
	})
}

// TestTakenBackSoonAfterTrouble: whoever could not connect for a while, and has
// just been let in again, is not the last to come back when all tokens end at once.
func TestTakenBackSoonAfterTrouble(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		pass(20 * time.Second)
		f.do(func() { f.status[wire.PathStream] = 503 })
		f.cut()
		pass(9 * time.Second)
		f.do(func() { delete(f.status, wire.PathStream) })
		for range 20 {
			if pass(time.Second); len(f.seen().opened) > 1 {
				break
			}
		}
		pass(3 * time.Second)
		wantState(t, v, Fresh)
		f.do(func() { f.tokens, f.opened = 7, nil })
		ended := time.Now()
		f.cut()
		f.commit(wire.KindSession, "session")
		pass(15 * time.Second)
		if f.seen().tokens != 8 || len(f.seen().opened) != 1 {
			t.Fatalf("%d tokens, %d streams", f.seen().tokens, len(f.seen().opened))
		}
		if d := f.seen().opened[0].Sub(ended); d > 2*time.Second {
			t.Errorf("came back after %v", d)
		}
		wantVerify(t, v, f.access(nil), ErrRevoked)
	})
}

// TestReconnect checks how soon the next connection is tried.
func TestReconnect(t *testing.T) {
	for _, tt := range []struct {
		name        string
		wreck       func(f *feedIssuer)
		least, most int // connections in a minute
	}{
		{"token endpoint refuses", func(f *feedIssuer) { f.tokens = 7; f.status["/token"] = 401 }, 0, 0},
		{"forbidden", func(f *feedIssuer) { f.status[wire.PathStream] = 403 }, 0, 0},
		{"redirect", func(f *feedIssuer) { f.status[wire.PathStream] = 302 }, 0, 0},
		{"ends at once", func(f *feedIssuer) { f.raw = func(io.Writer) {} }, 8, 20},
		{"retry", func(f *feedIssuer) { f.raw = func(w io.Writer) { fmt.Fprint(w, "retry: 20000\n\n") } }, 3, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var logged bytes.Buffer
			following(t, nil, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) },
				func(t *testing.T, f *feedIssuer, v *Verifier) {
					if err := v.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					f.do(func() { tt.wreck(f); f.opened = nil })
					f.cut()
					pass(time.Minute)
					if n := len(f.seen().opened); n < tt.least || n > tt.most {
						t.Errorf("%d connections, want %d to %d", n, tt.least, tt.most)
					}
					if n := strings.Count(logged.String(), "ledger not followed"); n > 2 {
						t.Errorf("%d warnings: %s", n, logged.String())
					}
					for _, secret := range []string{testSecret, "feed-1"} {
						if strings.Contains(logged.String(), secret) {
							t.Errorf("the log holds a secret: %s", logged.String())
						}
					}
				})
		})
	}
}

func TestFirstRetryIsQuick(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		pass(20 * time.Second)
		cut := time.Now()
		f.cut()
		pass(2 * time.Second)
		if d := f.seen().opened[1].Sub(cut); d < firstRetryMin || d > firstRetryMax {
			t.Errorf("first retry after %v", d)
		}
	})
}

// TestHashKeyChanges: queries prepared under the old secret are made anew.
func TestHashKeyChanges(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		raw, other := f.access(nil), f.access(map[string]any{"sid": "other"})
		wantVerify(t, v, raw, nil)
		wantVerify(t, v, other, nil)
		f.do(func() { f.hashKey, f.rows = bytes.Repeat([]byte{9}, 32), nil })
		f.cut()
		f.commit(wire.KindSession, "session")
		pass(2 * time.Second)
		wantState(t, v, Fresh)
		wantVerify(t, v, raw, ErrRevoked)
		wantVerify(t, v, other, nil)
	})
}

// TestL17_LostTimeline: tokens that stay ahead of the head are reported.
func TestL17_LostTimeline(t *testing.T) {
	behind := 0
	followed(t, func(c *Config) { c.Events.Behind = func() { behind++ } }, func(t *testing.T, f *feedIssuer, v *Verifier) {
		raw := f.access(map[string]any{"rev": 103})
		wantVerify(t, v, raw, nil)
		pass(5 * time.Second)
		for range 3 {
			f.commit(wire.KindSession, "another")
		}
		pass(20 * time.Second)
		if behind != 0 {
			t.Fatal("reported although the head has passed it")
		}
		raw = f.access(map[string]any{"rev": 104})
		snapshots := f.seen().snapshots
		for range 25 {
			wantVerify(t, v, raw, nil)
			pass(time.Second)
		}
		if behind != 1 || f.seen().snapshots == snapshots {
			t.Errorf("%d reports, want one, and a snapshot", behind)
		}
		wantState(t, v, Fresh)
	})
}

func TestReports(t *testing.T) {
	followed(t, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		pass(20 * time.Second)
		f.commit(wire.KindSession, "session")
		synctest.Wait()
		got := f.seen().reports[len(f.seen().reports)-1]
		want := wire.Report{Instance: got.Instance, Cursor: "one.101.0707", State: "fresh"}
		if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(got.Instance, "one.") {
			t.Errorf("report of %s differs (-want +got):\n%s", got.Instance, diff)
		}
		f.do(func() { f.reports = nil })
		for range 60 {
			f.commit(wire.KindSession, "session")
			pass(time.Second)
		}
		if n := len(f.seen().reports); n < 9 || n > 12 {
			t.Errorf("%d reports in a minute, want one each 5 seconds or so", n)
		}
		f.do(func() { f.status[wire.PathPosition], f.reports = 500, nil })
		pass(time.Minute)
		wantState(t, v, Fresh)
	})
}

// TestReportsWaitAsAsked: who has too many instances is not asked by each of them
// every few seconds.
func TestReportsWaitAsAsked(t *testing.T) {
	refuse := func(f *feedIssuer) { f.busy = 100 }
	following(t, refuse, nil, func(t *testing.T, f *feedIssuer, v *Verifier) {
		for range 5 * 60 {
			f.commit(wire.KindSession, "session")
			pass(time.Second)
		}
		if n := len(f.seen().reports); n < 3 || n > 4 {
			t.Errorf("%d reports in five minutes, want one each 100 seconds", n)
		}
	})
}

// TestInstance: two processes of one name are two, and names may be long.
func TestInstance(t *testing.T) {
	for _, name := range []string{"", "web-1", strings.Repeat("a", maxInstance)} {
		one, two := distinct(name), distinct(name)
		kept := name[:min(len(name), maxInstance-1-endingLetters)]
		if one == two || !strings.HasPrefix(one, kept) || len(one) > maxInstance || strings.ContainsFunc(one, outsideInstance) {
			t.Errorf("%q became %q and %q", name, one, two)
		}
	}
}

func TestSizeAndLagAreTold(t *testing.T) {
	var mu sync.Mutex
	sizes, lags := 0, 0
	hooks := func(c *Config) {
		c.Events.Size = func(n, _ int) { mu.Lock(); sizes = n; mu.Unlock() }
		c.Events.Lag = func(d time.Duration) { mu.Lock(); lags++; mu.Unlock() }
	}
	followed(t, hooks, func(t *testing.T, f *feedIssuer, v *Verifier) {
		f.commit(wire.KindSession, "a")
		f.commit(wire.KindSession, "b")
		pass(10 * time.Second)
		told := func() (int, int) { mu.Lock(); defer mu.Unlock(); return sizes, lags }
		if rows, lags := told(); rows != 2 || lags < 6 {
			t.Errorf("%d rows and %d lags were told", rows, lags)
		}
		pass(2 * time.Hour)
		if rows, _ := told(); rows != 0 {
			t.Errorf("%d rows are left after they expired", rows)
		}
	})
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, mux := newFeedIssuer(t)
		f.status["/token"] = 500
		v := f.follower(mux, nil)
		pass(time.Second)
		wantState(t, v, Cold)
		f.do(func() { delete(f.status, "/token") })
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.Close()
		v.Close()
		if err := v.Ready(t.Context()); err != nil {
			t.Errorf("was fresh once: %v", err)
		}
		pass(11 * time.Second)
		wantState(t, v, Stale)

		f.status["/token"] = 500
		v = f.follower(mux, nil)
		pass(time.Second)
		v.Close()
		if err := v.Ready(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
	issuer := newTestIssuer(t)
	v, _ := issuer.verifier(t)
	if err := v.Ready(t.Context()); err != nil || v.State() != Off {
		t.Errorf("without credentials: %v, %s", err, v.State())
	}
	v.Close()
}
