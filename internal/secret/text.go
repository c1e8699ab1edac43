package secret

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
)

const stars = "***"

// Text is a secret in clear, such as a password or a database URL. However it is
// printed, logged or marshalled, it shows as stars; Reveal is the way out. Two
// places are beyond its reach, so keep it out of them: the key of a map that is
// marshalled to JSON, and an unexported field of a struct that package fmt prints.
type Text string

// Reveal returns the secret itself.
func (t Text) Reveal() string { return string(t) }

// String returns stars.
func (t Text) String() string { return stars }

// GoString returns stars.
func (t Text) GoString() string { return stars }

// Format prints stars for every verb; without it %x and %q would show the text.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// LogValue returns stars.
func (t Text) LogValue() slog.Value { return slog.StringValue(stars) }

// MarshalText returns stars, in JSON, YAML and XML alike.
func (t Text) MarshalText() ([]byte, error) { return []byte(stars), nil }

// Random returns n bytes from the operating system's generator.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return b
}
