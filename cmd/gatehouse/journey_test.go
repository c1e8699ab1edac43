package main

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// mustFind returns a user's sub.
func mustFind(t *testing.T, d *domain, name string) string {
	t.Helper()
	u, err := d.users.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return u.Subject
}

// TestJourney walks people through the demo as browsers without scripts do.
func TestJourney(t *testing.T) {
	t.Run("SQLite and memory", func(t *testing.T) { journey(t, nil) })
	t.Run("PostgreSQL and Redis", func(t *testing.T) {
		journey(t, []string{
			"GATEHOUSE_DATABASE_URL=" + testenv.Postgres(t), "GATEHOUSE_REDIS_URL=" + testenv.Redis(t),
			"GATEHOUSE_SECRET=" + strings.Repeat("k", 40),
		})
	})
}

func journey(t *testing.T, storage []string) {
	environ := append(devEnviron(t, filepath.Join(t.TempDir(), "data")), storage...)
	r := start(t, environ, "\nready\n", "dev")
	if !strings.Contains(r.stdout.String(), "ready") {
		t.Fatalf("%s%s", r.stdout, r.stderr)
	}
	app := appURL(environ)

	t.Run("editor", func(t *testing.T) { journeyOfAnEditor(t, environ) })
	t.Run("left out", func(t *testing.T) {
		b := newBrowser(t)
		b.signIn(t, environ, "admin", "posts:add")
		if p := b.get(app + "/posts/new"); p.status != http.StatusForbidden || !p.has("posts:add") {
			t.Errorf("%d:\n%s", p.status, p.text)
		}
		if p := b.get(app + "/posts"); p.status != http.StatusOK || !p.has("Delete") {
			t.Errorf("%d:\n%s", p.status, p.text)
		}
	})
	t.Run("reader", func(t *testing.T) {
		b := newBrowser(t)
		b.signIn(t, environ, "reader")
		if p := b.get(app + "/posts"); p.status != http.StatusOK || p.has("Delete") {
			t.Errorf("%d:\n%s", p.status, p.text)
		}
		p := b.get(app + "/posts/new")
		if p.status != http.StatusForbidden {
			t.Errorf("%d:\n%s", p.status, p.text)
		}
		mustRun(t, environ, "group", "add-member", "--group", "editors", "--user", "reader@test.com")
		if p = p.submit("/refresh", nil, nil); p.status != http.StatusOK {
			t.Errorf("%d:\n%s", p.status, p.text)
		}
		if p = b.get(app + "/posts/new"); p.status != http.StatusOK {
			t.Errorf("after joining the group: %d:\n%s", p.status, p.text)
		}
	})
	t.Run("refused", func(t *testing.T) { journeyOfTheRefused(t, environ) })
}

func journeyOfAnEditor(t *testing.T, environ []string) {
	app := appURL(environ)
	b := newBrowser(t)
	p := b.get(app + "/posts/new")
	if p.url.Path != "/signin" {
		t.Fatalf("sent to %s", p.url)
	}
	if p = p.submit("/signin", nil, credentials("regular_user", "wrong")); p.url.Path != "/signin" {
		t.Fatalf("a wrong password leads to %s", p.url)
	}
	p = p.submit("/signin", nil, credentials("regular_user", demoPassword.Reveal()))
	if p = p.submit("/consent", nil, url.Values{"action": {"allow"}}); p.url.String() != app+"/posts/new" {
		t.Fatalf("came to %s (%d):\n%s", p.url, p.status, p.text)
	}
	p = p.submit("/posts/new", nil, url.Values{"title": {"A <first> post"}, "body": {"Its text"}})
	if p.status != http.StatusOK || !p.has("A &lt;first&gt; post") || p.has("Delete") {
		t.Errorf("%d:\n%s", p.status, p.text)
	}
	if p = b.get(app + "/claims"); !p.has("regular@test.com") || !p.has("Rita Regular") || !p.has("posts:add") {
		t.Errorf("%d:\n%s", p.status, p.text)
	}
	if p = b.get(app+"/").submit("/signout", nil, nil); p.url.String() != app+"/" || !p.has("Sign in") {
		t.Errorf("signing out leads to %s:\n%s", p.url, p.text)
	}
	// The session at the issuer has ended as well.
	if p = b.get(app + "/signin"); p.url.Path != "/signin" || !p.has("password") {
		t.Errorf("still signed in: %s", p.url)
	}
}

func journeyOfTheRefused(t *testing.T, environ []string) {
	app := appURL(environ)
	b := newBrowser(t)
	p := b.get(app+"/signin").submit("/signin", nil, credentials("banned_user", demoPassword.Reveal()))
	if p.url.Path != "/signin" || p.status == http.StatusOK {
		t.Errorf("a banned user came to %s (%d)", p.url, p.status)
	}
	b = newBrowser(t)
	p = b.get(app+"/signin").submit("/signin", nil, credentials("staff_user", demoPassword.Reveal()))
	p = p.submit("/consent", nil, url.Values{"action": {"deny"}})
	if p.status != http.StatusForbidden || p.url.Path != "/callback" || !p.has("You chose not to sign in") {
		t.Errorf("denied: %s (%d):\n%s", p.url, p.status, p.text)
	}
	// A ban holds at the next request, while the server runs: nothing refreshes,
	// and nobody signs in.
	b = newBrowser(t)
	b.signIn(t, environ, "staff_user")
	mustRun(t, environ, "user", "ban", "--user", "staff_user")
	if p = b.get(app+"/claims").submit("/refresh", nil, nil); p.url.Path != "/signin" {
		t.Errorf("refreshing after a ban leads to %s (%d):\n%s", p.url, p.status, p.text)
	}
	// Somebody else's answer.
	if p = newBrowser(t).get(app + "/callback?code=x&state=y"); p.status != http.StatusBadRequest {
		t.Errorf("a foreign answer: %d", p.status)
	}
}
