package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// awaitPage waits until a page is as wanted: nodes take settings within a second.
func awaitPage(t *testing.T, b *browser, address, what string, want func(p *page) bool) *page {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		p := b.get(address)
		if want(p) {
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("not %s: came to %s (%d):\n%s", what, p.url, p.status, p.text)
		}
	}
}

// browserAt reaches the issuer at one node, as through a proxy in front.
func browserAt(t *testing.T, node string) *browser {
	t.Helper()
	b := newBrowser(t)
	b.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", node)
	}
	return b
}

// TestSettingsWithoutRestart: what one node, or a command, keeps holds at every node
// that runs, and so does taking it back; also for who is signed in already.
func TestSettingsWithoutRestart(t *testing.T) {
	addresses := ports(t, 2)
	issuer := "http://localhost:" + addresses[0]
	environ := []string{
		"GATEHOUSE_DATABASE_URL=" + testenv.Postgres(t), "GATEHOUSE_ISSUER=" + issuer, "GATEHOUSE_SECRET=" + strings.Repeat("k", 40),
		"GATEHOUSE_SMTP_URL=smtps://mail.invalid", "GATEHOUSE_MAIL_FROM=id@example.org", "GATEHOUSE_PASSWORD_MIN_LENGTH=9",
	}
	// One node pins what the other, which starts last, does not.
	two := start(t, environ, serving, "serve", "--listen=127.0.0.1:"+addresses[1], "--sign-in-by-mail=true")
	one := start(t, environ, serving, "serve", "--listen=127.0.0.1:"+addresses[0])
	var nodes []*browser
	for _, port := range addresses {
		nodes = append(nodes, browserAt(t, "127.0.0.1:"+port))
	}
	everywhere := func(path, what string, want func(p *page) bool) {
		t.Helper()
		for _, b := range nodes {
			awaitPage(t, b, issuer+path, what, want)
		}
	}
	has := func(status int, text string, lacks ...string) func(p *page) bool {
		return func(p *page) bool {
			for _, l := range lacks {
				if p.has(l) {
					return false
				}
			}
			return p.status == status && p.has(text)
		}
	}

	const metadata = "/.well-known/openid-configuration"
	everywhere("/signup", "closed", has(http.StatusForbidden, "<html"))
	everywhere("/signin", "without a link", has(http.StatusOK, "Forgot", "Create an account"))
	mustRun(t, environ, "settings", "set", "sign_up", "open", "brand_name", "Acme <1>")
	everywhere("/signup", "open", has(http.StatusOK, `minlength="9"`))
	everywhere("/signin", "with a link", has(http.StatusOK, "Create an account"))
	everywhere("/signin", "Acme's", has(http.StatusOK, "Acme &lt;1&gt;"))
	everywhere(metadata, "telling of prompt=create", has(http.StatusOK, `"create"`))
	mustRun(t, environ, "settings", "set", "sign_up", "domain", "sign_up_domains", "example.org")
	everywhere("/signup", "open for a domain", has(http.StatusOK, `minlength="9"`))
	mustRun(t, environ, "settings", "unset", "sign_up", "sign_up_domains", "brand_name")
	everywhere("/signup", "closed again", has(http.StatusForbidden, "<html", "Acme"))
	everywhere(metadata, "telling of prompt=create no more", has(http.StatusOK, "prompt_values_supported", `"create"`))

	// Codes by mail: off where it is not pinned.
	mustRun(t, environ, "settings", "set", "sign_in_by_mail", "false")
	awaitPage(t, nodes[0], issuer+"/signin/code", "off", has(http.StatusNotFound, "<html"))
	if p := nodes[1].get(issuer + "/signin/code"); p.status != http.StatusOK {
		t.Errorf("the flag does not win: %d", p.status)
	}

	id, secret := machine(t, environ)
	mustRun(t, environ, "settings", "set", "access_token_lifetime", "2m")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, body := clientCredentials(t, "127.0.0.1:"+addresses[1], issuer, id, secret)
		if strings.Contains(body, `"expires_in":1`) { // 119 or 120 seconds
			break
		}
		if time.Now().After(end) {
			t.Fatalf("tokens live as long as before: %s", body)
		}
	}

	settingsOfStaff(t, environ, issuer, nodes[0], nodes[1])
	// Commands that are not told the configuration know from the database what it gives.
	var beside []string
	for _, pair := range environ {
		if !strings.Contains(pair, "MIN_LENGTH") {
			beside = append(beside, pair)
		}
	}
	if code, _, errs := run(t, beside, "", "settings", "set", "password_min_length", "12"); code != 1 || !strings.Contains(errs, "set by the configuration of the servers") {
		t.Errorf("pinned elsewhere: exit code %d\n%s", code, errs)
	}
	if out := mustRun(t, beside, "settings"); !regexp.MustCompile(`(?m)^password_min_length +9 +variable$`).MatchString(out) {
		t.Error(out)
	}
	for _, n := range []*running{one, two} {
		if code := n.end(t); code != 0 {
			t.Errorf("exit code %d\n%s", code, n.stderr)
		}
	}
}

// settingsOfStaff changes settings in the console at one node, and sees that they hold
// for a session at the other.
func settingsOfStaff(t *testing.T, environ []string, issuer string, here, there *browser) {
	t.Helper()
	const password = "violet tractor sings 91 low"
	code, _, errs := run(t, environ, password, "user", "create", "--username", "root", "--superuser", "--staff", "--password-stdin")
	if code != 0 {
		t.Fatal(errs)
	}
	signedIn := func(b *browser) {
		t.Helper()
		b.get(issuer+"/signin").submit("/signin", nil, credentials("root", password))
		if p := b.get(issuer + "/admin/"); p.status != http.StatusOK || p.url.Path != "/admin/" {
			t.Fatalf("came to %s (%d):\n%s", p.url, p.status, p.text)
		}
	}
	signedIn(here)
	signedIn(there)
	p := here.get(issuer + "/admin/settings")
	if !p.has("configuration of the servers") || !p.has(`name="sign_up" value="open"`) {
		t.Fatalf("the page of settings (%d):\n%s", p.status, p.text)
	}
	send := func(p *page, form string, values url.Values) *page {
		t.Helper()
		seen := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(p.text)
		if seen == nil {
			t.Fatalf("no form at %s (%d):\n%s", p.url, p.status, p.text)
		}
		values.Set("action", form)
		values.Set("seen", seen[1])
		return p.submit("/admin/settings", nil, values)
	}
	set := func(form string, values url.Values) *page {
		t.Helper()
		return send(here.get(issuer+"/admin/settings"), form, values)
	}
	if p := set("sign_up", url.Values{"sign_up": {"domain"}, "sign_up_domains": {""}}); p.has("Saved") || !p.has("name the domains") {
		t.Errorf("what does not go together: %d\n%s", p.status, p.text)
	}
	if p := set("sign_up", url.Values{"sign_up": {"open"}, "sign_up_domains": {""}}); p.status != http.StatusOK || !p.has("Saved") {
		t.Errorf("%d\n%s", p.status, p.text)
	}
	if p := newBrowserLike(t, here).get(issuer + "/signup"); p.status != http.StatusOK {
		t.Errorf("at once, where it was changed: %d", p.status)
	}
	awaitPage(t, there, issuer+"/signup?flow=none", "open", func(p *page) bool { return p.status == http.StatusOK })
	// Somebody else has changed something since the page was drawn.
	stale := here.get(issuer + "/admin/settings")
	mustRun(t, environ, "settings", "set", "brand_name", "Acme")
	p = send(stale, "rest", url.Values{"brand_name": {"Other"}, "access_token_lifetime": {"10m"}})
	if p.has("Saved") || !p.has("has changed since") {
		t.Errorf("over what was not seen: %d\n%s", p.status, p.text)
	}
	// The session that is there already is asked for a second factor.
	if p := set("sign_in", url.Values{"superuser_second_factor": {"true"}, "verify_email": {"false"}}); p.url.Path == "/admin/settings" {
		t.Errorf("who has turned it on goes on without: %s (%d)", p.url, p.status)
	}
	awaitPage(t, there, issuer+"/admin/", "sent to add a factor", func(p *page) bool { return p.url.Path != "/admin/" })
	mustRun(t, environ, "settings", "unset", "superuser_second_factor")
	awaitPage(t, there, issuer+"/admin/", "let in again", func(p *page) bool { return p.url.Path == "/admin/" && p.status == http.StatusOK })
}

// newBrowserLike is another browser at the same node.
func newBrowserLike(t *testing.T, b *browser) *browser {
	t.Helper()
	other := newBrowser(t)
	other.client.Transport.(*http.Transport).DialContext = b.client.Transport.(*http.Transport).DialContext
	return other
}

// TestSettingsUnfit: a value in the database that does not go with the configuration
// keeps a server from starting, with the one command that mends it; commands go on.
func TestSettingsUnfit(t *testing.T) {
	environ := []string{"GATEHOUSE_ISSUER=http://localhost:" + ports(t, 1)[0], "GATEHOUSE_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	mustRun(t, environ, "settings", "set", "sign_up", "domain", "sign_up_domains", "example.org")
	pinned := append(environ, "GATEHOUSE_SIGN_UP=open")
	for _, command := range []string{"serve", "dev"} {
		code, _, errs := run(t, pinned, "", command)
		if code != 1 || !strings.Contains(errs, "sign_up is not domain") || !strings.Contains(errs, "gatehouse settings unset sign_up_domains)") {
			t.Errorf("%s: exit code %d\n%s", command, code, errs)
		}
	}
	code, out, errs := run(t, pinned, "", "settings")
	if code != 0 || !strings.Contains(errs, "note: the settings that the database keeps do not go with") || !strings.Contains(out, "(the database keeps domain, which does not count)") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if _, out, _ := run(t, pinned, "", "doctor"); !strings.Contains(out, "error    settings: the settings that the database keeps do not go with") {
		t.Errorf("doctor:\n%s", out)
	}
	mustRun(t, pinned, "settings", "unset", "sign_up_domains")
	if out := mustRun(t, pinned, "settings", "--json"); !strings.Contains(out, `"kept": "domain"`) {
		t.Error(out)
	}
	if code, _, errs := run(t, pinned, "", "user", "list"); code != 0 || errs != "" {
		t.Errorf("mended: %d %s", code, errs)
	}
}
