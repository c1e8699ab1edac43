package signals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/jobs"
)

const (
	pushTimeout = time.Minute
	// pushFor is for how long one job goes on; then another one takes over, so
	// that a long queue leaves room for others, and a server that stops waits little.
	pushFor = 5 * time.Second
	// sealPurpose binds a sealed header to its use; it is bound to its stream too.
	sealPurpose = "signals authorization header"
)

// backoff is how long a stream waits after so many failed tries.
func backoff(attempt int) time.Duration {
	steps := []time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	if attempt < 1 || attempt > len(steps) {
		return time.Hour
	}
	return steps[attempt-1]
}

// wake sees to it that a job pushes what was put into a stream.
func (t *Transmitter) wake(ctx context.Context, s *Stream) error {
	if s.Method != Push {
		return nil
	}
	job := id.New()
	made, err := t.Deliveries.WantPush(ctx, s.ID, job, t.now())
	if err != nil || !made {
		return err
	}
	return t.enqueue(ctx, s, job, 0)
}

// hurry is wake after something that the receiver did itself: a job that waits to
// try again is replaced by one that tries now. One that may be at work is left
// alone, for two would mix up the order.
func (t *Transmitter) hurry(ctx context.Context, s *Stream) error {
	if s.Method != Push || s.PushJob.IsZero() || t.now()-s.PushAt <= pushTimeout.Milliseconds() {
		return t.wake(ctx, s)
	}
	return t.handOver(ctx, s, s.PushJob, 0)
}

// enqueue makes a stream's job, to run after a wait. Its target is the host, so that one who hangs is
// not given every worker by having many streams.
func (t *Transmitter) enqueue(ctx context.Context, s *Stream, job id.ID, wait time.Duration) error {
	var host string
	if u, err := url.Parse(s.Endpoint); err == nil {
		host = u.Host
	}
	j := jobs.Job{ID: job, Kind: KindPush, Target: host, Payload: s.ID.String()}
	if wait > 0 {
		j.RunAt = t.now() + wait.Milliseconds()
	}
	return t.Jobs.Enqueue(ctx, j)
}

// push does a stream's job: it sends what waits, one after the other, and ends when
// nothing is left. The stream is read again for each event, so that one which is
// paused, or whose client is disabled, gets nothing more.
func (t *Transmitter) push(ctx context.Context, j jobs.Job) error {
	streamID, err := id.Parse(j.Payload)
	if err != nil {
		return fmt.Errorf("%w: stream: %w", jobs.ErrFinal, err)
	}
	// The try is noted, so that nobody takes the job for lost.
	ours, err := t.Deliveries.HandOverPush(ctx, streamID, j.ID, j.ID, t.now())
	if err != nil || !ours {
		return err // another job has taken over, or the stream is gone
	}
	until := t.Now().Add(pushFor)
	sent := 0
	for {
		s, err := t.Streams.StreamByID(ctx, streamID)
		if errors.Is(err, accounts.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.PushJob != j.ID || s.Method != Push {
			return nil // another job has taken over
		}
		var waiting []Event
		if s.Live {
			if waiting, err = t.Events.WaitingEvents(ctx, s.ID, s.Status == Enabled, 1); err != nil {
				return err
			}
		}
		if len(waiting) == 0 {
			done, err := t.Deliveries.FinishPush(ctx, s.ID, j.ID, s.Wanted)
			if err != nil || done {
				return err
			}
			continue // something came in between
		}
		if t.Now().After(until) {
			return t.handOver(ctx, s, j.ID, 0)
		}
		if err := t.send(ctx, s, waiting[0]); err != nil {
			if sent == 0 {
				return err
			}
			// It took what came before: it is not down, and the failures of a long
			// queue must not add up to the waits of one that is.
			t.Log.InfoContext(ctx, "a push is tried again soon", "stream", s.ID, "client_id", s.ClientID, "error", err)
			return t.handOver(ctx, s, j.ID, backoff(1))
		}
		if _, err := t.Events.DropEvents(ctx, s.ID, []string{waiting[0].JTI}); err != nil {
			return fmt.Errorf("drop a delivered event: %w", err)
		}
		sent++
	}
}

// handOver puts another job in the place of one, to run after a wait.
func (t *Transmitter) handOver(ctx context.Context, s *Stream, from id.ID, wait time.Duration) error {
	return t.Tx.InTx(ctx, func(ctx context.Context) error {
		next := id.New()
		ok, err := t.Deliveries.HandOverPush(ctx, s.ID, from, next, t.now())
		if err != nil || !ok {
			return err
		}
		return t.enqueue(ctx, s, next, wait)
	})
}

// send pushes one event (RFC 8935 §2). Nil means that the receiver need not be sent
// it again: it took it, or said what is wrong with it, which the log keeps.
func (t *Transmitter) send(ctx context.Context, s *Stream, e Event) error {
	request, err := t.request(ctx, s, e)
	if err != nil {
		return err
	}
	answer, err := t.Client.Do(request)
	if err != nil {
		// The text of a url.Error holds the address, and the query of that may hold
		// a secret.
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		return fmt.Errorf("push to %s: %w", request.URL.Host, err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusAccepted, http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusBadRequest:
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
		var refused refusal
		_ = json.Unmarshal(body, &refused) // what cannot be read says nothing
		if refused.aboutUs() {
			return fmt.Errorf("push to %s: refused: %s", request.URL.Host, refused.Code)
		}
		t.refused(ctx, s, e.JTI, refused)
		return nil
	}
	return fmt.Errorf("push to %s: answered %d", request.URL.Host, answer.StatusCode)
}

func (t *Transmitter) request(ctx context.Context, s *Stream, e Event) (*http.Request, error) {
	token, err := t.token(ctx, e)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint, strings.NewReader(token))
	if err != nil {
		return nil, errors.New("push: the address cannot be parsed")
	}
	request.Header.Set("Content-Type", "application/secevent+jwt")
	request.Header.Set("Accept", "application/json")
	if s.Sealed != nil {
		header, err := t.Keyring.Open(sealPurpose, s.Sealed, s.ID[:])
		if err != nil {
			return nil, fmt.Errorf("open the authorization header of stream %s: %w", s.ID, err)
		}
		request.Header.Set("Authorization", string(bytes.TrimSpace(header)))
	}
	return request, nil
}

// refusal is how a receiver says what is wrong with an event (RFC 8935 §2.3,
// RFC 8936 §2.6).
type refusal struct {
	Code        string `json:"err"`
	Description string `json:"description"`
}

// aboutUs reports whether a receiver refused who sends, not what is sent (RFC 8935
// §2.4). That is its own to mend, and all events until then would be lost.
func (r refusal) aboutUs() bool {
	return r.Code == "authentication_failed" || r.Code == "access_denied"
}

// refused notes that a receiver does not want an event as it is. To send it again
// would change nothing.
func (t *Transmitter) refused(ctx context.Context, s *Stream, jti string, r refusal) {
	t.Log.WarnContext(ctx, "a receiver refused a security event", "stream", s.ID, "client_id", s.ClientID,
		"jti", jti, "err", clip(r.Code, 64), "description", clip(r.Description, 200))
}

// clip makes a text of a receiver fit for the log.
func clip(s string, longest int) string {
	if len(s) > longest {
		s = s[:longest]
	}
	s = strings.ToValidUTF8(s, "?")
	if !shown(s) {
		return "unprintable"
	}
	return s
}
