package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

// TestAddresses: what a script is told of an address is what the check of the form
// says, and what registration does.
func TestAddresses(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	o.website("board", "https://board.example.com/back")
	pages := map[string]*sheet{}
	for _, kind := range []string{"web", "spa", "native"} {
		pages[kind] = root.get("clients/new?kind=" + kind)
	}
	for _, tt := range []struct{ kind, field, typed, want string }{
		{"web", "redirect_uris", "", ""},
		{"web", "redirect_uris", "https://app.example.com/back", ""},
		{"web", "redirect_uris", "http://localhost:3000/back", "warn http://localhost:3000/back leads to the browser’s own computer: good for development only."},
		{"web", "redirect_uris", "http://app.example.com/", "bad http://app.example.com/ cannot be used: http is for loopback only (localhost, 127.0.0.1, [::1]); use https"},
		{"web", "redirect_uris", "https://*.example.com/", "bad https://*.example.com/ cannot be used: wildcards are not supported"},
		{"spa", "redirect_uris", "https://app.example.com/#x", "bad https://app.example.com/#x cannot be used: a URI with a fragment"},
		{"web", "redirect_uris", "https://board.example.com/back", "warn https://board.example.com/back belongs to another app too: The board."},
		{"web", "redirect_uris", "https://a.example/ https://a.example/", "warn https://a.example/ stands here twice."},
		{"web", "redirect_uris", "com.example.app:/back", `bad com.example.app:/back cannot be used: scheme "com.example.app": only native apps have schemes of their own`},
		{"native", "redirect_uris", "com.example.app:/back", "warn com.example.app:/back: any app on the device can claim this scheme. Use the reverse of a domain that you hold, and an https link that the system hands to your app where it can."},
		{"native", "redirect_uris", "myapp:/back", `bad myapp:/back cannot be used: scheme "myapp": use the reverse of a domain name that you hold, such as com.example.app`},
		{"native", "redirect_uris", "http://localhost/back", "warn http://localhost/back: write 127.0.0.1 or [::1] instead of localhost, which a device may resolve to something else."},
		{"native", "redirect_uris", "http://127.0.0.1/back", ""},
		{"web", "redirect_uris", strings.Repeat("https://a.example/ ", 51), "bad cannot be used: at most 50"},
		{"web", "post_logout", "http://app.example.com/", "bad http://app.example.com/ cannot be used: http is for loopback only (localhost, 127.0.0.1, [::1]); use https"},
		{"web", "post_logout", "https://board.example.com/back", ""},
		{"web", "backchannel", "http://app.example.com/", "bad http://app.example.com/ cannot be used: back-channel logout URI: https, or http on loopback"},
		{"web", "backchannel", "https://app.example.com/out", ""},
		{"web", "name", "anything", ""},
	} {
		t.Run(tt.kind+" "+tt.typed, func(t *testing.T) {
			target, form := pages[tt.kind].form("")
			form.Set(tt.field, tt.typed)
			form.Set("check", tt.field)
			asked := root.send(http.MethodPost, target, form, "Accept", "application/json")
			var found []struct{ Tone, Said string }
			if err := json.Unmarshal([]byte(asked.raw), &found); err != nil || asked.status != http.StatusOK || asked.header.Get("Content-Type") != "application/json" {
				t.Fatalf("status %d: %.300s", asked.status, asked.raw)
			}
			got := ""
			for _, f := range found {
				got = strings.Join(strings.Fields(got+" "+f.Tone+" "+f.Said), " ")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if tt.field == "name" {
				return
			}
			// Without a script the form's own button says the same.
			checked := root.post(pages[tt.kind], "", url.Values{"name": {"App"}, tt.field: {tt.typed}, "check": {"all"}})
			if _, said, _ := strings.Cut(tt.want, " "); said != "" {
				checked.sees(http.StatusOK, said)
			}
		})
	}
	if list, err := o.db.ListedClients(t.Context(), admin.ClientQuery{Limit: 10, Prefix: "App"}); err != nil || len(list) != 0 {
		t.Errorf("a check made %d apps, %v", len(list), err)
	}
}

// TestCheckForm: a form that is checked comes back with what was typed and what stands
// against it, and nothing is made or changed by it.
func TestCheckForm(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	page := root.get("clients/new?kind=web").sees(http.StatusOK, "Check", "back-channel logout")
	if !strings.Contains(page.header.Get("Content-Security-Policy"), "; connect-src 'self'") || !strings.Contains(page.raw, `data-check="redirect_uris-findings"`) {
		t.Error("the script cannot ask")
	}
	if strings.Contains(root.get("clients").header.Get("Content-Security-Policy"), "connect-src") {
		t.Error("the script can ask where it has nothing to ask")
	}
	typed := url.Values{"name": {"Board"}, "redirect_uris": {"https://board.example.com/back http://board.example.com/"}, "check": {"all"}}
	root.post(page, "", typed).sees(http.StatusOK, "http://board.example.com/ cannot be used", "That cannot be", "!Nothing stands against it")
	typed.Set("redirect_uris", "")
	root.post(page, "", typed).sees(http.StatusOK, "a redirect URI is needed")
	typed.Set("redirect_uris", "https://board.example.com/back")
	typed.Set("backchannel", "https://board.example.com/out")
	fine := root.post(page, "", typed).sees(http.StatusOK, "Nothing stands against it. Nothing has been changed yet.")
	if _, again := fine.form(""); again.Get("redirect_uris") != typed.Get("redirect_uris") || again.Get("name") != "Board" || again.Get("backchannel") != typed.Get("backchannel") {
		t.Errorf("comes back with %v", again)
	}
	list := func() []admin.ListedClient {
		list, err := o.db.ListedClients(t.Context(), admin.ClientQuery{Limit: 10, Prefix: "Board"})
		o.must(err)
		return list
	}
	if n := len(list()); n != 0 {
		t.Fatalf("%d apps were made", n)
	}
	typed.Del("check")
	root.post(page, "", typed).sees(http.StatusOK, "It is shown only now", "https://board.example.com/back")
	made := list()
	if len(made) != 1 || made[0].BackchannelLogoutURI != "https://board.example.com/out" {
		t.Fatalf("made %+v", made)
	}

	app := root.get("clients/show?id=" + made[0].ClientID)
	root.post(app, "action=edit", url.Values{"redirect_uris": {"https://*.example.com/"}, "check": {"all"}}).sees(http.StatusOK, "wildcards are not supported")
	root.post(app, "action=edit", url.Values{"redirect_uris": {"https://new.example.com/"}, "check": {"all"}}).sees(http.StatusOK, "Nothing stands against it")
	if got := list()[0].RedirectURIs; len(got) != 1 || got[0] != "https://board.example.com/back" {
		t.Errorf("a check changed them to %v", got)
	}
	refused := root.post(app, "action=edit", url.Values{"redirect_uris": {"http://new.example.com/"}}).sees(http.StatusOK, "http://new.example.com/ cannot be used")
	if _, again := refused.form("action=edit"); again.Get("redirect_uris") != "http://new.example.com/" {
		t.Errorf("what was typed is lost: %v", again)
	}
	root.post(app, "action=edit", url.Values{"redirect_uris": {"https://new.example.com/"}}).sees(http.StatusOK, "Saved.", "https://new.example.com/")

	// Who may make apps, and not see them, learns nothing of the others.
	clerk := o.clerk(o.person(accounts.NewUser{Username: "clerk", Staff: true}, accounts.AdminClientsWrite))
	clerk.post(clerk.get("clients/new?kind=web"), "", url.Values{"name": {"X"}, "redirect_uris": {"https://new.example.com/"}, "check": {"all"}}).sees(
		http.StatusOK, "Nothing stands against it", "!belongs to another app")
	clerk.post(clerk.get("clients/new?kind=web"), "", url.Values{"name": {"X"}, "scopes": {accounts.AdminKeysWrite}, "redirect_uris": {"https://x.example.com/"}, "check": {"all"}}).sees(
		http.StatusOK, "That would give more than you hold yourself.")
}
