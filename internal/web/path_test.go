package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var oddPaths = []string{
	"//evil.example", "//admin/", "/./admin/", "/x/../admin/", "/admin/.", "/admin/..", "/admin//users", "/admin%2fusers", "/admin%2Fusers",
	"/%2e%2e/admin/", "/%2e/admin/", "/admin;x/users", "/admin/;x", "/admin%3bx", "/admin%5cusers", "/%61dmin/", "/admin%00", "/admin%0a", "/admin%7f",
	"/admin%2fusers\"", // raw byte that makes EscapedPath re-encode the path
}

func TestOnlyCanonicalPaths(t *testing.T) {
	front, _ := newFront(t, "https://id.example")
	router := NewRouter()
	router.PathPrefix("/").HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := front.Wrap(router)
	for _, path := range oddPaths {
		r := httptest.NewRequest("GET", "/", nil)
		u := mustURL(t, "http://id.example"+path)
		r.URL = u
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 404 || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	for _, path := range []string{"/", "/admin/", "/admin/users", "/.well-known/openid-configuration", "/users/a%40b", "/users/%C3%A9", "/a/...", "/50%25"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// A redirect to where the caller says is for paths of this origin only.
func TestAttack_172_ReturnTo(t *testing.T) {
	for _, s := range append([]string{
		"", "admin", "https://evil.example/", "javascript:alert(1)", "//evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example", "/\n/evil.example",
		"/a\\b", " /a", "/a b", "/a#b", "/\x00", "/é", "///evil.example", "/.//evil.example", "/" + strings.Repeat("a", maxPath), "?a=b", "/a?b\r\nSet-Cookie: x=y", "/%zz",
	}, oddPaths...) {
		if got, ok := SafePath(s); ok || got != "" {
			t.Errorf("%q passed as %q", s, got)
		}
	}
	for _, s := range []string{"/", "/account/", "/oauth2/authorize?flow=abc&x=%2F%2Fevil", "/a?next=//evil.example", "/a?"} {
		if got, ok := SafePath(s); !ok || got != s {
			t.Errorf("%q refused (%q)", s, got)
		}
	}
}

func FuzzSafePath(f *testing.F) {
	for _, s := range append([]string{"/account/?a=b", "/\t/x"}, oddPaths...) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := SafePath(s)
		if !ok {
			return
		}
		if got != s || s[0] != '/' || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\#\t\n\r\x00 ") {
			t.Fatalf("%q passed", s)
		}
		base := mustURL(t, "https://id.example/x/y")
		u, err := base.Parse(s)
		if err != nil || u.Host != "id.example" || u.Scheme != "https" {
			t.Fatalf("%q resolves to %v (%v)", s, u, err)
		}
	})
}

func TestAttack_192_ForeignHost(t *testing.T) {
	for _, tc := range []struct {
		issuer, host, path string
		want               int
	}{
		{"https://id.example", "id.example", "/", 200},
		{"https://id.example", "ID.Example:443", "/", 200},
		{"https://id.example", "id.example:8443", "/", 421},
		{"https://id.example", "id.example.", "/", 421},
		{"https://id.example", "id.example.evil.example", "/", 421},
		{"https://id.example", "evil.example", "/.well-known/openid-configuration", 421},
		{"https://id.example", "", "/", 421},
		{"https://id.example", "10.0.0.7:8400", "/healthz", 200},
		{"https://id.example", "10.0.0.7:8400", "/healthz/", 421},
		{"https://id.example:443/path", "id.example", "/", 200},
		{"http://localhost:8400", "localhost:8400", "/", 200},
		{"http://localhost:8400", "localhost", "/", 421},
		{"http://localhost:8400", "127.0.0.1:8400", "/", 421},
		{"http://[::1]:80", "[::1]", "/", 200},
	} {
		r := httptest.NewRequest("GET", tc.path, nil)
		r.Host = tc.host
		r.Header.Set("X-Forwarded-Host", "id.example")
		w := httptest.NewRecorder()
		RequireHost(mustURL(t, tc.issuer), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "/healthz").ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%+v: %d", tc, w.Code)
		}
	}
}
