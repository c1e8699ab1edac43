package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// settingSecondFactor decides how superusers and staff sign in: whoever may change
// settings must not take that from those who hold more.
const settingSecondFactor = "superuser_second_factor"

// SettingsKeeper reads and changes the settings that the database can keep. What it
// changes holds for the next request that this process serves.
type SettingsKeeper interface {
	// List returns all that can be kept; with an error that matches accounts.ErrInvalid
	// too.
	List(ctx context.Context) ([]accounts.Setting, error)
	// Change keeps values and forgets those of which the value is empty; see
	// accounts.SettingsKeeper.
	Change(ctx context.Context, actor audit.Actor, values map[string]string, match func([]accounts.Setting) error) ([]string, error)
}

// ListSettings returns all settings that the database can keep. Errors: *Forbidden.
func (a *Admin) ListSettings(ctx context.Context, c *Caller) ([]accounts.Setting, error) {
	if err := c.need(accounts.AdminSettingsRead); err != nil {
		return nil, err
	}
	list, err := a.Settings.List(ctx)
	if err != nil && !errors.Is(err, accounts.ErrInvalid) {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return list, nil
}

// ChangeSettings keeps values, by name, and forgets those of which the value is empty,
// all or none, if match lets it; then it returns all settings. Errors: *Forbidden,
// ErrSuperuserOnly, *Field with accounts.ErrInvalid (and accounts.ErrPinned for what
// the configuration gives), accounts.ErrInvalid, those of match.
func (a *Admin) ChangeSettings(ctx context.Context, c *Caller, values map[string]string, match func([]accounts.Setting) error) ([]accounts.Setting, error) {
	if err := c.need(accounts.AdminSettingsWrite); err != nil {
		return nil, err
	}
	if _, named := values[settingSecondFactor]; named {
		if err := c.mayCrown(); err != nil {
			return nil, err
		}
	}
	_, err := a.Settings.Change(ctx, c.Actor, values, match)
	bad := new(accounts.BadField)
	if errors.As(err, &bad) {
		return nil, &Field{Name: "values/" + bad.Field, Err: bad.Err}
	}
	if err != nil {
		return nil, err
	}
	list, err := a.Settings.List(ctx)
	if err != nil && !errors.Is(err, accounts.ErrInvalid) {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return list, nil
}
