package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// maxKept bounds a value that is kept in the database, in bytes.
const maxKept = 4096

// Pin is a setting that the database could keep, given by a flag, a variable or the
// file.
type Pin struct {
	Value  string                 `json:"value"`
	Origin accounts.SettingOrigin `json:"origin"`
}

// Pins are those of this configuration, by name; they must not be changed.
func (c *Config) Pins() map[string]Pin { return c.given }

// WithPins is the configuration with the pins of others for what this one does not
// give. What the database cannot keep is passed over.
func (c *Config) WithPins(others map[string]Pin) *Config {
	with := *c
	with.given = maps.Clone(c.given)
	if with.given == nil {
		with.given = map[string]Pin{}
	}
	for _, s := range keepable() {
		pin, theirs := others[s.name]
		if _, ours := c.given[s.name]; theirs && !ours {
			with.given[s.name] = pin
		}
	}
	return &with
}

// keepable are the settings that the database can keep: what is decided about people
// and tokens as a whole, and can change while servers run. What a server needs to
// start, what is secret, and what leads elsewhere than to people's eyes (mail, the
// audit log, breach_url) stays in the configuration alone.
func keepable() []setting {
	return slices.DeleteFunc(settings(Flags{}), func(s setting) bool { return s.kind == "" })
}

// Keep returns the configuration with values, by name, that the database keeps. They
// go before defaults, and what the configuration gives goes before them. Unknown names
// are passed over: a newer release may have kept them. The list is all that can be
// kept, in its order, and is complete also with an error, which says what cannot be.
// Errors: accounts.ErrInvalid, as *accounts.BadField where one value is to blame.
func (c *Config) Keep(kept map[string]string) (*Config, []accounts.Setting, error) {
	with, plain := c.unkept(), c.unkept()
	var list []accounts.Setting
	var failed error
	for _, s := range keepable() {
		item := accounts.Setting{
			Name: s.name, Kind: s.kind, Choices: s.choices, Value: c.otherwise(s), Origin: accounts.SettingFromDefault, Kept: kept[s.name],
		}
		if err := s.put(plain, item.Value); err != nil {
			return nil, nil, fmt.Errorf("default of %s: %w", s.name, err)
		}
		if g, ok := c.given[s.name]; ok {
			item.Value, item.Origin = g.Value, g.Origin
		} else if item.Kept != "" {
			item.Value, item.Origin = item.Kept, accounts.SettingFromDatabase
		}
		if err := s.put(with, item.Value); err != nil && failed == nil {
			failed = &accounts.BadField{Field: s.name, Err: fmt.Errorf("%w: %w", accounts.ErrInvalid, err)}
		}
		list = append(list, item)
	}
	defaults, values := plain.texts(), with.texts()
	for i := range list {
		item := &list[i]
		item.Default = defaults[item.Name]
		if failed == nil {
			item.Value = values[item.Name]
			if item.Origin == accounts.SettingFromDatabase {
				item.Kept = item.Value // in the one form that it has
			}
		}
	}
	if failed == nil {
		if err := with.People.check(); err != nil {
			failed = fmt.Errorf("%w: %w", accounts.ErrInvalid, err)
		}
	}
	return with, list, failed
}

// unkept is a copy without the settings that can be kept.
func (c *Config) unkept() *Config {
	with := *c
	with.AccessTokenLifetime, with.BrandName = 0, ""
	with.People = People{BreachURL: c.People.BreachURL, PasskeyRPID: c.People.PasskeyRPID}
	return &with
}

// otherwise is the default of a setting; `gatehouse dev` has one of its own.
func (c *Config) otherwise(s setting) string {
	if c.Dev && s.name == "sign_up" {
		return SignUpOpen
	}
	return s.otherwise
}

func (s setting) put(c *Config, value string) error {
	switch {
	case value == "":
		return nil
	case len(value) > maxKept || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("write one line of at most %d bytes", maxKept)
	}
	return s.apply(c, value)
}

// texts are the settings of files as texts, by name.
func (c *Config) texts() map[string]string {
	texts := map[string]string{}
	for _, s := range c.Deployment() {
		if list, ok := s.Value.([]string); ok {
			texts[s.Name] = strings.Join(list, ",")
		} else {
			texts[s.Name] = fmt.Sprint(s.Value)
		}
	}
	return texts
}
