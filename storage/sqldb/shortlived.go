package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/storage/cache"
)

var _ cache.Store = ShortLived{}

// longestLived bounds times to live and limits, as every cache.Store does.
const longestLived = 366 * 24 * time.Hour

// ShortLived keeps what may be lost, for deployments without Redis and while it
// does not answer. Its writes are not durable on PostgreSQL.
type ShortLived struct{ db *DB }

// ShortLived returns the database as a cache.Store.
func (d *DB) ShortLived() ShortLived { return ShortLived{d} }

const putShortLived = `INSERT INTO short_lived (key, value, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`

// Put implements cache.Store.
func (s ShortLived) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	column, err := shortLivedKey(ctx, key)
	if err != nil {
		return err
	}
	if len(value) > cache.MaxValue || ttl < time.Millisecond || ttl > longestLived {
		return fmt.Errorf("%w: value of %d bytes for %s", cache.ErrInvalid, len(value), ttl)
	}
	if value == nil {
		value = []byte{} // nil would be NULL
	}
	if _, err := s.db.execRelaxed(ctx, putShortLived, column, value, s.db.now()+ttl.Milliseconds()); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return nil
}

const getShortLived = `SELECT value FROM short_lived WHERE key = $1 AND expires_at > $2`

// Get implements cache.Store.
func (s ShortLived) Get(ctx context.Context, key string) ([]byte, error) {
	column, err := shortLivedKey(ctx, key)
	if err != nil {
		return nil, err
	}
	var value []byte
	err = s.db.queryRow(ctx, getShortLived, []any{column, s.db.now()}, &value)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, cache.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	return value, nil
}

const deleteShortLived = `DELETE FROM short_lived WHERE key = $1`

// Delete implements cache.Store.
func (s ShortLived) Delete(ctx context.Context, key string) error {
	column, err := shortLivedKey(ctx, key)
	if err != nil {
		return err
	}
	if _, err := s.db.execRelaxed(ctx, deleteShortLived, column); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// shortLivedKey is the key's hash: keys hold addresses and what strangers typed,
// which need not be valid text, and need not be readable here.
func shortLivedKey(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if key == "" || len(key) > cache.MaxKey {
		return "", fmt.Errorf("%w: key of %d bytes", cache.ErrInvalid, len(key))
	}
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
