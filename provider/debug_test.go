package provider_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// TestDebugger walks through the console's debugger: every request is shown, and what
// is done to the token changes what the ledger says of it.
func TestDebugger(t *testing.T) {
	d := newDebugger(t)
	d.take(d.get(issuer+debugPath(d.web)), http.StatusOK)
	d.shows(`value="posts:add" checked`, "your own consent", posts, photos)
	d.run(d.web, "openid offline_access posts:add", "resource", posts)
	d.shows("POST "+issuer+"/oauth2/par", "Authorization: Basic …", "201 Created", "urn:ietf:params:oauth:request_uri:",
		"GET "+issuer+"/oauth2/authorize?client_id=", "303 See Other", "POST "+issuer+"/oauth2/token", "grant_type=authorization_code",
		`-u '`+d.web.ClientID+`':"$CLIENT_SECRET"`, "accepted now", "ends in 10 min", "signs now", `"at+jwt"`, "the one that was sent",
		"!"+d.web.secret, "Signing in works", "Revoke the refresh token")
	access := regexp.MustCompile(`id="raw-access"[^>]*>([^<]+)<`).FindStringSubmatch(d.page)[1]
	if a := d.introspect(d.web, access); a.json["active"] != true {
		t.Errorf("the token is none: %s", a.raw)
	}

	d.do(d.web, "userinfo").shows("GET "+issuer+"/userinfo", "Authorization: Bearer "+access, `"sub": "`+d.root.Subject+`"`)
	d.do(d.web, "introspect").shows(`"active": true`)
	d.do(d.web, "refresh").shows("grant_type=refresh_token", "The app refreshes", "1. The app pushes", "accepted now")
	d.do(d.web, "revoke_access").shows("refused since position", "token-revoked", "refuses the token", "!accepted now")
	d.do(d.web, "refresh").shows("accepted now", "!refused since position")
	d.do(d.web, "end").shows("refused since position", "Ended")
	d.do(d.web, "refresh").shows("400 Bad Request", "invalid_grant")
	if len(d.flow) > 9<<10 {
		t.Errorf("the forms carry %d bytes along", len(d.flow))
	}
	tail, err := d.db.AuditTail(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	begun := 0
	for _, e := range tail {
		if e.Action == "client.debugged" {
			begun++
			if e.TargetID != d.web.ClientID || e.Actor.ID != d.root.Subject {
				t.Errorf("%+v", e)
			}
		}
	}
	if begun != 1 {
		t.Errorf("%d runs in the audit log", begun)
	}
}

// TestDebuggerWithWhatShrinks: what is taken away elsewhere shows with the next look.
func TestDebuggerWithWhatShrinks(t *testing.T) {
	d := newDebugger(t)
	d.run(d.web, "openid posts:add", "resource", posts)
	d.shows("accepted now", "none has reported")
	report := feed.Applied{
		ClientID: d.resource.ClientID, Instance: "one", Audience: posts, Position: 1_000, State: "fresh", ReportedAt: d.clock.now().UnixMilli(),
	}
	d.reports(report)
	d.do(d.web, "look").shows("1 of 1", "up to date")
	err := d.clients.Update(t.Context(), tester, d.web.ClientID, func(c *accounts.Client) error {
		c.Scopes = []string{"openid"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	report.Position, report.ReportedAt = 0, report.ReportedAt+1
	d.reports(report)
	d.do(d.web, "look").shows("refused since position", "client-reduced", "0 of 1")
	if err := d.users.SignOutEverywhere(t.Context(), tester, d.root.Subject); err != nil {
		t.Fatal(err)
	}
	location(t, d.press(d.web, url.Values{"action": {"look"}}), issuer+"/signin")
}

// reports writes down what a follower tells.
func (d *debugger) reports(one feed.Applied) {
	d.t.Helper()
	if err := d.db.WriteReports(d.t.Context(), []feed.Applied{one}); err != nil {
		d.t.Fatal(err)
	}
}

// TestDebuggerOtherClients: those that act for themselves, and those for which nothing
// can be run.
func TestDebuggerOtherClients(t *testing.T) {
	d := newDebugger(t)
	d.take(d.get(issuer+debugPath(d.machine)), http.StatusOK).shows("The app acts for itself", "!Sign in with this app")
	form := url.Values{"action": {"machine"}, "permission": {"posts:add"}}
	d.take(d.press(d.machine, form), http.StatusOK)
	d.shows("grant_type=client_credentials", "scope=posts%3Aadd", "accepted now", "!Ask userinfo", "!End this grant", `"sub": "`+d.machine.ClientID+`"`)
	d.do(d.machine, "revoke_access").shows("refused since position")

	if err := d.clients.Disable(t.Context(), tester, d.machine.ClientID); err != nil {
		t.Fatal(err)
	}
	d.take(d.get(issuer+debugPath(d.machine)), http.StatusUnprocessableEntity).shows("switched off")

	// A public one shows its id, and asks on loopback always for consent.
	at := d.begin(d.spa, "openid")
	d.shows("client_id="+d.spa.ClientID, "!Authorization: Basic")
	location(t, d.get(at), issuer+"/consent")

	// An error of the authorization endpoint is shown with what it means.
	d.take(d.get(debugAnswerAt+"?"+d.answered(d.begin(d.web, "openid", "prompt", "none")).Encode()), http.StatusOK)
	d.shows("consent_required", "prompt=none forbids", "1. The app pushes", "!Access token")
	// And so is one of the pushed request.
	d.take(d.get(issuer+debugPath(d.web)), http.StatusOK)
	d.take(d.press(d.web, url.Values{"action": {"begin"}, "scope": {"openid"}, "resource": {"https://nowhere.example"}}), http.StatusOK)
	d.shows("invalid_target", "400 Bad Request", "!Go on to")
	if strings.Contains(d.page, `id="ledger"`) {
		t.Error("a verdict without a token")
	}
}
