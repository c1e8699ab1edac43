package templates

import (
	"errors"
	"fmt"
	"html"
	"html/template"
	"strings"
	"unicode"
)

// view is what a template sees: the frame's data, the page's own data in P, and
// the functions below.
type view struct {
	Lang Language
	Page Page
	P    any
	// Failed marks a page that shows a problem: its title says so, for those who
	// hear the title first.
	Failed   bool
	renderer *Renderer
}

// Brand is whose pages these are.
func (v *view) Brand() Brand { return v.renderer.brandNow() }

// Home is the way to the start page.
func (v *view) Home() string { return v.renderer.homePath }

// Languages are all that there are to choose from.
func (v *view) Languages() []Language { return v.renderer.catalog.languages }

// In writes a message in another language, for the list of languages.
func (v *view) In(l Language, key string) (string, error) { return l.message(key, nil) }

var errMessageData = errors.New("message data must be pairs of name and value")

// T writes a message as plain text. The data are pairs of name and value.
func (v *view) T(key string, pairs ...any) (string, error) {
	data, err := messageData(pairs)
	if err != nil {
		return "", fmt.Errorf("message %q: %w", key, err)
	}
	return v.Lang.message(key, data)
}

func messageData(pairs []any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errMessageData
	}
	data := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, isString := pairs[i].(string)
		if !isString {
			return nil, errMessageData
		}
		data[name] = pairs[i+1]
		if text, isString := pairs[i+1].(string); isString {
			data[name] = visible(text)
		}
	}
	return data, nil
}

// Rich writes a message whose string data stand out in bold, each isolated from
// the direction of the text around it. The message and the data are escaped here,
// in that order and apart: the data are put in by one pass that does not look at
// what it has put in.
func (v *view) Rich(key string, pairs ...any) (template.HTML, error) {
	data, err := messageData(pairs)
	if err != nil {
		return "", fmt.Errorf("message %q: %w", key, err)
	}
	var places []string
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		text, isString := data[name].(string)
		if !isString {
			continue
		}
		// Private-use characters survive the message's template and the
		// escaping, and no catalog has a use for them.
		place := string([]rune{'\uE000', rune('\uE100' + i)})
		data[name] = place
		places = append(places, place, "<b><bdi>"+html.EscapeString(text)+"</bdi></b>")
	}
	text, err := v.Lang.message(key, data)
	if err != nil {
		return "", err
	}
	return template.HTML(strings.NewReplacer(places...).Replace(html.EscapeString(text))), nil
}

// Visible makes a name from outside safe to read, see visible.
func (v *view) Visible(text string) string { return visible(text) }

// visible takes out what lets a name pretend to be other text: control characters
// (a line end becomes a blank) and the marks that turn the reading direction
// (Trojan Source, CVE-2021-42574).
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, c):
			return -1
		case c == '\u2028', c == '\u2029', unicode.IsControl(c):
			return ' '
		}
		return c
	}, text)
}

// Asset is the URL of a static file.
func (v *view) Asset(name string) (string, error) {
	file, found := v.renderer.assets.plain[name]
	if !found {
		return "", fmt.Errorf("no static file %q", name)
	}
	return v.renderer.staticPath + file.name, nil
}

// HasAsset says whether an optional static file is there.
func (v *view) HasAsset(name string) bool {
	_, found := v.renderer.assets.plain[name]
	return found
}

// Logo is the URL of the brand's logo.
func (v *view) Logo() (template.URL, error) {
	logo, err := v.Asset(v.renderer.brand.logo())
	return template.URL(logo), err
}

// Link is the URL as a link may carry it, or empty when nobody should follow it.
func (v *view) Link(raw string) template.URL {
	if raw == "" {
		return ""
	}
	safe, err := link(raw)
	if err != nil {
		return ""
	}
	return safe
}
