package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-id/gatehouse/accounts"
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

// TextsPatch is a merge patch of Texts: languages that it does not name stay.
type TextsPatch = Change[map[string]Change[TextPatch]]

// TextPatch is a merge patch of a Text.
type TextPatch struct {
	Name        Change[string] `json:"name,omitempty" maxLength:"200"`
	Description Change[string] `json:"description,omitempty" maxLength:"500"`
	PolicyURI   Change[string] `json:"policy_uri,omitempty" maxLength:"2048"`
	TermsURI    Change[string] `json:"terms_uri,omitempty" maxLength:"2048"`
}

// patchTexts makes the texts what a patch says; a language in which nothing is left has
// none. The map is another one than before: the old one may be somebody else's.
func patchTexts(to *accounts.Texts, p TextsPatch) {
	if !p.Given {
		return
	}
	next := accounts.Texts{}
	if !p.Null {
		maps.Copy(next, *to)
	}
	for tag, change := range p.Value {
		text := next[tag]
		if change.Null {
			text = accounts.Text{}
		}
		change.Value.Name.set(&text.Name)
		change.Value.Description.set(&text.Description)
		change.Value.PolicyURI.set(&text.PolicyURI)
		change.Value.TermsURI.set(&text.TermsURI)
		if next[tag] = text; text == (accounts.Text{}) {
			delete(next, tag)
		}
	}
	*to = next
}

// merged is what a merge patch makes of an object that has no type of ours (RFC 7396
// §2).
func merged(object, patch map[string]any) map[string]any {
	next := maps.Clone(object)
	if next == nil {
		next = map[string]any{}
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(next, name)
		case map[string]any:
			inner, _ := next[name].(map[string]any)
			next[name] = merged(inner, value)
		default:
			next[name] = value
		}
	}
	return next
}
