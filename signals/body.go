package signals

import (
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	strict "github.com/go-jose/go-jose/v4/json" // refuses duplicate members and other case

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// maxBody bounds what a receiver sends, in bytes.
const maxBody = 64 << 10

// Codes of errors, in the form that RFC 8935 §2.3 and RFC 8936 §2.6 give them; the
// management API defines none.
const (
	codeRequest     = "invalid_request"
	codeNotFound    = "not_found"
	codeUnavailable = "temporarily_unavailable"
)

// problem is an error that the receiver is told.
type problem struct {
	status      int
	code        string
	description string
}

// Error returns the description.
func (p *problem) Error() string { return p.description }

func bad(description string) *problem {
	return &problem{http.StatusBadRequest, codeRequest, description}
}

// errNoStream is the answer for a stream of somebody else as well.
func errNoStream() *problem {
	return &problem{http.StatusNotFound, codeNotFound, "There is no such stream"}
}

// fail answers with an error. What is not a problem is ours; its cause goes to the
// log alone.
func (t *Transmitter) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, accounts.ErrNotFound):
		p = errNoStream()
	default:
		p = &problem{http.StatusServiceUnavailable, codeUnavailable, "The server cannot answer at the moment; try again shortly"}
		web.Event(r.Context()).Cause = err
		w.Header().Set("Retry-After", "1")
	}
	web.Event(r.Context()).Error = p.code
	web.NoStore(w)
	web.WriteJSON(w, p.status, map[string]string{"err": p.code, "description": p.description})
}

func allowed(methods map[string]handler) string {
	return strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
}

// object is a JSON object whose members are not read yet.
type object map[string]strict.RawMessage

// readObject reads the body, which must be one JSON object; no body is an empty
// one. The media type may be missing, as it is in the examples of SSF.
func readObject(w http.ResponseWriter, r *http.Request) (object, error) {
	if types := r.Header.Values("Content-Type"); len(types) > 0 {
		mediaType, _, err := mime.ParseMediaType(types[0])
		if err != nil || len(types) > 1 || mediaType != "application/json" {
			return nil, &problem{http.StatusUnsupportedMediaType, codeRequest, "The body must be application/json"}
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &problem{http.StatusRequestEntityTooLarge, codeRequest, "The body is too large"}
	}
	if err != nil {
		return nil, bad("The body could not be read")
	}
	if len(body) == 0 {
		return object{}, nil
	}
	return parseObject(body)
}

func parseObject(text []byte) (object, error) {
	var o object
	if !utf8.Valid(text) || strict.Unmarshal(text, &o) != nil || o == nil {
		return nil, bad("The body must be one JSON object without repeated members")
	}
	return o, nil
}

// text returns a member that must be a string, and whether it is there.
func (o object) text(name string) (string, bool, error) {
	var v *string
	ok, err := o.member(name, &v)
	if err != nil || !ok || v == nil {
		return "", ok, err
	}
	return *v, true, nil
}

// need returns a string that must be there.
func (o object) need(name string) (string, error) {
	v, ok, err := o.text(name)
	if err == nil && (!ok || v == "") {
		err = bad(name + " is missing")
	}
	return v, err
}

// list returns a member that must be a list of at most limit strings, each of at
// most longest bytes.
func (o object) list(name string, limit, longest int) ([]string, bool, error) {
	var v []string
	ok, err := o.member(name, &v)
	if err != nil || !ok {
		return nil, ok, err
	}
	if len(v) > limit || slices.ContainsFunc(v, func(s string) bool { return len(s) > longest }) {
		return nil, true, bad(name + " is too long")
	}
	return v, true, nil
}

// member reads one into v, which must be a pointer. A null is an error: it means
// nothing in this protocol, and one reader might take it for absent and another
// for empty.
func (o object) member(name string, v any) (bool, error) {
	raw, ok := o[name]
	if !ok {
		return false, nil
	}
	if string(raw) == "null" || strict.Unmarshal(raw, v) != nil {
		return true, bad(name + " has the wrong type")
	}
	return true, nil
}

// shown reports whether a text of a receiver may stand in answers, logs and lists.
func shown(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
