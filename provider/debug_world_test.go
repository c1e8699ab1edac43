package provider_test

import (
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/admin/console"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider"
)

const debugAnswerAt = issuer + "/admin/clients/debug/callback"

// debugger is a world whose server has the console, and an operator in it.
type debugger struct {
	*world
	root *accounts.User
	*browser
	page  string // as it was shown last
	flow  string // what its forms send along
	state string // of the run
}

func newDebugger(t *testing.T) *debugger {
	t.Helper()
	w := newWorld(t, newServer(t, keyedURL(t)))
	quiet := slog.New(slog.DiscardHandler)
	operations := &admin.Admin{
		Users: w.users, Groups: w.groups, Clients: w.clients, APIs: w.apis, Consents: w.consents, Ledger: w.db, Callers: w.db,
		Protocol: &provider.Console{Provider: w.provider}, Log: quiet, Now: w.clock.now,
	}
	desk := &hosted.Desk{
		Issuer: w.provider.Issuer, Cookies: w.provider.Cookies, Keyring: w.keyring, Pages: w.provider.Pages, Sessions: w.sessions, Now: w.clock.now,
	}
	router := web.NewRouter()
	if err := w.provider.Mount(router, web.Pages); err != nil {
		t.Fatal(err)
	}
	h := &console.Handler{Desk: desk, Admin: operations, Callers: &admin.Callers{Store: w.db, Now: w.clock.now}}
	if err := h.Mount(router, web.Pages); err != nil {
		t.Fatal(err)
	}
	w.handler = (&web.Front{Issuer: w.provider.Issuer, Log: quiet, Now: w.clock.now}).Wrap(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		router.ServeHTTP(rw, r.WithContext(audit.WithOrigin(r.Context(), audit.Origin{RequestID: web.RequestID(r.Context())})))
	}))
	d := &debugger{world: w, root: w.person("root")}
	if err := w.users.SetSuperuser(t.Context(), tester, d.root.Subject, true); err != nil {
		t.Fatal(err)
	}
	d.browser = w.signedIn(d.root)
	return d
}

// take reads a page of the debugger.
func (d *debugger) take(resp *http.Response, status int) *debugger {
	d.t.Helper()
	d.page = html.UnescapeString(body(d.t, resp))
	if resp.StatusCode != status {
		d.t.Fatalf("status %d, want %d: %s", resp.StatusCode, status, d.page)
	}
	if at := resp.Header.Get("Cache-Control"); at != "no-store" {
		d.t.Errorf("Cache-Control %q", at)
	}
	if m := regexp.MustCompile(`name="flow" value="([^"]*)"`).FindStringSubmatch(d.page); m != nil {
		d.flow = m[1]
	}
	return d
}

func (d *debugger) shows(parts ...string) {
	d.t.Helper()
	for _, part := range parts {
		if shown := strings.Contains(d.page, strings.TrimPrefix(part, "!")); shown == strings.HasPrefix(part, "!") {
			d.t.Errorf("%q: shown %t in %s", part, shown, d.page)
		}
	}
}

func debugPath(c app) string { return "/admin/clients/debug?id=" + url.QueryEscape(c.ClientID) }

// press sends the form of the page for a client.
func (d *debugger) press(c app, form url.Values) *http.Response {
	d.t.Helper()
	form.Set("flow", d.flow)
	return d.post(debugPath(c), form)
}

func (d *debugger) do(c app, action string) *debugger {
	d.t.Helper()
	return d.take(d.press(c, url.Values{"action": {action}}), http.StatusOK)
}

// begin pushes a request and returns where the browser goes with it.
func (d *debugger) begin(c app, scope string, more ...string) string {
	d.t.Helper()
	d.take(d.get(issuer+debugPath(c)), http.StatusOK)
	form := changed(url.Values{"action": {"begin"}, "scope": strings.Fields(scope)}, more...)
	d.take(d.press(c, form), http.StatusOK)
	m := regexp.MustCompile(`href="([^"]*/oauth2/authorize[^"]*)"`).FindStringSubmatch(d.page)
	if m == nil {
		d.t.Fatalf("no way to the authorization endpoint: %s", d.page)
	}
	d.state = regexp.MustCompile(`&state=([A-Za-z0-9_-]+)`).FindStringSubmatch(d.page)[1]
	return m[1]
}

// answered goes to the authorization endpoint and returns what it answers to the
// console.
func (d *debugger) answered(at string) url.Values {
	d.t.Helper()
	return location(d.t, d.get(at), debugAnswerAt)
}

// run is the whole way to the tokens.
func (d *debugger) run(c app, scope string, more ...string) *debugger {
	d.t.Helper()
	d.allow(d.root, c, strings.Fields(scope)...)
	return d.take(d.get(debugAnswerAt+"?"+d.answered(d.begin(c, scope, more...)).Encode()), http.StatusOK)
}
