package resource

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/revset"
)

const (
	// The pause before the first try after a stream has ended, and before later
	// ones. Followers whose node has restarted come back at different times.
	firstRetryMin = 100 * time.Millisecond
	firstRetryMax = 500 * time.Millisecond
	lastRetry     = 10 * time.Second
	// slowRetry is the pause after what will hardly change by itself.
	slowRetry = 30 * time.Second
	// settledAfter is how long a stream must have lasted for the next pause to be a
	// first one again.
	settledAfter = 10 * time.Second

	watchEvery = 500 * time.Millisecond
	dropEvery  = 30 * time.Second
	// maxOffset is how far this clock may be from the issuer's without a warning.
	maxOffset = 30 * time.Second
)

// feed follows the ledger: it does for [follow.Follower] what needs the network
// and time.
type feed struct {
	core         *follow.Follower
	account      *account
	introspector *introspector
	streams      *streams
	keys         *keyCache
	client       *http.Client // without a timeout
	base         string       // what wire's paths are relative to
	instance     string
	maxRows      int
	now          func() time.Time
	log          *slog.Logger
	events       Events
	logAllowed   seldom

	stop    context.CancelFunc
	stopped chan struct{} // closed when close begins
	once    sync.Once
	work    sync.WaitGroup
	ready   chan struct{} // closed when the state was Fresh once
	applied chan struct{} // capacity 1: there is something to report

	mu        sync.Mutex // guards what follows, and orders the hooks
	state     State
	everFresh bool
	rows      int
	bytes     int
	offset    bool // a clock offset was warned of

	// What follows belongs to run.
	resync   bool          // a snapshot is due
	fruitful bool          // the connection has brought a frame
	retry    time.Duration // what the server asked for
	logged   string        // the last failure in the log
}

func newFeed(cfg Config, s *streams, keys *keyCache) *feed {
	a := newAccount(cfg)
	endless := *a.client
	endless.Timeout = 0
	return &feed{
		core: follow.New(cfg.MaxRows, cfg.Now), account: a, introspector: newIntrospector(a, cfg), streams: s, keys: keys,
		client: &endless, base: strings.TrimSuffix(cfg.Issuer, "/"), instance: cfg.Instance, maxRows: cfg.MaxRows,
		now: cfg.Now, log: cfg.Logger, events: cfg.Events, state: Cold,
		stopped: make(chan struct{}), ready: make(chan struct{}), applied: make(chan struct{}, 1),
	}
}

func (f *feed) start() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.work.Go(func() { f.run(ctx) })
	f.work.Go(func() { f.watch(ctx) })
	f.work.Go(func() { f.reportPositions(ctx) })
}

// close ends everything and waits for it.
func (f *feed) close() {
	f.once.Do(func() { close(f.stopped) })
	f.stop()
	f.work.Wait()
}

// run connects again and again.
func (f *feed) run(ctx context.Context) {
	for failures := 0; ; failures++ {
		began := f.now()
		f.fruitful = false
		err := f.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		f.notice(f.now())
		f.complain(err)
		switch {
		case f.now().Sub(began) >= settledAfter:
			failures = 0
		case f.fruitful:
			// Whoever had trouble before, and had just been let in again, must not wait
			// the longest when all streams end at once.
			failures = min(failures, 1)
		}
		if !sleep(ctx, f.pause(err, failures)) {
			return
		}
	}
}

// connect follows the ledger while a connection lasts. A token that was good and is
// refused has been taken back, as all are when a key is compromised: the follower
// comes again at once with another, or it would be blind when it is needed most.
func (f *feed) connect(ctx context.Context) error {
	err := f.attempt(ctx)
	if unauthorized(err) {
		err = f.attempt(ctx)
	}
	return err
}

func unauthorized(err error) bool {
	var refused *answerError
	return errors.As(err, &refused) && refused.status == http.StatusUnauthorized && refused.what != tokenEndpoint
}

// attempt brings what is known up to date and keeps it so while the connection
// lasts. It returns nil when the stream has merely ended.
func (f *feed) attempt(ctx context.Context) error {
	token, err := f.bearer(ctx)
	if err != nil {
		return err
	}
	if f.resync || f.core.Cursor() == "" {
		err = f.snapshot(ctx, token)
	}
	if err == nil {
		f.resync = false
		err = f.stream(ctx, token)
	}
	if unauthorized(err) {
		f.account.forget(ctx, token)
	}
	return err
}

func (f *feed) bearer(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	return f.account.bearer(ctx)
}

// get asks for what the feed has at path.
func (f *feed) get(ctx context.Context, path, token string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, because(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, refusal(path, resp)
	}
	return resp, nil
}

// because prefers the reason why ctx was cancelled.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// pause returns how long to wait after err, the next failure in a row.
func (f *feed) pause(err error, failures int) time.Duration {
	least := f.retry
	var refused *answerError
	if errors.As(err, &refused) {
		least = max(least, min(refused.retryAfter, slowRetry))
	}
	switch {
	case hopeless(err):
		return max(between(slowRetry*9/10, slowRetry*11/10), least)
	case failures == 0:
		return max(between(firstRetryMin, firstRetryMax), least)
	}
	longest := min(firstRetryMax<<min(failures, 10), lastRetry)
	return max(between(longest/2, longest), least)
}

// hopeless reports whether err will hardly go away by itself.
func hopeless(err error) bool {
	if errors.Is(err, follow.ErrUnknown) || errors.Is(err, revset.ErrFull) {
		return true
	}
	var refused *answerError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.status {
	case http.StatusForbidden, http.StatusNotFound:
		return true
	case http.StatusBadRequest, http.StatusUnauthorized:
		return refused.what == tokenEndpoint // the credentials are wrong
	}
	return false
}

// complain logs why the ledger is not followed, once for each reason.
func (f *feed) complain(err error) {
	if err == nil || err.Error() == f.logged {
		return
	}
	f.logged = err.Error()
	if errors.Is(err, follow.ErrBehind) {
		f.log.Error("resource: the issuer's ledger has lost something", "issuer", f.base, "position", f.core.Position())
		if f.events.Behind != nil {
			f.events.Behind()
		}
		f.logged = ""
		return
	}
	f.log.Warn("resource: ledger not followed", "issuer", f.base, "error", err)
}

// watch notices what time brings about.
func (f *feed) watch(ctx context.Context) {
	dropped := f.now()
	for sleep(ctx, watchEvery) {
		now := f.now()
		f.notice(now)
		if now.Sub(dropped) >= dropEvery {
			dropped = now
			f.core.Drop()
			f.measure()
		}
	}
}

// notice tells the hooks of a change of state.
func (f *feed) notice(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compareClocks(now)
	before, after := f.state, f.core.State(now)
	if before == after {
		return
	}
	f.state = after
	if after == Fresh && !f.everFresh {
		f.everFresh = true
		close(f.ready)
	}
	f.log.Info("resource: state changed", "old", before.String(), "new", after.String())
	if f.events.State != nil {
		f.events.State(before, after)
	}
	f.streams.check()
	f.tell()
}

// compareClocks warns when this machine's clock is far from the issuer's; the
// caller holds mu.
func (f *feed) compareClocks(now time.Time) {
	server, ok := f.core.ServerTime(now)
	if !ok || f.state != Fresh {
		return
	}
	offset := server.Sub(now)
	far := offset > maxOffset || offset < -maxOffset
	if far && !f.offset {
		f.log.Warn("resource: this clock and the issuer's differ", "seconds", int64(offset/time.Second))
	}
	f.offset = far
}

// measure tells the hook how large the set has become.
func (f *feed) measure() {
	view := f.core.View()
	if view == nil || f.events.Size == nil {
		return
	}
	rows, bytes := view.Set.Len(), view.Set.Bytes()
	f.mu.Lock()
	defer f.mu.Unlock()
	if rows != f.rows || bytes != f.bytes {
		f.rows, f.bytes = rows, bytes
		f.events.Size(rows, bytes)
	}
}

// tell has the position reported soon.
func (f *feed) tell() {
	select {
	case f.applied <- struct{}{}:
	default:
	}
}

// sleep waits, and is false when ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// between returns a random duration from least to most.
func between(least, most time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return least + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(most-least+1))
}
