package importing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	maxValue = 16 << 20 // bytes of one value that is read as a whole
	maxDepth = 40       // of objects and lists in each other
)

// errTooLarge ends the reading of a file, for nothing behind such a value can be found.
var errTooLarge = fmt.Errorf("a value of more than %d bytes", maxValue)

// Stream reads a large JSON text in pieces.
type Stream struct {
	d *json.Decoder
	m *meter
}

// meter keeps a value from filling the memory: the decoder reads on until the value's
// end, however far that is.
type meter struct {
	from io.Reader
	left int
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooLarge
	}
	n, err := m.from.Read(p[:min(len(p), m.left)])
	m.left -= n
	return n, err
}

// NewStream reads from a file, with or without a byte order mark.
func NewStream(r io.Reader) *Stream {
	mark := make([]byte, 3)
	n, err := io.ReadFull(r, mark)
	if err == nil && string(mark) == "\ufeff" {
		n = 0
	}
	m := &meter{from: io.MultiReader(bytes.NewReader(mark[:n]), r), left: maxValue}
	return &Stream{d: json.NewDecoder(m), m: m}
}

// Open enters an object ('{') or a list ('[').
func (s *Stream) Open(delim rune) error { return s.delim(delim) }

// Close leaves it.
func (s *Stream) Close(delim rune) error { return s.delim(delim) }

func (s *Stream) delim(want rune) error {
	s.m.left = maxValue
	t, err := s.d.Token()
	if err != nil {
		return s.failed(err)
	}
	if got, ok := t.(json.Delim); !ok || rune(got) != want {
		return s.failed(fmt.Errorf("there should be %q", string(want)))
	}
	return nil
}

// More reports whether the object or list goes on.
func (s *Stream) More() bool {
	s.m.left = maxValue
	return s.d.More()
}

// Name reads the name of an object's member, whose value is next.
func (s *Stream) Name() (string, error) {
	s.m.left = maxValue
	t, err := s.d.Token()
	if err != nil {
		return "", s.failed(err)
	}
	name, ok := t.(string)
	if !ok {
		return "", s.failed(errors.New("there should be a name"))
	}
	return name, nil
}

// Value reads a value as a whole.
func (s *Stream) Value() (json.RawMessage, error) {
	s.m.left = maxValue
	var raw json.RawMessage
	if err := s.d.Decode(&raw); err != nil {
		return nil, s.failed(err)
	}
	if err := sound(raw); err != nil {
		return nil, s.failed(err)
	}
	return raw, nil
}

// Each opens a list and calls see with each of its values.
func (s *Stream) Each(see func(raw json.RawMessage) error) error {
	if err := s.Open('['); err != nil {
		return err
	}
	for s.More() {
		raw, err := s.Value()
		if err != nil {
			return err
		}
		if err := see(raw); err != nil {
			return s.failed(err)
		}
	}
	return s.Close(']')
}

// End demands that nothing comes any more.
func (s *Stream) End() error {
	s.m.left = maxValue
	if _, err := s.d.Token(); !errors.Is(err, io.EOF) {
		return s.failed(errors.New("something behind the end"))
	}
	return nil
}

// failed says where. The errors of encoding/json that repeat values are not passed on.
func (s *Stream) failed(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		err = errors.New("not JSON")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the file ends too early")
	}
	return fmt.Errorf("byte %d: %w", s.d.InputOffset(), err)
}

// sound refuses what two readers would understand differently, or what is too deep.
func sound(raw json.RawMessage) error {
	if !utf8.Valid(raw) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var open []map[string]bool // nil for a list
	name := false              // whether a name is next
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("not JSON")
		}
		switch v := t.(type) {
		case json.Delim:
			switch v {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
			if len(open) > maxDepth {
				return fmt.Errorf("more than %d objects and lists in each other", maxDepth)
			}
			name = len(open) > 0 && open[len(open)-1] != nil
			continue
		case string:
			if name {
				if seen := open[len(open)-1]; seen[v] {
					return errors.New("an object has two members of one name")
				} else {
					seen[v] = true
				}
				name = false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}
