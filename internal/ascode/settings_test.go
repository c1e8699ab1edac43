package ascode_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/ascode"
)

// rules are those of a deployment that can keep two settings, of which the
// configuration pins one or none. The length is written as a number; with "any" there
// is no other length than 8.
type rules struct{ pinned, value string }

// Settings implements accounts.SettingRules.
func (r *rules) Settings(kept map[string]string) ([]accounts.Setting, error) {
	list := []accounts.Setting{
		{Name: "password_min_length", Kind: accounts.SettingNumber, Default: "8"},
		{Name: "sign_up", Kind: accounts.SettingChoice, Default: "closed"},
	}
	values := map[string]string{}
	for i := range list {
		s := &list[i]
		s.Kept = strings.TrimPrefix(kept[s.Name], "0")
		switch {
		case s.Name == r.pinned:
			s.Value, s.Origin = r.value, accounts.SettingFromFlag
		case s.Kept != "":
			s.Value, s.Origin = s.Kept, accounts.SettingFromDatabase
		default:
			s.Value, s.Origin = s.Default, accounts.SettingFromDefault
		}
		values[s.Name] = s.Value
	}
	if values["sign_up"] == "any" && values["password_min_length"] != "8" {
		return list, fmt.Errorf("%w: that does not go with any", accounts.ErrInvalid)
	}
	return list, nil
}

// TestSettingsMade: a file makes what the database can keep, together, and takes back
// what it does not name any more.
func TestSettingsMade(t *testing.T) {
	w := newWorld(t)
	const first = "settings: {sign_up: any, password_min_length: 08}"
	if out, want := w.mustApply(first, ascode.Options{}), "setting password_min_length claimed\nsetting sign_up changed\n  value \"closed\" -> \"any\"\n"; out != want {
		t.Errorf("first: %q", out)
	}
	before := w.state()
	if out := w.mustApply(first, ascode.Options{}); out != "" || w.state() != before {
		t.Errorf("again: %q, %s after %s", out, w.state(), before)
	}
	// Only together: with either alone the other would not go.
	const second = "settings: {sign_up: open, password_min_length: 12}"
	told := "setting password_min_length changed\n  value \"8\" -> \"12\"\nsetting sign_up changed\n  value \"any\" -> \"open\"\n"
	if out := w.mustApply(second, ascode.Options{DryRun: true}); out != told || w.state() != before {
		t.Errorf("dry run: %q, %s after %s", out, w.state(), before)
	}
	if out := w.mustApply(second, ascode.Options{}); out != told {
		t.Errorf("second: %q", out)
	}
	if _, err := w.apply("settings: {sign_up: any}", ascode.Options{}); err == nil || !strings.Contains(err.Error(), "that does not go with any") {
		t.Errorf("what does not go together: %v", err)
	}

	// Somebody closes it by hand, in an emergency: no file opens it unasked.
	_, err := w.Kept.Change(t.Context(), operator(), map[string]string{"sign_up": "closed"}, nil)
	must(t, err)
	if _, err := w.apply(second, ascode.Options{}); err == nil || !strings.Contains(err.Error(), "changed by hand") {
		t.Errorf("by hand: %v", err)
	}
	if out := w.mustApply(second, ascode.Options{Force: true}); !strings.Contains(out, `"closed" -> "open" !`) {
		t.Errorf("force: %q", out)
	}
	if _, err := w.apply("manager: other\nsettings: {sign_up: open}", ascode.Options{}); err == nil || !strings.Contains(err.Error(), "managed by another file") {
		t.Errorf("another file: %v", err)
	}

	// What is not named stays, and goes with prune; an empty value is the default.
	const third = "settings: {sign_up: ''}"
	if out, want := w.mustApply(third, ascode.Options{Prune: true}), "setting sign_up changed\n  value \"open\" -> \"closed\"\n"+
		"setting password_min_length removed with its value \"12\"; \"8\" holds again\n"; out != want {
		t.Errorf("prune: %q", out)
	}
	if kept, err := w.db.KeptSettings(t.Context()); err != nil || len(kept) != 0 {
		t.Errorf("left: %v, %v", kept, err)
	}
	if out := w.mustApply("groups: []", ascode.Options{Prune: true}); out != "setting sign_up released\n" {
		t.Errorf("a default is managed no longer: %q", out)
	}
}

// TestSettingsPinned: what the configuration gives is expected, and never pruned by a
// file that names it.
func TestSettingsPinned(t *testing.T) {
	w := newWorld(t)
	w.mustApply("settings: {sign_up: open}", ascode.Options{})
	w.Kept.Rules = &rules{pinned: "sign_up", value: "closed"}
	if out := w.mustApply("settings: {sign_up: closed}", ascode.Options{Prune: true}); out != "" {
		t.Errorf("as it is: %q", out)
	}
	before := w.state()
	_, err := w.apply("settings: {sign_up: open, password_min_length: 10}\ngroups: [{name: A}]", ascode.Options{})
	if err == nil || !strings.Contains(err.Error(), `sign_up is "closed" and not "open" (set it there, as GATEHOUSE_SIGN_UP`) || w.state() != before {
		t.Errorf("another value: %v, %s after %s", err, w.state(), before)
	}
}

// none are the rules of a deployment that keeps no setting.
type none struct{}

// Settings implements accounts.SettingRules.
func (none) Settings(map[string]string) ([]accounts.Setting, error) { return nil, nil }
