package feed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

var (
	errFull = errors.New("feed: too many streams, or the server is stopping")
	// How a stream may end; the client resumes.
	errTokenOver = errors.New("feed: the follower's token is no longer good")
	errDrained   = errors.New("feed: the server is stopping")
)

// stream is GET /revocations/stream.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodGet) {
		return
	}
	f, ok := h.authorized(w, r)
	if !ok {
		return
	}
	text, _, err := after(r)
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "invalid_request", err.Error())
		return
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		text = last
	}
	if !h.hub.enter(f.ClientID) {
		busy(w, r, errFull)
		return
	}
	defer h.hub.leave(f.ClientID)
	a := NewAudience(h.Keyring, f.Audience)
	from, reason, err := h.resume(r.Context(), a, text)
	if err != nil {
		busy(w, r, err)
		return
	}
	s := &stream{h: h, f: f, w: w, rc: http.NewResponseController(w), reader: NewReader(from), left: h.hub.draining}
	if err := s.open(); err != nil {
		web.Event(r.Context()).Cause = err
		return
	}
	if reason == "" {
		s.room = h.hub.join(a, func() *Lane { return NewLane(a, h.Ledger.Last(), h.Now()) })
		defer h.hub.part(s.room)
		reason, err = s.follow(r.Context())
	}
	if reason != "" {
		err = s.write(resetText(reason))
	}
	web.Event(r.Context()).Outcome = outcome(reason, err)
}

// outcome is the one word by which the log tells how a stream ended.
func outcome(reason string, err error) string {
	switch {
	case reason != "":
		return "reset-" + reason
	case errors.Is(err, errTokenOver):
		return "token-over"
	case errors.Is(err, errDrained):
		return "drained"
	case errors.Is(err, context.Canceled):
		return "left"
	}
	return "dropped"
}

// after returns the cursor that a request asks to go on after, and whether it wants
// everything all the same.
func after(r *http.Request) (cursor string, complete bool, err error) {
	query, err := web.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", false, err
	}
	return query.Get(wire.ParamAfter), query.Get(wire.ParamComplete) == "true", nil
}

// stream is one open stream. There is no queue: its reader says where it is in
// the lane that it shares.
type stream struct {
	h      *Handler
	f      *Follower
	w      http.ResponseWriter
	rc     *http.ResponseController
	room   *room
	reader Reader
	left   <-chan struct{} // closed when the server drains
	end    *time.Timer     // when the stream ends by itself
}

// open sends the head of the answer.
func (s *stream) open() error {
	head := s.w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // else nginx collects frames
	return s.write(fmt.Appendf(nil, "retry: %d\n\n", 500+rand.IntN(1000)))
}

// write sends whole events. Who does not read for a while is dropped.
func (s *stream) write(texts ...[]byte) error {
	// The deadline is the socket's, so it follows the system's clock.
	if err := s.rc.SetWriteDeadline(time.Now().Add(s.h.Limits.BlockedFor)); err != nil {
		return fmt.Errorf("set the write deadline: %w", err)
	}
	for _, text := range texts {
		if _, err := s.w.Write(text); err != nil {
			return err
		}
	}
	return s.rc.Flush()
}

// follow sends events until the stream ends. It returns the reason of a reset, or
// the error that ended it.
func (s *stream) follow(ctx context.Context) (string, error) {
	s.end = time.NewTimer(s.f.ExpiresAt.Sub(s.h.Now()))
	defer s.end.Stop()
	for {
		step, wake := s.room.next(s.h.Now(), s.reader)
		if step.Reset != "" {
			return step.Reset, nil
		}
		if step.Event == nil && step.CatchUp == nil {
			if err := s.wait(ctx, wake); err != nil {
				return "", err
			}
			continue
		}
		if step.CatchUp != nil {
			if reason, err := s.catchUp(ctx, step); reason != "" || err != nil {
				return reason, err
			}
			continue
		}
		texts, after := s.gather(step)
		if _, err := s.send(ctx, after, texts...); err != nil {
			return "", err
		}
	}
}

// catchUp sends events of this stream's own until it has joined its lane, or until
// nobody can tell whether it may go on.
func (s *stream) catchUp(ctx context.Context, step Step) (reason string, err error) {
	events, ok := s.room.audience.catchUp(s.h.Now, s.reader.Mark(), *step.CatchUp, s.h.Ledger.Since)
	if !ok {
		return resetTooOld, nil
	}
	for e := range events {
		after := step.After
		if e.Frame.Position != after.Mark().Position {
			after = NewReader(Mark{Timeline: e.Frame.Timeline, Position: e.Frame.Position})
		}
		if sent, err := s.send(ctx, after, e.Text); err != nil || !sent {
			return "", err
		}
	}
	return "", nil
}

// send sends events that lead to a place, if the follower's token still holds.
// While nobody can tell it sends nothing: silence, as for a ledger that is not
// confirmed (L5).
func (s *stream) send(ctx context.Context, after Reader, texts ...[]byte) (sent bool, err error) {
	good, err := s.tokenGood(ctx)
	switch {
	case err != nil:
		return false, s.wait(ctx, s.h.Ledger.Changed())
	case !good:
		return false, errTokenOver
	}
	if err := s.write(texts...); err != nil {
		return false, err
	}
	s.reader = after
	return true, s.over()
}

// sendAtOnce is how many shared events go out in one write to who lags a little:
// the busier the machine is, the fewer writes it takes.
const sendAtOnce = 16

// gather returns the shared event of a step, and those that follow it.
func (s *stream) gather(step Step) (texts [][]byte, after Reader) {
	for ; step.Event != nil && len(texts) < sendAtOnce; step, _ = s.room.next(s.h.Now(), after) {
		texts, after = append(texts, step.Event.Text), step.After
	}
	return texts, after
}

// tokenGood asks whether the follower's own token still holds (L16).
func (s *stream) tokenGood(ctx context.Context) (bool, error) {
	if !s.h.Now().Before(s.f.ExpiresAt) {
		return false, nil
	}
	revoked, err := s.h.Ledger.Revoked(ctx, &s.f.Query, s.f.Keys)
	return !revoked, err
}

// wait returns when there may be something to send, or an error when the stream
// is over.
func (s *stream) wait(ctx context.Context, wake <-chan struct{}) error {
	select {
	case <-wake:
		return nil
	case <-s.left:
		s.leave()
		return nil
	case <-s.end.C:
		return s.ended()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// over is wait for a stream that has more to send.
func (s *stream) over() error {
	select {
	case <-s.left:
		s.leave()
	case <-s.end.C:
		return s.ended()
	default:
	}
	return nil
}

// leave makes the stream end soon, at a moment of its own.
func (s *stream) leave() {
	s.left = nil
	rest := s.f.ExpiresAt.Sub(s.h.Now())
	s.end.Reset(min(rest, rand.N(s.h.Limits.DrainFor)))
}

func (s *stream) ended() error {
	if s.left == nil {
		return errDrained
	}
	return errTokenOver
}
