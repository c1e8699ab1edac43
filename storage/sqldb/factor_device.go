package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.DeviceStore = (*DB)(nil)

const (
	deviceColumns = `id, user_id, token_hash, rev, binding, user_agent, address, created_at, last_used_at, expires_at`
	insertDevice  = `INSERT INTO remembered_devices (` + deviceColumns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	deviceByID    = `SELECT ` + deviceColumns + ` FROM remembered_devices WHERE user_id = $1 AND id = $2`
	devicesOf     = `SELECT ` + deviceColumns + ` FROM remembered_devices WHERE user_id = $1 AND expires_at > $2 ORDER BY id`
	useDevice     = `UPDATE remembered_devices SET last_used_at = $2 WHERE id = $1`
	deleteDevices = `DELETE FROM remembered_devices WHERE user_id = $1`
)

func deviceDest(r *accounts.RememberedDevice) []any {
	return []any{
		&r.ID, &r.UserID, &r.TokenHash, &r.Rev, &r.Binding, &r.UserAgent, &r.Address, &r.CreatedAt, &r.LastUsedAt, &r.ExpiresAt,
	}
}

// InsertDevice implements accounts.DeviceStore. A user who is gone is ErrNotFound.
func (d *DB) InsertDevice(ctx context.Context, r *accounts.RememberedDevice) error {
	_, err := d.exec(ctx, insertDevice, r.ID, r.UserID, r.TokenHash, r.Rev, r.Binding, r.UserAgent, r.Address,
		r.CreatedAt, r.LastUsedAt, r.ExpiresAt)
	if err != nil {
		return fmt.Errorf("remember device: %w", err)
	}
	return nil
}

// DeviceByID implements accounts.DeviceStore.
func (d *DB) DeviceByID(ctx context.Context, userID, deviceID id.ID) (*accounts.RememberedDevice, error) {
	var r accounts.RememberedDevice
	if err := d.queryRow(ctx, deviceByID, []any{userID, deviceID}, deviceDest(&r)...); err != nil {
		return nil, fmt.Errorf("remembered device: %w", err)
	}
	return &r, nil
}

// DevicesOf implements accounts.DeviceStore.
func (d *DB) DevicesOf(ctx context.Context, userID id.ID, now int64) ([]accounts.RememberedDevice, error) {
	var found []accounts.RememberedDevice
	err := d.query(ctx, devicesOf, func(row scanner) error {
		var r accounts.RememberedDevice
		err := row.Scan(deviceDest(&r)...)
		found = append(found, r)
		return err
	}, userID, now)
	if err != nil {
		return nil, fmt.Errorf("remembered devices of a user: %w", err)
	}
	return found, nil
}

// UseDevice implements accounts.DeviceStore.
func (d *DB) UseDevice(ctx context.Context, deviceID id.ID, now int64) error {
	if err := d.touched(ctx, useDevice, deviceID, now); err != nil {
		return fmt.Errorf("use remembered device: %w", err)
	}
	return nil
}

// ForgetDevices implements accounts.DeviceStore.
func (d *DB) ForgetDevices(ctx context.Context, userID id.ID) (int, error) {
	n, err := d.exec(ctx, deleteDevices, userID)
	if err != nil {
		return 0, fmt.Errorf("forget devices: %w", err)
	}
	return int(n), nil
}
