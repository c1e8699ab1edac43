package sqldb

import (
	"context"
	"fmt"
)

const (
	readInstance = `SELECT value FROM instance WHERE key = $1`
	setInstance  = `INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`
)

// Instance returns a fact about this deployment, or accounts.ErrNotFound.
func (d *DB) Instance(ctx context.Context, key string) (string, error) {
	var value string
	if err := d.queryRow(ctx, readInstance, []any{key}, &value); err != nil {
		return "", fmt.Errorf("instance %s: %w", key, err)
	}
	return value, nil
}

// SetInstance keeps a fact about this deployment.
func (d *DB) SetInstance(ctx context.Context, key, value string) error {
	if _, err := d.exec(ctx, setInstance, key, value); err != nil {
		return fmt.Errorf("set instance %s: %w", key, err)
	}
	return nil
}
