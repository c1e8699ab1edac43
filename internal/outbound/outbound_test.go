package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// One address at least of every range of RFC 6890, and the ways to write one that
// look like another.
func TestAttack_121_AddressesAreChecked(t *testing.T) {
	for address, want := range map[string]struct{ public, private bool }{
		"93.184.216.34":        {true, true},
		"2606:2800:220:1::1":   {true, true},
		"::ffff:93.184.216.34": {true, true},
		"172.15.255.255":       {true, true},
		"172.32.0.0":           {true, true},
		"100.63.255.255":       {true, true},
		"100.128.0.0":          {true, true},

		"127.0.0.1":        {false, true},
		"127.255.255.254":  {false, true},
		"::1":              {false, true},
		"::ffff:127.0.0.1": {false, true},
		"10.0.0.1":         {false, true},
		"::ffff:10.0.0.1":  {false, true},
		"172.16.0.1":       {false, true},
		"172.31.255.255":   {false, true},
		"192.168.1.1":      {false, true},
		"100.64.0.1":       {false, true},
		"100.127.255.255":  {false, true},
		"fd00::1":          {false, true},
		"fc00::1":          {false, true},

		"0.0.0.0":                {false, false},
		"0.1.2.3":                {false, false},
		"::":                     {false, false},
		"169.254.169.254":        {false, false},
		"::ffff:169.254.169.254": {false, false},
		"169.254.170.2":          {false, false},
		"100.100.100.200":        {false, false},
		"168.63.129.16":          {false, false},
		"192.0.0.192":            {false, false},
		"192.0.2.1":              {false, false},
		"198.18.0.1":             {false, false},
		"198.51.100.1":           {false, false},
		"203.0.113.1":            {false, false},
		"192.88.99.1":            {false, false},
		"224.0.0.1":              {false, false},
		"239.255.255.255":        {false, false},
		"240.0.0.1":              {false, false},
		"255.255.255.255":        {false, false},
		"fe80::1":                {false, false},
		"fe80::1%eth0":           {false, false},
		"fec0::1":                {false, false},
		"ff02::1":                {false, false},
		"fd00:ec2::254":          {false, false},
		"fd20:ce::254":           {false, false},
		"2001::1":                {false, false},
		"2001:db8::1":            {false, false},
		"2002:7f00:1::":          {false, false}, // 127.0.0.1 by 6to4
		"3fff::1":                {false, false},
		"64:ff9b::a00:1":         {false, false}, // 10.0.0.1 by NAT64
		"64:ff9b:1::1":           {false, false},
		"::127.0.0.1":            {false, false},
		"100::1":                 {false, false},
	} {
		a := netip.MustParseAddr(address)
		if got := newRules(false).allow(a); got != want.public {
			t.Errorf("%s: %v", address, got)
		}
		if got := newRules(true).allow(a); got != want.private {
			t.Errorf("%s with private addresses: %v", address, got)
		}
	}
	if (&rules{}).allow(netip.Addr{}) {
		t.Error("no address is allowed")
	}
	if err := newRules(true).control("udp4", "93.184.216.34:53", nil); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// names is a name server whose answers a test decides; each lookup of an address of
// IPv4 counts.
type names struct {
	lookups atomic.Int32
	answer  func(n int) []string
}

func (n *names) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go n.serve(conn)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) serve(conn net.PacketConn) {
	buffer := make([]byte, 512)
	for {
		size, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		reply := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true},
			Questions: m.Questions,
		}
		if q.Type == dnsmessage.TypeA {
			for _, a := range n.answer(int(n.lookups.Add(1))) {
				reply.Answers = append(reply.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, // TTL 0
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
				})
			}
		}
		packed, err := reply.Pack()
		if err == nil {
			_, _ = conn.WriteTo(packed, from)
		}
	}
}

// inside is a service that must not be reached.
func inside(t *testing.T) (port string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, requests
}

func trusting() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } // certificates are not what is tested

// Whatever a name resolves to at first, what counts is what is dialled.
func TestAttack_122_NamesThatResolveToTheInside(t *testing.T) {
	port, requests := inside(t)
	for name, answer := range map[string]func(n int) []string{
		"at once":                 func(int) []string { return []string{"127.0.0.1"} },
		"two addresses":           func(int) []string { return []string{"10.255.255.1", "127.0.0.1"} },
		"metadata":                func(int) []string { return []string{"169.254.169.254"} },
		"another the second time": func(n int) []string { return []string{[]string{"192.0.2.1", "127.0.0.1"}[min(n-1, 1)]} },
	} {
		t.Run(name, func(t *testing.T) {
			n := &names{answer: answer}
			c := NewClient(Options{Resolver: n.resolver(t), TLS: trusting()})
			for range 3 {
				resp, err := c.Get("https://rebind.example:" + port + "/")
				if err == nil {
					_ = resp.Body.Close()
				}
				if !errors.Is(err, ErrRefused) {
					t.Errorf("%v", err)
				}
			}
			if n.lookups.Load() != 3 {
				t.Errorf("%d lookups for 3 requests: an address was checked that was not dialled", n.lookups.Load())
			}
		})
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests came through", requests.Load())
	}
	// The same name reaches the service where private addresses are allowed: it was
	// the rule that refused it.
	n := &names{answer: func(int) []string { return []string{"127.0.0.1"} }}
	resp, err := NewClient(Options{AllowPrivate: true, Resolver: n.resolver(t), TLS: trusting()}).Get("https://rebind.example:" + port + "/")
	if err != nil || requests.Load() != 1 {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestAttack_121_AddressesInURLs(t *testing.T) {
	port, requests := inside(t)
	public := NewClient(Options{TLS: trusting()})
	for _, host := range []string{
		"127.0.0.1", "[::1]", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[::]",
	} {
		resp, err := public.Get("https://" + host + ":" + port)
		if err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s was called", host)
		}
	}
	private := NewClient(Options{AllowPrivate: true, TLS: trusting()})
	for _, u := range []string{
		"http://example.com/", "http://10.0.0.1/", "http://127.0.0.2/", "http://localhost.example/", "ftp://localhost/",
		"https://user:pass@localhost:" + port, "http://[::ffff:127.0.0.1]/",
	} {
		if _, err := private.Get(u); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", u, err)
		}
	}
	if _, err := public.Post("http://localhost:1/", "text/plain", strings.NewReader("x")); !errors.Is(err, ErrRefused) {
		t.Errorf("http by default: %v", err)
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests came through", requests.Load())
	}
}

func TestNothingIsFollowedOrSentAlong(t *testing.T) {
	port, requests := inside(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" || len(r.Cookies()) != 0 {
			t.Errorf("headers %v", r.Header)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		http.Redirect(w, r, "https://localhost:"+port, http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	c := NewClient(Options{AllowPrivate: true, TLS: trusting()})
	for range 2 {
		resp, err := c.Post(s.URL, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusTemporaryRedirect {
			t.Errorf("%d, %v", resp.StatusCode, err)
		}
	}
	if requests.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			<-release
		case "/drip":
			_, _ = w.Write([]byte("a"))
			w.(http.Flusher).Flush()
			<-release
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 2*longestHeader))
		default:
			_, _ = w.Write(bytes.Repeat([]byte("a"), len(r.URL.Path)))
		}
	}))
	defer s.Close()
	defer close(release)
	get := func(c *http.Client, path string) (string, error) {
		resp, err := c.Get(s.URL + path)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	c := NewClient(Options{AllowPrivate: true, MaxResponse: 5})
	if body, err := get(c, "/1234"); body != "aaaaa" || err != nil {
		t.Errorf("as large as allowed: %q, %v", body, err)
	}
	if body, err := get(c, "/12345"); body != "aaaaa" || !errors.Is(err, ErrTooLarge) {
		t.Errorf("a byte too large: %q, %v", body, err)
	}
	if _, err := get(c, "/header"); err == nil {
		t.Error("a header of any size")
	}
	hasty := NewClient(Options{AllowPrivate: true, Timeout: 50 * time.Millisecond})
	for _, path := range []string{"/hang", "/drip"} {
		if _, err := get(hasty, path); err == nil {
			t.Errorf("%s: no end", path)
		}
	}
}

func TestCertificatesCount(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := NewClient(Options{AllowPrivate: true}).Get(s.URL); err == nil {
		t.Error("an unknown authority is trusted")
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	resp, err := NewClient(Options{AllowPrivate: true, TLS: &tls.Config{RootCAs: roots}}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestCauseHidesTheURL(t *testing.T) {
	const secret = "token=very-secret"
	for _, u := range []string{"https://127.0.0.1:1/?" + secret, "http://example.com/?" + secret} {
		_, err := NewClient(Options{}).Get(u)
		if err == nil || strings.Contains(Cause(err).Error(), secret) {
			t.Errorf("%v", Cause(err))
		}
	}
	late := &url.Error{Op: "Get", URL: "https://x/?" + secret, Err: context.DeadlineExceeded}
	if got := Cause(late); got == nil || strings.Contains(got.Error(), secret) {
		t.Error(got)
	}
	if plain := errors.New("x"); Cause(plain) != plain || Cause(nil) != nil {
		t.Error("another error is changed")
	}
}
