package cache

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Flush empties the servers behind r, for tests that share them.
func Flush(ctx context.Context, r *Redis) error {
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() })
	}
	return r.client.FlushAll(ctx).Err()
}

// ParseURL shows what a URL was read as.
var ParseURL = parseURL
