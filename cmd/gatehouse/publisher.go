package main

import (
	"context"
	"log/slog"

	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/cache"
)

// waitingBatches is how many commits may wait for a slow Redis.
const waitingBatches = 1024

// publisher hands the ledger's rows to the Redis stream after their commit. The
// stream is a hint (L4): what is lost costs others a second, so nothing waits for
// it but the end of the process.
type publisher struct {
	redis   *cache.Redis
	log     *slog.Logger
	batches chan batch
	ended   chan struct{}
}

type batch struct {
	timeline string
	rows     []cache.Row
}

func newPublisher(redis *cache.Redis, log *slog.Logger) *publisher {
	p := &publisher{redis: redis, log: log, batches: make(chan batch, waitingBatches), ended: make(chan struct{})}
	go p.run()
	return p
}

// add is sqldb's hook after a commit.
func (p *publisher) add(ctx context.Context, timeline string, rows []revocation.Row) {
	b := batch{timeline: timeline, rows: make([]cache.Row, len(rows))}
	for i, r := range rows {
		b.rows[i] = cache.Row{
			Position: r.Position, Kind: string(r.Kind), Key: r.Key, Audience: r.Audience,
			Reason: r.Reason, At: r.At, ExpiresAt: r.ExpiresAt,
		}
	}
	select {
	case p.batches <- b:
	default:
		p.log.WarnContext(ctx, "ledger rows not published: Redis is too slow", "rows", len(rows))
	}
}

func (p *publisher) run() {
	defer close(p.ended)
	for b := range p.batches {
		// Publish bounds its own time.
		if err := p.redis.Publish(context.Background(), b.timeline, b.rows); err != nil {
			p.log.Warn("ledger rows not published", "rows", len(b.rows), "error", err)
		}
	}
}

// close publishes what waits. Nothing may be added any more.
func (p *publisher) close() {
	close(p.batches)
	<-p.ended
}
