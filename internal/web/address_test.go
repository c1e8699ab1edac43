package web

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestAttack_193_ForwardedFor(t *testing.T) {
	trusted, err := ParsePrefixes([]string{"10.0.0.0/8", "2001:db8:1::/48", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	const proxy = "10.0.0.1:1234"
	for name, tc := range map[string]struct {
		peer   string
		lines  []string
		want   string
		scheme string
	}{
		"no proxy":                    {"192.0.2.1:5", nil, "192.0.2.1", ""},
		"stranger's header":           {"192.0.2.1:5", []string{"198.51.100.9"}, "192.0.2.1", "https"},
		"proxy":                       {proxy, []string{"198.51.100.9"}, "198.51.100.9", ""},
		"proxy says nothing":          {proxy, nil, "10.0.0.1", ""},
		"spoofed left part":           {proxy, []string{"127.0.0.1, 198.51.100.9"}, "198.51.100.9", ""},
		"garbage left part":           {proxy, []string{"a, <script>, 198.51.100.9"}, "198.51.100.9", ""},
		"garbage right part":          {proxy, []string{"198.51.100.9, a"}, "10.0.0.1", ""},
		"garbage":                     {proxy, []string{"a"}, "10.0.0.1", ""},
		"empty element":               {proxy, []string{"198.51.100.9,"}, "10.0.0.1", ""},
		"two proxies":                 {proxy, []string{"198.51.100.9, 10.9.9.9"}, "198.51.100.9", ""},
		"all trusted":                 {proxy, []string{"10.1.1.1, 10.9.9.9"}, "10.1.1.1", ""},
		"several lines":               {proxy, []string{"203.0.113.1", "198.51.100.9", "10.2.2.2"}, "198.51.100.9", ""},
		"100 hops, client last":       {proxy, []string{strings.Repeat("1.1.1.1, ", 99) + "198.51.100.9"}, "198.51.100.9", ""},
		"100 trusted hops":            {proxy, []string{"198.51.100.9" + strings.Repeat(", 10.3.3.3", 100)}, "10.0.0.1", ""},
		"port":                        {proxy, []string{"198.51.100.9:4711"}, "198.51.100.9", ""},
		"IPv6":                        {proxy, []string{"2001:db8:2::7"}, "2001:db8:2::7", ""},
		"IPv6 in brackets":            {proxy, []string{"[2001:db8:2::7]"}, "2001:db8:2::7", ""},
		"IPv6 with port":              {proxy, []string{"[2001:db8:2::7]:99"}, "2001:db8:2::7", ""},
		"IPv6 zone":                   {proxy, []string{"fe80::1%eth0"}, "fe80::1", ""},
		"zone does not evade a proxy": {proxy, []string{"198.51.100.9, 2001:db8:1::5%a"}, "198.51.100.9", ""},
		"mapped":                      {proxy, []string{"::ffff:198.51.100.9"}, "198.51.100.9", ""},
		"mapped proxy":                {"[::ffff:10.0.0.1]:1", []string{"198.51.100.9"}, "198.51.100.9", ""},
		"IPv6 peer":                   {"[::1]:1", []string{"198.51.100.9"}, "198.51.100.9", ""},
		"octal":                       {proxy, []string{"010.0.0.1"}, "10.0.0.1", ""},
		"decimal":                     {proxy, []string{"3325256713"}, "10.0.0.1", ""},
		"Unix socket":                 {"@", []string{"198.51.100.9"}, "invalid IP", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tc.peer
			r.Header["X-Forwarded-For"] = tc.lines
			r.Header.Set("X-Real-Ip", "127.0.0.1")
			r.Header.Set("Forwarded", "for=127.0.0.1")
			if got, _ := origin(r, trusted); got.String() != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestScheme(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}
	for _, tc := range []struct {
		peer, header string
		tls          bool
		want         string
	}{
		{"192.0.2.1:1", "https", false, "http"},
		{"192.0.2.1:1", "http", true, "https"},
		{"10.0.0.1:1", "https", false, "https"},
		{"10.0.0.1:1", "http, HTTPS", false, "https"},
		{"10.0.0.1:1", "javascript", false, "http"},
		{"10.0.0.1:1", "", true, "https"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.peer
		r.Header.Set("X-Forwarded-Proto", tc.header)
		if r.TLS = nil; tc.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if _, got := origin(r, trusted); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

func TestFrontAddress(t *testing.T) {
	front, _ := newFront(t, "https://id.example")
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header.Set("X-Forwarded-For", "198.51.100.9")
	r.Header.Set("X-Forwarded-Proto", "https")
	front.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := ClientIP(r.Context()).String() + " " + Scheme(r.Context()); got != "198.51.100.9 https" {
			t.Error(got)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestParsePrefixes(t *testing.T) {
	for _, bad := range []string{"", "10.0.0.0/33", "proxy", "::ffff:10.0.0.0/104", "10.0.0.1:80"} {
		if got, err := ParsePrefixes([]string{bad}); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	got, err := ParsePrefixes([]string{" 10.1.2.3/8", "::1", "::ffff:10.0.0.9"})
	if err != nil || len(got) != 3 || got[0].String() != "10.0.0.0/8" || got[1].String() != "::1/128" || got[2].String() != "10.0.0.9/32" {
		t.Errorf("%v %v", got, err)
	}
}

func TestBucket(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":           "192.0.2.1",
		"::ffff:192.0.2.1":    "192.0.2.1",
		"2001:db8:1:2:3::4":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64",
		"fe80::1%eth0":        "fe80::/64",
	} {
		if got := Bucket(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := Bucket(netip.Addr{}); got != "unknown" {
		t.Error(got)
	}
}
