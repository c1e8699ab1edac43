package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const maxDepth = 32

var errJSON = errors.New("not JSON that can be read in one way")

// strictJSON reads bodies that have one meaning: no member is there twice, not even in
// another case (encoding/json would take either), no text has broken characters, and
// nothing follows the value.
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
	open, is := t.(json.Delim)
	if !is {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("%w: nested too deeply", errJSON)
	}
	var seen []string
	for d.More() {
		if open == '{' {
			name, err := d.Token()
			if err != nil {
				return errJSON
			}
			text, _ := name.(string)
			for _, other := range seen {
				if strings.EqualFold(other, text) {
					return fmt.Errorf("%w: a member is there twice", errJSON)
				}
			}
			seen = append(seen, text)
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
