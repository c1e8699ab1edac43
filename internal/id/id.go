// Package id makes and reads the identifiers of stored things: 16 bytes, UUIDv7
// (RFC 9562 §5.7), so that keys made one after the other lie side by side in an
// index, shown as 22 characters of base64url.
//
// An id is a name, not a secret: whoever has seen one can guess when the next was
// made. What must not be guessed is made by package secret.
//
// Invariant: each id has exactly one text. Parse accepts what String writes and
// nothing else, so two texts never name the same thing.
package id

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Length is the number of characters of an id's text.
const Length = 22

// ErrInvalid is returned by Parse for everything that String does not write.
var ErrInvalid = errors.New("not a valid id")

// ID is an identifier. The zero ID names nothing.
type ID [16]byte

// New returns a fresh UUIDv7. Ids made by one process rise strictly.
func New() ID {
	// NewV7 fails only if crypto/rand does, and that ends the process by itself.
	return ID(uuid.Must(uuid.NewV7()))
}

// Parse reads an id's text. It refuses another alphabet, padding, unused bits
// that are set, and the zero ID, which no stored thing has.
func Parse(s string) (ID, error) {
	var i ID
	if len(s) != Length {
		return ID{}, fmt.Errorf("%w: %d characters instead of %d", ErrInvalid, len(s), Length)
	}
	// The decoder skips line breaks; the count of bytes gives them away.
	n, err := base64.RawURLEncoding.Strict().Decode(i[:], []byte(s))
	if err != nil || n != len(i) || i.IsZero() {
		return ID{}, ErrInvalid
	}
	return i, nil
}

// String returns the id's 22 characters.
func (i ID) String() string { return base64.RawURLEncoding.EncodeToString(i[:]) }

// IsZero reports whether the id names nothing.
func (i ID) IsZero() bool { return i == ID{} }

// Time is when the id was made, by the clock of whoever made it, in Unix milliseconds.
func (i ID) Time() int64 {
	var ms [8]byte
	copy(ms[2:], i[:6])
	return int64(binary.BigEndian.Uint64(ms[:]))
}

// MarshalText shows the id in JSON and logs as String does.
func (i ID) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, i[:]), nil
}

// UnmarshalText reads what MarshalText wrote; its errors are those of Parse.
func (i *ID) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*i = parsed
	return nil
}
