package accounts

import "context"

// Signal tells of a change that takes nothing away, and so writes no row to the
// ledger, but that others want to hear of.
type Signal struct {
	Kind    SignalKind
	Subject string // sub of the person
	At      int64  // Unix milliseconds
	// Own says that the person did it, not an operator.
	Own bool
}

// SignalKind says what has happened.
type SignalKind string

// The kinds of signals.
const (
	SignalUnbanned        SignalKind = "unbanned"
	SignalPasswordChanged SignalKind = "password-changed" // by its owner; a reset ends everything and writes a row
)

// SignalWriter takes signals, in the transaction of the change.
type SignalWriter interface {
	WriteSignal(ctx context.Context, s Signal) error
}
