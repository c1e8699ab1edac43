package jobs

import (
	"math/rand/v2"
	"strings"
	"time"
)

// Backoff is the usual wait after the given number of tries: soon at first, for
// what was restarted, then rarely, for what is broken.
func Backoff(attempt int) time.Duration {
	steps := []time.Duration{
		10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	}
	return steps[min(max(attempt, 1), len(steps))-1]
}

// jitter keeps what failed together from coming back together: up to a quarter
// more.
func jitter(d time.Duration) time.Duration {
	if d < 4 {
		return d
	}
	return d + rand.N(d/4)
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// clip makes an error fit to be kept.
func clip(err error) string {
	text := err.Error()
	if len(text) > maxError {
		text = text[:maxError]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}
