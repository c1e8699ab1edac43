package accounts

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// sha1Rest is what a service tells of a password's SHA-1.
func sha1Rest(password secret.Text) string {
	sum := sha1.Sum([]byte(password.Reveal()))
	return strings.ToUpper(hex.EncodeToString(sum[:]))[breachPrefix:]
}

// The answer is somebody else's text.
func TestBreaches_OddAnswers(t *testing.T) {
	const password = secret.Text("trombone galaxy 12")
	rest := sha1Rest(password)
	for answer, want := range map[string]bool{
		rest + ":1": true, rest + ":000120\n": true, strings.ToLower(rest) + ":7\r\n": true, "\r\n\r\n" + rest + ":9": true,
		rest + ":0": false, rest + ":000": false, rest: false, rest + ":": false, rest[1:] + ":5": false, "": false, ":": false,
		strings.Repeat("x", 70_000) + "\n" + rest + ":1": false, // no line is that long: the rest is not trusted
	} {
		b := &Breaches{Source: &rangeOf{answer: answer}}
		if known, _ := b.look(t.Context(), password); known != want {
			t.Errorf("%.60q: %v", answer, known)
		}
	}
}
