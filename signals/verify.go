package signals

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

const (
	verifyEvery = time.Second // min_verification_interval
	maxState    = 1024        // bytes
)

// verify puts a verification event into the stream (SSF §8.1.4).
func (t *Transmitter) verify(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	var body verification
	if state, ok, err := o.text("state"); err != nil {
		return err
	} else if ok {
		if len(state) > maxState {
			return bad("state is too long")
		}
		body.State = &state
	}
	err = t.changing(r.Context(), by, o, func(ctx context.Context, s *Stream) error {
		if ok, err := t.Deliveries.NoteVerification(ctx, s.ID, t.now(), verifyEvery.Milliseconds()); err != nil {
			return err
		} else if !ok {
			return &problem{http.StatusTooManyRequests, "too_many_requests", "See min_verification_interval"}
		}
		if s.Status == Disabled {
			return nil // SSF §8.1.2.1: nothing is sent, and nothing held
		}
		return t.verification(ctx, s, body)
	})
	if err != nil {
		return err
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (t *Transmitter) verification(ctx context.Context, s *Stream, body verification) error {
	counts, err := t.Events.CountEvents(ctx, []id.ID{s.ID})
	if err != nil {
		return err
	}
	if counts[s.ID] >= maxWaiting {
		return t.pause(ctx, s, reasonBacklog)
	}
	e, err := t.announce(s, typeVerification, body)
	if err != nil {
		return err
	}
	if err := t.Events.InsertEvents(ctx, []Event{e}); err != nil {
		return fmt.Errorf("write a verification event: %w", err)
	}
	return t.hurry(ctx, s)
}
