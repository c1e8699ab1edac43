package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/cache"
)

// publisher tells other nodes, over Redis, where the ledger's counter stands after
// a commit. It is a hint (L4): what is lost costs others a second, so nothing
// waits for it but the end of the process. Of several that wait only the last is
// told: it stands for all.
type publisher struct {
	redis   *cache.Redis
	keyring *secret.Keyring
	log     *slog.Logger
	latest  atomic.Pointer[revocation.Head]
	wake    chan struct{}
	ended   chan struct{}
}

func newPublisher(redis *cache.Redis, keyring *secret.Keyring, log *slog.Logger) *publisher {
	p := &publisher{redis: redis, keyring: keyring, log: log, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go p.run()
	return p
}

// add is told of every commit. It never blocks.
func (p *publisher) add(h revocation.Head) {
	for {
		have := p.latest.Load()
		if have != nil && have.Timeline == h.Timeline && have.Position >= h.Position && have.Change >= h.Change {
			return
		}
		if p.latest.CompareAndSwap(have, &h) {
			break
		}
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *publisher) run() {
	defer close(p.ended)
	for range p.wake {
		h := p.latest.Load()
		if h == nil {
			continue
		}
		m := proven(p.keyring, *h)
		// Publish bounds its own time.
		if err := p.redis.Publish(context.Background(), m); err != nil {
			p.log.Warn("other nodes were not told of a change, they look by themselves", "error", err)
		}
	}
}

// close tells what waits. Nothing may be added any more.
func (p *publisher) close() {
	close(p.wake)
	<-p.ended
}

// followRedis wakes the tail for each hint, until ctx ends.
func (d *domain) followRedis(ctx context.Context) {
	const pause = time.Second
	for ctx.Err() == nil {
		if err := d.redis.Follow(ctx, func(cache.Moved) { d.tail.Hint() }); err != nil {
			d.log.WarnContext(ctx, "hints of other nodes are missed, the database is asked each second", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
