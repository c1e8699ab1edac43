package importing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Object is a JSON object whose members are read by their exact names. What is absent
// or null is empty. The first member that has another type than the one it is read as
// is kept in Err.
type Object struct {
	members map[string]json.RawMessage
	Err     error
}

// ParseObject reads a value that Stream.Value returned.
func ParseObject(raw json.RawMessage) (*Object, error) {
	o := &Object{}
	if err := json.Unmarshal(raw, &o.members); err != nil || o.members == nil {
		return nil, errors.New("there should be an object")
	}
	return o, nil
}

// Has reports whether there is such a member that is not null.
func (o *Object) Has(name string) bool {
	raw, ok := o.members[name]
	return ok && !bytes.Equal(raw, []byte("null"))
}

// Names are those of the members that are not null and not empty.
func (o *Object) Names() []string {
	var names []string
	for name, raw := range o.members {
		switch string(raw) {
		case "null", `""`, "[]", "{}":
		default:
			names = append(names, name)
		}
	}
	return names
}

func (o *Object) read(name, what string, to any) {
	if !o.Has(name) {
		return
	}
	if err := json.Unmarshal(o.members[name], to); err != nil && o.Err == nil {
		o.Err = fmt.Errorf("%s should be %s", Short(name), what)
	}
}

// Text reads a text.
func (o *Object) Text(name string) (s string) {
	o.read(name, "a text", &s)
	return s
}

// Flag reads true or false, and what is absent as it is said.
func (o *Object) Flag(name string, absent bool) bool {
	o.read(name, "true or false", &absent)
	return absent
}

// Number reads a whole number.
func (o *Object) Number(name string) (n int64) {
	o.read(name, "a whole number", &n)
	return n
}

// Texts reads a list of texts.
func (o *Object) Texts(name string) (list []string) {
	o.read(name, "a list of texts", &list)
	return list
}

// Lists reads an object of lists of texts.
func (o *Object) Lists(name string) (lists map[string][]string) {
	o.read(name, "an object of lists", &lists)
	return lists
}

// Values reads an object of texts; values of other types are left out.
func (o *Object) Values(name string) map[string]string {
	var raw map[string]any
	o.read(name, "an object", &raw)
	texts := make(map[string]string, len(raw))
	for n, v := range raw {
		if s, ok := v.(string); ok {
			texts[n] = s
		}
	}
	return texts
}

// List reads a list.
func (o *Object) List(name string) (list []json.RawMessage) {
	o.read(name, "a list", &list)
	return list
}

// Objects reads a list of objects.
func (o *Object) Objects(name string) []*Object {
	var list []*Object
	for _, raw := range o.List(name) {
		one, err := ParseObject(raw)
		if err != nil {
			if o.Err == nil {
				o.Err = fmt.Errorf("%s should be a list of objects", Short(name))
			}
			return nil
		}
		list = append(list, one)
	}
	return list
}

// Object reads an object; what is absent is an empty one.
func (o *Object) Object(name string) *Object {
	inner := &Object{}
	o.read(name, "an object", &inner.members)
	return inner
}

// Key reads what names a record: a text, or a whole number as its digits.
func (o *Object) Key(name string) string {
	if !o.Has(name) {
		return ""
	}
	key, err := Key(o.members[name])
	if err != nil && o.Err == nil {
		o.Err = fmt.Errorf("%s should be a text or a whole number", Short(name))
	}
	return key
}

// Key reads a text, or a whole number as its digits.
func Key(raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var n int64
	if err := json.Unmarshal(raw, &n); err != nil {
		return "", errors.New("there should be a text or a whole number")
	}
	return strconv.FormatInt(n, 10), nil
}

// Raw is a member as it stands in the file.
func (o *Object) Raw(name string) json.RawMessage { return o.members[name] }
