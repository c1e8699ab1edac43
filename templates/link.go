package templates

import (
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strings"
)

// ErrUnsafeURL is returned when a page would have to send the browser to a URL
// that could run code or read local data.
var ErrUnsafeURL = errors.New("unsafe URL")

// link lets a URL into an attribute. html/template knows only http, https and
// mailto and would break the private-use schemes of native apps (RFC 8252 §7.1),
// so the choice is made here: everything but the schemes that run code in our
// origin or reach local data. The caller has matched the URL against a
// registration; this is the second lock on the same door.
func link(raw string) (template.URL, error) {
	for _, c := range []byte(raw) {
		// Browsers drop tabs and line ends anywhere in a URL and blanks at its
		// start, which is how "java\nscript:" gets past a look at the prefix.
		if c <= ' ' || c == 0x7f || c == '\\' {
			return "", fmt.Errorf("%w: control character, blank or backslash", ErrUnsafeURL)
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's error repeats the URL, which may carry a code.
		return "", fmt.Errorf("%w: not a URL", ErrUnsafeURL)
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "data", "vbscript", "file", "filesystem", "blob", "about", "view-source", "jar", "livescript", "mocha":
		return "", fmt.Errorf("%w: scheme %s", ErrUnsafeURL, strings.ToLower(u.Scheme))
	case "":
		// "//host" would leave for another site while it looks like a path.
		if !strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "//") {
			return "", fmt.Errorf("%w: neither absolute nor a rooted path", ErrUnsafeURL)
		}
	}
	return template.URL(raw), nil
}
