package signals

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const (
	// pollFor is how long a poll waits for an event: below the time that proxies
	// commonly give an answer.
	pollFor   = 25 * time.Second
	pollEvery = 500 * time.Millisecond
	maxEvents = 100  // in one answer
	maxAcks   = 1000 // and errors, in one request
	maxJTI    = 64   // bytes
)

// pollRequest is the body of a poll (RFC 8936 §2.2).
type pollRequest struct {
	maxEvents   int
	immediately bool
	acks        []string
	errors      map[string]refusal
}

// pollAnswer is what a poll brings (RFC 8936 §2.3).
type pollAnswer struct {
	Sets map[string]string `json:"sets"`
	More bool              `json:"moreAvailable,omitempty"`
}

func parsePoll(o object) (pollRequest, error) {
	p := pollRequest{maxEvents: maxEvents}
	if ok, err := o.member("maxEvents", &p.maxEvents); err != nil {
		return p, err
	} else if ok && p.maxEvents < 0 {
		return p, bad("maxEvents is negative")
	}
	p.maxEvents = min(p.maxEvents, maxEvents)
	if _, err := o.member("returnImmediately", &p.immediately); err != nil {
		return p, err
	}
	var err error
	if p.acks, _, err = o.list("ack", maxAcks, maxJTI); err != nil {
		return p, err
	}
	raw, ok := o["setErrs"]
	if !ok {
		return p, nil
	}
	p.errors, err = parseErrors(raw)
	return p, err
}

func parseErrors(raw []byte) (map[string]refusal, error) {
	o, err := parseObject(raw)
	if err != nil || len(o) > maxAcks {
		return nil, bad("setErrs must be an object, and not too long")
	}
	refused := map[string]refusal{}
	for jti, raw := range o {
		one, err := parseObject(raw)
		if err != nil || len(jti) > maxJTI {
			return nil, bad("setErrs must hold objects by jti")
		}
		var r refusal
		if r.Code, err = one.need("err"); err != nil {
			return nil, err
		}
		if r.Description, _, err = one.text("description"); err != nil {
			return nil, err
		}
		refused[jti] = r
	}
	return refused, nil
}

// poll takes acknowledgements and answers with what waits (RFC 8936).
func (t *Transmitter) poll(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	p, err := parsePoll(o)
	if err != nil {
		return err
	}
	ctx := r.Context()
	s, err := t.own(ctx, by, mux.Vars(r)["stream"])
	if err != nil {
		return err
	}
	if s.Method != Poll {
		return errNoStream() // it has no such address
	}
	if err := t.acknowledge(ctx, s, p); err != nil {
		return err
	}
	// The server's limit is for requests that are answered at once. Where it cannot
	// be moved, a poll may be cut off, and its client asks again.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pollFor + 10*time.Second))
	found, err := t.await(ctx, s.ID, p)
	if err != nil {
		if ctx.Err() != nil {
			return nil // nobody is there any more
		}
		return err
	}
	answer(w, http.StatusOK, found)
	return nil
}

func (t *Transmitter) acknowledge(ctx context.Context, s *Stream, p pollRequest) error {
	done := p.acks
	for jti, r := range p.errors {
		t.refused(ctx, s, jti, r)
		done = append(done, jti)
	}
	if len(done) == 0 {
		return nil
	}
	_, err := t.Events.DropEvents(ctx, s.ID, done)
	return err
}

// await looks for events until there are some, for as long as a poll waits. Each
// look reads the stream anew: what ends the client's right to receive also ends what
// was under way.
func (t *Transmitter) await(ctx context.Context, streamID id.ID, p pollRequest) (pollAnswer, error) {
	found, err := t.look(ctx, streamID, p.maxEvents)
	if err != nil || len(found.Sets) > 0 || p.immediately || p.maxEvents == 0 {
		return found, err
	}
	replaced, leave := t.pollers.enter(streamID)
	defer leave()
	timeout := time.NewTimer(pollFor)
	defer timeout.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return found, ctx.Err()
		case <-timeout.C:
			return found, nil
		case <-replaced:
			return found, nil
		}
		found, err = t.look(ctx, streamID, p.maxEvents)
		if err != nil || len(found.Sets) > 0 {
			return found, err
		}
	}
}

func (t *Transmitter) look(ctx context.Context, streamID id.ID, limit int) (pollAnswer, error) {
	a := pollAnswer{Sets: map[string]string{}}
	s, err := t.Streams.StreamByID(ctx, streamID)
	if errors.Is(err, accounts.ErrNotFound) || err == nil && !s.Live {
		return a, errNoStream()
	}
	if err != nil {
		return a, err
	}
	waiting, err := t.Events.WaitingEvents(ctx, s.ID, s.Status == Enabled, limit+1)
	if err != nil {
		return a, err
	}
	a.More = len(waiting) > limit
	for _, e := range waiting[:min(limit, len(waiting))] {
		if a.Sets[e.JTI], err = t.token(ctx, e); err != nil {
			return a, err
		}
	}
	return a, nil
}

// pollers lets one poll of each stream wait: a receiver that opens many is not worth
// more than one that opens one.
type pollers struct {
	mu      sync.Mutex
	waiting map[id.ID]chan struct{}
	drained bool
}

// Drain ends the polls that wait, and lets none wait from now on: a server that
// stops has less time than they. Their receivers ask again, and are answered by
// another one.
func (t *Transmitter) Drain() { t.pollers.drain() }

func (p *pollers) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = true
	for _, one := range p.waiting {
		close(one)
	}
	clear(p.waiting)
}

// enter ends the poll of the stream that waits, and returns what is closed when
// another one enters.
func (p *pollers) enter(streamID id.ID) (replaced <-chan struct{}, leave func()) {
	mine := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drained {
		close(mine)
		return mine, func() {}
	}
	if p.waiting == nil {
		p.waiting = map[id.ID]chan struct{}{}
	}
	if before, ok := p.waiting[streamID]; ok {
		close(before)
	}
	p.waiting[streamID] = mine
	return mine, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.waiting[streamID] == mine {
			delete(p.waiting, streamID)
		}
	}
}
