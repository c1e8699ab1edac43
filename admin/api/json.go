package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const (
	maxDepth = 32
	// maxMembers is far above what any type has, and what maps of languages or
	// settings hold.
	maxMembers = 256
	// maxName is far above the name of any member, in bytes: errors repeat them.
	maxName = 256
)

var (
	errJSON = errors.New("not JSON that can be read in one way")
	errNUL  = fmt.Errorf("%w: a text holds the character NUL", errJSON)
)

// strictJSON reads bodies that have one meaning: no member is there twice, not even in
// another case (encoding/json would take either), no text has broken characters or the
// character NUL, which no database keeps alike, and nothing follows the value. The work
// grows with the length of the body alone, whatever is in it.
func strictJSON() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			return e.Encode(v)
		},
		Unmarshal: func(data []byte, v any) error {
			if err := oneMeaning(data); err != nil {
				return err
			}
			if err := json.Unmarshal(data, v); err != nil {
				return errJSON // encoding/json's texts name types of ours
			}
			return nil
		},
	}
}

func oneMeaning(data []byte) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("%w: the encoding must be UTF-8", errJSON)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := value(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows it", errJSON)
	}
	return nil
}

// value reads one JSON value.
func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return errJSON
	}
	if text, is := t.(string); is && !storable(text) {
		return errNUL
	}
	open, is := t.(json.Delim)
	if !is {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("%w: nested too deeply", errJSON)
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			if err := member(d, seen); err != nil {
				return err
			}
		}
		if err := value(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errJSON
	}
	return nil
}

// member reads the name of a member of an object, of which seen are those before it.
func member(d *json.Decoder, seen map[string]bool) error {
	t, err := d.Token()
	if err != nil {
		return errJSON
	}
	name, _ := t.(string)
	if !storable(name) {
		return errNUL
	}
	if len(name) > maxName {
		return fmt.Errorf("%w: a member has a name of more than %d bytes", errJSON, maxName)
	}
	name = folded(name)
	switch {
	case seen[name]:
		return fmt.Errorf("%w: a member is there twice", errJSON)
	case len(seen) == maxMembers:
		return fmt.Errorf("%w: an object has more than %d members", errJSON, maxMembers)
	}
	seen[name] = true
	return nil
}

// folded is the same for names that encoding/json takes for one another: each
// character becomes the least of those that differ in case alone, as in
// strings.EqualFold.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}
