package resource

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

const (
	testClientID = "https://posts.example.com/client:1"
	testSecret   = "a secret: with % and /"
	beat         = wire.HeartbeatEvery * time.Millisecond
)

// feedIssuer is an issuer with a ledger that resource servers follow, and with
// everything that can go wrong there.
type feedIssuer struct {
	testIssuer
	tb  testing.TB
	key testKey

	mu       sync.Mutex
	timeline string
	position int64
	floor    int64
	rows     []wire.Row
	hashKey  []byte
	clock    time.Duration // the issuer's less this machine's
	age      time.Duration
	live     map[*fakeStream]bool
	silent   bool           // no frames are made
	lifetime int64          // of the feed's tokens, in seconds
	status   map[string]int // what a path answers instead
	delay    time.Duration  // of introspection
	active   bool
	busy     int // reports are refused for so many seconds
	counts
	mangle    func(*wire.Frame)
	mangleAll func(*wire.Snapshot)
	raw       func(w io.Writer) // writes a stream's end itself
}

// fakeStream is one connection.
type fakeStream struct {
	position int64
	poke     chan struct{}
	cut      chan struct{}
}

func newFeedIssuer(tb testing.TB) (*feedIssuer, http.Handler) {
	f := &feedIssuer{
		tb: tb, key: newTestKey(tb, "k1", "EdDSA"), timeline: "one", position: 100, hashKey: bytes.Repeat([]byte{7}, 32),
		live: map[*fakeStream]bool{}, lifetime: 600, status: map[string]int{}, active: true,
	}
	mux := f.start(f.key)
	mux.HandleFunc("POST /token", f.serveToken)
	mux.HandleFunc("POST /introspect", f.serveIntrospect)
	mux.HandleFunc("GET "+wire.PathSnapshot, f.guard(f.serveSnapshot))
	mux.HandleFunc("GET "+wire.PathStream, f.guard(f.serveStream))
	mux.HandleFunc("POST "+wire.PathPosition, f.guard(f.servePosition))
	return f, mux
}

// follower returns a verifier that follows f without any socket, so that a test's
// time can be made up.
func (f *feedIssuer) follower(mux http.Handler, change func(*Config)) *Verifier {
	f.url = "https://id.example.com"
	return f.verifierOf(&http.Client{Transport: pipes{mux}}, change)
}

// serve returns a verifier that follows f over real connections.
func (f *feedIssuer) serve(mux http.Handler, change func(*Config)) *Verifier {
	server := httptest.NewServer(mux)
	f.tb.Cleanup(func() { f.cut(); server.Close() })
	f.url = server.URL
	return f.verifierOf(server.Client(), change)
}

func (f *feedIssuer) verifierOf(client *http.Client, change func(*Config)) *Verifier {
	cfg := Config{
		Issuer: f.url, Audience: testAudience, ClientID: testClientID, ClientSecret: testSecret, Client: client, Instance: "one",
	}
	if change != nil {
		change(&cfg)
	}
	v, err := New(cfg)
	if err != nil {
		f.tb.Fatal(err)
	}
	return v
}

// counts are what has happened so far.
type counts struct {
	tokens, snapshots, complete, asked, streams int
	opened                                      []time.Time
	reports                                     []wire.Report
}

func (f *feedIssuer) seen() counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts
	c.streams, c.opened, c.reports = len(f.live), slices.Clone(f.opened), slices.Clone(f.reports)
	return c
}

func (f *feedIssuer) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// commit adds a row to the ledger and tells the streams.
func (f *feedIssuer) commit(kind, value string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.position++
	r := wire.Row{Position: f.position, Kind: kind, Expires: f.now().Unix() + 3600}
	if claim, known := wire.Claim(kind); known && claim != "" && value != "" {
		r.Key = wire.Sum(f.hashKey, claim, value).Text()
	}
	f.rows = append(f.rows, r)
	for s := range f.live {
		select {
		case s.poke <- struct{}{}:
		default:
		}
	}
	return f.position
}

func (f *feedIssuer) now() time.Time { return time.Now().Add(f.clock) }

// cut ends all streams.
func (f *feedIssuer) cut() {
	f.do(func() {
		for s := range f.live {
			close(s.cut)
			delete(f.live, s)
		}
	})
}

// access returns a token that is good now.
func (f *feedIssuer) access(changes map[string]any) string {
	all := map[string]any{"rev": 100}
	for name, value := range changes {
		all[name] = value
	}
	return f.token(f.tb, f.key, time.Now(), all)
}

func (f *feedIssuer) authenticated(r *http.Request) bool {
	id, secret, ok := r.BasicAuth()
	return ok && id == "https%3A%2F%2Fposts.example.com%2Fclient%3A1" && secret == "a+secret%3A+with+%25+and+%2F"
}

func (f *feedIssuer) instead(w http.ResponseWriter, path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := f.status[path]
	if status != 0 {
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "7")
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "https://elsewhere.example.com/")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"error":"some_code"}`)
	}
	return status != 0
}

func (f *feedIssuer) serveToken(w http.ResponseWriter, r *http.Request) {
	if f.instead(w, "/token") {
		return
	}
	want := r.FormValue("grant_type") == "client_credentials" && r.FormValue("scope") == wire.Scope && r.FormValue("resource") == f.url
	if !f.authenticated(r) || !want {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens++
	fmt.Fprintf(w, `{"access_token":"feed-%d","token_type":"bearer","expires_in":%d}`, f.tokens, f.lifetime)
}

func (f *feedIssuer) serveIntrospect(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked++
	delay, active := f.delay, f.active
	f.mu.Unlock()
	if !sleep(r.Context(), delay) || f.instead(w, "/introspect") {
		return
	}
	if !f.authenticated(r) || r.FormValue("token") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, `{"active":%v}`, active)
}

// guard lets only the newest token pass.
func (f *feedIssuer) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if f.instead(w, r.URL.Path) {
			return
		}
		f.mu.Lock()
		newest := "Bearer feed-" + strconv.Itoa(f.tokens)
		f.mu.Unlock()
		if r.Header.Get("Authorization") != newest {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

// frame continues after a position; the caller holds mu.
func (f *feedIssuer) frame(after int64) wire.Frame {
	fr := wire.Frame{
		Version: wire.Version, Timeline: f.timeline, Prev: after, Position: f.position, Floor: f.floor,
		Time: f.now().UnixMilli(), Age: f.age.Milliseconds(),
	}
	for _, r := range f.rows {
		if r.Position > after {
			fr.Rows = append(fr.Rows, r)
		}
	}
	return fr
}

// cursor is "timeline.position.hash of the hash key"; the caller holds mu.
func (f *feedIssuer) cursor() string {
	return fmt.Sprintf("%s.%d.%x", f.timeline, f.position, f.hashKey[:2])
}

// resume returns the position of a cursor; the caller holds mu.
func (f *feedIssuer) resume(cursor string) (int64, bool) {
	timeline, rest, _ := strings.Cut(cursor, ".")
	number, key, _ := strings.Cut(rest, ".")
	position, err := strconv.ParseInt(number, 10, 64)
	return position, err == nil && timeline == f.timeline && position <= f.position && key == fmt.Sprintf("%x", f.hashKey[:2])
}

func (f *feedIssuer) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	position, ok := f.resume(r.URL.Query().Get(wire.ParamAfter))
	s := wire.Snapshot{Frame: f.frame(position), Cursor: f.cursor(), HashKey: base64.RawURLEncoding.EncodeToString(f.hashKey)}
	f.snapshots++
	if !ok {
		f.complete++
		s.Frame, s.Complete = f.frame(0), true
	}
	if f.mangleAll != nil {
		f.mangleAll(&s)
	}
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s)
}

func (f *feedIssuer) serveStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	f.mu.Lock()
	position, ok := f.resume(r.Header.Get("Last-Event-ID"))
	s := &fakeStream{position: position, poke: make(chan struct{}, 1), cut: make(chan struct{})}
	f.live[s] = ok
	f.opened = append(f.opened, time.Now())
	raw := f.raw
	f.mu.Unlock()
	send := func(text string) bool {
		_, err := io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		return err == nil
	}
	defer f.do(func() { delete(f.live, s) })
	if raw != nil {
		raw(w)
		return
	}
	if !ok {
		send("event: reset\ndata: {\"v\":1,\"reason\":\"timeline\"}\n\n")
		return
	}
	timer := time.NewTicker(beat)
	defer timer.Stop()
	for send(f.next(s)) {
		select {
		case <-s.cut:
			return
		case <-r.Context().Done():
			return
		case <-s.poke:
		case <-timer.C:
		}
	}
}

// next returns what s is sent now.
func (f *feedIssuer) next(s *fakeStream) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.silent {
		return ":\n\n"
	}
	frame := f.frame(s.position)
	s.position = f.position
	if f.mangle != nil {
		f.mangle(&frame)
	}
	data, err := json.Marshal(frame)
	if err != nil {
		f.tb.Error(err)
	}
	name := wire.EventHead
	if len(frame.Rows) > 0 {
		name = wire.EventRows
	}
	return fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", name, f.cursor(), data)
}

func (f *feedIssuer) servePosition(w http.ResponseWriter, r *http.Request) {
	var report wire.Report
	if err := json.NewDecoder(r.Body).Decode(&report); err != nil {
		f.tb.Error(err)
	}
	busy := 0
	f.do(func() { f.reports, busy = append(f.reports, report), f.busy })
	if busy > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(busy))
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	fmt.Fprint(w, `{"report_after":5}`)
}

// pipes carries requests to a handler in this process.
type pipes struct{ handler http.Handler }

// RoundTrip returns once the handler has begun its answer.
func (p pipes) RoundTrip(r *http.Request) (*http.Response, error) {
	in, out := io.Pipe()
	w := &pipeWriter{header: http.Header{}, out: out, begun: make(chan struct{})}
	ctx, cancel := context.WithCancel(r.Context())
	request := r.Clone(ctx)
	if request.Body == nil {
		request.Body = http.NoBody
	}
	go func() {
		defer cancel()
		p.handler.ServeHTTP(w, request)
		w.WriteHeader(http.StatusOK)
		out.Close()
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		in.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	context.AfterFunc(r.Context(), func() { in.CloseWithError(r.Context().Err()) })
	return &http.Response{
		StatusCode: w.status, Header: w.header, Body: in, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type pipeWriter struct {
	header http.Header
	out    *io.PipeWriter
	begun  chan struct{}
	once   sync.Once
	status int
}

func (w *pipeWriter) Header() http.Header { return w.header }
func (w *pipeWriter) Flush()              {}

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status = status
		close(w.begun)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(b)
}
