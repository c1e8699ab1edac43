package sim

import (
	"bytes"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

var errRefused = errors.New("the feed refuses")

// blockedFor is how long a stream may refuse to be written to.
const blockedFor = 10 * time.Second

// stream is one connection: its node's end, its follower's end, and the network
// between them.
type stream struct {
	n      *node
	f      *follower
	life   int // of the follower's attempt that opened it
	room   *room
	reader feed.Reader
	told   int64 // for planted bugs

	delay    time.Duration
	last     time.Duration // when what was sent last arrives
	stalled  time.Duration // until when nothing arrives
	cut      bool          // nothing arrives any more, and nobody is told
	queue    []packet
	inFlight int
	buffer   int // how many events the sockets hold
	blocked  bool
	closed   bool   // the node's end
	lose     bool   // a bad proxy swallows the next event
	double   bool   // or repeats it
	opened   func() // at the follower, once the node has answered
}

// packet is an event on its way.
type packet struct {
	frame  wire.Frame
	cursor string
	reset  string
	end    bool
	err    error
	opened bool
}

func (s *stream) accepted()         { s.send(packet{opened: true}) }
func (s *stream) refused(err error) { s.send(packet{err: errors.Join(errRefused, err)}) }

func (s *stream) reset(reason string) {
	s.f.w.stats.Resets++
	s.send(packet{reset: reason})
	s.close()
}

// close is the node's end of the stream.
func (s *stream) close() {
	if s.closed {
		return
	}
	s.closed = true
	s.n.feed.leave(s)
	s.send(packet{end: true})
}

// pump sends what the lane has for the stream, until the sockets are full.
func (s *stream) pump() {
	now := s.n.clock.now()
	for !s.closed && s.room != nil {
		if s.inFlight >= s.buffer {
			s.block()
			return
		}
		step := s.room.lane.Next(now, s.reader)
		switch {
		case step.Reset != "":
			s.reset(step.Reset)
			return
		case step.Event != nil:
			s.event(step.Event)
		case step.CatchUp != nil:
			events, ok := s.room.audience.CatchUp(now, s.reader.Mark(), *step.CatchUp, s.n.feed.since(s.room.name))
			if !ok {
				s.reset("too_old")
				return
			}
			for _, e := range events {
				s.event(e)
			}
		default:
			return
		}
		s.reader = step.After
	}
}

// block drops a follower that does not read for a while.
func (s *stream) block() {
	if s.blocked {
		return
	}
	s.blocked = true
	s.n.after(blockedFor, func() {
		if s.blocked && !s.closed {
			s.f.w.stats.Drops++
			s.close()
		}
	})
}

func (s *stream) event(e *feed.Event) {
	f := e.Frame
	if s.n.w.bug == bugGlobalHead {
		f.Prev = s.told
		if len(f.Rows) == 0 && s.n.reaches() {
			f.Position = max(f.Position, s.n.w.db.now.head.Position)
		}
		f.Position = max(f.Position, s.told)
	}
	s.told = f.Position
	s.n.corrupt(&f)
	s.send(packet{frame: f, cursor: cursorOf(e.Text)})
}

// corrupt plants bugs in what a node says.
func (n *node) corrupt(f *wire.Frame) {
	if n.w.bug == bugNoFloor {
		f.Floor = 0
	}
}

// cursorOf reads the id of a server-sent event.
func cursorOf(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte("\nid: "))
	id, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(id)
}

// send puts a packet on its way. The network keeps the order.
func (s *stream) send(p packet) {
	w := s.f.w
	times := 1
	if len(p.cursor) > 0 {
		switch {
		case s.lose:
			times, s.lose = 0, false
		case s.double:
			times, s.double = 2, false
		}
	}
	for range times {
		if s.cut {
			s.inFlight++
			continue
		}
		s.last = max(s.last, w.at+s.delay+w.jitter(), s.stalled)
		s.inFlight++
		s.queue = append(s.queue, p)
		w.after(s.last-w.at, s.arrive)
	}
}

// arrive hands the next packet to the follower, which may be stopped: then it
// stays in the socket.
func (s *stream) arrive() {
	f := s.f
	if s.cut {
		return
	}
	if w := f.w; w.at < s.stalled {
		w.after(s.stalled-w.at, s.arrive)
		return
	}
	f.run(f.machine.life, func() {
		p := s.queue[0]
		s.queue = s.queue[1:]
		s.inFlight--
		if s.life == f.attempt && f.stream == s {
			f.take(s, p)
		}
		if s.blocked && s.inFlight < s.buffer && !s.closed {
			s.blocked = false
			n := s.n
			n.run(n.life, s.pump)
		}
	})
}
