package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type settingsCommand struct {
	List  settingsList  `cmd:"" default:"1" help:"List the settings that the database can keep, and where each comes from."`
	Set   settingsSet   `cmd:"" help:"Keep settings in the database; servers take them within a second."`
	Unset settingsUnset `cmd:"" help:"Keep settings no longer: their defaults hold again."`
}

// toldSetting is a setting as commands tell it.
type toldSetting struct {
	Name    string                 `json:"name"`
	Value   string                 `json:"value"`
	Origin  accounts.SettingOrigin `json:"origin"`
	Default string                 `json:"default"`
	// Kept is in the database and does not count, for the configuration gives another.
	Kept string `json:"kept,omitempty"`
}

type settingsList struct{}

// Run lists them. What does not go together is told, and listed all the same: this is
// where operators look for it.
func (settingsList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		list, err := d.kept.List(ctx)
		if err != nil && !errors.Is(err, accounts.ErrInvalid) {
			return err
		}
		told := make([]toldSetting, len(list))
		rows := [][]string{{"SETTING", "VALUE", "FROM"}}
		for i, s := range list {
			told[i] = toldSetting{Name: s.Name, Value: s.Value, Origin: s.Origin, Default: s.Default}
			from := string(s.Origin)
			if s.Pinned() && s.Kept != "" {
				told[i].Kept = s.Kept
				from += " (the database keeps " + s.Kept + ", which does not count)"
			}
			rows = append(rows, []string{s.Name, s.Value, from})
		}
		return c.answer(map[string]any{"settings": told}, func(w io.Writer) { table(w, rows...) })
	})
}

type settingsSet struct {
	Pairs []string `arg:"" name:"name-and-value" help:"Name and value, such as sign_up open; several pairs are one change. An empty value is what unset does."`
}

// Run keeps values, all or none.
func (s *settingsSet) Run(c *call) error {
	if len(s.Pairs)%2 != 0 {
		return fmt.Errorf("write names and values in turn: %q has no value", plain(s.Pairs[len(s.Pairs)-1]))
	}
	values := map[string]string{}
	for i := 0; i < len(s.Pairs); i += 2 {
		name := s.Pairs[i]
		if _, twice := values[name]; twice {
			return fmt.Errorf("%q is named twice", plain(name))
		}
		values[name] = s.Pairs[i+1]
	}
	return c.changeSettings(values)
}

type settingsUnset struct {
	Names []string `arg:"" name:"name" help:"Names of settings."`
}

// Run forgets what is kept. Nobody is locked out by a value in the database: this
// works also where no server starts with it.
func (s *settingsUnset) Run(c *call) error {
	values := map[string]string{}
	for _, name := range s.Names {
		values[name] = ""
	}
	return c.changeSettings(values)
}

func (c *call) changeSettings(values map[string]string) error {
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		changed, err := d.kept.Change(ctx, by, values, nil)
		if err != nil {
			return explainSetting(err)
		}
		if len(changed) == 0 {
			return c.done("unchanged")
		}
		list, err := d.kept.List(ctx)
		if err != nil && !errors.Is(err, accounts.ErrInvalid) {
			return err
		}
		var told []string
		for _, s := range list {
			if _, named := values[s.Name]; named {
				told = append(told, fmt.Sprintf("%s is %q (%s)", s.Name, s.Value, s.Origin))
			}
		}
		return c.done("%s", plain(strings.Join(told, ", ")))
	})
}

// explainSetting says where else a setting can be changed.
func explainSetting(err error) error {
	bad := new(accounts.BadField)
	switch {
	case errors.Is(err, accounts.ErrPinned):
		return fmt.Errorf("%w: change it there, or take it out of there first", err)
	case errors.As(err, &bad) && strings.ContainsAny(bad.Field, "-=ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
		return fmt.Errorf("%w (write the name as gatehouse settings lists it, such as sign_up)", err)
	}
	return err
}
