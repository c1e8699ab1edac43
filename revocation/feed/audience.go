package feed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"iter"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	// frameRows bounds the rows of a frame; they take about 60 KB.
	frameRows = 512
	// catchUpRows bounds what is encoded for one stream alone, a frame at a time.
	// Who lacks more is sent for a snapshot, of which few are made at once. It is
	// what comes while a large snapshot is read, or that would not end.
	catchUpRows = 128 * frameRows
)

// Mark is a place in the ledger: where a cursor leads, where a frame ends.
type Mark struct {
	Timeline string
	Position int64
	Chain    Chain
}

func markOf(p revocation.Point) Mark {
	return Mark{Timeline: p.Timeline, Position: p.Position, Chain: chainOf(p.Chain)}
}

// Event is a server-sent event with a frame. It must not be changed: many streams
// share it.
type Event struct {
	Frame wire.Frame
	Text  []byte // as it goes onto the stream
}

// Since returns the rows above a position and the moment that they lead to, as
// revocation.Tail does.
type Since func(position int64) ([]revocation.Row, revocation.Point, bool)

// Audience makes what the followers of one audience are told. It is safe for
// concurrent use.
type Audience struct {
	name    string
	hashKey []byte
	filter  filter
	keyring *secret.Keyring
	macs    sync.Pool
}

// NewAudience returns what makes the frames for an audience.
func NewAudience(k *secret.Keyring, name string) *Audience {
	key := k.Derive(hashKeyPurpose, []byte(name))
	return &Audience{
		name: name, hashKey: key, filter: filterOf(name, key), keyring: k,
		macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }},
	}
}

// Concerns reports whether followers of the audience are told of a row (L3). A
// row that names no audience goes to all; a stamp, which matches nothing, to none.
func (a *Audience) Concerns(r *revocation.Row) bool {
	switch r.Kind {
	case revocation.Token, revocation.Permission:
		if r.Audience != "" && r.Audience != a.name {
			return false
		}
	case revocation.All:
		return r.Audience == "" || r.Audience == a.name
	}
	return r.Key != ""
}

// rows returns the rows up to a position that concern the audience, as they cross
// the wire. A kind that wire does not know is sent without its key: followers must
// notice it, and could do nothing with the key.
func (a *Audience) rows(rows []revocation.Row, upTo int64) []wire.Row {
	out, _ := a.some(rows, upTo, math.MaxInt)
	return out
}

// some is rows that stops at a number of them. The rest begins with one that
// concerns the audience, or is empty.
func (a *Audience) some(rows []revocation.Row, upTo int64, most int) (out []wire.Row, rest []revocation.Row) {
	for i := range rows {
		r := &rows[i]
		if r.Position > upTo {
			break
		}
		if !a.Concerns(r) {
			continue
		}
		if len(out) == most {
			return out, rows[i:]
		}
		w := wire.Row{Position: r.Position, Kind: string(r.Kind), Expires: (r.ExpiresAt + 999) / 1000}
		if claim, ok := wire.Claim(w.Kind); ok && claim != "" {
			w.Key = a.sum(claim, r.Key).Text()
		}
		out = append(out, w)
	}
	return out, nil
}

// concerned counts the rows up to a position that concern the audience.
func (a *Audience) concerned(rows []revocation.Row, upTo int64) int {
	n := 0
	for i := range rows {
		if r := &rows[i]; r.Position <= upTo && a.Concerns(r) {
			n++
		}
	}
	return n
}

// sum is wire.Sum with a hash state that is set up once.
func (a *Audience) sum(claim, value string) wire.Digest {
	mac, _ := a.macs.Get().(hash.Hash)
	defer a.macs.Put(mac)
	mac.Reset()
	mac.Write([]byte(claim))
	mac.Write([]byte{0})
	mac.Write([]byte(value))
	var sum [sha256.Size]byte
	return wire.Digest(mac.Sum(sum[:0])[:16])
}

// cursor returns the text of a cursor that leads to m.
func (a *Audience) cursor(m Mark) string {
	return cursor{line: lineOf(m.Timeline), position: m.Position, chain: m.Chain, filter: a.filter}.text(a.keyring)
}

// span is a part of the ledger that frames are made of.
type span struct {
	prev int64
	to   revocation.Point
	rows []wire.Row
	// partly is how fresh the frames before the last may be called: what the last
	// one brings was committed before to.Confirmed, and they lack it.
	partly time.Time
}

// events makes the frames of a span, at least one. The last one leads to its end,
// each other to its own last row.
func (a *Audience) events(now time.Time, s span) []*Event {
	var out []*Event
	end := markOf(s.to)
	for prev, rows := s.prev, s.rows; ; {
		part, leads, confirmed := rows, end, s.to.Confirmed
		if len(rows) > frameRows {
			part, confirmed = rows[:frameRows], s.partly
			leads = Mark{Timeline: end.Timeline, Position: part[frameRows-1].Position}
		}
		out = append(out, a.event(now, prev, leads, s.to.Floor, confirmed, part))
		if len(part) == len(rows) {
			return out
		}
		prev, rows = leads.Position, rows[len(part):]
	}
}

// event makes one frame.
func (a *Audience) event(now time.Time, prev int64, leads Mark, floor int64, confirmed time.Time, rows []wire.Row) *Event {
	f := wire.Frame{
		Version: wire.Version, Timeline: leads.Timeline, Prev: prev, Position: leads.Position, Floor: floor,
		Time: now.UnixMilli(), Age: age(now, confirmed), Rows: rows,
	}
	return &Event{Frame: f, Text: eventText(f, a.cursor(leads))}
}

// age is how long ago something was confirmed, in milliseconds, rounded up.
func age(now, confirmed time.Time) int64 {
	old := revocation.Point{Confirmed: confirmed}.Age(now)
	return max(0, (old + time.Millisecond - 1).Milliseconds())
}

// stale is when something that nobody can call fresh was confirmed.
func stale(now time.Time) time.Time { return now.Add(-wire.FreshFor * time.Millisecond) }

// CatchUp makes the events that lead a stream from a place to a cut of its lane.
// It is false if the rows between are too many or no longer in memory, or if the
// ledger has become another one.
func (a *Audience) CatchUp(now time.Time, from Mark, to revocation.Point, since Since) ([]*Event, bool) {
	events, ok := a.catchUp(func() time.Time { return now }, from, to, since)
	if !ok {
		return nil, false
	}
	return slices.Collect(events), true
}

// catchUp is CatchUp that makes each event when it is asked for: of a follower that
// lacks much and does not read, one is held.
func (a *Audience) catchUp(clock func() time.Time, from Mark, to revocation.Point, since Since) (iter.Seq[*Event], bool) {
	var rows []revocation.Row
	if from.Position < to.Position {
		above, p, ok := since(from.Position)
		if !ok || p.Timeline != to.Timeline || a.concerned(above, to.Position) > catchUpRows {
			return nil, false
		}
		rows = above
	}
	return func(yield func(*Event) bool) {
		for prev, rows := from.Position, rows; ; {
			now := clock()
			part, rest := a.some(rows, to.Position, frameRows)
			if len(rest) == 0 {
				yield(a.event(now, prev, markOf(to), to.Floor, to.Confirmed, part))
				return
			}
			leads := Mark{Timeline: to.Timeline, Position: part[len(part)-1].Position}
			if !yield(a.event(now, prev, leads, to.Floor, stale(now), part)) {
				return
			}
			prev, rows = leads.Position, rest
		}
	}, true
}

// eventText is a frame as it goes onto a stream.
func eventText(f wire.Frame, cursor string) []byte {
	name := wire.EventHead
	if len(f.Rows) > 0 {
		name = wire.EventRows
	}
	return sse(name, cursor, f)
}

// resetText is the end of a stream that cannot be continued.
func resetText(reason string) []byte {
	return sse(wire.EventReset, "", wire.Reset{Version: wire.Version, Reason: reason})
}

func sse(event, id string, data any) []byte {
	body, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Errorf("encode frame: %w", err)) // numbers and texts cannot fail
	}
	b := make([]byte, 0, len(body)+len(event)+len(id)+32)
	b = append(append(b, "event: "...), event...)
	if id != "" {
		b = append(append(b, "\nid: "...), id...)
	}
	b = append(append(b, "\ndata: "...), body...)
	return append(b, "\n\n"...)
}

// hashKeyText is the key as a snapshot carries it.
func (a *Audience) hashKeyText() string { return base64.RawURLEncoding.EncodeToString(a.hashKey) }
