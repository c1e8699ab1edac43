package auditlog

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	streamEvery = 500 * time.Millisecond
	streamBatch = 200
	streamLease = 15 * time.Second
	// confirmAfter is how long a connection has to live on before what was written to
	// it counts as sent: syslog has no acknowledgement.
	confirmAfter = time.Second
	// forgotten is how long after its last sign of life a stream no longer keeps rows
	// from leaving by age.
	forgotten = 7 * 24 * time.Hour
)

// StreamState tells how far a stream is.
type StreamState struct {
	Name string `json:"name"`
	Seq  int64  `json:"seq"` // up to this number of the chain it was sent
	// FailingSince is when sending began to fail, Unix milliseconds; zero: it does not.
	FailingSince int64  `json:"failing_since,omitempty"`
	Error        string `json:"error,omitempty"`
	TouchedUntil int64  `json:"-"` // until when a node has said that it sends
}

// StreamStore keeps how far streams are.
type StreamStore interface {
	// EnsureAuditStream makes a stream that begins at the present head.
	EnsureAuditStream(ctx context.Context, name string) error
	// ClaimAuditStream gives a stream to a node until a time, and returns how far it
	// is; false if another node has it.
	ClaimAuditStream(ctx context.Context, name, owner string, now, until int64) (seq int64, mine bool, err error)
	// MoveAuditStream notes how far it is; an error if the node no longer has it.
	MoveAuditStream(ctx context.Context, owner string, s StreamState) error
	// FreeAuditStream gives a stream back: its lease ends at a time in the past.
	FreeAuditStream(ctx context.Context, name, owner string, ended int64) error
	AuditLinks(ctx context.Context, after int64, limit int) ([]Link, error)
	AuditStreams(ctx context.Context) ([]StreamState, error)
}

// Sink is where events are sent.
type Sink interface {
	Send(ctx context.Context, events []Line) error
	// Alive returns what has ended the connection since it was made.
	Alive() error
	Close() error
}

// Stream sends the log to a sink, in the order of the chain: each event at least
// once, and again what may have been lost with a connection.
type Stream struct {
	Name  string
	Store StreamStore
	Sink  Sink
	Now   func() time.Time
	Log   *slog.Logger
	// Every is how long it rests between two looks; zero means 500 ms.
	Every time.Duration

	owner    string
	mine     bool
	state    StreamState // as it is stored
	sent     int64       // written to the connection
	waits    int64       // written, and confirmed when the connection outlives confirmAt
	confirms time.Time
}

// Run sends until ctx ends; it returns nil. One goroutine runs it.
func (s *Stream) Run(ctx context.Context) error {
	every := s.Every
	if every <= 0 {
		every = streamEvery
	}
	s.owner, s.state.Name = id.New().String(), s.Name
	defer s.end(context.WithoutCancel(ctx))
	made := false
	for failures := 0; ; {
		more, err := false, error(nil)
		if !made {
			err = s.Store.EnsureAuditStream(ctx, s.Name)
			made = err == nil
		}
		if err == nil {
			more, err = s.round(ctx)
		}
		rest := every
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			rest = min(every<<min(failures, 10), longestRest)
			s.fail(ctx, failures, err)
		default:
			failures = 0
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rest):
		}
	}
}

// round sends a batch; more says that there is another.
func (s *Stream) round(ctx context.Context) (more bool, err error) {
	now := s.Now()
	seq, mine, err := s.Store.ClaimAuditStream(ctx, s.Name, s.owner, now.UnixMilli(), now.Add(streamLease).UnixMilli())
	if err != nil {
		return false, err
	}
	if !mine {
		s.mine = false
		return false, s.Sink.Close()
	}
	if !s.mine {
		s.mine, s.state.Seq, s.sent, s.waits = true, seq, seq, 0
	}
	if err := s.Sink.Alive(); err != nil {
		return false, err
	}
	links, err := s.Store.AuditLinks(ctx, s.sent, streamBatch)
	if err != nil {
		return false, err
	}
	var events []Line
	for i := range links {
		if links[i].Row == nil { // cut out; verify tells
			continue
		}
		line, err := links[i].line()
		if err != nil {
			return false, err
		}
		events = append(events, line)
	}
	// Also without events, as long as nothing proves that the sink is back.
	if len(events) > 0 || s.state.FailingSince != 0 {
		if err := s.Sink.Send(ctx, events); err != nil {
			return false, err
		}
	}
	if len(links) > 0 {
		s.sent = links[len(links)-1].Seq
	}
	return len(links) == streamBatch, s.confirm(ctx, now)
}

// confirm notes as sent what was written some time ago to a connection that lives.
func (s *Stream) confirm(ctx context.Context, now time.Time) error {
	next := s.state
	switch {
	case s.waits == 0 && s.sent > s.state.Seq:
		s.waits, s.confirms = s.sent, now.Add(confirmAfter)
	case s.waits != 0 && !now.Before(s.confirms):
		next.Seq, s.waits = s.waits, 0
	}
	if next.FailingSince != 0 && (next.Seq > s.state.Seq || s.sent == s.state.Seq) {
		s.Log.InfoContext(ctx, "the audit log is sent again", "stream", s.Name, "failed_since", time.UnixMilli(next.FailingSince).UTC())
		next.FailingSince, next.Error = 0, ""
	}
	if next == s.state {
		return nil
	}
	if err := s.Store.MoveAuditStream(ctx, s.owner, next); err != nil {
		return err
	}
	s.state = next
	return nil
}

// fail goes back to what certainly arrived, and says so where people look.
func (s *Stream) fail(ctx context.Context, failures int, failure error) {
	s.Log.ErrorContext(ctx, "the audit log is not sent", "stream", s.Name, "failures", failures, "error", failure)
	_ = s.Sink.Close() // it is broken
	s.sent, s.waits = s.state.Seq, 0
	if !s.mine {
		return
	}
	if s.state.FailingSince == 0 {
		s.state.FailingSince = s.Now().UnixMilli()
	}
	s.state.Error = cutText(failure.Error())
	if err := s.Store.MoveAuditStream(ctx, s.owner, s.state); err != nil {
		s.Log.ErrorContext(ctx, "how far the audit log was sent is not noted", "stream", s.Name, "error", err)
		s.mine = false
	}
}

// end lets another node go on at once.
func (s *Stream) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	if !s.mine {
		_ = s.Sink.Close() // nothing was sent
		return
	}
	if err := s.Sink.Alive(); err == nil && s.Sink.Close() == nil && s.sent > s.state.Seq {
		s.state.Seq = s.sent
		if err := s.Store.MoveAuditStream(ctx, s.owner, s.state); err != nil {
			s.Log.ErrorContext(ctx, "how far the audit log was sent is not noted: the next node sends some events again", "error", err)
		}
	}
	if err := s.Store.FreeAuditStream(ctx, s.Name, s.owner, s.Now().UnixMilli()-1); err != nil {
		s.Log.ErrorContext(ctx, "the stream of the audit log is not given on at once", "error", err)
	}
}

// Sent returns what Retention.Sent is: up to where every stream is that was alive
// within a week.
func Sent(store StreamStore, now func() time.Time) func(ctx context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		streams, err := store.AuditStreams(ctx)
		if err != nil {
			return 0, fmt.Errorf("how far the audit log was sent: %w", err)
		}
		least := int64(math.MaxInt64)
		for _, s := range streams {
			if s.TouchedUntil > now().Add(-forgotten).UnixMilli() {
				least = min(least, s.Seq)
			}
		}
		return least, nil
	}
}
