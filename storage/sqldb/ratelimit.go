package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/storage/cache"
)

// A limit is one row: tat, the theoretical arrival time of the generic cell rate
// algorithm, in microseconds, because a limit may be faster than one each
// millisecond. $2 is now, $4 is now plus what a full burst stands for.
//
// The end of the row is rounded up, so that it seldom changes: it is indexed, and
// PostgreSQL writes a row whose indexed columns stay without touching an index.
const (
	spendLimit = `INSERT INTO rate_limits (key, tat, expires_at) VALUES ($1, $6, $5)
ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at,
  tat = $3 + CASE WHEN rate_limits.tat < $2 THEN $2 ELSE rate_limits.tat END
WHERE rate_limits.tat <= $2 OR rate_limits.tat + $3 <= $4`
	// A tat that has passed means a full burst, however far back it lies.
	giveBackLimit = `UPDATE rate_limits SET tat = $3 + CASE WHEN tat > $4 THEN $4 ELSE tat END
WHERE key = $1 AND tat > $2`
	refusedUntil = `SELECT tat FROM rate_limits WHERE key = $1`
	cutLimit     = `UPDATE rate_limits SET tat = $2 WHERE key = $1 AND tat > $2`
	limitRounded = int64(10 * time.Minute / time.Millisecond)
)

// Spend implements cache.Store. What decides is one statement.
func (s ShortLived) Spend(ctx context.Context, key string, l cache.Limit, n int) (wait time.Duration, err error) {
	column, err := shortLivedKey(ctx, key)
	if err != nil {
		return 0, err
	}
	every := l.Every.Microseconds()
	if l.Burst < 1 || every < 1 || int64(l.Burst) > longestLived.Microseconds()/every || n > l.Burst {
		return 0, fmt.Errorf("%w: %d of a limit of %d, one every %s", cache.ErrInvalid, n, l.Burst, l.Every)
	}
	spend, now := int64(max(n, -l.Burst))*every, s.db.opts.Now().UnixMicro()
	full := now + int64(l.Burst)*every
	switch {
	case spend == 0:
		return 0, nil
	case spend < 0:
		if _, err := s.db.execRelaxed(ctx, giveBackLimit, column, now, spend, full); err != nil {
			return 0, fmt.Errorf("give back: %w", err)
		}
		return 0, nil
	}
	expires := (full/1000/limitRounded + 1) * limitRounded
	won, err := s.db.execRelaxed(ctx, spendLimit, column, now, spend, full, expires, now+spend)
	if err != nil {
		return 0, fmt.Errorf("spend: %w", err)
	}
	if won == 1 {
		return 0, nil
	}
	return s.refused(ctx, column, spend, full)
}

// refused tells how long to wait. It is asked after the decision and only a hint,
// never zero, which would mean allowed.
func (s ShortLived) refused(ctx context.Context, column string, spend, full int64) (time.Duration, error) {
	var tat int64
	err := s.db.queryRow(ctx, refusedUntil, []any{column}, &tat)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return 0, fmt.Errorf("spend: %w", err)
	}
	if tat > full {
		// It comes from a larger limit that was lowered, or from a clock that was
		// ahead, and must not lock the key for longer than this limit can.
		tat = full
		if _, err := s.db.execRelaxed(ctx, cutLimit, column, full); err != nil {
			return 0, fmt.Errorf("spend: %w", err)
		}
	}
	return time.Duration(max(tat+spend-full, 1)) * time.Microsecond, nil
}
