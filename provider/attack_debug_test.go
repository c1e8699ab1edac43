package provider_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestAttack_ConsoleRedirectURI: the console's redirect URI is taken from the console
// alone. Nothing that a browser sends, and nothing that a client pushes or registers,
// gets a code there.
func TestAttack_ConsoleRedirectURI(t *testing.T) {
	d := newDebugger(t)
	d.allow(d.root, d.web, "openid")
	wantPage(t, d.authorize(d.web.request("openid", "redirect_uri", debugAnswerAt)), http.StatusBadRequest)
	wantPage(t, d.get(issuer+"/oauth2/authorize?"+d.web.request("openid", "redirect_uri", debugAnswerAt).Encode()+"&nonce=twice"), http.StatusBadRequest)
	wantError(t, d.call("/oauth2/par", d.web, d.web.request("openid", "redirect_uri", debugAnswerAt)), http.StatusBadRequest, "invalid_request")

	// A client that has it, by an import for instance, or that may have any port.
	native := d.register(accounts.Registration{
		Name: "Native", Type: accounts.NativeClient, RedirectURIs: []string{"http://localhost/admin/clients/debug"}, Scopes: []string{"openid"},
	})
	stored := *native.Client
	stored.RedirectURIs = []string{"http://localhost/admin/clients/debug/callback"}
	if err := d.db.UpdateClient(t.Context(), &stored); err != nil {
		t.Fatal(err)
	}
	wantPage(t, d.authorize(native.request("openid", "redirect_uri", debugAnswerAt)), http.StatusBadRequest)
	wantError(t, d.call("/oauth2/par", native, native.request("openid", "redirect_uri", debugAnswerAt)), http.StatusBadRequest, "invalid_request")
	err := d.clients.Update(t.Context(), tester, d.web.ClientID, func(c *accounts.Client) error {
		c.RedirectURIs = append(c.RedirectURIs, debugAnswerAt)
		return nil
	})
	if err == nil {
		t.Error("a client has registered it")
	}

	// A pushed request of the console is for its client, with nothing of the browser's.
	at := d.begin(d.web, "openid")
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	wantPage(t, d.authorize(changed(u.Query(), "client_id", d.spa.ClientID)), http.StatusBadRequest)
	q := d.answered(at + "&redirect_uri=" + url.QueryEscape(callback) + "&state=mine")
	if q.Get("state") != d.state || q.Get("code") == "" {
		t.Errorf("answered with %v", q)
	}
	// The client itself cannot redeem what the console asked for.
	wantError(t, d.redeem(d.web, q.Get("code"), "redirect_uri", debugAnswerAt), http.StatusBadRequest, "invalid_grant")
}

// TestAttack_ConsoleVoucher: what stands for a client's credential is a value in this
// process; no request can carry it.
func TestAttack_ConsoleVoucher(t *testing.T) {
	d := newDebugger(t)
	for _, form := range []url.Values{
		{"client_id": {d.web.ClientID}, "vouched": {"true"}}, {"client_id": {d.web.ClientID}, "console": {"true"}, "client_secret": {""}},
	} {
		form.Set("grant_type", "client_credentials")
		wantError(t, d.call("/oauth2/token", app{}, form), http.StatusUnauthorized, "invalid_client")
	}
}

// TestAttack_ConsoleAnswer: an answer counts in the session, the browser and for the
// person that began the run, once, within ten minutes, and as long as they may.
func TestAttack_ConsoleAnswer(t *testing.T) {
	d := newDebugger(t)
	d.allow(d.root, d.web, "openid")
	good := d.answered(d.begin(d.web, "openid"))
	ask := func(b *browser, q url.Values) *http.Response { return b.get(debugAnswerAt + "?" + q.Encode()) }
	refused := func(name string, b *browser, q url.Values, status int) {
		t.Helper()
		page := wantPage(t, ask(b, q), status)
		if strings.Contains(page, "Signing in works") || strings.Contains(page, "/oauth2/token") {
			t.Errorf("%s: %s", name, page)
		}
	}
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", 120)))
	for name, q := range map[string]url.Values{
		"no state":         changed(cloneValues(good), "state", ""),
		"forged state":     changed(cloneValues(good), "state", forged),
		"another server's": changed(cloneValues(good), "iss", "https://evil.example"),
		"no issuer":        changed(cloneValues(good), "iss", ""),
	} {
		refused(name, d.browser, q, http.StatusForbidden)
	}
	// Of the same browser, whose own cookie stays.
	elsewhere := func(u *accounts.User) *browser {
		b := &browser{s: d.server, cookies: maps.Clone(d.cookies)}
		b.signIn(u)
		return b
	}
	refused("another browser", d.signedIn(d.root), good, http.StatusForbidden)
	refused("another session of the same person", elsewhere(d.root), good, http.StatusForbidden)
	other := d.person("other")
	if err := d.users.SetSuperuser(t.Context(), tester, other.Subject, true); err != nil {
		t.Fatal(err)
	}
	refused("another person", elsewhere(other), good, http.StatusForbidden)
	refused("somebody without the permission", d.signedIn(d.reader), good, http.StatusForbidden)
	location(t, ask(d.server.browser(), good), issuer+"/signin")

	if won := d.atOnce(d.answered(d.begin(d.web, "openid")), 4); won != 1 {
		t.Errorf("%d of 4 that came at once got tokens", won)
	}
	// A HEAD uses nothing up, the first GET does, and a second one leaves the tokens be.
	head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, debugAnswerAt+"?"+good.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d.browser.do(head)
	d.take(ask(d.browser, good), http.StatusOK).shows("Signing in works")
	refused("a second time", d.browser, good, http.StatusUnprocessableEntity)
	d.do(d.web, "look").shows("accepted now")

	// The permission is read for each step: also the buttons of an open page stop.
	late := d.answered(d.begin(d.web, "openid"))
	page := d.run(d.web, "openid").flow
	if err := d.users.SetSuperuser(t.Context(), tester, d.root.Subject, false); err != nil {
		t.Fatal(err)
	}
	if err := d.users.SetStaff(t.Context(), tester, d.root.Subject, true); err != nil {
		t.Fatal(err)
	}
	refused("the permission is gone", d.browser, late, http.StatusForbidden)
	d.flow = page
	wantPage(t, d.press(d.web, url.Values{"action": {"userinfo"}}), http.StatusForbidden)
	wantPage(t, d.get(issuer+debugPath(d.web)), http.StatusForbidden)
	if err := d.users.SetSuperuser(t.Context(), tester, d.root.Subject, true); err != nil {
		t.Fatal(err)
	}
	d.clock.advance(11 * time.Minute)
	refused("too late", d.browser, late, http.StatusForbidden)
}

// atOnce sends an answer several times together and returns how often there were tokens.
func (d *debugger) atOnce(q url.Values, n int) (won int) {
	pages := make(chan string, n)
	for range n {
		r := httptest.NewRequest(http.MethodGet, debugAnswerAt+"?"+q.Encode(), nil)
		for _, c := range d.cookies {
			r.AddCookie(c)
		}
		go func() {
			rec := httptest.NewRecorder()
			d.handler.ServeHTTP(rec, r)
			pages <- rec.Body.String()
		}()
	}
	for range n {
		if strings.Contains(<-pages, "Signing in works") {
			won++
		}
	}
	return won
}

// TestAttack_ConsoleAuthority: who may change apps, but holds less than an app reaches,
// cannot run it; and the tokens of a page serve for the app that they are of.
func TestAttack_ConsoleAuthority(t *testing.T) {
	d := newDebugger(t)
	b := d.signedIn(d.clerk())
	wantPage(t, b.get(issuer+debugPath(d.web)), http.StatusOK)
	wantPage(t, b.get(issuer+debugPath(d.machine)), http.StatusForbidden) // it holds posts:add, the clerk does not
	wantPage(t, b.post(debugPath(d.machine), url.Values{"action": {"machine"}}), http.StatusForbidden)

	d.run(d.web, "openid")
	stolen := d.flow
	d.take(d.get(issuer+debugPath(d.spa)), http.StatusOK)
	text, _, _ := strings.Cut(stolen, ".")
	_, token, _ := strings.Cut(d.flow, ".")
	for _, flow := range []string{stolen, text + "." + token, "." + token} {
		d.flow = flow
		wantPage(t, d.press(d.spa, url.Values{"action": {"introspect"}}), http.StatusForbidden)
	}
	// A session that was left open does not begin a run.
	d.clock.advance(11 * time.Minute)
	location(t, d.get(issuer+debugPath(d.web)), issuer+"/signin")
}

// clerk is somebody who looks after apps, and nothing else.
func (d *debugger) clerk() *accounts.User {
	d.t.Helper()
	ctx, clerk := d.t.Context(), d.person("clerk")
	for _, err := range []error{
		d.users.SetStaff(ctx, tester, clerk.Subject, true),
		second(d.groups.Create(ctx, tester, "Clerks", "")),
		d.groups.GrantPermission(ctx, tester, "Clerks", accounts.AdminClientsWrite),
		d.groups.GrantPermission(ctx, tester, "Clerks", accounts.AdminClientsRead),
		d.groups.AddMember(ctx, tester, "Clerks", clerk.Subject, 0),
	} {
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return clerk
}

// TestAttack_ConsoleLedger: who may try apps, but not read the ledger, sees what any
// resource server would tell, and nothing of who has heard what, when and why.
func TestAttack_ConsoleLedger(t *testing.T) {
	d := newDebugger(t)
	clerk := d.clerk()
	d.root, d.browser = clerk, d.signedIn(clerk)
	hidden := []string{"!refused since position", "!token-revoked", "!What it can be revoked by", "!Resource servers that", "!/admin/revocations?"}
	d.run(d.web, "openid").shows(append(hidden, "accepted now", "takes the permission "+accounts.AdminRevocationsRead)...)
	d.do(d.web, "revoke_access").shows(append(hidden, "refused because of a row “token”", "!accepted now")...)
	if err := d.groups.GrantPermission(t.Context(), tester, "Clerks", accounts.AdminRevocationsRead); err != nil {
		t.Fatal(err)
	}
	d.do(d.web, "look").shows("refused since position", "token-revoked", "What it can be revoked by", "!takes the permission")
}

// TestAttack_ConsoleLate: what gives tokens or ends them needs a fresh sign-in at each
// step; an open page of a run goes on to show what is so.
func TestAttack_ConsoleLate(t *testing.T) {
	d := newDebugger(t)
	d.run(d.web, "openid offline_access", "resource", issuer)
	page := d.flow
	d.clock.advance(9 * time.Minute)
	d.do(d.web, "refresh").shows("accepted now")
	d.clock.advance(2 * time.Minute)
	for _, action := range []string{"refresh", "revoke_access", "revoke_refresh", "end", "begin", "machine"} {
		d.flow = page
		location(t, d.press(d.web, url.Values{"action": {action}}), issuer+"/signin")
	}
	for _, action := range []string{"look", "introspect", "userinfo"} {
		d.flow = page
		d.do(d.web, action)
	}
	d.signIn(d.root)
	d.take(d.get(issuer+debugPath(d.web)), http.StatusOK)
}

func second[T any](_ T, err error) error { return err }
