// Package cache keeps state that lives for seconds or minutes and may be lost at
// any moment: pushed authorization requests, rate limits, hints. After a loss
// somebody clicks again, or a throttled stranger gets one more burst.
//
// Invariants:
//   - What may happen once is never decided here but in the SQL write that happens
//     anyway (ledger rule L14): a failover to a lagging replica forgets what was
//     just spent. So no operation tells whether a value was there before.
//   - Values and limits are two name spaces; the same key may be used in both.
//   - A refused spend consumes nothing, and spends never race: each is one atomic
//     step on the server's own clock.
//   - Nothing grows without bound: everything has a time to live, Memory a budget.
//
// There are three implementations: Memory for one process, Redis (one node,
// Sentinel or Cluster) for several, and Fallback, which puts a second Store in the
// place of one that does not answer. storage/storagetest holds the contract.
//
// The limits are the generic cell rate algorithm (ITU-T I.371, the "leaky bucket
// as a meter"): one timestamp a key.
package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Bounds of what a Store takes.
const (
	MaxKey   = 512       // bytes of a key
	MaxValue = 128 << 10 // bytes of a value
)

// maxPeriod bounds how long a limit may take to recover, and so the size of every
// number in the arithmetic: microseconds of a year's date stay exact in the
// doubles of Lua.
const maxPeriod = 366 * 24 * time.Hour

// ErrNotFound says that a key has no value, or none any more.
var ErrNotFound = errors.New("cache: not found")

// ErrInvalid says that the caller asked for what no Store does: an empty or
// oversized key, an oversized value, no time to live, an impossible limit. Asking
// again, or another Store, does not help.
var ErrInvalid = errors.New("cache: invalid argument")

// Store is what every implementation does. Consumers declare the part they need.
type Store interface {
	// Put keeps value under key for ttl, in place of an older one. The caller
	// may change value afterwards.
	Put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Get returns the value or ErrNotFound. The caller owns what it gets.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete forgets the value; that there is none is no error. It is tidying
	// up, not a decision: after a loss or a failover the value may be back.
	Delete(ctx context.Context, key string) error
	// Spend takes n units from the limit of key. It returns 0 if they were
	// there; otherwise it takes nothing and returns how long to wait until they
	// will be, if nobody else spends. A negative n gives back, never to more
	// than a full burst; zero takes nothing and is always allowed. More than
	// the burst can never be had and is ErrInvalid.
	Spend(ctx context.Context, key string, l Limit, n int) (wait time.Duration, err error)
}

// Limit allows Burst units at once and one more every Every.
type Limit struct {
	Burst int
	Every time.Duration // whole microseconds
}

// meter is a limit in the microseconds in which all implementations count.
type meter struct {
	every int64
	burst int64 // microseconds that a full burst stands for
	spend int64 // microseconds that this spend stands for
}

func newMeter(key string, l Limit, n int) (meter, error) {
	if err := checkKey(key); err != nil {
		return meter{}, err
	}
	every := l.Every.Microseconds()
	if l.Burst < 1 || every < 1 || int64(l.Burst) > maxPeriod.Microseconds()/every {
		return meter{}, fmt.Errorf("%w: limit of %d, one every %s", ErrInvalid, l.Burst, l.Every)
	}
	if n > l.Burst {
		return meter{}, fmt.Errorf("%w: %d of a limit of %d", ErrInvalid, n, l.Burst)
	}
	n = max(n, -l.Burst)
	return meter{every: every, burst: int64(l.Burst) * every, spend: int64(n) * every}, nil
}

// next returns the new theoretical arrival time for a spend at now, when tat is the
// one stored (math.MinInt64 for none), or how long to wait. A tat further ahead
// than a full burst comes from a larger limit or another clock and is cut.
func (m meter) next(tat, now int64) (newTAT, wait int64) {
	tat = min(max(tat, now), now+m.burst)
	newTAT = max(tat+m.spend, now)
	if wait = newTAT - m.burst - now; m.spend > 0 && wait > 0 {
		return tat, wait
	}
	return newTAT, 0
}

const noTAT = math.MinInt64

func checkKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("%w: key of %d bytes", ErrInvalid, len(key))
	}
	return nil
}

func checkPut(key string, value []byte, ttl time.Duration) error {
	if err := checkKey(key); err != nil {
		return err
	}
	// Redis counts in milliseconds.
	if len(value) > MaxValue || ttl < time.Millisecond || ttl > maxPeriod {
		return fmt.Errorf("%w: value of %d bytes for %s", ErrInvalid, len(value), ttl)
	}
	return nil
}
