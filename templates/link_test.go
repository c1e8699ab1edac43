package templates

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLink(t *testing.T) {
	good := []string{
		"https://app.example.com/cb?x=1&y=2", "http://127.0.0.1:49152/cb", "http://[::1]:5000/",
		"com.example.app:/cb", "com.example.app://cb?x=1", "myapp:cb", "/oauth2/authorize?flow=x", "HTTPS://app.example.com/",
	}
	for _, raw := range good {
		got, err := link(raw)
		if err != nil || string(got) != raw {
			t.Errorf("link(%q) = %q, %v; want it unchanged", raw, got, err)
		}
	}
	bad := []string{
		"", "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)",
		"\x01javascript:alert(1)", "javascript://app.example.com/%0aalert(1)", "data:text/html,<script>alert(1)</script>",
		"vbscript:x", "file:///etc/passwd", "filesystem:http://x/y", "blob:https://x/y", "about:blank", "view-source:https://x/",
		"//evil.example", "/\\evil.example", "\\\\evil.example", "evil.example/path", "?x=1", "https://a b/", ":no-scheme", "https://x/%zz",
	}
	for _, raw := range bad {
		got, err := link(raw)
		if !errors.Is(err, ErrUnsafeURL) {
			t.Errorf("link(%q) = %q, %v; want ErrUnsafeURL", raw, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "evil") {
			t.Errorf("link(%q): the error repeats the URL: %v", raw, err)
		}
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"Post Board":           "Post Board",
		"Zoë's \"app\" <b>":    "Zoë's \"app\" <b>",
		"a\u202eevil\u202cb":   "aevilb",
		"\u2066x\u2069\u200f":  "x",
		"two\r\nlines\x00\x1b": "two  lines  ",
		"para\u2029graph":      "para graph",
		"مرحبا":                "مرحبا",
		"👩\u200d💻":             "👩\u200d💻",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}
