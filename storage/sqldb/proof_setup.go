package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
)

var _ accounts.SetupStore = (*DB)(nil)

// setupFact is the row of the instance that is there until somebody has set it up.
const setupFact = "setup"

const hasUsers = `SELECT EXISTS (SELECT 1 FROM users)`

// HasUsers implements accounts.SetupStore.
func (d *DB) HasUsers(ctx context.Context) (bool, error) {
	var has bool
	if err := d.queryRow(ctx, hasUsers, nil, &has); err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return has, nil
}

const beginSetup = `INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`

// BeginSetup implements accounts.SetupStore.
func (d *DB) BeginSetup(ctx context.Context, value string) (string, error) {
	if _, err := d.exec(ctx, beginSetup, setupFact, value); err != nil {
		return "", fmt.Errorf("begin setup: %w", err)
	}
	return d.Setup(ctx)
}

// Setup implements accounts.SetupStore.
func (d *DB) Setup(ctx context.Context) (string, error) { return d.Instance(ctx, setupFact) }

const endSetup = `DELETE FROM instance WHERE key = $1 AND value = $2 AND NOT EXISTS (SELECT 1 FROM users)`

// EndSetup implements accounts.SetupStore.
func (d *DB) EndSetup(ctx context.Context, value string) error {
	if err := d.touched(ctx, endSetup, setupFact, value); err != nil {
		return fmt.Errorf("end setup: %w", err)
	}
	return nil
}
