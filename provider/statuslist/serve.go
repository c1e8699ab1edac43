package statuslist

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

const (
	contentType = "application/statuslist+jwt"
	// mostLists bounds the aggregation; a list holds a million tokens.
	mostLists = 1000
)

// Mount adds the lists and their aggregation to r, whose root is the origin of
// the issuer. They hold nothing secret and are open to every page and cache.
func (l *Lists) Mount(r *mux.Router) {
	path := l.Issuer.Path + PathLists
	r.Handle(path, web.OpenCORS(http.HandlerFunc(l.aggregation)))
	r.Handle(path+"/{list}", web.OpenCORS(http.HandlerFunc(l.list)))
}

// list serves one status list token (section 8 of the draft).
func (l *Lists) list(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	number, ok := parseName(mux.Vars(r)["list"])
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "not_found")
		return
	case r.URL.Query().Has("time"):
		// Section 8.4: what a list was like is not kept.
		refuse(w, http.StatusNotImplemented, "not_supported")
		return
	case !accepts(r.Header.Values("Accept")):
		refuse(w, http.StatusNotAcceptable, "not_acceptable")
		return
	}
	d, err := l.current(r.Context(), number)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	age := l.Now().Sub(d.at)
	h := w.Header()
	h.Add("Vary", "Accept")
	// With the verifier's own ttl on top, nobody goes by a list for longer than two.
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(max(1, int((l.ttl()-age)/time.Second))))
	h.Set("ETag", d.etag)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if matches(r.Header.Get("If-None-Match"), d.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(d.body)))
	_, _ = w.Write(d.body) // a client that went away has nobody to be told
}

// aggregation lists the URIs of all lists (section 9.3).
func (l *Lists) aggregation(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	numbers, err := l.Store.StatusLists(r.Context(), mostLists)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	uris := make([]string, len(numbers))
	for i, n := range numbers {
		uris[i] = l.uri(n)
	}
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(l.ttl()/time.Second)))
	web.WriteJSON(w, http.StatusOK, map[string]any{"status_lists": uris})
}

// fail answers 404 for a list that is not there (any more), else 503: a list that
// might not say what was revoked is worse than none.
func (l *Lists) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, accounts.ErrNotFound) {
		refuse(w, http.StatusNotFound, "not_found")
		return
	}
	web.Event(r.Context()).Cause = err
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, "temporarily_unavailable")
}

func refuse(w http.ResponseWriter, status int, code string) {
	web.NoStore(w)
	web.WriteJSON(w, status, map[string]string{"error": code})
}

func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	refuse(w, http.StatusMethodNotAllowed, "method_not_allowed")
	return false
}

// accepts reports whether the JWT form may be answered; the CBOR form is not made.
func accepts(values []string) bool {
	if len(values) == 0 {
		return true
	}
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		kind, _, _ := strings.Cut(part, ";")
		if slices.Contains([]string{contentType, "application/*", "*/*", ""}, strings.ToLower(strings.TrimSpace(kind))) {
			return true
		}
	}
	return false
}

// matches compares weakly (RFC 9110 §13.1.2): a proxy that compresses makes the
// tag weak.
func matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == etag || part == "*" {
			return true
		}
	}
	return false
}
