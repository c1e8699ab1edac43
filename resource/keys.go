package resource

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fetchTimeout = 10 * time.Second
	// retryInterval is the pause after a failed fetch, and what refusals with 503
	// ask for.
	retryInterval = 5 * time.Second
	// missInterval is the pause between two fetches for unknown key ids, so that
	// made-up ids cost the issuer next to nothing. It is short, because a key that
	// signs from now on may have to wait for it.
	missInterval = 2 * retryInterval
	// knowsFor is how long a set answers for keys that it lacks: the issuer's nodes
	// publish a key within that time.
	knowsFor = time.Second
	// maxGone bounds how many keys are remembered that are no longer published.
	maxGone = 1000
)

// errMissed is the cause while a fetch for an unknown key has to wait.
var errMissed = errors.New("the key is not among those known, and they were asked for a moment ago")

// cause is why keys are fetched.
type cause int

const (
	causeDue     cause = iota // there is no set, or it is time for a new one
	causeMissing              // the set lacks a key that a token names
)

// keyCache holds the issuer's public keys. Reading takes no lock; at most one
// fetch is under way at any time.
type keyCache struct {
	source *source
	now    func() time.Time
	log    *slog.Logger

	set atomic.Pointer[keySet]

	mu       sync.Mutex    // guards what follows, and storing set
	flight   chan struct{} // closed when the fetch under way has ended; nil when none is
	failure  error         // why the last fetch failed, nil when it did not
	failedAt time.Time
	missedAt time.Time // when causeMissing last began a fetch
	outdated time.Time // when the ledger last took a key back
}

func newKeyCache(cfg Config) *keyCache {
	return &keyCache{source: newSource(cfg), now: cfg.Now, log: cfg.Logger}
}

// find returns the key with the id kid. It waits for a fetch only when there
// is no set, or none with that key.
func (c *keyCache) find(ctx context.Context, kid string) (*publicKey, error) {
	now := c.now()
	set := c.set.Load()
	if set == nil || reached(set.deadAt, now) {
		if err := c.wait(ctx, c.start(now, causeDue)); err != nil {
			return nil, err
		}
		if set = c.set.Load(); set == nil || reached(set.deadAt, now) {
			return nil, unavailable(c.lastFailure())
		}
	} else if reached(set.refreshAt, now) {
		c.start(now, causeDue)
	}
	if key, ok := set.keys[kid]; ok {
		return key, nil
	}
	if err := c.wait(ctx, c.start(now, causeMissing)); err != nil {
		return nil, err
	}
	set = c.set.Load()
	if key, ok := set.keys[kid]; ok {
		return key, nil
	}
	// The key may be one that this verifier could not learn of yet: telling the app
	// that its token is dead would be a guess.
	if err := c.lastFailure(); err != nil {
		return nil, unavailable(err)
	}
	if _, ok := set.gone[kid]; !ok && now.Sub(set.fetchedAt) >= knowsFor {
		return nil, unavailable(errMissed)
	}
	return nil, invalidToken("the access token's key is unknown", nil)
}

// outdate has the keys fetched again by whoever needs one next: the ledger has taken
// a key back, and what signs in its place may be new. A fetch that is under way may
// have been answered before that.
func (c *keyCache) outdate() {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outdated = now
	if set := c.set.Load(); set != nil {
		c.set.Store(set.dueAt(now))
	}
}

// reached reports whether it is time, by whichever of this machine's clocks says
// so: the monotonic one stands still while it sleeps, and the ledger's row about a
// key in wrong hands is gone some time after every set with that key must be (L1).
func reached(at, now time.Time) bool {
	return !now.Before(at) || !now.Round(0).Before(at.Round(0))
}

// start returns the fetch under way, beginning one if why allows it now; nil
// if it does not.
func (c *keyCache) start(now time.Time, why cause) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight != nil {
		return c.flight
	}
	if c.failure != nil && now.Sub(c.failedAt) < retryInterval {
		return nil
	}
	set := c.set.Load()
	switch why {
	case causeDue:
		// Somebody else's fetch may have ended since the caller looked.
		if set != nil && !reached(set.refreshAt, now) {
			return nil
		}
	case causeMissing:
		if now.Sub(set.fetchedAt) < knowsFor || now.Sub(c.missedAt) < missInterval {
			return nil
		}
		c.missedAt = now
	}
	c.flight = make(chan struct{})
	go c.fetch(c.flight)
	return c.flight
}

// fetch replaces the set. It has a context of its own: the request that caused
// it may end while others wait for the same keys.
func (c *keyCache) fetch(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, err := c.source.fetch(ctx, c.now())
	if err != nil {
		c.log.Warn("resource: issuer's keys not fetched", "issuer", c.source.issuer, "error", err)
	} else {
		for _, ignored := range set.ignored {
			c.log.Warn("resource: issuer's key ignored", "issuer", c.source.issuer, "error", ignored)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
	if err != nil {
		c.failedAt = c.now()
	} else {
		set.gone = missing(c.set.Load(), set)
		if c.outdated.After(set.fetchedAt) {
			set = set.dueAt(c.outdated)
		}
		c.set.Store(set)
	}
	c.flight = nil
	close(done)
}

// wait returns when flight has ended, at once if it is nil.
func (c *keyCache) wait(ctx context.Context, flight <-chan struct{}) error {
	if flight == nil {
		return nil
	}
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
}

// lastFailure returns why the last fetch failed, nil when it did not.
func (c *keyCache) lastFailure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}
