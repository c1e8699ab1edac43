package follow

import (
	"errors"
	"testing"
	"time"
	"unsafe"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// TestL7_DelayedFramesAreNotFresh: frames that lay in a buffer while the process
// was stopped look new when they are read.
func TestL7_DelayedFramesAreNotFresh(t *testing.T) {
	w := newWorld(t)
	w.server = -3 * time.Hour // wall clocks play no part
	w.sync()
	var buffered []wire.Frame
	for range 5 {
		w.pass(2 * time.Second)
		buffered = append(buffered, w.frame(w.position))
	}
	w.pass(20 * time.Second)
	w.want(Stale)
	for _, frame := range buffered {
		if err := w.f.Frame(w.cursor(), frame, w.now); !errors.Is(err, ErrClock) {
			t.Fatalf("got %v, want %v", err, ErrClock)
		}
		w.want(Stale)
	}
	w.f.Connected(w.now)
	w.beat(nil)
	w.want(Fresh)
}

// TestL7_SlowConnection: a connection whose frames come four seconds late is
// fresh for six.
func TestL7_SlowConnection(t *testing.T) {
	w := newWorld(t)
	w.sync()
	frame := w.frame(w.position)
	frame.Time += 2000 // made two seconds later
	w.pass(6 * time.Second)
	if err := w.f.Frame(w.cursor(), frame, w.now); err != nil {
		t.Fatal(err)
	}
	if lag, ok := w.f.Lag(w.now); lag != 4*time.Second || !ok {
		t.Errorf("lag %v, want 4s", lag)
	}
	w.pass(6 * time.Second)
	w.want(Fresh)
	w.pass(time.Millisecond)
	w.want(Stale)
}

// TestL7_CountsFromTheRequest: the first frame may have been made as soon as it
// was asked for, and have been under way since.
func TestL7_CountsFromTheRequest(t *testing.T) {
	w := newWorld(t)
	asked := w.now
	s := w.snapshot()
	w.pass(11 * time.Second) // a large snapshot over a slow line
	if err := w.f.Snapshot(s, asked, w.now); err != nil {
		t.Fatal(err)
	}
	w.want(Stale)
	w.f.Connected(w.now)
	frame := w.frame(w.position)
	w.pass(4 * time.Second)
	if err := w.f.Frame(w.cursor(), frame, w.now); err != nil {
		t.Fatal(err)
	}
	w.want(Fresh)
	if lag, _ := w.f.Lag(w.now); lag != 4*time.Second {
		t.Errorf("lag %v, want 4s", lag)
	}
}

// TestL5_AgeCounts: a node admits how old its own confirmation is.
func TestL5_AgeCounts(t *testing.T) {
	w := newWorld(t)
	w.sync()
	w.pass(9 * time.Second)
	frame := w.frame(w.position)
	frame.Age = 3000
	if err := w.f.Frame(w.cursor(), frame, w.now); err != nil {
		t.Fatal(err)
	}
	w.pass(7 * time.Second)
	w.want(Fresh)
	w.pass(time.Millisecond)
	w.want(Stale)
}

func TestClockJumps(t *testing.T) {
	for _, tt := range []struct {
		name string
		jump time.Duration
		want error
	}{
		{"server forward", time.Minute, ErrClock},
		{"server forward a little", 1100 * time.Millisecond, ErrClock},
		{"server slews", 300 * time.Millisecond, nil},
		{"server back", -time.Minute, ErrClock},
		{"server back a little", -3 * time.Second, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.sync()
			w.pass(2 * time.Second)
			w.server += tt.jump
			w.beat(tt.want)
			if tt.want == nil {
				w.want(Fresh)
				return
			}
			w.want(Stale)
			w.f.Connected(w.now)
			w.beat(nil)
			w.want(Fresh)
		})
	}
}

// TestServerSlewsThenDelays: once the server's clock has been seen to gain, what it
// gained does not make later frames look younger.
func TestServerSlewsThenDelays(t *testing.T) {
	w := newWorld(t)
	w.sync()
	w.pass(2 * time.Second)
	w.server += 900 * time.Millisecond
	w.beat(nil)
	w.pass(2 * time.Second)
	frame := w.frame(w.position)
	w.pass(3 * time.Second)
	if err := w.f.Frame(w.cursor(), frame, w.now); err != nil {
		t.Fatal(err)
	}
	if lag, _ := w.f.Lag(w.now); lag != 3*time.Second {
		t.Errorf("lag %v, want 3s", lag)
	}
}

// sleep returns t as a clock reads it after the machine slept for d: the
// monotonic reading stood still.
func sleep(t time.Time, d time.Duration) time.Time {
	t = t.Add(d)
	(*struct {
		wall uint64
		ext  int64
	})(unsafe.Pointer(&t)).ext -= int64(d)
	return t
}

// TestSuspend: a machine that slept for an hour must not take what it knows for
// fresh.
func TestSuspend(t *testing.T) {
	w := newWorld(t)
	w.sync()
	before := w.now
	w.now = sleep(w.now, time.Hour)
	if d := w.now.Sub(before); d != 0 {
		t.Fatalf("the monotonic clock moved by %v", d)
	}
	w.want(Stale)
	w.beat(ErrClock)
	w.want(Stale)
	w.f.Connected(w.now)
	w.beat(nil)
	w.want(Fresh)
}

// TestL7_ShortSleepCounts: a sleep too short to be told from a clock that was set is
// time all the same.
func TestL7_ShortSleepCounts(t *testing.T) {
	w := newWorld(t)
	w.sync()
	w.now = sleep(w.now, 1700*time.Millisecond)
	w.want(Fresh)
	w.pass(8200 * time.Millisecond)
	w.want(Fresh)
	w.pass(200 * time.Millisecond)
	w.want(Stale)
}

// TestL7_MadeWhileAsleep: what was made during a sleep is as old as it is, although
// the clock that stood still says that it has not been made yet.
func TestL7_MadeWhileAsleep(t *testing.T) {
	w := newWorld(t)
	w.sync()
	frame := w.frame(w.position)
	frame.Time += 1000
	w.now = sleep(w.now, 1700*time.Millisecond)
	if err := w.f.Frame(w.cursor(), frame, w.now); err != nil {
		t.Fatal(err)
	}
	w.pass(9200 * time.Millisecond)
	w.want(Fresh)
	w.pass(200 * time.Millisecond)
	w.want(Stale)
}

// TestL5_AnyAgeCounts: no age is so high that it counts as none.
func TestL5_AnyAgeCounts(t *testing.T) {
	for _, age := range []int64{wire.FreshFor + 1, 1 << 53, 1 << 61, 18446744073709, 36893488147419, 1<<63 - 1} {
		w := newWorld(t)
		s := w.snapshot()
		s.Age = age
		if err := w.f.Snapshot(s, w.now, w.now); err != nil {
			t.Fatal(err)
		}
		w.want(Stale)
	}
}
