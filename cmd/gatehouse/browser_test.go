package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// browser is a person's browser without scripts: it keeps cookies, follows
// redirects and fills in forms.
type browser struct {
	t      *testing.T
	client *http.Client
}

// page is where a browser has come to.
type page struct {
	b      *browser
	status int
	url    *url.URL
	text   string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, client: &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
}

func (b *browser) get(address string) *page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) do(req *http.Request) *page {
	b.t.Helper()
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &page{b: b, status: resp.StatusCode, url: resp.Request.URL, text: string(body)}
}

var (
	formPattern  = regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputPattern = regexp.MustCompile(`<input type="(hidden|checkbox)"[^>]*name="([^"]*)" value="([^"]*)"( checked)?`)
)

// submit sends the form whose action begins with a path, with its hidden fields,
// its ticked boxes but for those of leave, and more fields.
func (p *page) submit(action string, leave []string, more url.Values) *page {
	p.b.t.Helper()
	for _, form := range formPattern.FindAllStringSubmatch(p.text, -1) {
		target, err := p.url.Parse(html.UnescapeString(form[1]))
		if err != nil {
			p.b.t.Fatal(err)
		}
		if !strings.HasPrefix(target.Path, action) {
			continue
		}
		fields := url.Values{}
		for _, input := range inputPattern.FindAllStringSubmatch(form[2], -1) {
			value := html.UnescapeString(input[3])
			if input[1] == "checkbox" && (input[4] == "" || slices.Contains(leave, value)) {
				continue
			}
			fields.Add(input[2], value)
		}
		for name, values := range more {
			fields[name] = values
		}
		req, err := http.NewRequestWithContext(p.b.t.Context(), http.MethodPost, target.String(), strings.NewReader(fields.Encode()))
		if err != nil {
			p.b.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		return p.b.do(req)
	}
	p.b.t.Fatalf("no form for %s at %s (%d):\n%s", action, p.url, p.status, p.text)
	return nil
}

func (p *page) has(text string) bool { return strings.Contains(p.text, text) }

// signIn signs in at the demo app and allows what it asks for, but for the scopes
// that are left out.
func (b *browser) signIn(t *testing.T, environ []string, username string, leave ...string) *page {
	t.Helper()
	p := b.get(appURL(environ)+"/signin").submit("/signin", nil, credentials(username, demoPassword.Reveal()))
	if p.url.Path == "/consent" {
		p = p.submit("/consent", leave, url.Values{"action": {"allow"}})
	}
	if p.url.Host != mustURL(t, appURL(environ)).Host || p.status != http.StatusOK {
		t.Fatalf("%s came to %s (%d):\n%s", username, p.url, p.status, p.text)
	}
	return p
}

func credentials(username, password string) url.Values {
	return url.Values{"username": {username}, "password": {password}, "action": {"continue"}}
}

func appURL(environ []string) string {
	return "http://localhost:" + setting(environ, "GATEHOUSE_DEMO_APP_PORT")
}

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
