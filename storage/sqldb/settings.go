package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
)

var _ accounts.SettingStore = (*DB)(nil)

const (
	keptSettings = `SELECT name, value, updated_at FROM settings ORDER BY name`
	putSetting   = `INSERT INTO settings (name, value, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`
	dropSetting = `DELETE FROM settings WHERE name = $1`
)

// LockSettings implements accounts.SettingStore.
func (d *DB) LockSettings(ctx context.Context) error {
	if d.txOf(ctx) == nil {
		return errLockOutsideTx
	}
	if d.dialect != Postgres { // SQLite's transaction has locked everything
		return nil
	}
	if _, err := d.exec(ctx, lockName, "\x01settings"); err != nil {
		return fmt.Errorf("lock the settings: %w", err)
	}
	return nil
}

// KeptSettings implements accounts.SettingStore.
func (d *DB) KeptSettings(ctx context.Context) ([]accounts.KeptSetting, error) {
	var all []accounts.KeptSetting
	err := d.query(ctx, keptSettings, func(row scanner) error {
		var s accounts.KeptSetting
		err := row.Scan(&s.Name, &s.Value, &s.UpdatedAt)
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list settings: %w", err)
	}
	return all, nil
}

// PutSetting implements accounts.SettingStore.
func (d *DB) PutSetting(ctx context.Context, s accounts.KeptSetting) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		_, err := d.exec(ctx, putSetting, s.Name, s.Value, s.UpdatedAt)
		return err
	})
	if err != nil {
		return fmt.Errorf("put a setting: %w", err)
	}
	return nil
}

// DropSetting implements accounts.SettingStore.
func (d *DB) DropSetting(ctx context.Context, name string) error {
	err := d.changing(ctx, func(ctx context.Context) error {
		return d.touched(ctx, dropSetting, name)
	})
	if err != nil {
		return fmt.Errorf("drop a setting: %w", err)
	}
	return nil
}
