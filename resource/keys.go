package resource

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fetchTimeout = 10 * time.Second
	// retryInterval is the pause after a failed fetch. A set younger than it
	// already answers whether an unknown key exists.
	retryInterval = 5 * time.Second
	// missInterval is the pause between two fetches for unknown key ids, so
	// that made-up ids cost the issuer nothing (no amplification).
	missInterval = time.Minute
)

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
}

func newKeyCache(cfg Config) *keyCache {
	return &keyCache{source: newSource(cfg), now: cfg.Now, log: cfg.Logger}
}

// find returns the key with the id kid. It waits for a fetch only when there
// is no set, or none with that key.
func (c *keyCache) find(ctx context.Context, kid string) (*publicKey, error) {
	now := c.now()
	set := c.set.Load()
	if set == nil || !now.Before(set.deadAt) {
		if err := c.wait(ctx, c.start(now, causeDue)); err != nil {
			return nil, err
		}
		if set = c.set.Load(); set == nil || !now.Before(set.deadAt) {
			return nil, unavailable(c.lastFailure())
		}
	} else if !now.Before(set.refreshAt) {
		c.start(now, causeDue)
	}
	if key, ok := set.keys[kid]; ok {
		return key, nil
	}
	if err := c.wait(ctx, c.start(now, causeMissing)); err != nil {
		return nil, err
	}
	if key, ok := c.set.Load().keys[kid]; ok {
		return key, nil
	}
	if err := c.lastFailure(); err != nil {
		// The key may be one that this verifier could not learn of: telling
		// the app that its token is dead would be a guess.
		return nil, unavailable(err)
	}
	return nil, invalidToken("the access token's key is unknown", nil)
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
		if set != nil && now.Before(set.refreshAt) {
			return nil
		}
	case causeMissing:
		if now.Sub(set.fetchedAt) < retryInterval || now.Sub(c.missedAt) < missInterval {
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
