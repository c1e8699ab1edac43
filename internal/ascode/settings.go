package ascode

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// settings looks at those of the file: the database keeps some, and the others, and
// those that the configuration gives, are only expected.
func (r *run) settings(ctx context.Context) ([]*target, error) {
	wanted, err := r.wantedSettings()
	if err != nil {
		return nil, err
	}
	now, err := r.settingsNow(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range r.Deployment.Settings {
		value, named := wanted[s.Name]
		if at := now.find(s.Name); !named || at != nil && !at.Pinned() {
			continue
		}
		has, err := settingText(s.Value)
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", s.Name, err)
		}
		if value != has {
			r.plan.Settings = append(r.plan.Settings, Field{Name: s.Name, Old: has, New: value})
		}
		delete(wanted, s.Name)
	}
	slices.SortFunc(r.plan.Settings, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	if err := r.expected(); err != nil {
		return nil, err
	}
	return r.settingTargets(now, wanted)
}

// wantedSettings are those of the file as texts.
func (r *run) wantedSettings() (map[string]string, error) {
	var names []string
	for _, s := range r.Deployment.Settings {
		names = append(names, s.Name)
	}
	wanted := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(r.file.Settings)) {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("%s: a file holds no setting %q, but %s", r.file.name, name, strings.Join(names, ", "))
		}
		text, err := settingText(r.file.Settings[name])
		if err != nil {
			return nil, fmt.Errorf("%s: setting %s: %w", r.file.name, name, err)
		}
		wanted[name] = text
	}
	return wanted, nil
}

// expected refuses a file that expects what only the configuration can change.
func (r *run) expected() error {
	if r.opts.DryRun || len(r.plan.Settings) == 0 {
		return nil
	}
	var told []string
	for _, f := range r.plan.Settings {
		told = append(told, fmt.Sprintf("%s is %q and not %q", f.Name, f.Old, f.New))
	}
	return fmt.Errorf("%s: the configuration of the servers decides: %s (set it there, as GATEHOUSE_%s or %s in its YAML file, or correct the file)",
		r.file.name, strings.Join(told, "; "), strings.ToUpper(r.plan.Settings[0].Name), r.plan.Settings[0].Name)
}

// settingTargets are the settings that the database would keep. They are checked
// together, before anything is changed.
func (r *run) settingTargets(now settingList, wanted map[string]string) ([]*target, error) {
	kept := map[string]string{}
	for _, s := range now {
		if s.Kept != "" && !(r.opts.Prune && r.leaves(s.Name)) {
			kept[s.Name] = s.Kept
		}
	}
	for name, value := range wanted {
		kept[name] = value
		if value == "" {
			delete(kept, name)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	after, err := r.Kept.Rules.Settings(kept)
	if err != nil {
		return nil, fmt.Errorf("%s: settings: %w", r.file.name, err)
	}
	var all []*target
	for _, s := range after {
		if _, named := wanted[s.Name]; !named {
			continue
		}
		all = append(all, &target{
			kind: accounts.ManagedSetting, name: s.Name, label: s.Name, want: facts{"value": s.Value},
			read: func(ctx context.Context) (id.ID, facts, error) {
				now, err := r.settingsNow(ctx)
				if err != nil {
					return id.ID{}, nil, err
				}
				return accounts.SettingObject(s.Name), facts{"value": now.find(s.Name).Value}, nil
			},
		})
		r.keeps[s.Name] = wanted[s.Name]
	}
	return all, nil
}

// leaves reports whether the file managed a setting and does not name it any more.
func (r *run) leaves(name string) bool {
	m := r.marks[markKey{accounts.ManagedSetting, name}]
	_, named := r.file.Settings[name]
	return m != nil && m.Manager == r.plan.Manager && !named
}

// keepSettings makes the settings as the file says, all in one change: one by one
// they may not go together.
func (r *run) keepSettings(ctx context.Context, targets []*target) error {
	values := r.forgets
	for _, t := range targets {
		if t.kind == accounts.ManagedSetting && t.changes() {
			values[t.name] = r.keeps[t.name]
		}
	}
	if len(values) == 0 {
		return nil
	}
	if _, err := r.Kept.Change(ctx, r.by, values, nil); err != nil {
		return fmt.Errorf("%s: settings: %w", r.file.name, err)
	}
	return nil
}

func (r *run) prunableSetting(ctx context.Context, m *accounts.Managed, p *pruned) error {
	now, err := r.settingsNow(ctx)
	if err != nil {
		return err
	}
	s := now.find(m.Name)
	if s == nil {
		return errors.New("of a release that knows more than this one")
	}
	p.object, p.keep = accounts.SettingObject(m.Name), s.Kept == ""
	if !p.keep {
		p.touches = fmt.Sprintf("its value %q; %q holds again", s.Value, s.Default)
		if s.Pinned() {
			p.touches = fmt.Sprintf("its value %q, which does not count", s.Kept)
		}
	}
	p.remove = func(context.Context) error {
		r.forgets[m.Name] = ""
		return nil
	}
	return nil
}

type settingList []accounts.Setting

func (l settingList) find(name string) *accounts.Setting {
	for i := range l {
		if l[i].Name == name {
			return &l[i]
		}
	}
	return nil
}

// settingsNow are those that the database can keep. What does not go together is for
// the file to mend.
func (r *run) settingsNow(ctx context.Context) (settingList, error) {
	list, err := r.Kept.List(ctx)
	if err != nil && !errors.Is(err, accounts.ErrInvalid) {
		return nil, err
	}
	return list, nil
}

// settingText is one form for all ways to write a value.
func settingText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	case []string:
		return strings.Join(v, ","), nil
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			text, ok := item.(string)
			if !ok {
				return "", fmt.Errorf("write a text, a number, true or false, or a list of texts")
			}
			parts[i] = text
		}
		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("write a text, a number, true or false, or a list of texts")
}
