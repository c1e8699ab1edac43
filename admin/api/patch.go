package api

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Change is a member of a merge patch (RFC 7396): left out, null, or a value. It must
// have the tag json:",omitempty" (a member that may be missing).
type Change[T any] struct {
	Given bool
	Null  bool
	Value T
}

// UnmarshalJSON implements json.Unmarshaler; it is not called for a missing member.
func (c *Change[T]) UnmarshalJSON(b []byte) error {
	c.Given = true
	if bytes.Equal(bytes.TrimSpace(b), []byte("null")) {
		c.Null = true
		return nil
	}
	return json.Unmarshal(b, &c.Value)
}

// Schema serves huma: the schema of the value, or null.
func (c Change[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}

// pointer returns what the member was set to: nil if it was left out, and the zero
// value for null.
func (c Change[T]) pointer() *T {
	if !c.Given {
		return nil
	}
	return &c.Value
}

// set writes the member to where it belongs, unless it was left out.
func (c Change[T]) set(to *T) {
	if c.Given {
		*to = c.Value
	}
}
