package console

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

func TestChanges(t *testing.T) {
	for want, event := range map[string]audit.Event{
		"":                               {},
		"permission: posts:add":          {Details: map[string]any{"permission": "posts:add"}},
		"name: Ada → Ada L., scopes: +b": {Before: map[string]any{"name": "Ada", "scopes": []string{"a"}}, After: map[string]any{"name": "Ada L.", "scopes": []string{"a", "b"}}},
		"email: x → –, banned_at: → 2026-09-21 14:13 UTC": {Before: map[string]any{"email": "x"}, After: map[string]any{"banned_at": 1_790_000_000_000}},
		"uris: +d −a":      {Before: map[string]any{"uris": []any{"a", "b"}}, After: map[string]any{"uris": []any{"b", "d"}}},
		"members: −s":      {Before: map[string]any{"members": []any{"s"}}},
		"members: +s":      {After: map[string]any{"members": []any{"s"}}},
		"order: a,b → b,a": {Before: map[string]any{"order": []any{"a", "b"}}, After: map[string]any{"order": []any{"b", "a"}}},
		"mixed: 1,a → 2":   {Before: map[string]any{"mixed": []any{1, "a"}}, After: map[string]any{"mixed": []any{2}}},
		"ends_at: 0":       {Details: map[string]any{"ends_at": 0}},
	} {
		got := changes(&auditlog.Entry{Event: event})
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	long := changes(&auditlog.Entry{Event: audit.Event{Details: map[string]any{"x": strings.Repeat("ä", 5000)}}})
	if n := len([]rune(long)); n != maxChanges+1 {
		t.Errorf("%d characters", n)
	}
}
