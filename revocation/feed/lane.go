package feed

import (
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	heartbeat    = wire.HeartbeatEvery * time.Millisecond
	confirmedFor = wire.ConfirmedFor * time.Millisecond
	// headEvery bounds how often a lane tells of positions alone (L17).
	headEvery = 200 * time.Millisecond
	// Frames with rows keep an interval that grows with the number of streams, so
	// that writing to all of them never takes all of the time.
	intervalEach = 10 * time.Microsecond
	minInterval  = 5 * time.Millisecond
	maxInterval  = 200 * time.Millisecond
	// ringBytes and ringTime bound what a lane keeps for streams that lag a
	// little. Who lags more is caught up with events of its own, if these are few.
	ringBytes = 4 << 20
	ringTime  = 10 * time.Second
)

// Reasons of a reset.
const (
	resetTimeline  = "timeline"
	resetHashKey   = "hash_key"
	resetTooOld    = "too_old"
	resetMalformed = "malformed"
)

// Lane makes the events that all streams of one audience share, each encoded
// once. It is pure: Cut is told the time and the ledger. It is not safe for
// concurrent use.
type Lane struct {
	audience *Audience
	point    revocation.Point // where the last event led
	ring     []*Event
	size     int       // bytes in ring
	seq      uint64    // of the next event
	sent     time.Time // when the last event was made
	sentRows time.Time // when the last one with rows was
	era      int       // how often the lane had to begin anew
	reset    string    // why it did the last time
}

// NewLane returns a lane that begins at a moment of the ledger.
func NewLane(a *Audience, p revocation.Point, now time.Time) *Lane {
	return &Lane{audience: a, point: p, sent: now}
}

// Cut makes events of what has happened since the last cut, if it is time to, and
// returns after how long it must be called again at the latest. First rows go at
// once; then an interval is kept that depends on how many streams the server has.
func (l *Lane) Cut(now time.Time, since Since, streams int) time.Duration {
	if wait := l.sentRows.Add(interval(streams)).Sub(now); wait > 0 {
		return min(wait, maxInterval)
	}
	rows, p, ok := since(l.point.Position)
	switch {
	case p.Timeline != l.point.Timeline:
		l.begin(p, resetTimeline)
		return heartbeat
	case p.Age(now) > confirmedFor || p.Position < l.point.Position:
		return heartbeat // silence, until the ledger is confirmed again
	case !ok:
		l.begin(p, resetTooOld)
		return heartbeat
	}
	mine, quiet, limit := l.audience.rows(rows, p.Position), now.Sub(l.sent), heartbeat
	if p.Position > l.point.Position {
		limit = headEvery
	} else {
		l.point = p // confirmed anew
	}
	if len(mine) == 0 && quiet < limit {
		return limit - quiet
	}
	l.push(now, l.audience.events(now, span{prev: l.point.Position, to: p, rows: mine, partly: l.point.Confirmed}))
	l.point, l.sent = p, now
	if len(mine) > 0 {
		l.sentRows = now
	}
	return heartbeat
}

// interval is what lies between two frames with rows at least.
func interval(streams int) time.Duration {
	return min(max(time.Duration(streams)*intervalEach, minInterval), maxInterval)
}

// begin ends all streams of the lane: their next frame would leave a gap.
func (l *Lane) begin(p revocation.Point, reason string) {
	l.era++
	l.reset, l.point, l.ring, l.size = reason, p, nil, 0
}

func (l *Lane) push(now time.Time, events []*Event) {
	for _, e := range events {
		l.ring = append(l.ring, e)
		l.size += len(e.Text)
		l.seq++
	}
	oldest, drop := now.Add(-ringTime).UnixMilli(), 0
	for ; drop < len(l.ring)-1 && (l.size > ringBytes || l.ring[drop].Frame.Time < oldest); drop++ {
		l.size -= len(l.ring[drop].Text)
	}
	l.ring = slices.Delete(l.ring, 0, drop)
}

// Reader is where one stream is: a place in the ledger, and in a lane.
type Reader struct {
	mark   Mark
	seq    uint64 // of the next shared event
	era    int
	joined bool
}

// NewReader returns the reader of a stream that begins at m.
func NewReader(m Mark) Reader { return Reader{mark: m} }

// Mark is the place up to which the stream was told everything.
func (r Reader) Mark() Mark { return r.mark }

// Step is what a stream does next.
type Step struct {
	Event   *Event            // to be sent; shared with others
	CatchUp *revocation.Point // to be led to, by events of its own (Audience.CatchUp)
	Reset   string            // why the stream must end
	After   Reader            // the stream's reader once that is done
}

// Next returns what a stream does next; a Step without anything means that
// nothing is to be sent before the next cut.
func (l *Lane) Next(now time.Time, r Reader) Step {
	first := l.seq - uint64(len(l.ring))
	switch {
	case r.joined && r.era != l.era:
		return Step{Reset: l.reset, After: r}
	case r.mark.Timeline != l.point.Timeline:
		return Step{Reset: resetTimeline, After: r}
	case r.joined && r.seq == l.seq:
		return Step{After: r}
	case r.joined && r.seq >= first:
		e := l.ring[r.seq-first]
		r.mark.Position = e.Frame.Position
		r.seq++
		return Step{Event: e, After: r}
	case r.mark.Position > l.point.Position || l.point.Age(now) > confirmedFor:
		return Step{After: r} // the next cut leads there, or confirms
	}
	to := l.point
	return Step{CatchUp: &to, After: Reader{mark: markOf(to), seq: l.seq, era: l.era, joined: true}}
}
