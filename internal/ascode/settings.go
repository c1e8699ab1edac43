package ascode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// settings compares those of the file with the configuration, which alone can
// change them.
func (r *run) settings() error {
	known := map[string]any{}
	var names []string
	for _, s := range r.Deployment.Settings {
		known[s.Name] = s.Value
		names = append(names, s.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.file.Settings)) {
		is, ok := known[name]
		if !ok {
			return fmt.Errorf("%s: a file holds no setting %q, but %s", r.file.name, name, strings.Join(names, ", "))
		}
		wants, err := settingText(r.file.Settings[name])
		if err != nil {
			return fmt.Errorf("%s: setting %s: %w", r.file.name, name, err)
		}
		has, err := settingText(is)
		if err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
		if wants != has {
			r.plan.Settings = append(r.plan.Settings, Field{Name: name, Old: has, New: wants})
		}
	}
	if r.opts.DryRun || len(r.plan.Settings) == 0 {
		return nil
	}
	var told []string
	for _, f := range r.plan.Settings {
		told = append(told, fmt.Sprintf("%s is %q and not %q", f.Name, f.Old, f.New))
	}
	return fmt.Errorf("%s: settings are not kept in the database: %s (set it where the server is configured, as GATEHOUSE_%s or %s in its YAML file, or correct the file)",
		r.file.name, strings.Join(told, "; "), strings.ToUpper(r.plan.Settings[0].Name), r.plan.Settings[0].Name)
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
