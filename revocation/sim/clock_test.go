package sim

import (
	"testing"
	"time"
	"unsafe"
)

// epoch is when simulations begin, in Unix milliseconds.
const epoch = 1_800_000_000_000

// clock is what a machine shows: a wall clock that people and NTP set, and a
// monotonic one that stands still while the machine sleeps.
type clock struct {
	w       *world
	rate    float64       // of both, 1 is right
	from    time.Duration // real time since when rate holds
	counted time.Duration // monotonic time at from
	offset  time.Duration // of the wall clock
	asleep  bool
}

func (c *clock) mono() time.Duration {
	if c.asleep {
		return c.counted
	}
	return c.counted + time.Duration(float64(c.w.at-c.from)*c.rate)
}

func (c *clock) sleep() { c.counted, c.from, c.asleep = c.mono(), c.w.at, true }

func (c *clock) wake() {
	c.offset += c.w.at - c.from
	c.from, c.asleep = c.w.at, false
}

// now is a reading of both clocks, as time.Now returns it.
func (c *clock) now() time.Time { return reading(c.w.origin, c.mono(), c.offset) }

// millis is the wall clock in Unix milliseconds.
func (c *clock) millis() int64 { return c.now().UnixMilli() }

// reading returns a time whose monotonic reading lies mono after origin's and
// whose wall clock shows epoch, mono and offset together. Nothing in package time
// makes such a value but a machine whose clock was set.
func reading(origin time.Time, mono, offset time.Duration) time.Time {
	const (
		hasMonotonic = 1 << 63
		nanoBits     = 30
	)
	t := origin.Add(mono)
	shift := time.UnixMilli(epoch).Sub(origin.Round(0)) + offset
	bits := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	nanos := int64(bits.wall<<1>>(nanoBits+1))*1e9 + int64(bits.wall&(1<<nanoBits-1)) + int64(shift)
	bits.wall = hasMonotonic | uint64(nanos/1e9)<<nanoBits | uint64(nanos%1e9)
	return t
}

// TestReading: if package time changes, the simulation must notice before it lies.
func TestReading(t *testing.T) {
	origin := time.Now()
	a, b := reading(origin, time.Second, 0), reading(origin, 3*time.Second, time.Hour)
	if got := b.Sub(a); got != 2*time.Second {
		t.Errorf("monotonic difference %s", got)
	}
	if got := b.Round(0).Sub(a.Round(0)); got != time.Hour+2*time.Second {
		t.Errorf("difference by the wall clock %s", got)
	}
	if got := a.UnixMilli(); got != epoch+1000 {
		t.Errorf("wall clock %d", got)
	}
}
