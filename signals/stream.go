package signals

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// configuration is a stream as its receiver sees it (SSF §8.1.1). The receiver's
// Authorization header is not in it.
type configuration struct {
	StreamID    string            `json:"stream_id"`
	Issuer      string            `json:"iss"`
	Audience    string            `json:"aud"`
	Supported   []string          `json:"events_supported"`
	Requested   []string          `json:"events_requested,omitempty"`
	Delivered   []string          `json:"events_delivered"`
	Delivery    map[string]string `json:"delivery"`
	Interval    int64             `json:"min_verification_interval"`
	Description string            `json:"description,omitempty"`
}

func (t *Transmitter) configuration(s *Stream) configuration {
	endpoint := s.Endpoint
	if s.Method == Poll {
		endpoint = t.url(pathPoll) + s.ID.String()
	}
	return configuration{
		StreamID: s.ID.String(), Issuer: t.Issuer.String(), Audience: s.ClientID,
		Supported: supported(), Requested: s.Requested, Delivered: delivered(s.Requested),
		Delivery: map[string]string{"method": string(s.Method), "endpoint_url": endpoint},
		Interval: verifyEvery.Milliseconds() / 1000, Description: s.Description,
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	web.NoStore(w)
	web.WriteJSON(w, status, v)
}

// create makes the receiver's stream (SSF §8.1.1.1).
func (t *Transmitter) create(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	now := t.now()
	s := &Stream{ID: id.New(), ClientID: by.ClientID, Status: Enabled, CreatedAt: now, UpdatedAt: now}
	if err := t.apply(o, s, true); err != nil {
		return err
	}
	err = t.Tx.InTx(r.Context(), func(ctx context.Context) error {
		if err := t.Streams.InsertStream(ctx, s); err != nil {
			return err
		}
		return t.note(ctx, by.actor(), "create", nil, s, map[string]any{"method": s.Method})
	})
	if errors.Is(err, accounts.ErrConflict) {
		return &problem{http.StatusConflict, "stream_exists", "The receiver has a stream already"}
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusCreated, t.configuration(s))
	return nil
}

// read answers with one stream, or with the list of them (SSF §8.1.1.2).
func (t *Transmitter) read(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	query, err := web.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad(err.Error())
	}
	if query.Has("stream_id") {
		s, err := t.own(r.Context(), by, query.Get("stream_id"))
		if err != nil {
			return err
		}
		answer(w, http.StatusOK, t.configuration(s))
		return nil
	}
	list := []configuration{}
	s, err := t.Streams.StreamOf(r.Context(), by.ClientID)
	if err == nil {
		list = append(list, t.configuration(s))
	} else if !errors.Is(err, accounts.ErrNotFound) {
		return err
	}
	answer(w, http.StatusOK, list)
	return nil
}

// update changes what is named (SSF §8.1.1.3); replace everything (SSF §8.1.1.4).
func (t *Transmitter) update(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	return t.rewrite(w, r, by, false)
}

func (t *Transmitter) replace(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	return t.rewrite(w, r, by, true)
}

func (t *Transmitter) rewrite(w http.ResponseWriter, r *http.Request, by *Receiver, whole bool) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	var changed *Stream
	err = t.changing(r.Context(), by, o, func(ctx context.Context, s *Stream) error {
		changed = s
		before := *s
		if err := t.matches(o, s); err != nil {
			return err
		}
		if err := t.apply(o, s, whole); err != nil {
			return err
		}
		if err := t.Streams.UpdateStream(ctx, s); err != nil {
			return err
		}
		// What waited for a poll may now have to be pushed, or may be taken at the
		// address that was mended.
		if err := t.hurry(ctx, s); err != nil {
			return err
		}
		return t.note(ctx, by.actor(), "update", &before, s, map[string]any{"method": s.Method})
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, t.configuration(changed))
	return nil
}

// remove deletes a stream and all that waits in it (SSF §8.1.1.5).
func (t *Transmitter) remove(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	query, err := web.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad(err.Error())
	}
	err = t.Tx.InTx(r.Context(), func(ctx context.Context) error {
		s, err := t.own(ctx, by, query.Get("stream_id"))
		if err != nil {
			return err
		}
		if err := t.Streams.DeleteStream(ctx, s.ID); err != nil {
			return err
		}
		return t.note(ctx, by.actor(), "delete", s, nil, nil)
	})
	if err != nil {
		return err
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// own returns the receiver's stream if it has that id. Somebody else's is not found.
func (t *Transmitter) own(ctx context.Context, by *Receiver, streamID string) (*Stream, error) {
	s, err := t.Streams.StreamOf(ctx, by.ClientID)
	if err != nil {
		return nil, err
	}
	if s.ID.String() != streamID {
		return nil, errNoStream()
	}
	return s, nil
}

// changing locks the receiver's stream that the body names and lets f change it.
func (t *Transmitter) changing(ctx context.Context, by *Receiver, o object, f func(ctx context.Context, s *Stream) error) error {
	streamID, err := o.need("stream_id")
	if err != nil {
		return err
	}
	return t.Tx.InTx(ctx, func(ctx context.Context) error {
		s, err := t.own(ctx, by, streamID)
		if err != nil {
			return err
		}
		locked, err := t.Streams.LockStreams(ctx, []id.ID{s.ID})
		if err != nil {
			return err
		}
		if len(locked) == 0 {
			return errNoStream()
		}
		locked[0].UpdatedAt = t.now()
		return f(ctx, &locked[0])
	})
}

// matches refuses a body that says something else about what is ours to say.
func (t *Transmitter) matches(o object, s *Stream) error {
	c := t.configuration(s)
	for name, want := range map[string]string{"iss": c.Issuer, "aud": c.Audience} {
		got, ok, err := o.text(name)
		if err != nil {
			return err
		}
		if ok && got != want {
			return bad(name + " is not the stream's")
		}
	}
	for name, want := range map[string][]string{"events_supported": c.Supported, "events_delivered": c.Delivered} {
		got, ok, err := o.list(name, maxRequested, maxType)
		if err != nil {
			return err
		}
		slices.Sort(got)
		slices.Sort(want)
		if ok && !slices.Equal(got, want) {
			return bad(name + " is not the stream's")
		}
	}
	var interval int64
	if ok, err := o.member("min_verification_interval", &interval); err != nil || ok && interval != c.Interval {
		return bad("min_verification_interval is not the stream's")
	}
	return nil
}
