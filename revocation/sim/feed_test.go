package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// feedOf is what a node tells followers: feed.Handler answers snapshots and
// reports, and streams are driven around its lanes.
type feedOf struct {
	n       *node
	handler *feed.Handler
	router  *mux.Router
	rooms   []*room // in the order in which they were opened
	timer   int
}

// room is a lane and its streams.
type room struct {
	audience *feed.Audience
	name     string
	lane     *feed.Lane
	streams  []*stream
}

func newFeed(n *node) feedOf {
	h := &feed.Handler{
		Ledger: ledgerOf{n}, Rows: ledgerOf{n}, Auth: anybody{n}, Keyring: n.keyring, Issuer: &url.URL{Scheme: "https", Host: "issuer.example"},
		Now: n.clock.now, Log: slog.New(slog.DiscardHandler),
	}
	f := feedOf{n: n, handler: h, router: mux.NewRouter()}
	h.Mount(f.router)
	return f
}

// anybody may follow, for the audience that the request names.
type anybody struct{ n *node }

func (a anybody) Follower(_ http.ResponseWriter, r *http.Request) (*feed.Follower, bool) {
	audience := r.Header.Get("Audience")
	return &feed.Follower{ClientID: audience, Audience: audience, ExpiresAt: a.n.clock.now().Add(time.Hour)}, true
}

// answer is an http.ResponseWriter in memory with deadlines that never come.
type answer struct{ *httptest.ResponseRecorder }

func (answer) SetWriteDeadline(time.Time) error { return nil }

// serve lets the handler answer a request. It returns the status, and the body of
// a good answer.
func (f *feedOf) serve(method, path, audience, body string) (int, []byte) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Audience", audience)
	r.Header.Set("Content-Type", "application/json")
	w := answer{httptest.NewRecorder()}
	if !served(f.router, w, r) {
		return 0, nil
	}
	return w.Code, w.Body.Bytes()
}

// served is false when the handler has cut the answer off.
func served(h http.Handler, w http.ResponseWriter, r *http.Request) (whole bool) {
	defer func() {
		if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return true
}

// snapshot is GET /revocations.
func (f *feedOf) snapshot(audience, cursor string) (s wire.Snapshot, err error) {
	path := wire.PathSnapshot
	if cursor != "" {
		path += "?" + wire.ParamAfter + "=" + url.QueryEscape(cursor)
	}
	status, body := f.serve(http.MethodGet, path, audience, "")
	if status != http.StatusOK {
		return s, fmt.Errorf("status %d", status)
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, err
	}
	f.n.corrupt(&s.Frame)
	if s.Complete {
		f.n.w.stats.Complete++
	}
	return s, nil
}

// cut lets every lane make its events, and its streams send them.
func (f *feedOf) cut() {
	f.timer++
	next := wire.HeartbeatEvery * time.Millisecond
	streams := 0
	for _, r := range f.rooms {
		streams += len(r.streams)
	}
	for _, r := range slices.Clone(f.rooms) {
		next = min(next, r.lane.Cut(f.n.clock.now(), f.since(r.name), streams*f.n.w.plan.crowd))
		for _, s := range slices.Clone(r.streams) {
			s.pump()
		}
	}
	if len(f.rooms) == 0 {
		return
	}
	timer := f.timer
	f.n.after(next, func() {
		if f.timer == timer {
			f.cut()
		}
	})
}

// since is what lanes read; a planted bug filters it as L3 forbids.
func (f *feedOf) since(audience string) feed.Since {
	l := ledgerOf{f.n}
	if f.n.w.bug != bugSessionAudience {
		return l.Since
	}
	return func(position int64) ([]revocation.Row, revocation.Point, bool) {
		rows, p, ok := l.Since(position)
		return slices.DeleteFunc(slices.Clone(rows), func(r revocation.Row) bool {
			return r.Kind == revocation.Session && !f.n.w.usedAt(r, audience)
		}), p, ok
	}
}

// open is GET /revocations/stream.
func (f *feedOf) open(s *stream, cursor string) {
	a := feed.NewAudience(f.n.keyring, s.f.audience)
	from, reset, err := f.handler.Resume(context.Background(), a, cursor)
	switch {
	case err != nil:
		s.refused(err)
		return
	case reset != "":
		s.accepted()
		s.reset(reset)
		return
	}
	s.accepted()
	i := slices.IndexFunc(f.rooms, func(r *room) bool { return r.name == s.f.audience })
	if i < 0 {
		lane := feed.NewLane(a, f.n.mirror.Point(), f.n.clock.now())
		f.rooms = append(f.rooms, &room{audience: a, name: s.f.audience, lane: lane})
		i = len(f.rooms) - 1
	}
	s.room, s.reader, s.told = f.rooms[i], feed.NewReader(from), from.Position
	s.room.streams = append(s.room.streams, s)
	f.cut()
}

// leave takes a stream out of its room.
func (f *feedOf) leave(s *stream) {
	if s.room == nil {
		return
	}
	s.room.streams = slices.DeleteFunc(s.room.streams, func(o *stream) bool { return o == s })
	if len(s.room.streams) == 0 {
		f.rooms = slices.DeleteFunc(f.rooms, func(r *room) bool { return r == s.room })
	}
	s.room = nil
}
