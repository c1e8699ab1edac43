package accounts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// ErrPinned refuses to keep a setting that the configuration of the servers gives.
var ErrPinned = errors.New("set by the configuration of the servers, which goes before the database")

// SettingStore keeps settings.
type SettingStore interface {
	// LockSettings lets one transaction at a time change settings.
	LockSettings(ctx context.Context) error
	KeptSettings(ctx context.Context) ([]KeptSetting, error)
	PutSetting(ctx context.Context, s KeptSetting) error
	DropSetting(ctx context.Context, name string) error // ErrNotFound
}

// SettingRules know which settings can be kept, and what they may be.
type SettingRules interface {
	// Settings returns all that can be kept, in their order, as they are with these
	// values, by name, in the database. Names that it does not know are passed over.
	// The error tells which value, or which two together, cannot be; the list is
	// complete all the same. Errors: ErrInvalid.
	Settings(kept map[string]string) ([]Setting, error)
}

// SettingsKeeper changes what the database keeps of the settings.
type SettingsKeeper struct {
	Journal
	Store SettingStore
	Rules SettingRules
}

// List returns all settings that can be kept. With an error that matches ErrInvalid,
// which says why they cannot hold, it is complete all the same.
func (s *SettingsKeeper) List(ctx context.Context) ([]Setting, error) {
	kept, err := s.kept(ctx)
	if err != nil {
		return nil, err
	}
	return s.Rules.Settings(kept)
}

func (s *SettingsKeeper) kept(ctx context.Context) (map[string]string, error) {
	rows, err := s.Store.KeptSettings(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	kept := make(map[string]string, len(rows))
	for _, r := range rows {
		kept[r.Name] = r.Value
	}
	return kept, nil
}

// Change keeps values, by name, and forgets those of which the value is empty: all or
// none. match, which may be nil, sees the settings as they are before and may refuse.
// It returns the names of those that were different, sorted.
//
// What no server could start with is refused. Only who forgets something in a
// database that is so already need not mend all of it at once. Errors: *BadField with
// ErrPinned or ErrInvalid, ErrInvalid, those of match.
func (s *SettingsKeeper) Change(ctx context.Context, actor audit.Actor, values map[string]string, match func([]Setting) error) ([]string, error) {
	var changed []string
	err := s.Tx.InTx(ctx, func(ctx context.Context) error {
		changed = nil // the transaction may be run again
		if err := s.Store.LockSettings(ctx); err != nil {
			return err
		}
		kept, err := s.kept(ctx)
		if err != nil {
			return err
		}
		before, broken := s.Rules.Settings(kept)
		if match != nil {
			if err := match(before); err != nil {
				return err
			}
		}
		wanted, err := wantedSettings(before, kept, values)
		if err != nil {
			return err
		}
		after, err := s.Rules.Settings(wanted)
		if err != nil && (broken == nil || !onlyForgets(values)) {
			return err
		}
		for _, now := range after {
			if _, named := values[now.Name]; !named || now.Kept == kept[now.Name] {
				continue
			}
			if err := s.write(ctx, actor, now, kept[now.Name]); err != nil {
				return err
			}
			changed = append(changed, now.Name)
		}
		slices.Sort(changed)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// wantedSettings are what would be kept.
func wantedSettings(before []Setting, kept, values map[string]string) (map[string]string, error) {
	wanted := maps.Clone(kept)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := slices.IndexFunc(before, func(b Setting) bool { return b.Name == name })
		switch value := values[name]; {
		case at < 0:
			return nil, &BadField{Field: name, Err: invalid("there is no such setting that the database can keep")}
		case value == "":
			delete(wanted, name)
		case before[at].Pinned():
			return nil, &BadField{Field: name, Err: fmt.Errorf("%w: %w", ErrInvalid, ErrPinned)}
		default:
			wanted[name] = value
		}
	}
	return wanted, nil
}

func onlyForgets(values map[string]string) bool {
	for _, v := range values {
		if v != "" {
			return false
		}
	}
	return true
}

// write keeps or forgets one setting.
func (s *SettingsKeeper) write(ctx context.Context, actor audit.Actor, now Setting, before string) error {
	return s.record(ctx, actor, func(ctx context.Context, at int64) (*effect, error) {
		var err error
		if now.Kept == "" {
			err = s.Store.DropSetting(ctx, now.Name)
		} else {
			err = s.Store.PutSetting(ctx, KeptSetting{Name: now.Name, Value: now.Kept, UpdatedAt: at})
		}
		if err != nil {
			return nil, fmt.Errorf("keep setting %s: %w", now.Name, err)
		}
		e := &effect{action: "setting.changed", kind: string(ManagedSetting), target: now.Name}
		was, is := values{}, values{}
		was.put("value", before)
		is.put("value", now.Kept)
		return e.changed(was, is), nil
	})
}
