package signals

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/web"
)

// statusAnswer is a stream's status (SSF §8.1.2).
type statusAnswer struct {
	StreamID string `json:"stream_id"`
	Status   Status `json:"status"`
	Reason   string `json:"reason,omitempty"`
}

func statusOf(s *Stream) statusAnswer {
	return statusAnswer{StreamID: s.ID.String(), Status: s.Status, Reason: s.Reason}
}

func (t *Transmitter) readStatus(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	query, err := web.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad(err.Error())
	}
	s, err := t.own(r.Context(), by, query.Get("stream_id"))
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, statusOf(s))
	return nil
}

// setStatus is the receiver's own wish, so no event tells of it. What waits is held
// while the stream is paused, and dropped when it is disabled.
func (t *Transmitter) setStatus(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	status, err := o.need("status")
	if err != nil {
		return err
	}
	next := Status(status)
	if next != Enabled && next != Paused && next != Disabled {
		return bad("status must be enabled, paused or disabled")
	}
	reason, _, err := o.text("reason")
	if err != nil {
		return err
	}
	if len(reason) > 512 || !shown(reason) {
		return bad("reason is too long or not printable")
	}
	var changed *Stream
	err = t.changing(r.Context(), by, o, func(ctx context.Context, s *Stream) error {
		before := *s
		changed, s.Status, s.Reason = s, next, reason
		if err := t.Streams.UpdateStream(ctx, s); err != nil {
			return err
		}
		switch next {
		case Enabled:
			if err := t.hurry(ctx, s); err != nil {
				return err
			}
		case Disabled:
			if _, err := t.Events.DropOlder(ctx, s.ID, endOfTime); err != nil {
				return err
			}
		}
		return t.note(ctx, by.actor(), "status", &before, s, map[string]any{"status": s.Status})
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, statusOf(changed))
	return nil
}

// endOfTime, in Unix milliseconds, is later than anything.
const endOfTime = 1 << 62
