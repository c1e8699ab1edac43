package follow

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

func TestL6_GapsAreFound(t *testing.T) {
	w := newWorld(t)
	w.sync()
	lost := w.row(101, wire.KindSession, "sid")
	w.position = 102
	err := w.f.Frame(w.cursor(), w.frame(101, w.row(102, wire.KindSession, "other")), w.now)
	if !errors.Is(err, ErrGap) || w.f.Position() != 100 || w.f.Cursor() != "one/100" {
		t.Fatalf("got %v at %d, %s", err, w.f.Position(), w.f.Cursor())
	}
	w.want(Fresh) // what was confirmed up to 100 still is
	// The same frame twice is one that does not continue.
	s := w.snapshot(lost, w.row(102, wire.KindSession, "other"))
	s.Complete, s.Prev = false, 100
	if err := w.f.Snapshot(s, w.now, w.now); err != nil {
		t.Fatal(err)
	}
	w.wantDead(true)
	if err := w.f.Frame(w.cursor(), w.frame(100, lost), w.now); !errors.Is(err, ErrGap) {
		t.Errorf("a doubled frame: %v", err)
	}
}

// TestStaleAtOnce: whatever is not understood, or does not fit, is never silent.
func TestStaleAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(w *world, fr *wire.Frame)
		want   error
	}{
		{"version", func(_ *world, fr *wire.Frame) { fr.Version = 2 }, ErrUnknown},
		{"kind", func(w *world, fr *wire.Frame) { fr.Rows = append(fr.Rows, wire.Row{Position: 101, Kind: "tenant"}) }, ErrUnknown},
		{"timeline", func(_ *world, fr *wire.Frame) { fr.Timeline = "two" }, ErrTimeline},
		{"no time", func(_ *world, fr *wire.Frame) { fr.Time = 0 }, ErrMalformed},
		{"no such time", func(_ *world, fr *wire.Frame) { fr.Time = 1 << 62 }, ErrMalformed},
		{"negative age", func(_ *world, fr *wire.Frame) { fr.Age = -1 }, ErrMalformed},
		{"row from nowhere", func(w *world, fr *wire.Frame) {
			fr.Rows = append(fr.Rows, w.row(1<<62, wire.KindUser, "sub"))
		}, ErrMalformed},
		{"backwards", func(_ *world, fr *wire.Frame) { fr.Position = 99 }, ErrMalformed},
		{"key", func(_ *world, fr *wire.Frame) { fr.Rows[0].Key = "x" }, ErrMalformed},
		{"full", func(w *world, fr *wire.Frame) {
			for i := range 1001 {
				fr.Rows = append(fr.Rows, w.row(101, wire.KindSession, fmt.Sprint(i)))
			}
		}, revset.ErrFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.sync()
			w.position = 101
			frame := w.frame(100, w.row(101, wire.KindSession, "other"))
			tt.change(w, &frame)
			if err := w.f.Frame("one/101", frame, w.now); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			w.want(Stale)
			if w.f.Position() != 100 {
				t.Errorf("position moved to %d", w.f.Position())
			}
			w.wantDead(false) // who is not concerned goes on
			w.pass(time.Second)
			w.timeline = frame.Timeline
			if err := w.f.Snapshot(w.snapshot(), w.now, w.now); err != nil {
				t.Fatal(err)
			}
			w.want(Fresh)
		})
	}
}

func TestSnapshotsRefused(t *testing.T) {
	for name, change := range map[string]func(w *world, s *wire.Snapshot){
		"version":  func(_ *world, s *wire.Snapshot) { s.Version = 0 },
		"kind":     func(_ *world, s *wire.Snapshot) { s.Rows = []wire.Row{{Position: 1, Kind: "tenant"}} },
		"no key":   func(_ *world, s *wire.Snapshot) { s.HashKey = "" },
		"bad key":  func(_ *world, s *wire.Snapshot) { s.HashKey = "!" },
		"cursor":   func(_ *world, s *wire.Snapshot) { s.Cursor = "" },
		"timeline": func(_ *world, s *wire.Snapshot) { s.Timeline = "" },
		"row":      func(w *world, s *wire.Snapshot) { s.Rows = []wire.Row{w.row(1<<62, wire.KindUser, "other")} },
		"not ours": func(_ *world, s *wire.Snapshot) { s.Complete = false; s.Prev = 7 },
		"full": func(w *world, s *wire.Snapshot) {
			for i := range 1001 {
				s.Rows = append(s.Rows, w.row(1, wire.KindSession, fmt.Sprint(i)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.snapshot()
			change(w, &s)
			if err := w.f.Snapshot(s, w.now, w.now); err == nil {
				t.Fatal("taken in")
			}
			w.want(Cold)
			w.sync(w.row(50, wire.KindSession, "sid"))
			if name != "not ours" {
				if err := w.f.Snapshot(s, w.now, w.now); err == nil {
					t.Fatal("taken in")
				}
				w.want(Stale)
			}
			w.wantDead(true) // what is known stays
		})
	}
}

// TestH6_SetIsNeverEmpty: during a resync, and when it fails, what was revoked is.
func TestH6_SetIsNeverEmpty(t *testing.T) {
	w := newWorld(t)
	w.sync(w.row(50, wire.KindSession, "sid"))
	var readers sync.WaitGroup
	stop := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if !w.dead(person) {
				t.Error("a moment without the row")
				return
			}
		}
	})
	w.f.Reset(wire.Reset{Version: wire.Version, Reason: "too_old"})
	if w.f.Cursor() == "" {
		t.Error("the cursor is gone: nobody would be shown what is known here")
	}
	for i := range 100 {
		w.position++
		if i%10 == 9 {
			w.key = fmt.Append(nil, "another secret of an audience", i)
		}
		if err := w.f.Snapshot(w.snapshot(w.row(50, wire.KindSession, "sid")), w.now, w.now); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
	w.want(Fresh)
}

// TestH7_Seam: a snapshot and the stream after it overlap, and rows come twice.
func TestH7_Seam(t *testing.T) {
	w := newWorld(t)
	row := w.row(100, wire.KindSession, "sid")
	w.sync(row)
	if err := w.f.Frame(w.cursor(), w.frame(100, row, row), w.now); err != nil {
		t.Fatal(err)
	}
	if got := w.f.View().Set.Len(); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
	w.wantDead(true)
}

// TestLaggingNode: a node behind the one before does not bring a token back.
func TestLaggingNode(t *testing.T) {
	w := newWorld(t)
	w.sync()
	w.commit(wire.KindSession, "sid")
	w.position = 100
	if err := w.f.Snapshot(w.snapshot(), w.now, w.now); err != nil {
		t.Fatal(err)
	}
	w.wantDead(true)
	w.f.Connected(w.now)
	w.commit(wire.KindSession, "sid")
	w.wantDead(true)
	w.key = []byte("another secret of an audience")
	w.position = 100
	if err := w.f.Snapshot(w.snapshot(), w.now, w.now); !errors.Is(err, ErrGap) {
		t.Errorf("under another secret: %v", err)
	}
	w.wantDead(true)
}

// TestTimeline: another history replaces everything, the floor too, and until it is
// there the old one counts but is not fresh.
func TestTimeline(t *testing.T) {
	w := newWorld(t)
	w.sync(w.row(50, wire.KindSession, "sid"))
	w.timeline = "two"
	w.f.Reset(wire.Reset{Version: wire.Version, Reason: "timeline"})
	w.want(Stale)
	w.wantDead(true)
	generation := w.f.View().Generation
	if err := w.f.Snapshot(w.snapshot(), w.now, w.now); err != nil {
		t.Fatal(err)
	}
	w.want(Fresh)
	w.wantDead(false)
	if w.f.View().Generation == generation {
		t.Error("the generation stayed")
	}
}

// TestL12_Floor: what has been dropped is covered by the floor.
func TestL12_Floor(t *testing.T) {
	w := newWorld(t)
	w.sync()
	w.position = 101
	frame := w.frame(100)
	frame.Floor = 101
	if err := w.f.Frame(w.cursor(), frame, w.now); err != nil {
		t.Fatal(err)
	}
	w.wantDead(true)
	later := person
	later.Rev = 101
	if w.dead(later) {
		t.Error("a token at the floor is refused")
	}
}

// TestH13_SlowClock: rows leave by the server's clock, and it is told to who
// compares a token's times.
func TestH13_SlowClock(t *testing.T) {
	for _, server := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		w := newWorld(t)
		w.server = server
		row := w.row(100, wire.KindUser, "sub")
		row.Expires = w.now.Add(server).Unix() + 60
		w.sync(row)
		at, ok := w.f.ServerTime(w.now.Add(time.Second))
		want := w.now.Add(server + time.Second)
		if d := want.Sub(at); !ok || d < 0 || d > time.Millisecond {
			t.Errorf("server's clock is taken for %v, want %v", at, want)
		}
		w.pass(30 * time.Second)
		w.f.Drop()
		if w.f.View().Set.Len() != 1 {
			t.Error("the row left too early")
		}
		w.pass(time.Minute)
		w.f.Drop()
		if w.f.View().Set.Len() != 0 {
			t.Error("the row stayed")
		}
		person := person
		person.Rev = 99
		if !w.dead(person) {
			t.Error("its token came back") // the floor holds it
		}
	}
}

// TestL17_TokensAhead: a rev above the head is normal for ten seconds.
func TestL17_TokensAhead(t *testing.T) {
	w := newWorld(t)
	w.sync()
	w.f.Saw(103, w.now)
	for range 4 {
		w.pass(2 * time.Second)
		w.beat(nil)
	}
	w.position = 103
	if err := w.f.Frame(w.cursor(), w.frame(100), w.now); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Second)
	w.beat(nil) // the head has passed it

	w.f.Saw(200, w.now)
	w.f.Saw(300, w.now.Add(9*time.Second)) // does not begin it anew
	w.pass(8 * time.Second)
	delayed := w.frame(w.position)
	w.pass(3 * time.Second)
	if err := w.f.Frame(w.cursor(), delayed, w.now); err != nil {
		t.Fatalf("a head confirmed within ten seconds proves nothing: %v", err)
	}
	w.beat(ErrBehind)
	w.want(Fresh)
	// Whoever signs with a stolen key must not keep followers busy (L8).
	w.f.Saw(1<<62, w.now)
	for range 6 {
		w.pass(5 * time.Second)
		w.beat(nil)
	}
	w.f.Saw(1<<62, w.now)
	for range 5 {
		w.pass(5 * time.Second)
		w.beat(nil)
		w.f.Saw(1<<62, w.now)
	}
	w.pass(10 * time.Second)
	w.beat(ErrBehind)
}

func TestReadersAllocateNothing(t *testing.T) {
	w := newWorld(t)
	w.sync(w.row(50, wire.KindSession, "other"))
	q := w.f.View().Query(person)
	got := testing.AllocsPerRun(100, func() {
		if w.f.State(w.now) != Fresh {
			t.Error("not fresh")
		}
		if _, hit := w.f.View().Set.Match(&q); hit {
			t.Error("hit")
		}
		w.f.Saw(100, w.now)
		w.f.ServerTime(w.now)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
