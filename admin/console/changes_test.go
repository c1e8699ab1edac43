package console

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

func TestChanges(t *testing.T) {
	for want, event := range map[string]audit.Event{
		"":                      {},
		"permission: posts:add": {Details: map[string]any{"permission": "posts:add"}},
		"name: Ada → Ada L., scopes: a → a,b": {Before: map[string]any{"name": "Ada", "scopes": []string{"a"}}, After: map[string]any{"name": "Ada L.", "scopes": []string{"a", "b"}}},
		"email: x → –, banned_at: → 5":        {Before: map[string]any{"email": "x"}, After: map[string]any{"banned_at": 5}},
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
