package ascode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// facts are the members of an object that are known or named: texts, truth values,
// sets of texts, and texts in other languages.
type facts map[string]any

// Field is one member that is, or would be, changed.
type Field struct {
	Name string `json:"name"`
	// Old is nil where there was nothing, and New where nothing stays.
	Old any `json:"old"`
	New any `json:"new"`
	// ByHand says that Old is not what the file had set: somebody changed it since.
	ByHand bool `json:"changed_by_hand,omitempty"`
}

// factsOf reads the members of a struct that are not nil, by their names in YAML;
// those with the tag fact:"-" are told otherwise.
func factsOf(v any) facts {
	f := facts{}
	value := reflect.ValueOf(v)
	for i := range value.NumField() {
		about := value.Type().Field(i)
		name, _, _ := strings.Cut(about.Tag.Get("yaml"), ",")
		if name == "" || about.Tag.Get("fact") == "-" {
			continue
		}
		if told := factOf(value.Field(i)); told != nil {
			f[name] = told
		}
	}
	return f
}

func factOf(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		if v.String() == "" {
			return nil
		}
	default: // pointers, slices and maps
		if v.IsNil() {
			return nil
		}
		v = reflect.Indirect(v)
	}
	switch told := v.Interface().(type) {
	case Duration:
		return told.String()
	case []string:
		return set(told)
	default:
		return told
	}
}

// plain are facts as they come back from storage.
func (f facts) plain() (map[string]any, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("facts: %w", err)
	}
	return out, nil
}

// same compares two facts, also one from storage with one that is not.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// compare returns what differs between what is there and what is wanted; last is
// what a file set before, nil if none did.
func compare(have, want facts, last map[string]any) []Field {
	var fields []Field
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if same(have[name], want[name]) {
			continue
		}
		before, set := last[name]
		fields = append(fields, Field{Name: name, Old: have[name], New: want[name], ByHand: set && undoes(name, have[name], want[name], before)})
	}
	return fields
}

// undoes reports whether to make have what is wanted would undo what somebody did
// since a file set last. Of a set each item counts for itself: what left it by hand, or
// by itself, and is not wanted any more, is not brought back by another item that is.
func undoes(name string, have, want, last any) bool {
	is, okIs := itemsOf(name, have)
	shall, okShall := itemsOf(name, want)
	was, okWas := itemsOf(name, last)
	if !okIs || !okShall || !okWas {
		return !same(last, have)
	}
	for _, items := range []map[string]string{is, shall} {
		for item := range items {
			if is[item] != shall[item] && is[item] != was[item] {
				return true
			}
		}
	}
	return false
}

// itemsOf tells the items of a set, those of members by person and with the end.
func itemsOf(name string, v any) (map[string]string, bool) {
	list, ok := asSet(v)
	items := make(map[string]string, len(list))
	for _, item := range list {
		key, rest := item, ""
		if name == factMembers {
			key, rest = cutSubject(item)
		}
		items[key] = "in" + rest
	}
	return items, ok
}

// Duration is written as 5m, 12h or 30s, and kept in milliseconds.
type Duration int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 5m", text)
	}
	if read%time.Millisecond != 0 {
		return fmt.Errorf("%q: milliseconds are the shortest", text)
	}
	*d = Duration(read.Milliseconds())
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String is the shortest form: 5m, not 5m0s.
func (d Duration) String() string {
	text := (time.Duration(d) * time.Millisecond).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
