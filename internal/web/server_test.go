package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// start runs a server on a free port and returns its address and what ends it.
func start(t *testing.T, h http.Handler, grace time.Duration) (addr string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Run(ctx, grace, func() { close(ready) }, Server(addr, h, nil, slog.New(slog.DiscardHandler)))
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	stop = func() error { cancel(); return <-done }
	t.Cleanup(cancel)
	return addr, stop
}

// raw sends text as it stands and returns the status line's code, 0 if the
// connection was closed without an answer.
func raw(t *testing.T, addr, text string) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, text) }()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return 0
	}
	var code int
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &code); err != nil {
		t.Fatalf("answer %q", line)
	}
	return code
}

func TestAttack_186_HugeHeaders(t *testing.T) {
	addr, _ := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), time.Second)
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"plain":        {"", 200},
		"20 KB":        {"X: " + strings.Repeat("a", 20<<10) + "\r\n", 200},
		"1 MB header":  {"X: " + strings.Repeat("a", 1<<20) + "\r\n", 431},
		"many headers": {strings.Repeat("X: a\r\n", 20000), 431},
	} {
		got := raw(t, addr, "GET / HTTP/1.1\r\nHost: id\r\nConnection: close\r\n"+tc.text+"\r\n")
		if got != tc.want && (got != 0 || tc.want != 431) { // the reset may overtake the answer
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := raw(t, addr, "GET /"+strings.Repeat("a", 40<<10)+" HTTP/1.1\r\nHost: id\r\n\r\n"); got != 431 && got != 0 {
		t.Errorf("long request line: %d", got)
	}
}

func TestAttack_187_SlowClients(t *testing.T) {
	t.Parallel() // http.Server gives a connection without a request five seconds
	s := Server("", nil, nil, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout != 5*time.Second || s.ReadTimeout != 15*time.Second || s.WriteTimeout != 30*time.Second || s.IdleTimeout != 90*time.Second {
		t.Errorf("timeouts %v %v %v %v", s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout)
	}
	if s.HTTP2.MaxConcurrentStreams != 100 || s.MaxHeaderBytes+4096 != MaxHeader {
		t.Errorf("limits %d %d", s.HTTP2.MaxConcurrentStreams, s.MaxHeaderBytes)
	}
	// A client that never ends its headers does not keep the server from stopping.
	addr, stop := start(t, http.NotFoundHandler(), 20*time.Second)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: i"); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAttack_188_Smuggling(t *testing.T) {
	front, _ := newFront(t, "http://id.example")
	router := NewRouter()
	router.HandleFunc("/admin/", func(http.ResponseWriter, *http.Request) {})
	router.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	addr, _ := start(t, front.Wrap(RequireHost(front.Issuer, router)), time.Second)
	const post = "POST /form HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n"
	for name, tc := range map[string]struct {
		text string
		want int
	}{
		"plain":                 {post + "Content-Length: 1\r\n\r\na", 200},
		"two lengths":           {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"signed length":         {post + "Content-Length: +1\r\n\r\na", 400},
		"unknown encoding":      {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		"two encodings":         {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501},
		"encoding list":         {post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
		"bad chunk size":        {post + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400},
		"space before colon":    {post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		"bare CR in value":      {post + "X: a\rb\r\n\r\n", 400},
		"no host":               {"GET /admin/ HTTP/1.1\r\nConnection: close\r\n\r\n", 400},
		"two hosts":             {"GET /admin/ HTTP/1.1\r\nHost: id.example\r\nHost: evil\r\n\r\n", 400},
		"absolute form":         {"GET http://evil/admin/ HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 421},
		"asterisk":              {"OPTIONS * HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"connect":               {"CONNECT id.example:80 HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"admin":                 {"GET /admin/ HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 200},
		"admin, two slashes":    {"GET //admin/ HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"admin, dot":            {"GET /./admin/ HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"admin, up":             {"GET /form/../admin/ HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"admin, escaped slash":  {"GET /admin%2f HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"admin, parameter":      {"GET /admin;x/ HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"admin, escaped letter": {"GET /%61dmin/ HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
		"admin, hidden escape":  {"GET /admin%2f\" HTTP/1.1\r\nHost: id.example\r\nConnection: close\r\n\r\n", 404},
	} {
		if got := raw(t, addr, tc.text); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

func TestRunFinishesRequestsInFlight(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	addr, stop := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		if r.Context().Err() != nil {
			t.Error("the request's context ended with the server's")
		}
		_, _ = io.WriteString(w, "whole")
	}), time.Minute)
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + addr)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // the listener closes first
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request in flight: %v", err)
	default:
	}
	close(release)
	if got := <-answer; got != "whole" {
		t.Errorf("answer %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestRunCutsOffAfterGrace(t *testing.T) {
	entered := make(chan struct{})
	addr, stop := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), 10*time.Millisecond)
	go func() {
		if resp, err := http.Get("http://" + addr); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	if err := stop(); err == nil || !strings.Contains(err.Error(), "requests in flight") {
		t.Errorf("error %v", err)
	}
}

func TestRunWithATakenPort(t *testing.T) {
	addr, _ := start(t, http.NotFoundHandler(), time.Second)
	log := slog.New(slog.DiscardHandler)
	free := Server("127.0.0.1:0", nil, nil, log)
	err := Run(context.Background(), time.Second, func() { t.Error("ready") }, free, Server(addr, nil, nil, log))
	if err == nil || !strings.Contains(err.Error(), "listen on "+addr) {
		t.Errorf("error %v", err)
	}
}
