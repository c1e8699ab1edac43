package follow

import (
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

const (
	// maxLate is how much later than a connection's first frame another may arrive
	// before the connection is given up: it is too slow, or the server's clock went
	// back.
	maxLate = 5 * time.Second
	// maxEarly is how much earlier: nothing arrives before it is made, so the
	// server's clock went forward. It is short, because until it is noticed such
	// frames look younger than they are.
	maxEarly = time.Second
	// maxSlept is how far this machine's two clocks may drift apart. The monotonic
	// one stands still while the machine sleeps.
	maxSlept = 2 * time.Second
	// maxAge is the highest age that is told apart, in milliseconds; any is stale.
	maxAge = 1000 * int64(wire.FreshFor)
)

// anchor ties the server's clock to this one for one connection: the first frame
// was made after it was asked for.
type anchor struct {
	asked time.Time // local
	// first is the server's time in the first frame, in milliseconds; zero before.
	first int64
	// ahead is how much the server's clock has gained since, as far as frames that
	// arrived earlier than they could have proved it.
	ahead time.Duration
}

// confirmed returns when, at the earliest, the database confirmed what a frame
// says that was made at the server's time made and arrived at now. It is false when
// clocks have drifted apart.
func (a *anchor) confirmed(made, age int64, now time.Time) (time.Time, bool) {
	if a.asked.IsZero() || slept(a.asked, now) {
		return time.Time{}, false
	}
	if a.first == 0 {
		a.first = made
	}
	elapsed := time.Duration(made-a.first)*time.Millisecond - a.ahead
	late := passed(a.asked, now) - elapsed
	if late > maxLate && made != a.first || late < -maxEarly {
		return time.Time{}, false
	}
	if late < 0 {
		a.ahead -= late
		elapsed += late
	}
	return a.asked.Add(elapsed - time.Duration(min(age, maxAge))*time.Millisecond), true
}

// passed returns how much time there has been between two readings of the local
// clock, by whichever of its two says more: the monotonic one does not count a
// sleep, and the wall clock may have been set back.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// slept reports whether more time has passed between two readings of the local
// clock than its monotonic reading tells.
func slept(from, to time.Time) bool {
	drift := to.Round(0).Sub(from.Round(0)) - to.Sub(from)
	return drift > maxSlept || drift < -maxSlept
}
