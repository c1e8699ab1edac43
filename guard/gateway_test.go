package guard

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// upstream is a server behind a gateway: it keeps what reached it.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func newUpstream(t *testing.T, handler http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		u.mu.Lock()
		u.seen = append(u.seen, r)
		u.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

// last returns what reached the server last, and how many did.
func (u *upstream) last() (*http.Request, int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.seen) == 0 {
		return nil, 0
	}
	return u.seen[len(u.seen)-1], len(u.seen)
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }

// newGateway serves a gateway before u.
func newGateway(t *testing.T, i *issuer, u *upstream, change func(*Guard)) (*httptest.Server, *logged) {
	t.Helper()
	target, err := url.Parse(u.URL)
	if err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	g := &Guard{Verifier: i, Ready: func() bool { return true }, Upstream: target, Log: log.logger()}
	if change != nil {
		change(g)
	}
	server := httptest.NewServer(g.Handler())
	t.Cleanup(server.Close)
	return server, log
}

// raw sends a request byte by byte, which no client library would.
func raw(t *testing.T, server *httptest.Server, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestAttack_194_GatewayStrips: nothing that a client sends reaches the server
// under a name that is ours, or that a server may read as ours.
func TestAttack_194_GatewayStrips(t *testing.T) {
	i := newIssuer(t)
	u := newUpstream(t, hello)
	g, log := newGateway(t, i, u, nil)
	good := i.token(nil)
	got := raw(t, g, `POST /posts/1%2F2?a=b HTTP/1.1
Host: gateway
Authorization: Bearer `+good+`
X-Auth-Subject: root
X-Auth-Subject: root2
x-auth-CLIENT: root
X_Auth_Subject: root
X-Auth_Grant: root
X.Auth.Scope: root
X-Auth-Anything: root
X-Authority: stays
X-Forwarded-For: 203.0.113.66
X-Forwarded-Host: evil.example.com
Forwarded: for=203.0.113.66
Connection: X-Auth-Subject, X-Auth-Scope, close
Trailer: X-Auth-Subject
Transfer-Encoding: chunked

2
hi
0
X-Auth-Subject: root

`)
	if got.StatusCode != http.StatusOK {
		t.Fatalf("status %d", got.StatusCode)
	}
	r, _ := u.last()
	if r.URL.String() != "/posts/1%2F2?a=b" || r.Method != http.MethodPost || r.Host != u.Listener.Addr().String() {
		t.Errorf("%s %s at %s", r.Method, r.URL, r.Host)
	}
	told := map[string]string{}
	for name, values := range r.Header {
		if claimsSomething(name) {
			told[name] = strings.Join(values, "|")
		}
		if strings.Contains(strings.Join(values, ""), "root") || strings.Contains(strings.Join(values, ""), "203.0.113.66") {
			t.Errorf("%s: %v reached the server", name, values)
		}
	}
	if len(told) != len(names) || told["X-Auth-Subject"] != "ada" || told["X-Auth-Scope"] != "openid posts:add" || told["X-Auth-Acr"] != "" {
		t.Errorf("told %v", told)
	}
	if r.Header.Get("Authorization") != "" || r.Header.Get("X-Authority") != "stays" || len(r.Trailer) > 0 {
		t.Errorf("headers %v, trailers %v", r.Header, r.Trailer)
	}
	if r.Header.Get("X-Forwarded-For") != "127.0.0.1" || r.Header.Get("X-Forwarded-Host") != "gateway" {
		t.Errorf("forwarded %v", r.Header)
	}
	if strings.Contains(log.String(), good) {
		t.Error("the log holds a token")
	}
}

// TestGatewaySwitchesToWebSocketAlone: after a switch to another protocol than
// WebSocket, such as h2c, a client could send requests that the gateway never sees.
func TestGatewaySwitchesToWebSocketAlone(t *testing.T) {
	i := newIssuer(t)
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			hello(w, r)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	g, _ := newGateway(t, i, u, nil)
	for protocol, want := range map[string]int{
		"h2c": http.StatusOK, "HTTP/2.0": http.StatusOK, "websocket, h2c": http.StatusOK, "TLS/1.0": http.StatusOK,
		"websocket": http.StatusSwitchingProtocols, "WebSocket": http.StatusSwitchingProtocols,
	} {
		got := raw(t, g, `GET / HTTP/1.1
Host: gateway
Authorization: Bearer `+i.token(nil)+`
Connection: Upgrade, HTTP2-Settings
Upgrade: `+protocol+`
HTTP2-Settings: AAMAAABkAAQAAP__

`)
		if r, _ := u.last(); got.StatusCode != want || want == http.StatusOK && r.Header.Get("Connection") != "" {
			t.Errorf("%s: %d, want %d; the server was asked with %v", protocol, got.StatusCode, want, r.Header)
		}
	}
}

// TestGatewayKeepsToItsPath: a server that is put under a path is not left by "..".
func TestGatewayKeepsToItsPath(t *testing.T) {
	i := newIssuer(t)
	u := newUpstream(t, hello)
	for prefix, want := range map[string]int{"/app": http.StatusBadRequest, "/": http.StatusOK, "": http.StatusOK} {
		g, _ := newGateway(t, i, u, func(g *Guard) { g.Upstream.Path = prefix })
		for _, path := range []string{"/../admin", "/x/../../admin", "/%2e%2E/admin", "/..%2fadmin", `/..%5cadmin`, "/..;a=b/admin", "/.."} {
			got := raw(t, g, "GET "+path+" HTTP/1.1\nHost: gateway\nAuthorization: Bearer "+i.token(nil)+"\n\n")
			if got.StatusCode != want {
				t.Errorf("%s below %q: %d, want %d", path, prefix, got.StatusCode, want)
			}
		}
		if got := raw(t, g, "GET /a..b/...;..=/c HTTP/1.1\nHost: gateway\nAuthorization: Bearer "+i.token(nil)+"\n\n"); got.StatusCode != http.StatusOK {
			t.Errorf("a path that stays: %d", got.StatusCode)
		}
	}
}

func TestGatewayNeeds(t *testing.T) {
	i := newIssuer(t)
	good, bad := i.token(nil), i.token(map[string]any{"exp": time.Now().Unix() - 60, "iat": time.Now().Unix() - 120})
	for _, c := range []struct {
		what   string
		change func(*Guard)
		token  string
		path   string
		want   int
	}{
		{"no token", nil, "", "/", 401},
		{"an expired token", nil, bad, "/", 401},
		{"a token", nil, good, "/", 200},
		{"the wrong permission", func(g *Guard) { g.Need.Permissions = []string{"posts:delete"} }, good, "/", 403},
		{"the permission", func(g *Guard) { g.Need.Permissions = []string{"posts:add"} }, good, "/", 200},
		{"nobody where that is allowed", func(g *Guard) { g.Need.Optional = true }, "", "/", 200},
		{"an expired token where nobody is allowed", func(g *Guard) { g.Need.Optional = true }, bad, "/", 401},
		{"the URLs that proxies ask mean nothing", nil, "", "/optional/x", 401},
		{"nor does their query", nil, "", "/auth?login=optional", 401},
	} {
		u := newUpstream(t, hello)
		g, _ := newGateway(t, i, u, c.change)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+c.path, nil)
		r.Header.Set("X-Auth-Subject", "root")
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		reached, n := u.last()
		if got.StatusCode != c.want || (n == 1) != (c.want == 200) {
			t.Errorf("%s: %d, want %d; %d reached the server", c.what, got.StatusCode, c.want, n)
		}
		if n == 1 && c.token == "" {
			if diff := cmp.Diff(nobody(), ours(reached.Header)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.what, diff)
			}
		}
	}
}

func TestGatewayKeepsTheTokenOnRequest(t *testing.T) {
	i := newIssuer(t)
	u := newUpstream(t, hello)
	g, _ := newGateway(t, i, u, func(g *Guard) { g.KeepToken = true })
	good := "Bearer " + i.token(nil)
	send(t, g.URL, good)
	if r, _ := u.last(); r.Header.Get("Authorization") != good {
		t.Errorf("Authorization %.10q", r.Header.Get("Authorization"))
	}
}

func send(t *testing.T, target, authorization string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = got.Body.Close() })
	return got
}

func TestGatewayProbesAreItsOwn(t *testing.T) {
	i := newIssuer(t)
	u := newUpstream(t, hello)
	g, _ := newGateway(t, i, u, func(g *Guard) { g.Ready = func() bool { return false } })
	if got := send(t, g.URL+"/readyz", ""); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: %d", got.StatusCode)
	}
	if got := send(t, g.URL+"/healthz", ""); got.StatusCode != http.StatusOK {
		t.Errorf("health: %d", got.StatusCode)
	}
	if _, n := u.last(); n != 0 {
		t.Error("a probe reached the server")
	}
}

func TestGatewayWithoutAServer(t *testing.T) {
	i := newIssuer(t)
	u := newUpstream(t, hello)
	g, _ := newGateway(t, i, u, nil)
	u.Close()
	if got := send(t, g.URL, "Bearer "+i.token(nil)); got.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", got.StatusCode)
	}
}

// TestGatewayEndsStreams: an answer that goes on, one that has not begun, and an
// upgraded connection end with their token; those of another token go on.
func TestGatewayEndsStreams(t *testing.T) {
	i := newIssuer(t)
	more := make(chan struct{})
	u := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent":
		case "/upgrade":
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			_, _ = io.Copy(conn, buffered)
			return
		default:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: first\n\n")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
		fmt.Fprint(w, "data: last\n\n")
	})
	g, _ := newGateway(t, i, u, nil)
	one, two := "Bearer "+i.token(nil), "Bearer "+i.token(map[string]any{"jti": "two"})

	cut, stays := send(t, g.URL+"/events", one), send(t, g.URL+"/events", two)
	upgraded := upgrade(t, g, one)
	answers := make(chan *http.Response, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+"/silent", nil)
		r.Header.Set("Authorization", one)
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
		}
		answers <- got
	}()
	for { // until all four have reached the server
		if _, n := u.last(); n == 4 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(i.end("one"))
	if body, err := io.ReadAll(cut.Body); err == nil || string(body) != "data: first\n\n" {
		t.Errorf("the stream of the ended token: %q, %v", body, err)
	}
	if rest, _ := io.ReadAll(upgraded); len(rest) > 0 {
		t.Errorf("the upgraded connection says %q", rest)
	}
	if got := <-answers; got != nil {
		_ = got.Body.Close()
		if got.StatusCode != http.StatusUnauthorized || !strings.Contains(got.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("the answer that had not begun: %d", got.StatusCode)
		}
	}
	close(more)
	if body, err := io.ReadAll(stays.Body); err != nil || string(body) != "data: first\n\ndata: last\n\n" {
		t.Errorf("the stream of another token: %q, %v", body, err)
	}
}

// upgrade switches protocols through the gateway and shows that it goes both ways.
func upgrade(t *testing.T, g *httptest.Server, authorization string) io.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "GET /upgrade HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: %s\r\n\r\n", authorization)
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", resp, err)
	}
	fmt.Fprint(conn, "hi\n")
	if line, err := reader.ReadString('\n'); line != "hi\n" || err != nil {
		t.Fatalf("echo %q, %v", line, err)
	}
	return reader
}
