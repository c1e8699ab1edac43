package consent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

func TestHeaders(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	const anyTarget = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
	const own = anyTarget + "; form-action 'self'"
	const asks = "; connect-src 'self'" // the script, for passkeys
	for path, policy := range map[string]string{
		"/":                                      own,
		"/signin?switch=1":                       own + asks,
		"/nowhere":                               own,
		"/consent?flow=x":                        own,
		"/preferences":                           own,
		"/consent?flow=":                         own,
		"/select-account?flow=" + f.ID.String():  anyTarget,
		"/consent?flow=" + f.ID.String():         anyTarget,
		"/signin?switch=1&flow=" + f.ID.String(): anyTarget + asks,
	} {
		answer := b.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := answer.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if answer.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: open to other origins", path)
		}
		for _, inline := range []string{"<script>", "<style", " style=", " onclick=", "javascript:"} {
			if strings.Contains(answer.Body.String(), inline) {
				t.Errorf("%s: %s in the page", path, inline)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for _, tc := range []struct{ method, path, allow string }{
		{http.MethodPut, "/signin", "GET, HEAD, POST"},
		{http.MethodDelete, "/consent", "GET, HEAD, POST"},
		{http.MethodOptions, "/select-account", "GET, HEAD, POST"},
		{http.MethodPost, "/", "GET, HEAD"},
		{http.MethodGet, "/preferences", "POST"},
	} {
		r := httptest.NewRequest(tc.method, "https://id.example.com"+tc.path, nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		answer := b.do(r)
		wantPage(t, answer, http.StatusMethodNotAllowed)
		if got := answer.Header().Get("Allow"); got != tc.allow {
			t.Errorf("%s %s: Allow %q", tc.method, tc.path, got)
		}
	}
	if got := b.do(httptest.NewRequest(http.MethodHead, "https://id.example.com/signin", nil)); got.Code != http.StatusOK {
		t.Errorf("HEAD is answered %d", got.Code)
	}
}

// Behind a path on a shared host everything stays below that path.
func TestIssuerWithPath(t *testing.T) {
	w := newWorldAt(t, "https://example.com/id")
	b := w.browser()
	f := w.flow(b)
	page := b.get("/signin?flow=" + f.ID.String())
	wantPage(t, page, http.StatusOK, `action="/id/signin"`, `action="/id/preferences"`)
	answer := b.post("/signin", fill(t, page, "username", "ada", "password", password))
	wantRedirect(t, answer, "https://example.com/id/oauth2/authorize?flow="+f.ID.String())
	wantPage(t, b.get("/"), http.StatusOK, `href="/id/logout"`)
	wantPage(t, b.get("/consent?flow="+f.ID.String()), http.StatusOK, `action="/id/consent"`, "/id/signin?flow=")
	wantRedirect(t, b.post("/preferences", url.Values{"return": {"/elsewhere"}}), "https://example.com/id/")
}

// Nobody's Host leads a redirect astray.
func TestRedirect_IgnoresHost(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	f := w.flow(b)
	r := httptest.NewRequest(http.MethodGet, "https://id.example.com/consent?flow="+f.ID.String(), nil)
	r.Host = "evil.example.net"
	r.Header.Set("X-Forwarded-Host", "evil.example.net")
	wantRedirect(t, b.do(r), w.authorize(f))
}

func TestPreferences(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	answer := b.post("/preferences", url.Values{"theme": {"dark"}, "lang": {"en-GB"}, "return": {"/signin?flow=x"}})
	wantRedirect(t, answer, "https://id.example.com/signin?flow=x")
	if b.jar[w.cookies.Name("theme")] != "dark" || b.jar[w.cookies.Name("lang")] != "en" {
		t.Errorf("kept %v", b.jar)
	}
	wantPage(t, b.get("/"), http.StatusOK, `data-theme="dark"`)
	for _, to := range []string{"", "//evil.example", "/\\evil.example", "https://evil.example/", "/\tevil", "javascript:alert(1)", "/../x", "/a\r\nSet-Cookie: x=y"} {
		wantRedirect(t, b.post("/preferences", url.Values{"theme": {`"><script>`}, "lang": {"\u0000;x"[1:]}, "return": {to}}), "https://id.example.com/")
	}
	if b.jar[w.cookies.Name("theme")] != "" {
		t.Error("a theme that does not exist was kept")
	}
	b.site = "cross-site"
	wantPage(t, b.post("/preferences", url.Values{"theme": {"dark"}}), http.StatusForbidden)
}

type brokenSessions struct{ err error }

func (s brokenSessions) Find(context.Context, string) (*accounts.Session, *accounts.User, error) {
	if s.err == nil {
		panic("secret-in-panic")
	}
	return nil, nil, s.err
}

// A fault of ours shows a page with the request's id; its cause is for the log.
func TestFault(t *testing.T) {
	for name, s := range map[string]brokenSessions{"error": {errors.New("database on fire")}, "panic": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			b.enter(w.ada)
			f := w.flow(b)
			form := fill(t, b.get("/consent?flow="+f.ID.String()), "action", "allow")
			w.handler.Desk.Sessions = s
			for _, answer := range []*httptest.ResponseRecorder{
				b.get("/"), b.get("/signin?flow=" + f.ID.String()), b.get("/second-factor?flow=" + f.ID.String()),
				b.get("/consent?flow=" + f.ID.String()), b.post("/consent", form),
			} {
				wantPage(t, answer, http.StatusInternalServerError, "Something went wrong", answer.Header().Get("X-Request-Id"), "!fire", "!secret-in-panic", `href="/"`)
				if answer.Header().Get("Content-Security-Policy") == "" || answer.Header().Get("Cache-Control") != "no-store" {
					t.Error("the page of a fault lacks its headers")
				}
			}
			if name == "error" && !strings.Contains(w.log.String(), "database on fire") {
				t.Error("the cause is not in the log")
			}
		})
	}
}

// A flow that is cleaned away between its page and its form is no fault.
func TestFlowVanishes(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.enter(w.ada)
	f := w.flow(b)
	form := fill(t, b.get("/consent?flow="+f.ID.String()), "action", "deny")
	w.handler.Flows = vanishing{w.db}
	wantPage(t, b.post("/consent", form), http.StatusNotFound, "This page has expired")
}

type vanishing struct{ flow.Store }

func (vanishing) UpdateFlow(context.Context, *flow.Flow) error { return flow.ErrNotFound }
