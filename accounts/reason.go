package accounts

import "fmt"

// Reason is an error about what somebody typed, or about what cannot be done as things
// are. Its English text may be shown to an operator; a face that speaks another language
// knows it by its Format and says it in its own words.
type Reason struct {
	Kind   error  // what it wraps: ErrInvalid for all of this package
	Format string // as it stands in the code, with the verbs of package fmt
	Args   []any  // no secrets
	text   string
}

// Because returns a *Reason that wraps kind.
func Because(kind error, format string, args ...any) error {
	return &Reason{Kind: kind, Format: format, Args: args, text: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (e *Reason) Error() string { return e.Kind.Error() + ": " + e.text }

// Unwrap returns what kind of error it is.
func (e *Reason) Unwrap() error { return e.Kind }

// AddressError says which of a client's addresses cannot be registered, and why.
type AddressError struct {
	What    string // "redirect URI", ...
	Address string
	Err     error
}

// Error implements error.
func (e *AddressError) Error() string { return fmt.Sprintf("%s %q: %s", e.What, e.Address, e.Err) }

// Unwrap returns why.
func (e *AddressError) Unwrap() error { return e.Err }
