package feed

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// TestAttack_250_WhoNeverReadsIsDropped, and holds nobody else up.
func TestAttack_250_WhoNeverReadsIsDropped(t *testing.T) {
	s := serve(t, func(s *feedServer) {
		s.http.Listener = smallBuffers{s.http.Listener}
		s.Limits.BlockedFor = 300 * time.Millisecond
	})
	s.confirming(t)
	cursor := s.take(t, "").Cursor
	deaf, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	_ = deaf.(*net.TCPConn).SetReadBuffer(4096)
	r := s.request(t, "GET", wire.PathStream, "", "Last-Event-ID", cursor)
	if err := r.Write(deaf); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReaderSize(deaf, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q %v", line, err)
	}
	f := s.follow(t, cursor)
	eventually(t, "two streams", func() bool { return s.open() == 2 })
	position := int64(0)
	for end := time.Now().Add(patience); s.open() == 2 && time.Now().Before(end); {
		s.ledger.commit(sessions(500)...)
		f.until(position, position+500)
		position += 500
	}
	if s.open() != 1 {
		t.Fatal("who does not read is still served")
	}
	s.ledger.commit(sessions(1)...)
	f.until(position, position+1)
}

func TestStreamLimits(t *testing.T) {
	s := serve(t, func(s *feedServer) { s.Limits.Streams, s.Limits.StreamsPerClient = 3, 2 })
	cursor := s.take(t, "").Cursor
	status := func(client string) int {
		r := s.request(t, "GET", wire.PathStream+"?after="+cursor, "", "Authorization", "Bearer "+client+" "+audienceA+" jti")
		answer, err := s.http.Client().Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		if answer.StatusCode == 503 && answer.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return answer.StatusCode
	}
	var got []int
	for _, client := range []string{"a", "a", "a", "b", "b", "c"} {
		got = append(got, status(client))
	}
	if want := []int{200, 200, 503, 200, 503, 503}; !slices.Equal(got, want) {
		t.Errorf("answers %v, want %v", got, want)
	}
	s.http.CloseClientConnections()
	eventually(t, "all are gone", func() bool { return s.open() == 0 })
	if got := status("a"); got != 200 {
		t.Errorf("after all left: %d", got)
	}
	s.http.CloseClientConnections()
	eventually(t, "no lane is left", func() bool {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		return len(s.hub.rooms) == 0 && len(s.hub.byClient) == 0
	})
}

// TestDrain: all streams end between two frames, none begins, and each can be
// continued elsewhere.
func TestDrain(t *testing.T) {
	s := serve(t, func(s *feedServer) { s.Limits.DrainFor = 300 * time.Millisecond })
	s.confirming(t)
	cursor := s.take(t, "").Cursor
	var followers []*follower
	for range 20 {
		f := s.follow(t, cursor)
		f.until(0, 0)
		followers = append(followers, f)
	}
	s.ledger.commit(sessions(5)...)
	s.Drain()
	if s.open() != 0 {
		t.Fatalf("%d streams are open", s.open())
	}
	for _, f := range followers {
		e := f.ends()
		if f.lines.Err() != nil {
			t.Errorf("the stream was cut off: %v", f.lines.Err())
		}
		if e.name != "" && e.Position != 5 {
			t.Errorf("last event %+v", e)
		}
	}
	answer, _ := s.do(t, s.request(t, "GET", wire.PathStream+"?after="+cursor, ""))
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a stream began: %s", answer.Status)
	}
	s.Drain() // again, and at once
}

func TestStreamRefuses(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		r      *http.Request
		status int
	}{
		"no token":    {s.request(t, "GET", wire.PathStream, "", "Authorization", ""), 401},
		"method":      {s.request(t, "POST", wire.PathStream, "x"), 405},
		"preflight":   {s.request(t, "OPTIONS", wire.PathStream, "", "Origin", "https://x.example", "Access-Control-Request-Method", "GET"), 405},
		"cursor x 2":  {s.request(t, "GET", wire.PathStream+"?after=a&after=b", ""), 400},
		"HEAD":        {s.request(t, "HEAD", wire.PathStream, ""), 405},
		"wrong place": {s.request(t, "GET", wire.PathStream+"/", ""), 404},
	} {
		answer, _ := s.do(t, c.r)
		if answer.StatusCode != c.status || answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %s %v", name, answer.Status, answer.Header)
		}
		if c.status == 405 && answer.Header.Get("Allow") != "GET" {
			t.Errorf("%s: Allow %q", name, answer.Header.Get("Allow"))
		}
	}
}

// TestStreamOverHTTP2 outlives the server's timeouts as it does over HTTP/1.1.
func TestStreamOverHTTP2(t *testing.T) {
	s := serve(t, func(s *feedServer) { s.http.EnableHTTP2 = true })
	s.confirming(t)
	f := s.follow(t, s.take(t, "").Cursor)
	if f.answer.ProtoMajor != 2 {
		t.Fatal(f.answer.Proto)
	}
	for range 2 { // the first at once, the second after the timeouts
		if e, ok := f.next(); !ok || e.name != wire.EventHead {
			t.Fatalf("event %+v, %v", e, ok)
		}
	}
	s.ledger.commit(sessions(1)...)
	f.until(0, 1)
	s.Drain()
	f.ends()
	if f.lines.Err() != nil {
		t.Errorf("cut off: %v", f.lines.Err())
	}
}
