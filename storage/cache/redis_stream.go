package cache

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

const (
	stream        = prefix + "revocations"
	streamVersion = 1
	streamLength  = 100_000 // rows kept, about: 5 MB
)

// Row is a row of the ledger as the stream carries it. Times are Unix milliseconds.
type Row struct {
	Position  int64
	Kind      string
	Key       string
	Audience  string
	Reason    string
	At        int64
	ExpiresAt int64
}

// Publish puts rows on the Redis stream "gatehouse:revocations", in one round trip.
// It is a hint that they exist (ledger rule L4): rows may come late, out of order,
// twice or not at all, and readers take the truth from the database. So a caller
// logs an error and goes on.
func (r *Redis) Publish(ctx context.Context, timeline string, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	ctx, cancel := r.within(ctx)
	defer cancel()
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, row := range rows {
			p.XAdd(ctx, &redis.XAddArgs{Stream: stream, MaxLen: streamLength, Approx: true, Values: []any{
				"v", streamVersion,
				"timeline", timeline,
				"position", row.Position,
				"kind", row.Kind,
				"key", row.Key,
				"audience", row.Audience,
				"reason", row.Reason,
				"at", row.At,
				"expires", row.ExpiresAt,
			}})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("redis: publish %d ledger rows: %w", len(rows), err)
	}
	return nil
}
