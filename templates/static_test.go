package templates_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gatehouse-id/gatehouse/templates"
)

func TestStatic(t *testing.T) {
	r := newRenderer(t, templates.Options{StaticPath: "/auth/static/"})
	page := show(t, r, fixtures()[0]).Body.String()
	sheet := regexp.MustCompile(`/auth/static/style\.[0-9a-f]{12}\.css`).FindString(page)
	if sheet == "" {
		t.Fatalf("no style sheet in\n%s", page)
	}
	for _, test := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{http.MethodGet, sheet, 200, "text/css; charset=utf-8"},
		{http.MethodHead, sheet, 200, "text/css; charset=utf-8"},
		{http.MethodPost, sheet, 405, ""},
		{http.MethodGet, "/auth/static/style.css", 404, ""},
		{http.MethodGet, "/auth/static/style.000000000000.css", 404, ""},
		{http.MethodGet, "/auth/static/", 404, ""},
		{http.MethodGet, "/auth/static", 404, ""},
		{http.MethodGet, strings.TrimPrefix(sheet, "/auth"), 404, ""},
		{http.MethodGet, "/auth/static/../locales/en/all.toml", 404, ""},
		{http.MethodGet, "/auth/static//" + strings.TrimPrefix(sheet, "/auth/static/"), 404, ""},
	} {
		req := httptest.NewRequest(test.method, "/", nil)
		req.URL.Path = test.path
		w := httptest.NewRecorder()
		r.Static().ServeHTTP(w, req)
		if w.Code != test.status {
			t.Errorf("%s %s: status %d, want %d", test.method, test.path, w.Code, test.status)
		}
		if test.status != 200 {
			if w.Header().Get("Cache-Control") != "" {
				t.Errorf("%s %s: a failure must not be cached", test.method, test.path)
			}
			continue
		}
		if got := w.Header().Get("Content-Type"); got != test.contentType {
			t.Errorf("%s: type %q, want %q", test.path, got, test.contentType)
		}
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", test.path, got)
		}
		if test.method == http.MethodHead && w.Body.Len() != 0 {
			t.Errorf("HEAD has a body of %d bytes", w.Body.Len())
		}
	}
}

func TestFingerprintFollowsContent(t *testing.T) {
	name := regexp.MustCompile(`style\.[0-9a-f]{12}\.css`)
	ours := name.FindString(show(t, newRenderer(t, templates.Options{}), fixtures()[0]).Body.String())
	theirs := name.FindString(show(t, newRenderer(t, templates.Options{
		Override: fstest.MapFS{"static/style.css": {Data: []byte("body{}")}},
	}), fixtures()[0]).Body.String())
	if ours == "" || theirs == "" || ours == theirs {
		t.Errorf("style sheets %q and %q must differ", ours, theirs)
	}
}
