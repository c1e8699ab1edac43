package admin

import "errors"

var (
	// ErrChanged refuses to change what is no longer as the caller saw it.
	ErrChanged = errors.New("it has changed since you read it")
	// ErrState is wrapped by the errors about what cannot be done as things are; their
	// texts may be shown.
	ErrState = errors.New("not possible")
)

// Field says which part of what was given is wrong, by its name in the admin API.
type Field struct {
	Name string
	Err  error
}

// Error implements error.
func (e *Field) Error() string { return e.Name + ": " + e.Err.Error() }

// Unwrap returns why.
func (e *Field) Unwrap() error { return e.Err }
