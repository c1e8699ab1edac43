package feed

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// feedServer is a feed behind a real listener.
type feedServer struct {
	*Handler
	ledger *ledger
	kept   *reportsKept
	http   *httptest.Server
}

// patience bounds what tests wait for; nothing depends on it when all is well.
const patience = 20 * time.Second

func serve(t testing.TB, change ...func(*feedServer)) *feedServer {
	t.Helper()
	l := newLedger(time.Now)
	s := &feedServer{ledger: l, kept: &reportsKept{}}
	s.Handler = &Handler{
		Ledger: l, Rows: l, Auth: bearer{now: time.Now}, Followers: s.kept, Keyring: ring(t),
		Issuer: mustURL(t, "https://id.example/base"), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	router := mux.NewRouter()
	front := &web.Front{Issuer: s.Issuer, Log: s.Log, Now: time.Now}
	s.http = httptest.NewUnstartedServer(front.Wrap(router))
	for _, c := range change {
		c(s)
	}
	s.Mount(router)
	// The feed must lift both: a stream lives longer.
	s.http.Config.ReadTimeout, s.http.Config.WriteTimeout = time.Second, time.Second
	if s.http.EnableHTTP2 {
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	t.Cleanup(func() {
		s.http.CloseClientConnections()
		s.http.Close()
		stop()
		<-done
	})
	return s
}

// confirming keeps the ledger fresh, as a Tail does.
func (s *feedServer) confirming(t testing.TB) {
	ctx := t.Context()
	go func() {
		for ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond)
			s.ledger.mu.Lock()
			if !s.ledger.stale {
				s.ledger.takeIn()
			}
			s.ledger.mu.Unlock()
		}
	}()
}

func (s *feedServer) request(t testing.TB, method, path, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.http.URL+"/base"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		r.Body = http.NoBody
	}
	r.Header.Set("Authorization", "Bearer client "+audienceA+" jti")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (s *feedServer) do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := s.http.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func (s *feedServer) take(t testing.TB, after string, header ...string) wire.Snapshot {
	t.Helper()
	path := wire.PathSnapshot
	if after != "" {
		path += "?after=" + after
	}
	answer, body := s.do(t, s.request(t, "GET", path, "", header...))
	var snapshot wire.Snapshot
	if err := json.Unmarshal([]byte(body), &snapshot); err != nil || answer.StatusCode != 200 {
		t.Fatalf("%s: %v in %s", answer.Status, err, body)
	}
	return snapshot
}

// follower reads a stream.
type follower struct {
	t      testing.TB
	answer *http.Response
	lines  *bufio.Scanner
	retry  string
}

// event is what came over the wire.
type event struct {
	name, id, data string
	wire.Frame
}

func (s *feedServer) follow(t testing.TB, cursor string, header ...string) *follower {
	t.Helper()
	header = append([]string{"Last-Event-ID", cursor}, header...)
	answer, err := s.http.Client().Transport.RoundTrip(s.request(t, "GET", wire.PathStream, "", header...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(answer.Body)
		t.Fatalf("%s: %s", answer.Status, body)
	}
	f := &follower{t: t, answer: answer, lines: bufio.NewScanner(answer.Body)}
	f.lines.Buffer(nil, 1<<20)
	return f
}

// next returns the next event, and false at the end of the stream.
func (f *follower) next() (event, bool) {
	f.t.Helper()
	late := time.AfterFunc(patience, func() { f.answer.Body.Close() })
	defer late.Stop()
	var e event
	for f.lines.Scan() {
		name, value, _ := strings.Cut(f.lines.Text(), ": ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "retry":
			f.retry = value
		case "":
			if e.name == "" {
				continue
			}
			if e.name != wire.EventReset {
				if err := json.Unmarshal([]byte(e.data), &e.Frame); err != nil {
					f.t.Fatalf("%s: %v", e.data, err)
				}
			}
			return e, true
		}
	}
	return event{}, false
}

// until reads up to a position, checking that each frame continues the one before,
// and returns the rows.
func (f *follower) until(from, position int64) ([]wire.Row, string) {
	f.t.Helper()
	var rows []wire.Row
	for {
		e, ok := f.next()
		if !ok || e.name == wire.EventReset {
			f.t.Fatalf("the stream ended at %d: %s", from, e.data)
		}
		if e.Prev != from {
			f.t.Fatalf("a frame continues %d, the one before led to %d", e.Prev, from)
		}
		rows, from = append(rows, e.Rows...), e.Position
		if from >= position {
			return rows, e.id
		}
	}
}

// ends reads until the end of the stream and returns the last event.
func (f *follower) ends() event {
	f.t.Helper()
	var last event
	for {
		e, ok := f.next()
		if !ok {
			return last
		}
		last = e
	}
}

// eventually waits for what another goroutine brings about.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not in %s: %s", patience, what)
}

func (s *feedServer) open() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.hub.streams
}

// smallBuffers makes a listener whose connections hold little that is not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(4096)
	}
	return c, err
}
