package endtoend_test

import (
	"testing"
	"time"
)

// bound is how long what was taken back may go on working anywhere that calls
// itself fresh: the promise of the ledger.
const bound = 10 * time.Second

// soon waits until something is so, which must be within the bound.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", bound, what)
		}
	}
}

// inactive waits until introspection calls a token dead, and returns what it said:
// what a command does beside a server reaches that within the bound, not at once.
func (s *server) inactive(t *testing.T, as client, token string) (said map[string]any) {
	t.Helper()
	soon(t, "introspection calls the token dead", func() bool {
		said = s.introspect(t, as, token)
		return said["active"] == false
	})
	return said
}

// until is soon for what a visitor sees.
func (v *visitor) until(what string, so func() bool) {
	v.t.Helper()
	soon(v.t, what, so)
}

// pause is a moment between two questions.
func pause() { time.Sleep(50 * time.Millisecond) }
