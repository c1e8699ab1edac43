package accounts

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestValidateRedirectURI(t *testing.T) {
	for _, tt := range []struct {
		t    ClientType
		uris []string
	}{
		{WebClient, []string{
			"https://app.example.com/cb", "https://app.example.com", "https://app.example.com:8443/cb?x=1", "http://localhost:8401/callback",
			"http://127.0.0.1/cb", "http://[::1]:3000/cb", "https://xn--bcher-kva.example/cb", "https://192.0.2.1/cb", "https://[2001:db8::1]/cb",
			"https://a.example/x%20y", "https://my_host.example/cb",
		}},
		{SPAClient, []string{"https://spa.example.com/", "http://localhost:5173/cb"}},
		{NativeClient, []string{
			"com.example.app:/callback", "com.example.app://callback", "com.example.app://callback/x?y=z",
			"http://127.0.0.1/cb", "http://localhost/cb", "https://claimed.example.com/cb",
		}},
	} {
		for _, u := range tt.uris {
			if err := ValidateRedirectURI(tt.t, u); err != nil {
				t.Errorf("%s %q: %v", tt.t, u, err)
			}
		}
	}
}

// Rows 25 to 40 of the attacks on redirect URIs, as far as registration goes.
func TestValidateRedirectURI_Refuses(t *testing.T) {
	every := []string{
		"http://localhost:8400/admin/clients/debug/callback", "https://id.example.com/auth/admin/clients/debug/callback?x=1", // the console's own
		"", "/", "cb", "//evil.example/cb", "https:", "https:/x", "https://", "https:///cb", "https:evil.example",
		// 27: user information
		"https://good@evil.example", "https://good:x@@evil.example", "https://a@b@c/", "https://@evil.example/", "https://app.example\\@evil.example/",
		// 28: what servers and browsers resolve differently
		"https://a.example/cb/..;/evil", "https://a.example/cb/../x", "https://a.example/%2e%2e/x", "https://a.example/%2E./x",
		"https://a.example/.%2e;v=1/x", "https://a.example/..%3bx/y", "https://a.example\\evil", "https://a.example/\\evil", "https://a.example//evil",
		"https://a.example/a\tb", "https://a.example/a\nb", "https://a.example/a b", "https://a.example/a\x00", "https://a.example/%00", "https://a.example/%5c",
		"https://a.example/%zz", "https://a.example/%0d%0a", "https://a.example/%2",
		// 30: schemes that run or read something
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://x/y", "about:blank",
		"HTTPS://a.example/cb", "Https://a.example/cb", "ftp://a.example/",
		// 31, 33: http beyond loopback, and what only looks like loopback
		"http://a.example/cb", "http://localhost.evil.example/cb", "http://127.0.0.1.nip.io/cb", "http://2130706433/cb", "http://0/cb",
		"http://0.0.0.0/cb", "http://127.1/cb", "http://0x7f.1/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://LOCALHOST/", "http://localhost./",
		"http://127.0.0.2/cb", "https://2130706433/cb", "https://1.2.3/",
		// 34: wildcards
		"https://*.example.com/cb", "https://a.example/*",
		// 36, 39: other spellings of a host
		"%2568ttps://a.example", "https://bücher.example/cb", "https://A.example/cb", "https://a%2eexample/", "https://a..example/", "https://-a.example/",
		"https://a.example:0/", "https://a.example:99999/", "https://a.example:/", "https://a.example:0443/", "https://a.example:+1/", "https://[::1/", "https://::1/",
		"https://[0:0:0:0:0:0:0:1]/", "https://[fe80::1%25eth0]/",
		// fragments
		"https://a.example/cb#", "https://a.example/cb#x",
		"https://a.example/<script>", "https://a.example/\"", "https://a.example/{x}",
		// 40: length
		"https://a.example/" + strings.Repeat("a", 2048), strings.Repeat("x", 64<<10),
	}
	for _, u := range every {
		for _, typ := range []ClientType{WebClient, SPAClient, NativeClient} {
			if err := ValidateRedirectURI(typ, u); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s %.60q: %v, want ErrInvalid", typ, u, err)
			}
		}
	}
	for _, u := range []string{"com.example.app:/cb"} {
		for _, typ := range []ClientType{WebClient, SPAClient} {
			if err := ValidateRedirectURI(typ, u); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s %q: %v, want ErrInvalid", typ, u, err)
			}
		}
	}
	for _, u := range []string{"myapp:/cb", "com.example.app:cb", "com.example.app:", "com.example.app:/../x", "com.example.app://a@b/", "com.example.app:/a@b"} {
		if err := ValidateRedirectURI(NativeClient, u); !errors.Is(err, ErrInvalid) {
			t.Errorf("native %q: %v, want ErrInvalid", u, err)
		}
	}
	for _, typ := range []ClientType{MachineClient, ResourceClient, "other"} {
		if err := ValidateRedirectURI(typ, "https://a.example/cb"); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", typ, err)
		}
	}
}

func TestMatchRedirectURI(t *testing.T) {
	web := &Client{Type: WebClient, RedirectURIs: []string{"https://app.example.com/cb", "http://localhost:8401/cb"}}
	native := &Client{Type: NativeClient, RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]/cb?x=1", "http://localhost:1234/", "com.example.app:/cb"}}
	for _, tt := range []struct {
		c    *Client
		raw  string
		want bool
	}{
		{web, "https://app.example.com/cb", true},
		{web, "http://localhost:8401/cb", true},
		{web, "", false},
		{web, "https://app.example.com.evil.example/cb", false}, // 25
		{web, "https://app.example.com/cb/", false},
		{web, "https://app.example.com/cbx", false},
		{web, "https://app.example.com/cb?x=1", false},
		{web, "https://app.example.com/cb#", false},
		{web, "https://app.example.com:443/cb", false},
		{web, "https://appaexample.com/cb", false},              // 26
		{web, "https://app.example.com@evil.example/cb", false}, // 27
		{web, "https://APP.example.com/cb", false},
		{web, "https://app.example.com/%63b", false},
		{web, "https://app.example.com/cb/..;/evil", false}, // 28
		{web, "https://app.example.com/x/../cb", false},
		{web, " https://app.example.com/cb", false},
		{web, "https://app.example.com/cb\n", false},
		{web, "http://localhost:8402/cb", false}, // any port is for native apps only
		{native, "com.example.app:/cb", true},
		{native, "com.example.app:/CB", false},
		{native, "http://127.0.0.1/cb", true}, // 31
		{native, "http://127.0.0.1:1/cb", true},
		{native, "http://127.0.0.1:65535/cb", true},
		{native, "http://[::1]:8080/cb?x=1", true},
		{native, "http://localhost:9/", true},
		{native, "http://localhost/", true},
		{native, "http://127.0.0.1:0/cb", false},
		{native, "http://127.0.0.1:65536/cb", false},
		{native, "http://127.0.0.1:080/cb", false},
		{native, "http://127.0.0.1:/cb", false},
		{native, "http://127.0.0.1:80@evil.example/cb", false},
		{native, "http://127.0.0.1:80:80/cb", false},
		{native, "http://127.0.0.1:80/cb?x", false}, // 32: the query counts
		{native, "http://[::1]:80/cb", false},
		{native, "http://localhost:80/cb", false}, // another host's path
		{native, "http://LOCALHOST:80/", false},
		{native, "https://127.0.0.1:80/cb", false},
		{native, "http://localhost.evil.example:80/", false},
		{native, "http://127.0.0.1.nip.io/cb", false},
		{native, "http://2130706433/cb", false},
		{native, "http://127.0.0.1:80", false},
		{native, "http://[::1].evil:80/cb?x=1", false},
		{native, "http://127.0.0.1:80/cb" + strings.Repeat("a", 4096), false},
	} {
		if got := MatchRedirectURI(tt.c, tt.raw); got != tt.want {
			t.Errorf("%s %.80q: %v, want %v", tt.c.Type, tt.raw, got, tt.want)
		}
	}
}

func TestKindOfRedirect(t *testing.T) {
	for raw, want := range map[string]RedirectKind{
		"https://app.example.com/cb": HTTPSRedirect, "http://localhost:1/cb": LoopbackRedirect, "http://[::1]/": LoopbackRedirect,
		"https://localhost/": LoopbackRedirect, "com.example.app:/cb": CustomRedirect, "com.example.app://x/cb": CustomRedirect, "": CustomRedirect,
	} {
		if got := KindOfRedirect(raw); got != want {
			t.Errorf("%q: %s, want %s", raw, got, want)
		}
	}
}

// What matches leads to the scheme and host of a registered URI by net/url's
// reading too, and carries no user information.
func FuzzMatchRedirectURI(f *testing.F) {
	registered := []string{
		"https://app.example.com/cb", "http://127.0.0.1/cb", "http://[::1]:7/cb?a=b", "http://localhost:8401", "com.example.app:/cb",
	}
	for _, r := range registered {
		f.Add(r)
		f.Add(r + "@evil.example")
		f.Add(strings.Replace(r, "/cb", ":99/cb", 1))
	}
	f.Add("http://127.0.0.1:80@evil.example/cb")
	f.Add("http://localhost:1\\@evil.example")
	c := &Client{Type: NativeClient, RedirectURIs: registered}
	type origin struct{ scheme, host string }
	allowed := map[origin]bool{}
	for _, r := range registered {
		u, err := url.Parse(r)
		if err != nil {
			f.Fatal(err)
		}
		allowed[origin{u.Scheme, u.Hostname()}] = true
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !MatchRedirectURI(c, raw) {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.User != nil || u.Fragment != "" || !allowed[origin{u.Scheme, u.Hostname()}] {
			t.Fatalf("%q matched; net/url reads %+v, %v", raw, u, err)
		}
		if err := ValidateRedirectURI(NativeClient, raw); err != nil {
			t.Fatalf("%q matched but could not be registered: %v", raw, err)
		}
	})
}

// Attack 146.
func TestCanonicalAudience(t *testing.T) {
	for in, want := range map[string]string{
		"https://rs.example":      "https://rs.example",
		"https://rs.example/":     "https://rs.example",
		"HTTPS://RS.Example:443/": "https://rs.example",
		"https://rs.example/Mcp":  "https://rs.example/Mcp",
		"https://rs.example/mcp/": "https://rs.example/mcp/",
		"https://rs.example:8443": "https://rs.example:8443",
		"http://localhost:8402/":  "http://localhost:8402",
		"http://localhost:80":     "http://localhost",
		"http://[::1]:1/x":        "http://[::1]:1/x",
		"https://rs.example/?q=A": "https://rs.example?q=A",
		"URN:Example:Posts":       "urn:example:Posts",
		"urn:example:a:b":         "urn:example:a:b",
	} {
		got, err := CanonicalAudience(in)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
			continue
		}
		if again, err := CanonicalAudience(got); err != nil || again != got {
			t.Errorf("%q is not its own canonical form: %q, %v", got, again, err)
		}
	}
	for _, in := range []string{
		"", "posts", "/posts", "rs.example", "https://", "https://rs.example/#", "https://rs.example#x", "https://u@rs.example", "https://u:p@rs.example/",
		"http://rs.example", "http://127.0.0.1.nip.io", "ftp://rs.example", "javascript:x", "https://rs example", "https://rs.example/\n", "https://rs.example/../x",
		"https://bücher.example", "urn:", "urn:x", "urn:x:", "urn:x:y", "urn:ex ample:y", "urn:example:y#z", "urn:example:", "urn:-a:b", "urn:exam_ple:b",
		"https://rs.example/" + strings.Repeat("a", 2048),
	} {
		if got, err := CanonicalAudience(in); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.60q: %q, %v; want ErrInvalid", in, got, err)
		}
	}
}
