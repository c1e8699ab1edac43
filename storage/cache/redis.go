package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// DefaultTimeout bounds every operation, with all its dials, retries and
	// redirects, so that a dead Redis is noticed before a person notices.
	DefaultTimeout = 250 * time.Millisecond

	prefix      = "gatehouse:"
	valuePrefix = prefix + "v:"
	limitPrefix = prefix + "l:"
)

// Redis is a Store on Redis 7 or later: one node, Sentinel or Cluster. All keys
// begin with "gatehouse:"; every operation touches one key, so Cluster needs no
// hash tags. It connects when first used.
type Redis struct {
	client  redis.UniversalClient
	timeout time.Duration
}

var _ Store = (*Redis)(nil)

// RedisOptions says which Redis, and how to reach it.
type RedisOptions struct {
	// URL is one of
	//
	//	redis://[user:password@]host[:port][/database]
	//	redis+sentinel://[user:password@]host[:port],.../master[/database]
	//	redis+cluster://[user:password@]host[:port],...
	//
	// each also as rediss for TLS. User and password are percent-encoded;
	// sentinels with their own take ?sentinel_username= and ?sentinel_password=.
	URL     string
	Timeout time.Duration // DefaultTimeout if zero
	Log     *slog.Logger  // what the client library has to say; nil for nothing
}

// OpenRedis returns the Redis at the URL, without asking whether it answers. The
// error says what is wrong with the URL and never repeats it.
//
// The client library has one logger for the process: the last one opened wins.
func OpenRedis(o RedisOptions) (*Redis, error) {
	opts, err := parseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	configure(opts, timeout)
	redis.SetLogger(libraryLog{o.Log})
	return &Redis{client: redis.NewUniversalClient(opts), timeout: timeout}, nil
}

// within bounds ctx by the timeout.
func (r *Redis) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, r.timeout)
}

// Put implements Store.
func (r *Redis) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := checkPut(key, value, ttl); err != nil {
		return err
	}
	ctx, cancel := r.within(ctx)
	defer cancel()
	if err := r.client.Set(ctx, valuePrefix+key, value, ttl).Err(); err != nil {
		return fmt.Errorf("redis: put: %w", err)
	}
	return nil
}

// Get implements Store.
func (r *Redis) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	ctx, cancel := r.within(ctx)
	defer cancel()
	value, err := r.client.Get(ctx, valuePrefix+key).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("redis: get: %w", err)
	}
	return value, nil
}

// Delete implements Store.
func (r *Redis) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, cancel := r.within(ctx)
	defer cancel()
	if err := r.client.Del(ctx, valuePrefix+key).Err(); err != nil {
		return fmt.Errorf("redis: delete: %w", err)
	}
	return nil
}

// Spend implements Store.
func (r *Redis) Spend(ctx context.Context, key string, l Limit, n int) (time.Duration, error) {
	m, err := newMeter(key, l, n)
	if err != nil {
		return 0, err
	}
	ctx, cancel := r.within(ctx)
	defer cancel()
	wait, err := spendScript.Run(ctx, r.client, []string{limitPrefix + key}, m.burst, m.spend).Int64()
	if err != nil {
		return 0, fmt.Errorf("redis: spend: %w", err)
	}
	return time.Duration(wait) * time.Microsecond, nil
}

// Ping asks whether Redis answers.
func (r *Redis) Ping(ctx context.Context) error {
	ctx, cancel := r.within(ctx)
	defer cancel()
	if err := r.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: ping: %w", err)
	}
	return nil
}

// Close ends all connections.
func (r *Redis) Close() error {
	if err := r.client.Close(); err != nil {
		return fmt.Errorf("redis: close: %w", err)
	}
	return nil
}

// libraryLog hands on what the client library prints.
type libraryLog struct{ log *slog.Logger }

// Printf serves the library's logger interface.
func (l libraryLog) Printf(ctx context.Context, format string, v ...any) {
	if l.log != nil {
		l.log.WarnContext(ctx, "redis client", "text", fmt.Sprintf(format, v...))
	}
}
