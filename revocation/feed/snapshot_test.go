package feed

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestSnapshot reads everything in pages, and then what came later.
func TestSnapshot(t *testing.T) {
	s := serve(t)
	a := NewAudience(s.Keyring, audienceA)
	empty := s.take(t, "")
	if !empty.Complete || empty.Rows == nil || len(empty.Rows) != 0 || empty.HashKey != a.hashKeyText() || empty.Version != wire.Version {
		t.Errorf("empty: %+v", empty)
	}
	const n = 2*pageRows + 7
	s.ledger.commit(sessions(n)...)
	s.ledger.commit(row(revocation.Token, "x", audienceB))
	s.ledger.mu.Lock()
	s.ledger.append(sessions(3)...) // committed, but this node does not know them yet
	s.ledger.mu.Unlock()
	full := s.take(t, "")
	if !full.Complete || full.Position != n+1 || full.Prev != 0 || len(full.Rows) != n || full.Rows[n-1].Position != n {
		t.Fatalf("complete: position %d, %d rows", full.Position, len(full.Rows))
	}
	if s.ledger.reads != 4 {
		t.Errorf("%d reads of the database", s.ledger.reads)
	}
	if diff := cmp.Diff(a.rows(s.ledger.above(0, 2), 2), full.Rows[:2]); diff != "" {
		t.Error(diff)
	}
	s.ledger.confirm()
	after := s.take(t, full.Cursor)
	if after.Complete || after.Prev != n+1 || after.Position != n+4 || len(after.Rows) != 3 {
		t.Errorf("continued: %+v", after)
	}
	// No longer in memory, but still in the database.
	s.ledger.mu.Lock()
	s.ledger.kept, s.ledger.reads = n+3, 0
	s.ledger.mu.Unlock()
	if got := s.take(t, empty.Cursor); !got.Complete && len(got.Rows) != n+3 {
		t.Errorf("from the beginning: complete %v, %d rows", got.Complete, len(got.Rows))
	}
	if got := s.take(t, full.Cursor); got.Complete || len(got.Rows) != 3 || s.ledger.reads == 0 {
		t.Errorf("continued from the database: complete %v, %d rows", got.Complete, len(got.Rows))
	}
}

func TestSnapshotIsCacheable(t *testing.T) {
	s := serve(t)
	s.ledger.commit(sessions(2)...)
	first, _ := s.do(t, s.request(t, "GET", wire.PathSnapshot, ""))
	etag := first.Header.Get("Etag")
	if !strings.HasPrefix(etag, `W/"`) || first.Header.Get("Cache-Control") != "private, max-age=0, must-revalidate" ||
		first.Header.Get("Vary") != "Authorization, Accept-Encoding" || first.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", first.Header)
	}
	status := func(path string, header ...string) int {
		t.Helper()
		answer, body := s.do(t, s.request(t, "GET", path, "", header...))
		if answer.StatusCode == 304 && (body != "" || answer.Header.Get("Etag") == "") {
			t.Errorf("304 with %q, %v", body, answer.Header)
		}
		return answer.StatusCode
	}
	for _, match := range []string{etag, strings.TrimPrefix(etag, "W/"), `"other", ` + etag, "*"} {
		if got := status(wire.PathSnapshot, "If-None-Match", match); got != 304 {
			t.Errorf("If-None-Match %s: %d", match, got)
		}
	}
	if got := status(wire.PathSnapshot, "If-None-Match", `W/"other"`); got != 200 {
		t.Errorf("another ETag: %d", got)
	}
	cursor := s.take(t, "").Cursor
	if got := status(wire.PathSnapshot+"?after="+cursor, "If-None-Match", etag); got != 200 {
		t.Errorf("another cursor: %d", got)
	}
	if got := status(wire.PathSnapshot, "If-None-Match", etag, "Authorization", "Bearer client "+audienceB+" jti"); got != 200 {
		t.Errorf("another audience: %d", got)
	}
	s.ledger.commit(sessions(1)...)
	if got := status(wire.PathSnapshot, "If-None-Match", etag); got != 200 {
		t.Errorf("another position: %d", got)
	}
	head, body := s.do(t, s.request(t, "HEAD", wire.PathSnapshot, ""))
	if head.StatusCode != 200 || body != "" || head.Header.Get("Etag") == "" {
		t.Errorf("HEAD: %s %v", head.Status, head.Header)
	}
}

func TestSnapshotGzip(t *testing.T) {
	s := serve(t)
	cursor := s.take(t, "").Cursor
	s.ledger.commit(sessions(500)...)
	for accept, want := range map[string]string{
		"gzip": "gzip", "br, GZIP ;q=0.5": "gzip", "gzip;q=0": "", "identity": "", "*": "", "gzip;q=x": "", "xgzip": "",
	} {
		answer, body := s.do(t, s.request(t, "GET", wire.PathSnapshot, "", "Accept-Encoding", accept))
		if got := answer.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: %q", accept, got)
		}
		if want == "gzip" {
			unpacked, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(unpacked)
			if err != nil {
				t.Fatal(err)
			}
			body = string(plain)
		}
		var got wire.Snapshot
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Rows) != 500 {
			t.Errorf("%s: %v, %d rows", accept, err, len(got.Rows))
		}
	}
	answer, _ := s.do(t, s.request(t, "GET", wire.PathSnapshot+"?after="+cursor, "", "Accept-Encoding", "gzip"))
	if got := answer.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("what came after a cursor is packed: %q", got)
	}
}

// TestHalfASnapshotIsNone: if the database fails midway, the connection is cut.
func TestHalfASnapshotIsNone(t *testing.T) {
	for _, accept := range []string{"identity", "gzip"} {
		s := serve(t)
		s.ledger.commit(sessions(3 * pageRows)...)
		s.ledger.failRead = errors.New("gone")
		answer, err := s.http.Client().Transport.RoundTrip(s.request(t, "GET", wire.PathSnapshot, "", "Accept-Encoding", accept))
		if err != nil {
			continue // cut before anything was sent
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil {
			t.Errorf("%s: %s, a whole answer of %d bytes", accept, answer.Status, len(body))
		}
	}
}

// TestSnapshotsTakeTurns: few read the database at once, few wait, and not for long.
func TestSnapshotsTakeTurns(t *testing.T) {
	s := serve(t, func(s *feedServer) {
		s.Limits = Limits{Snapshots: 1, SnapshotQueue: 2, SnapshotWait: 500 * time.Millisecond}
	})
	s.ledger.commit(sessions(1)...)
	cursor := s.take(t, "").Cursor
	hold := make(chan struct{})
	s.ledger.mu.Lock()
	s.ledger.hold = hold
	s.ledger.mu.Unlock()
	answers := make(chan int, 4)
	ask := func() {
		answer, err := s.http.Client().Transport.RoundTrip(s.request(t, "GET", wire.PathSnapshot, ""))
		if err != nil {
			t.Error(err)
			answers <- 0
			return
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		if answer.StatusCode == 503 && (answer.Header.Get("Retry-After") == "" || answer.Header.Get("Etag") != "") {
			t.Errorf("503 with %v", answer.Header)
		}
		answers <- answer.StatusCode
	}
	go ask()
	eventually(t, "one has the turn", func() bool { return len(s.turns.slots) == 1 && s.turns.waiting.Load() == 0 })
	for range 3 {
		go ask()
	}
	for range 3 {
		if got := <-answers; got != 503 {
			t.Errorf("a crowded snapshot: %d", got)
		}
	}
	if got := s.take(t, cursor); got.Complete { // what memory has needs no turn
		t.Errorf("%+v", got)
	}
	close(hold)
	if got := <-answers; got != 200 {
		t.Errorf("who had the turn: %d", got)
	}
	if len(s.turns.slots) != 0 || s.turns.waiting.Load() != 0 {
		t.Error("turns were not given back")
	}
}

func TestSnapshotRefuses(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		r      *http.Request
		status int
	}{
		"no token":     {s.request(t, "GET", wire.PathSnapshot, "", "Authorization", ""), 401},
		"method":       {s.request(t, "DELETE", wire.PathSnapshot, ""), 405},
		"preflight":    {s.request(t, "OPTIONS", wire.PathSnapshot, "", "Origin", "https://x.example", "Access-Control-Request-Method", "GET"), 405},
		"cursor twice": {s.request(t, "GET", wire.PathSnapshot+"?after=a&after=b", ""), 400},
		"bad escape":   {s.request(t, "GET", wire.PathSnapshot+"?after=%zz", ""), 400},
	} {
		answer, _ := s.do(t, c.r)
		if answer.StatusCode != c.status || answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %s %v", name, answer.Status, answer.Header)
		}
		if c.status == 405 && answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow %q", name, answer.Header.Get("Allow"))
		}
	}
}

// BenchmarkSnapshot is what one complete snapshot of 100,000 rows costs.
func BenchmarkSnapshot(b *testing.B) {
	l := newLedger(time.Now)
	rows := make([]revocation.Row, 100_000)
	for i := range rows {
		rows[i] = row(revocation.Session, fmt.Sprintf("AZm3Qw7fcq6Yk8m0t%05d", i), "")
	}
	l.commit(rows...)
	h := &Handler{Rows: l, Now: time.Now}
	p := &page{audience: NewAudience(ring(b), audienceA), to: l.Last(), complete: true}
	b.ReportAllocs()
	for b.Loop() {
		if err := h.writeSnapshot(b.Context(), io.Discard, p, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/row")
}
