package api_test

import (
	"net/http"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// placed returns where something is that was made, after it was found there in the
// state that the answer named.
func (w *world) placed(made answer) string {
	w.Helper()
	path := made.header.Get("Location")
	if path == "" {
		w.Fatalf("made without a place: %v", made.header)
	}
	found := w.want(w.call(w.rootKey, http.MethodGet, path, nil), http.StatusOK, "")
	if tag := made.header.Get("ETag"); tag == "" || tag != found.header.Get("ETag") {
		w.Errorf("made as %q, found as %q at %s", tag, found.header.Get("ETag"), path)
	}
	return path
}

// patchedTexts changes the texts of a thing without a loss (RFC 7396): languages and
// members that a patch does not name stay, null takes one away, and the last takes the
// whole away.
func (w *world) patchedTexts(path string) {
	w.Helper()
	name := func(name string) map[string]any { return map[string]any{"name": name} }
	w.want(w.call(w.rootKey, http.MethodPatch, path, `{"texts": null}`, "If-Match", "*"), http.StatusOK, "")
	for _, step := range []struct {
		patch string
		want  any
	}{
		{`{"texts": {"de": {"name": "Eins"}}}`, map[string]any{"de": name("Eins")}},
		{`{"texts": {"fr": {"name": "Deux"}}}`, map[string]any{"de": name("Eins"), "fr": name("Deux")}},
		{`{"texts": {"de": {"name": "Zwei"}}}`, map[string]any{"de": name("Zwei"), "fr": name("Deux")}},
		{`{"texts": {"de": {}, "it": null}}`, map[string]any{"de": name("Zwei"), "fr": name("Deux")}},
		{`{"texts": {}}`, map[string]any{"de": name("Zwei"), "fr": name("Deux")}},
		{`{"texts": {"fr": null}}`, map[string]any{"de": name("Zwei")}},
		{`{"texts": {"de": {"name": null}}}`, nil},
	} {
		a := w.want(w.call(w.rootKey, http.MethodPatch, path, step.patch, "If-Match", "*"), http.StatusOK, "")
		if diff := cmp.Diff(step.want, a.json["texts"]); diff != "" {
			w.Errorf("%s: %s", step.patch, diff)
		}
	}
	for _, refused := range []string{`{"texts": {"DE": {"name": "x"}}}`, `{"texts": {"de": {"title": "x"}}}`, `{"texts": {"de": "x"}}`, `{"texts": []}`} {
		a := w.want(w.call(w.rootKey, http.MethodPatch, path, refused, "If-Match", "*"), http.StatusUnprocessableEntity, "invalid")
		if strings.Contains(a.raw, "accounts.") {
			w.Errorf("%s: %s", refused, a.raw)
		}
	}
}
