package feed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time       { return c.at }
func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }
func newClock() *clock                { return &clock{time.UnixMilli(1_800_000_000_000)} }
func (l *Lane) events() []*Event      { return l.ring }
func lastOf(l *Lane) wire.Frame       { return l.ring[len(l.ring)-1].Frame }
func positions(rows []wire.Row) []int64 {
	return collect(rows, func(r wire.Row) int64 { return r.Position })
}
func kindsOf(rows []wire.Row) []string {
	return collect(rows, func(r wire.Row) string { return r.Kind })
}
func collect[A, B any](in []A, f func(A) B) []B {
	var out []B
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

// TestL3_FilterIsStaticAlone: every kind goes to all, but for permissions, single
// tokens and all tokens of another audience.
func TestL3_FilterIsStaticAlone(t *testing.T) {
	var rows []revocation.Row
	for i, k := range append(revocation.Kinds(), "future") {
		key := "key"
		if k == revocation.All {
			key = ""
		}
		r := row(k, key, audienceB)
		r.Position, r.ExpiresAt = int64(i+1), 1001
		rows = append(rows, r)
	}
	rows = append(rows, revocation.Row{Position: 100, Kind: revocation.Session}) // a stamp
	all := []string{"token", "session", "grant", "user", "membership", "permission", "client", "key", "all", "future"}
	for audience, want := range map[string][]string{
		audienceA: {"session", "grant", "user", "membership", "client", "key", "future"},
		audienceB: all,
	} {
		got := NewAudience(ring(t), audience).rows(rows, 100)
		if diff := cmp.Diff(want, kindsOf(got)); diff != "" {
			t.Errorf("%s: %s", audience, diff)
		}
		for _, r := range got {
			if (r.Kind == "all" || r.Kind == "future") != (r.Key == "") || r.Expires != 2 {
				t.Errorf("row %+v", r)
			}
		}
	}
	for i := range rows {
		rows[i].Audience = ""
	}
	if got := kindsOf(NewAudience(ring(t), audienceA).rows(rows, 100)); !cmp.Equal(got, all) {
		t.Errorf("rows that name no audience: %v", got)
	}
}

// TestH15_KeysSayNothing: a follower recognizes the keys of tokens that it is
// shown, and nothing else; another audience's are different.
func TestH15_KeysSayNothing(t *testing.T) {
	k := ring(t)
	a, b := NewAudience(k, audienceA), NewAudience(k, audienceB)
	rows := []revocation.Row{
		{Position: 1, Kind: revocation.User, Key: "person"}, {Position: 2, Kind: revocation.Membership, Key: "person"},
		{Position: 3, Kind: revocation.Session, Key: "person"},
	}
	got, other := a.rows(rows, 9), b.rows(rows, 9)
	if want := wire.Sum(a.hashKey, "sub", "person").Text(); got[0].Key != want || got[1].Key != want {
		t.Errorf("keys %+v, want %s", got, want)
	}
	if got[2].Key != wire.Sum(a.hashKey, "sid", "person").Text() || got[2].Key == got[0].Key {
		t.Errorf("a session has the key of a person")
	}
	for i := range got {
		if got[i].Key == other[i].Key {
			t.Errorf("two audiences share the key of %+v", rows[i])
		}
	}
	changed := NewAudience(ring(t, "another secret for tests, long enough too"), audienceA)
	if changed.rows(rows, 9)[0].Key == got[0].Key || changed.filter == a.filter {
		t.Error("another secret makes the same keys")
	}
}

func TestGoldenEvents(t *testing.T) {
	c := newClock()
	l := newLedger(c.now)
	a := NewAudience(ring(t), audienceA)
	lane := NewLane(a, l.Last(), c.now())
	l.commit(row(revocation.Session, "sid", ""), row(revocation.All, "", ""))
	c.pass(7 * time.Millisecond)
	lane.Cut(c.now(), l.Since, 1)
	l.confirm()
	c.pass(heartbeat)
	lane.Cut(c.now(), l.Since, 1)
	var got string
	for _, e := range lane.events() {
		got += string(e.Text)
	}
	cursor := a.cursor(markOf(l.Last()))
	want := "event: rows\nid: " + cursor + "\ndata: " +
		`{"v":1,"timeline":"tttttttttttttttttttttttttttttttt","prev":0,"position":2,"floor":0,"time":1800000000007,"age":7,` +
		`"rows":[{"position":1,"kind":"session","key":"` + wire.Sum(a.hashKey, "sid", "sid").Text() + `","expires":1900000000},` +
		`{"position":2,"kind":"all","expires":1900000000}]}` + "\n\n" +
		"event: head\nid: " + cursor + "\ndata: " +
		`{"v":1,"timeline":"tttttttttttttttttttttttttttttttt","prev":2,"position":2,"floor":0,"time":1800000002007,"age":2000}` + "\n\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := string(resetText(resetTooOld)); got != "event: reset\ndata: {\"v\":1,\"reason\":\"too_old\"}\n\n" {
		t.Error(got)
	}
}

// TestCutKeepsIntervals: first rows at once, then one frame an interval; positions
// alone every 200 ms (L17); a heartbeat after 2 s of quiet.
func TestCutKeepsIntervals(t *testing.T) {
	c := newClock()
	l := newLedger(c.now)
	lane := NewLane(NewAudience(ring(t), audienceA), l.Last(), c.now())
	cut := func(streams int, made int, again time.Duration) {
		t.Helper()
		before := lane.seq
		got := lane.Cut(c.now(), l.Since, streams)
		if n := int(lane.seq - before); n != made || got != again {
			t.Errorf("%d events, again in %s; want %d, %s", n, got, made, again)
		}
	}
	cut(1, 0, heartbeat)
	c.pass(time.Second)
	l.commit(row(revocation.Grant, "a", ""))
	cut(1, 1, heartbeat)
	l.commit(row(revocation.Grant, "b", ""))
	cut(1, 0, minInterval)
	cut(5000, 0, 50*time.Millisecond)
	cut(1_000_000, 0, maxInterval)
	c.pass(minInterval)
	l.commit(row(revocation.Grant, "c", ""))
	cut(1, 1, heartbeat)
	if got := positions(lastOf(lane).Rows); !cmp.Equal(got, []int64{2, 3}) {
		t.Errorf("coalesced rows %v", got)
	}
	c.pass(minInterval)
	l.commit(row(revocation.Token, "d", audienceB))
	cut(1, 0, headEvery-minInterval)
	c.pass(headEvery - minInterval)
	cut(1, 1, heartbeat)
	if f := lastOf(lane); f.Position != 4 || len(f.Rows) != 0 {
		t.Errorf("frame %+v", f)
	}
	l.confirm()
	cut(1, 0, heartbeat)
	c.pass(heartbeat)
	l.confirm()
	cut(1, 1, heartbeat)
	if f := lastOf(lane); f.Prev != 4 || f.Position != 4 || f.Age != 0 {
		t.Errorf("heartbeat %+v", f)
	}
}

// TestL5_SilenceWhileTheHeadIsOld: neither heartbeats nor rows nor a first frame.
func TestL5_SilenceWhileTheHeadIsOld(t *testing.T) {
	c := newClock()
	l := newLedger(c.now)
	lane := NewLane(NewAudience(ring(t), audienceA), l.Last(), c.now())
	l.commit(row(revocation.Grant, "a", ""))
	c.pass(confirmedFor + 1)
	lane.Cut(c.now(), l.Since, 1)
	if len(lane.events()) != 0 {
		t.Errorf("event %+v", lastOf(lane))
	}
	if s := lane.Next(c.now(), NewReader(Mark{Timeline: l.point.Timeline})); s.Event != nil || s.CatchUp != nil {
		t.Errorf("a first frame: %+v", s)
	}
	l.confirm()
	lane.Cut(c.now(), l.Since, 1)
	if f := lastOf(lane); f.Position != 1 || f.Age != 0 {
		t.Errorf("frame %+v", f)
	}
}

// TestPartsAreNotCalledFresh: a follower that gets the first part of what was read
// at once lacks rows that were committed before the reading.
func TestPartsAreNotCalledFresh(t *testing.T) {
	c := newClock()
	l := newLedger(c.now)
	a := NewAudience(ring(t), audienceA)
	lane := NewLane(a, l.Last(), c.now())
	c.pass(time.Second)
	l.confirm()
	lane.Cut(c.now(), l.Since, 1)
	c.pass(time.Second)
	many := make([]revocation.Row, frameRows+1)
	for i := range many {
		many[i] = row(revocation.Session, fmt.Sprint(i), "")
	}
	l.commit(many...)
	lane.Cut(c.now(), l.Since, 1)
	e := lane.events()
	if len(e) != 2 || e[0].Frame.Age != 1000 || e[1].Frame.Age != 0 || len(e[0].Text) > 64<<10 {
		t.Fatalf("%d events, ages %d and %d, %d bytes", len(e), e[0].Frame.Age, e[1].Frame.Age, len(e[0].Text))
	}
	if c, _, ok := readCursor(a.keyring, idOf(e[0])); !ok || c.position != frameRows || c.chain != (Chain{}) {
		t.Errorf("the cursor of a part is %+v", c)
	}
	own, ok := a.CatchUp(c.now(), Mark{Timeline: l.point.Timeline}, l.Last(), l.Since)
	if !ok || len(own) != 2 || own[0].Frame.Age < wire.FreshFor || own[1].Frame.Age != 0 {
		t.Errorf("caught up by %+v, %v", own, ok)
	}
}

func idOf(e *Event) string {
	_, rest, _ := strings.Cut(string(e.Text), "\nid: ")
	id, _, _ := strings.Cut(rest, "\n")
	return id
}

// TestLaneBeginsAnew: what would leave a gap ends the streams of the lane.
func TestLaneBeginsAnew(t *testing.T) {
	for reason, change := range map[string]func(l *ledger){
		resetTimeline: func(l *ledger) { l.primary.Timeline = strings.Repeat("u", 32) },
		resetTooOld:   func(l *ledger) { l.append(row(revocation.Grant, "a", "")); l.kept = 1 },
	} {
		c := newClock()
		l := newLedger(c.now)
		lane := NewLane(NewAudience(ring(t), audienceA), l.Last(), c.now())
		r := lane.Next(c.now(), NewReader(markOf(l.Last()))).After
		c.pass(time.Second)
		l.commitNothing(func() { change(l) })
		lane.Cut(c.now(), l.Since, 1)
		if s := lane.Next(c.now(), r); s.Reset != reason {
			t.Errorf("%s: step %+v", reason, s)
		}
		c.pass(heartbeat)
		l.confirm()
		lane.Cut(c.now(), l.Since, 1)
		if s := lane.Next(c.now(), r); s.Reset != reason {
			t.Errorf("%s, later: step %+v", reason, s)
		}
		if s := lane.Next(c.now(), NewReader(markOf(l.Last()))); s.CatchUp == nil {
			t.Errorf("%s: who comes anew gets %+v", reason, s)
		}
	}
}

// TestH14_FloodIsBounded: a lane keeps little, and who lags behind a flood is sent
// for a snapshot instead of being encoded for alone.
func TestH14_FloodIsBounded(t *testing.T) {
	c := newClock()
	l := newLedger(c.now)
	a := NewAudience(ring(t), audienceA)
	lane := NewLane(a, l.Last(), c.now())
	r := lane.Next(c.now(), NewReader(markOf(l.Last()))).After
	for range 10 {
		rows := make([]revocation.Row, 10_000)
		for i := range rows {
			rows[i] = row(revocation.Session, fmt.Sprint(i), "")
		}
		c.pass(time.Second)
		l.commit(rows...)
		lane.Cut(c.now(), l.Since, 1)
	}
	if lane.size > ringBytes || len(lane.ring) == 0 {
		t.Errorf("%d bytes in %d events", lane.size, len(lane.ring))
	}
	s := lane.Next(c.now(), r)
	if s.CatchUp == nil {
		t.Fatalf("step %+v", s)
	}
	if _, ok := a.CatchUp(c.now(), r.Mark(), *s.CatchUp, l.Since); ok {
		t.Error("100,000 rows were encoded for one stream")
	}
	c.pass(ringTime + time.Second)
	l.confirm()
	lane.Cut(c.now(), l.Since, 1)
	if len(lane.ring) != 1 {
		t.Errorf("%d old events are kept", len(lane.ring))
	}
}
