package sqldb

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

var _ accounts.PictureStore = (*DB)(nil)

const (
	putPicture = `INSERT INTO pictures (user_id, name, type, data, updated_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id) DO UPDATE SET name = excluded.name, type = excluded.type, data = excluded.data,
  updated_at = excluded.updated_at`
	pictureByName = `SELECT user_id, name, type, data, updated_at FROM pictures WHERE name = $1`
	deletePicture = `DELETE FROM pictures WHERE user_id = $1`
)

// PutPicture implements accounts.PictureStore. A user who is gone is ErrNotFound.
func (d *DB) PutPicture(ctx context.Context, p *accounts.Picture) error {
	if _, err := d.exec(ctx, putPicture, p.UserID, p.Name, p.Type, p.Data, p.UpdatedAt); err != nil {
		return fmt.Errorf("put picture: %w", err)
	}
	return nil
}

// PictureByName implements accounts.PictureStore.
func (d *DB) PictureByName(ctx context.Context, name string) (*accounts.Picture, error) {
	var p accounts.Picture
	err := d.queryRow(ctx, pictureByName, []any{name}, &p.UserID, &p.Name, &p.Type, &p.Data, &p.UpdatedAt)
	if err != nil {
		return nil, fmt.Errorf("picture by name: %w", err)
	}
	return &p, nil
}

// DeletePicture implements accounts.PictureStore.
func (d *DB) DeletePicture(ctx context.Context, userID id.ID) error {
	if _, err := d.exec(ctx, deletePicture, userID); err != nil {
		return fmt.Errorf("delete picture: %w", err)
	}
	return nil
}

const pictureOf = `SELECT user_id, name, type, data, updated_at FROM pictures WHERE user_id = $1`

// PictureOf returns the picture of a user, or accounts.ErrNotFound.
func (d *DB) PictureOf(ctx context.Context, userID id.ID) (*accounts.Picture, error) {
	var p accounts.Picture
	err := d.queryRow(ctx, pictureOf, []any{userID}, &p.UserID, &p.Name, &p.Type, &p.Data, &p.UpdatedAt)
	if err != nil {
		return nil, fmt.Errorf("picture of a user: %w", err)
	}
	return &p, nil
}
