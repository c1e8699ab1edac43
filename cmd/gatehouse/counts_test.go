package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// TestDashboardCounts: what apps got and were refused, and who signed in, is on the
// console's first page once the node has written it, and on the app's own page.
func TestDashboardCounts(t *testing.T) {
	const issuer = "http://localhost:8400"
	ctx := t.Context()
	c := &call{ctx: ctx, environ: []string{"GATEHOUSE_DATA_DIR=" + t.TempDir()}, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now}
	d, err := c.open(true)
	must(t, err)
	defer d.close()
	must(t, d.prepare(ctx))
	a, err := newApp(d)
	must(t, err)
	must(t, d.tail.Look(ctx))
	by := commandActor()
	robot, secret, err := d.clients.Register(ctx, by, accounts.Registration{Name: "Night robot", Type: accounts.MachineClient, Permissions: []string{accounts.AdminUsersRead}})
	must(t, err)
	v := viewer{t, a.handler}
	ask := func(client, secret string, status int) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, issuer+"/oauth2/token", strings.NewReader("grant_type=client_credentials"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
		v.get(r, status)
	}
	for range 3 {
		ask(robot.ClientID, secret.Reveal(), http.StatusOK)
	}
	ask(robot.ClientID, "wrong", http.StatusUnauthorized)
	for _, stranger := range []string{"a", "b"} {
		ask(stranger, "x", http.StatusUnauthorized)
	}
	u, err := d.users.Create(ctx, by, accounts.NewUser{Username: "head", Staff: true, Superuser: true})
	must(t, err)
	_, position, err := d.db.UserByLogin(ctx, u.UsernameKey)
	must(t, err)
	token, _, err := d.sessions.Start(ctx, &accounts.Result{User: u, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}, accounts.Meta{})
	must(t, err)
	must(t, d.users.Audit.WriteAudit(ctx, audit.Event{
		Actor: by, Action: "user.sign_in.refuse", TargetKind: "user", TargetID: u.Subject, Details: map[string]any{"cause": "credentials"},
	}))
	page := func(path string, says ...string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, issuer+path, nil)
		r.AddCookie(&http.Cookie{Name: web.Cookies{Issuer: d.cfg.Issuer}.Name(flow.SessionCookie), Value: token})
		v.get(r, http.StatusOK, says...)
	}
	page("/admin/", "Nothing was refused") // it is not written yet
	must(t, d.counter.Flush(ctx))
	for _, path := range []string{"/admin/", "/admin/?time=month"} {
		page(path, `let in 1</span>`, `refused 1</span>`, "client_credentials 3</span>", "authorization_code 0</span>", "invalid_client 3</span>",
			"There is no such app, or it is disabled.", "secret or key is wrong", "Night robot", "intact", "has everything", "The figures as a table")
	}
	page("/admin/clients/show?id="+url.QueryEscape(robot.ClientID), `id="traffic"`, "client_credentials", "Tokens that this app got.", "invalid_client")
}

// viewer asks a server, and fails unless it answers as it should.
type viewer struct {
	*testing.T
	server http.Handler
}

func (v viewer) get(r *http.Request, status int, says ...string) {
	v.Helper()
	w := httptest.NewRecorder()
	v.server.ServeHTTP(w, r)
	if w.Code != status {
		v.Fatalf("%s answers %d %s", r.URL.Path, w.Code, w.Body)
	}
	for _, text := range says {
		if !strings.Contains(w.Body.String(), text) {
			v.Errorf("%s does not say %q:\n%s", r.URL, text, w.Body)
		}
	}
}
