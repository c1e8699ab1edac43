package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newFront returns a front that logs JSON to the buffer.
func newFront(t *testing.T, issuer string) (*Front, *bytes.Buffer) {
	t.Helper()
	buf := new(bytes.Buffer)
	return &Front{
		Issuer:  mustURL(t, issuer),
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Log:     slog.New(slog.NewJSONHandler(buf, nil)),
		Now:     func() time.Time { return time.Unix(1000, 0) },
	}, buf
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func logLines(t *testing.T, buf *bytes.Buffer) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range bytes.Lines(buf.Bytes()) {
		m := map[string]any{}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		out = append(out, m)
	}
	return out
}

func TestFrontIdentifiesRequests(t *testing.T) {
	front, _ := newFront(t, "https://id.example")
	var inside []string
	h := front.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inside = append(inside, RequestID(r.Context()))
	}))
	var outside []string
	for range 2 {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", "chosen-by-the-client")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		outside = append(outside, w.Header().Get("X-Request-Id"))
	}
	if diff := cmp.Diff(inside, outside); diff != "" {
		t.Error(diff)
	}
	if len(inside[0]) != 22 || inside[0] == inside[1] {
		t.Errorf("ids %q", inside)
	}
}

func TestFrontSetsHeaders(t *testing.T) {
	for _, tc := range []struct{ issuer, hsts string }{
		{"https://id.example", "max-age=63072000"},
		{"http://localhost:8400", ""},
	} {
		front, _ := newFront(t, tc.issuer)
		w := httptest.NewRecorder()
		front.Wrap(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/none", nil))
		got := map[string]string{}
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Strict-Transport-Security", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"} {
			got[name] = w.Header().Get(name)
		}
		want := map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Strict-Transport-Security": tc.hsts, "Cross-Origin-Opener-Policy": "", "Cross-Origin-Resource-Policy": "same-origin",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tc.issuer, diff)
		}
	}
}

func TestFrontLogsOneEvent(t *testing.T) {
	front, buf := newFront(t, "https://id.example")
	router := NewRouter()
	router.HandleFunc("/clients/{id}", func(w http.ResponseWriter, r *http.Request) {
		e := Event(r.Context())
		e.ClientID, e.GrantType, e.Outcome, e.Error, e.UserID = strings.Repeat("c", 3000), "refresh_token", "denied", "invalid_grant", "u1"
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("four"))
	})
	r := httptest.NewRequest("POST", "/clients/7?secret=q", strings.NewReader("secret=b"))
	r.RemoteAddr = "192.0.2.1:99"
	w := httptest.NewRecorder()
	front.Wrap(router).ServeHTTP(w, r)
	lines := logLines(t, buf)
	if len(lines) != 1 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	delete(lines[0], "time")
	want := map[string]any{
		"level": "INFO", "msg": "request", "request_id": w.Header().Get("X-Request-Id"), "method": "POST", "route": "/clients/{id}",
		"status": 400.0, "bytes": 4.0, "duration": 0.0, "address": "192.0.2.1",
		"client_id": strings.Repeat("c", maxLogged) + "...", "grant_type": "refresh_token", "outcome": "denied", "error": "invalid_grant", "user_id": "u1",
	}
	if diff := cmp.Diff(want, lines[0]); diff != "" {
		t.Error(diff)
	}
}

// Secrets reach a server in queries, bodies, headers, cookies and odd paths; none
// may reach its log, and nothing may forge a line in it.
func TestAttack_183_LogInjectionAndSecrets(t *testing.T) {
	front, buf := newFront(t, "https://id.example")
	router := NewRouter()
	router.HandleFunc("/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		Event(r.Context()).ClientID = "x\n{\"msg\":\"request\",\"status\":200}\x1b[31m"
		if _, err := ParseForm(w, r); err != nil {
			Event(r.Context()).Cause = err
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	for _, target := range []string{"/oauth2/token?code=s3cret", "/s3cret", "/a//s3cret", "/%2e/s3cret"} {
		r := httptest.NewRequest("POST", target, strings.NewReader("refresh_token=s3cret&client_secret=s3cret%zz"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer s3cret")
		r.Header.Set("Cookie", "sid=s3cret")
		r.Header.Set("X-Forwarded-For", "s3cret")
		r.Header.Set("User-Agent", "s3cret")
		front.Wrap(router).ServeHTTP(httptest.NewRecorder(), r)
	}
	if strings.Contains(buf.String(), "s3cret") {
		t.Errorf("secret in log:\n%s", buf)
	}
	if lines := logLines(t, buf); len(lines) != 4 || lines[0]["level"] != "ERROR" {
		t.Errorf("%d lines: %v", len(lines), lines)
	}
	if strings.Contains(buf.String(), "\x1b") {
		t.Error("raw escape sequence in log")
	}
}

func TestRecover(t *testing.T) {
	front, buf := newFront(t, "https://id.example")
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("surface's page " + RequestID(r.Context())))
	})
	boom := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		w.Header().Set("Set-Cookie", "sid=1")
		panic("boom")
	})
	for name, tc := range map[string]struct {
		handler http.Handler
		body    string
	}{
		"plain":   {boom, "Something went wrong here. Request id: "},
		"surface": {Recover(page, boom), "surface's page "},
	} {
		t.Run(name, func(t *testing.T) {
			buf.Reset()
			w := httptest.NewRecorder()
			front.Wrap(tc.handler).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			want := tc.body + w.Header().Get("X-Request-Id")
			if w.Code != 500 || strings.TrimSpace(w.Body.String()) != want {
				t.Errorf("%d %q, want %q", w.Code, w.Body, want)
			}
			if w.Header().Get("Set-Cookie") != "" || w.Header().Get("Content-Length") == "3" || w.Header().Get("X-Frame-Options") == "" {
				t.Errorf("headers %v", w.Header())
			}
			lines := logLines(t, buf)
			if len(lines) != 1 || lines[0]["cause"] != "panic: boom" || lines[0]["level"] != "ERROR" {
				t.Fatalf("log %v", lines)
			}
			if stack, _ := lines[0]["stack"].(string); !strings.Contains(stack, "TestRecover") {
				t.Errorf("stack %q", stack)
			}
		})
	}
}

func TestRecoverCutsHalfAnswers(t *testing.T) {
	front, buf := newFront(t, "https://id.example")
	srv := httptest.NewServer(front.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("half"))
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		panic(errors.New("boom"))
	})))
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = new(bytes.Buffer).ReadFrom(resp.Body)
	_ = resp.Body.Close()
	if err == nil {
		t.Error("half an answer was read as a whole one")
	}
	srv.Close()
	if lines := logLines(t, buf); len(lines) != 1 || lines[0]["status"] != 500.0 || lines[0]["cause"] != "panic: boom" {
		t.Errorf("log %v", lines)
	}
}

func TestOutsideAFront(t *testing.T) {
	ctx := context.Background()
	Event(ctx).Outcome = "nobody reads it"
	if RequestID(ctx) != "" || ClientIP(ctx).IsValid() || Scheme(ctx) != "http" {
		t.Error("values without a front")
	}
}

func BenchmarkFront(b *testing.B) {
	front := &Front{
		Issuer: &url.URL{Scheme: "https", Host: "id.example"},
		Log:    slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Now:    time.Now,
	}
	router := NewRouter()
	router.HandleFunc("/oauth2/token", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := front.Wrap(RequireHost(front.Issuer, router))
	r := httptest.NewRequest("POST", "https://id.example/oauth2/token", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
