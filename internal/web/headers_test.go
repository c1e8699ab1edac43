package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPagesPolicy(t *testing.T) {
	for name, tc := range map[string]struct {
		target string // "" leaves the policy, "*" calls AllowAnyFormTarget
		want   string // what form-action says
		fails  bool
	}{
		"own":               {"", "; form-action 'self'", false},
		"any":               {"*", "", false},
		"app":               {"https://app.example/cb?x=1", "; form-action 'self' https://app.example", false},
		"port":              {"https://App.example:8443/cb", "; form-action 'self' https://app.example:8443", false},
		"loopback":          {"http://127.0.0.1:4711/cb", "; form-action 'self' http://127.0.0.1:4711", false},
		"localhost":         {"http://localhost:8401/cb", "; form-action 'self' http://localhost:8401", false},
		"IPv6 loopback":     {"http://[::1]:4711/cb", "; form-action 'self' http:", false},
		"other address":     {"https://192.0.2.1/cb", "; form-action 'self' https:", false},
		"custom scheme":     {"com.example.app:/cb", "; form-action 'self' com.example.app:", false},
		"script":            {"javascript:alert(1)", "; form-action 'self'", true},
		"data":              {"DATA:text/html,x", "; form-action 'self'", true},
		"relative":          {"/cb", "; form-action 'self'", true},
		"no host":           {"https:///cb", "; form-action 'self'", true},
		"directive smuggle": {"https://a;script-src *", "; form-action 'self'", true},
		"userinfo":          {"https://a@b/", "; form-action 'self'", true},
		"space":             {"https://a%20b/", "; form-action 'self'", true},
		"comma":             {"https://a,b/", "; form-action 'self'", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Pages(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				switch tc.target {
				case "":
				case "*":
					AllowAnyFormTarget(w)
				default:
					if err := AllowFormTarget(w, tc.target); (err != nil) != tc.fails {
						t.Errorf("error %v", err)
					}
				}
			})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			want := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'" + tc.want
			if got := w.Header().Get("Content-Security-Policy"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestAttack_189_NoStore(t *testing.T) {
	w := httptest.NewRecorder()
	NoStore(w)
	page := httptest.NewRecorder()
	Pages(http.NotFoundHandler()).ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
	host := httptest.NewRecorder()
	RequireHost(mustURL(t, "https://id.example"), http.NotFoundHandler()).ServeHTTP(host, httptest.NewRequest("GET", "https://evil.example/", nil))
	front, _ := newFront(t, "https://id.example")
	failed := httptest.NewRecorder()
	front.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		panic("boom")
	})).ServeHTTP(failed, httptest.NewRequest("GET", "/", nil))
	for name, w := range map[string]*httptest.ResponseRecorder{"NoStore": w, "page": page, "421": host, "500": failed} {
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	WriteJSON(w, http.StatusCreated, map[string]string{"a": "</script>"})
	if w.Code != 201 || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Content-Length") != "27" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if body := w.Body.String(); strings.Contains(body, "<") || !json.Valid([]byte(body)) {
		t.Error(body)
	}
	defer func() {
		if recover() == nil {
			t.Error("a channel was encoded")
		}
	}()
	WriteJSON(w, http.StatusOK, make(chan int))
}
