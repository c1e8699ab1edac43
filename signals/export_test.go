package signals

import "github.com/gatehouse-id/gatehouse/revocation"

// Parsers, for fuzzing from outside.
var (
	ParseSubject = parseSubject
	ParseObject  = parseObject
	ParsePoll    = func(o object) error { _, err := parsePoll(o); return err }
)

// MaxWaiting is the bound of a stream.
const MaxWaiting = maxWaiting

// Tells reports how many events a row makes.
func Tells(r revocation.Row) int { return len(occurrences(r, "owner")) }

// Polling is how many polls wait.
func (t *Transmitter) Polling() int {
	t.pollers.mu.Lock()
	defer t.pollers.mu.Unlock()
	return len(t.pollers.waiting)
}
