package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of what a request may bring.
const (
	MaxBody   = 64 << 10 // bytes of a form
	MaxHeader = 32 << 10 // bytes of the request line and all headers
	MaxParams = 64       // parameters of a form or a query, repeated ones counted
	// MaxBoxes is MaxParams of a form that has a box for each cell of a table.
	MaxBoxes = 1024
)

// FormError says what is wrong with a form or a query. Its text is fit for the
// client: it holds a parameter's name only if that is harmless, and no value.
type FormError struct {
	Status int    // 400, 413 (too large) or 415 (not a form)
	Param  string // the parameter's name, or empty
	Reason string
}

// Error returns the reason and the parameter.
func (e *FormError) Error() string {
	if e.Param == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Param
}

// LimitBody bounds the body of requests to n bytes: what declares more is
// answered 413, what turns out to be more fails with *http.MaxBytesError.
func LimitBody(n int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > n {
			w.Header().Set("Connection", "close")
			http.Error(w, "The request is too large.", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, n)
		next.ServeHTTP(w, r)
	})
}

// ParseForm reads the parameters of the body, and of the body alone: RFC 6749
// §2.3.1 keeps credentials out of the URI. The body must be
// application/x-www-form-urlencoded in UTF-8 of at most MaxBody bytes; a request
// without body and media type has no parameters. The rules for parameters are
// those of ParseQuery. Errors are *FormError.
func ParseForm(w http.ResponseWriter, r *http.Request, repeatable ...string) (url.Values, error) {
	return parseForm(w, r, MaxParams, repeatable)
}

// ParseBoxes is ParseForm for a form with many boxes, up to MaxBoxes parameters. It is
// for those who are known already.
func ParseBoxes(w http.ResponseWriter, r *http.Request, repeatable ...string) (url.Values, error) {
	return parseForm(w, r, MaxBoxes, repeatable)
}

func parseForm(w http.ResponseWriter, r *http.Request, most int, repeatable []string) (url.Values, error) {
	types := r.Header.Values("Content-Type")
	if r.ContentLength == 0 && len(types) == 0 {
		return url.Values{}, nil
	}
	if len(types) != 1 || !isForm(types[0]) || r.Header.Get("Content-Encoding") != "" {
		return nil, &FormError{Status: http.StatusUnsupportedMediaType, Reason: "the body must be application/x-www-form-urlencoded"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &FormError{Status: http.StatusRequestEntityTooLarge, Reason: "the body is too large"}
	}
	if err != nil {
		return nil, &FormError{Status: http.StatusBadRequest, Reason: "the body could not be read"}
	}
	return parseParams(string(body), most, repeatable)
}

func isForm(contentType string) bool {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return false
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

// ParseQuery reads a query string. A parameter that comes twice is an error unless
// it is one of the repeatable; one without a value counts as absent (RFC 6749
// §3.1), but still as sent. More than MaxParams, a ";", a bad escape, invalid
// UTF-8 and NUL are errors: whoever sends them hopes that two parsers disagree.
// Errors are *FormError.
func ParseQuery(raw string, repeatable ...string) (url.Values, error) {
	return parseParams(raw, MaxParams, repeatable)
}

func parseParams(raw string, most int, repeatable []string) (url.Values, error) {
	values := url.Values{}
	seen := make(map[string]struct{}, 8)
	count := 0
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		if count++; count > most {
			return nil, badParam("too many parameters", "")
		}
		name, value, err := parsePair(pair)
		if err != nil {
			return nil, err
		}
		if _, twice := seen[name]; twice && !slices.Contains(repeatable, name) {
			return nil, badParam("parameter sent more than once", name)
		}
		seen[name] = struct{}{}
		if value != "" {
			values[name] = append(values[name], value)
		}
	}
	return values, nil
}

func parsePair(pair string) (name, value string, err error) {
	if strings.Contains(pair, ";") {
		return "", "", badParam("unescaped semicolon in parameters", "")
	}
	name, value, _ = strings.Cut(pair, "=")
	if name, err = url.QueryUnescape(name); err != nil || !isText(name) {
		return "", "", badParam("malformed parameter name", "")
	}
	if value, err = url.QueryUnescape(value); err != nil || !isText(value) {
		return "", "", badParam("malformed parameter value", name)
	}
	return name, value, nil
}

func isText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// badParam names the parameter only if the name may stand in an
// error_description (RFC 6749 §5.2) and in a log as it is.
func badParam(reason, name string) error {
	if len(name) > 64 {
		name = ""
	}
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && c != '_' && c != '-' && c != '.' {
			name = ""
			break
		}
	}
	return &FormError{Status: http.StatusBadRequest, Param: name, Reason: reason}
}
