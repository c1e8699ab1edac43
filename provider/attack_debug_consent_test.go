package provider_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// TestAttack_ConsoleRequestIsForItsOperator: the way to the authorization endpoint that
// an operator was shown leads nobody else anywhere, who might open it from a mail: no
// consent is written for them, and no code is made.
func TestAttack_ConsoleRequestIsForItsOperator(t *testing.T) {
	d := newDebugger(t)
	own := d.register(accounts.Registration{
		Name: "Own", Type: accounts.WebClient, RedirectURIs: []string{callback}, Scopes: []string{"openid", "posts:add"}, FirstParty: true,
	})
	at := d.begin(own, "openid posts:add")
	victim := d.signedIn(d.user)
	nothing := func(name string) {
		t.Helper()
		found, err := d.db.ConsentsOf(t.Context(), d.user.ID)
		if err != nil || len(found) != 0 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	wantPage(t, victim.get(at), http.StatusForbidden)
	nothing("signed in")
	// Signed out: a sign-in, after which the same holds.
	stranger := d.server.browser()
	flowID := begun(t, stranger.get(at))
	stranger.signIn(d.user)
	wantPage(t, stranger.resume(flowID), http.StatusForbidden)
	nothing("signed in meanwhile")
	// Who began it goes on, also after a sign-in on the way.
	away := d.server.browser()
	flowID = begun(t, away.get(at))
	away.signIn(d.root)
	if q := location(t, away.resume(flowID), debugAnswerAt); q.Get("code") == "" {
		t.Errorf("the operator got %v", q)
	}
	// Nobody names an operator from outside: neither a browser nor a client that pushes.
	d.allow(d.user, d.web, "openid")
	hostile := d.web.request("openid", "gatehouse_operator", d.root.Subject)
	pushed := d.call("/oauth2/par", d.web, cloneValues(hostile)).json["request_uri"].(string)
	for name, params := range map[string]url.Values{"browser": hostile, "pushed": {"client_id": {d.web.ClientID}, "request_uri": {pushed}}} {
		b := d.server.browser()
		flowID := begun(t, b.authorize(params))
		b.signIn(d.user)
		if q := location(t, b.resume(flowID), callback); q.Get("code") == "" {
			t.Errorf("%s: %v", name, q)
		}
	}
}

// TestAttack_ConsoleAsksAsTheApp: whether people are asked for consent in a trial is
// decided by where the app may be, not by where the console is.
func TestAttack_ConsoleAsksAsTheApp(t *testing.T) {
	d := newDebugger(t)
	apps := map[string]struct {
		r    accounts.Registration
		asks bool // although consent is there, or the operator's word would do
	}{
		"own on https":          {accounts.Registration{Type: accounts.WebClient, RedirectURIs: []string{callback}, FirstParty: true}, false},
		"own on loopback":       {accounts.Registration{Type: accounts.NativeClient, RedirectURIs: []string{"http://127.0.0.1/cb"}, FirstParty: true}, true},
		"own, one of them not":  {accounts.Registration{Type: accounts.NativeClient, RedirectURIs: []string{callback, "com.example.app:/cb"}, FirstParty: true}, true},
		"another's in browsers": {accounts.Registration{Type: accounts.SPAClient, RedirectURIs: []string{callback}}, false},
		"another's on devices":  {accounts.Registration{Type: accounts.NativeClient, RedirectURIs: []string{"com.example.app:/cb"}}, true},
	}
	for name, c := range apps {
		c.r.Name, c.r.Scopes = name, []string{"openid"}
		registered := d.register(c.r)
		if !c.r.FirstParty {
			d.allow(d.root, registered, "openid")
		}
		to := d.get(d.begin(registered, "openid")).Header.Get("Location")
		if asked := strings.HasPrefix(to, issuer+flow.PathConsent); asked != c.asks {
			t.Errorf("%s: asked %t, at %s", name, asked, to)
		}
	}
}

// TestDebuggerDeeds: what the buttons of a run do was done by a person, through the app.
func TestDebuggerDeeds(t *testing.T) {
	d := newDebugger(t)
	d.run(d.web, "openid offline_access posts:add", "resource", posts)
	d.do(d.web, "revoke_access")
	d.do(d.web, "refresh")
	d.do(d.web, "revoke_refresh")
	machine := d.call("/oauth2/token", d.machine, url.Values{"grant_type": {"client_credentials"}}).json["access_token"].(string)
	if a := d.call("/oauth2/revoke", d.machine, url.Values{"token": {machine}}); a.status != http.StatusOK {
		t.Fatal(a.raw)
	}
	tail, err := d.db.AuditTail(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	person, client := audit.Person+" "+d.root.Subject+" through "+d.web.ClientID, audit.Client+" "+d.machine.ClientID+" through "
	var told []string
	for _, e := range tail {
		if e.Action == "token.revoke" || e.Action == "grant.revoke" {
			told = append(told, e.Action+" by "+e.Actor.Kind+" "+e.Actor.ID+" through "+e.Origin.Client)
			if session := e.Origin.Session != ""; session != (e.Actor.Kind == audit.Person) {
				t.Errorf("session %q of %+v", e.Origin.Session, e)
			}
		}
	}
	slices.Sort(told)
	want := []string{"grant.revoke by " + person, "token.revoke by " + client, "token.revoke by " + person}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}
