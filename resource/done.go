package resource

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/revset"
)

const (
	// maxStreams is how many tokens may have a channel at once.
	maxStreams = 65_536
	// sweepEvery is how often channels are checked when nothing arrives.
	sweepEvery = time.Second
	// sweepPause is the least pause between two checks, and sweepShare how much
	// longer than the check before it the pause is: rows that arrive all the time
	// must not cost all the time.
	sweepPause = 20 * time.Millisecond
	sweepShare = 10
)

// ErrEnded is the cause of a context that [Verifier.Bind] has cancelled.
var ErrEnded = errors.New("resource: the access token has ended")

// streams are the tokens whose end somebody waits for.
type streams struct {
	now    func() time.Time
	leeway time.Duration
	log    *slog.Logger
	poke   chan struct{} // capacity 1: something has arrived

	mu      sync.Mutex
	waiting map[streamKey]*stream
	running bool // there is a sweeper; it ends when nobody waits
	closed  chan struct{}
	full    seldom
}

// streamKey tells tokens apart, also those that a stolen key signed under another
// token's id.
type streamKey struct {
	id, keyID    string
	expires, rev int64
	deny         bool
}

type stream struct {
	done       chan struct{}
	expires    time.Time
	keys       follow.Claims
	generation uint64 // that query is for
	query      revset.Query
	deny       bool
	core       *follow.Follower // nil when nothing is followed
}

func newStreams(cfg Config) *streams {
	return &streams{
		now: cfg.Now, leeway: cfg.Leeway, log: cfg.Logger, poke: make(chan struct{}, 1),
		waiting: map[streamKey]*stream{}, closed: make(chan struct{}),
	}
}

// Done returns a channel that is closed when t, which this verifier has returned,
// is no longer good: it has expired or, when the ledger is followed, was revoked.
// Under the policy [Deny] it is also closed when the ledger is no longer fresh; the
// other policies let a stream go on that began well, and it ends when the ledger is
// fresh again and says so. Long answers and WebSockets end by it (H19).
//
// All callers with one token share a channel, and it needs no release. There can be
// 65,536; beyond them, and after [Verifier.Close], a channel is returned that is
// closed already.
func (v *Verifier) Done(t *Token) <-chan struct{} {
	s := &stream{done: make(chan struct{}), expires: t.ExpiresAt, keys: t.keys()}
	if v.feed != nil {
		s.core, s.deny = v.feed.core, v.stale == Deny
	}
	key := streamKey{t.ID, t.KeyID, t.ExpiresAt.Unix(), t.Rev, s.deny}
	return v.streams.wait(key, s)
}

// Bind returns a context that ends when t does, with the cause [ErrEnded]; see
// [Verifier.Done]. Calling cancel releases it.
func (v *Verifier) Bind(ctx context.Context, t *Token) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := v.Done(t)
	go func() {
		select {
		case <-done:
			cancel(ErrEnded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// wait returns the channel of key, which is s's when there was none.
func (r *streams) wait(key streamKey, s *stream) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.waiting[key]; old != nil {
		return old.done
	}
	now := r.now()
	select {
	case <-r.closed:
		close(s.done)
		return s.done
	default:
	}
	// The token may have ended since it was verified.
	if s.over(now, r.leeway) {
		close(s.done)
		return s.done
	}
	if len(r.waiting) >= maxStreams {
		if r.full.now(now) {
			r.log.Warn("resource: too many tokens are waited for, a stream was ended", slog.Int("tokens", maxStreams))
		}
		close(s.done)
		return s.done
	}
	r.waiting[key] = s
	if !r.running {
		r.running = true
		go r.run()
	}
	return s.done
}

// over reports whether the token has ended.
func (s *stream) over(now time.Time, leeway time.Duration) bool {
	if s.core == nil {
		return !now.Before(s.expires.Add(leeway))
	}
	if server, ok := s.core.ServerTime(now); ok && !server.Before(s.expires.Add(leeway)) {
		return true
	}
	if !now.Before(s.expires.Add(leeway)) || s.deny && s.core.State(now) != follow.Fresh {
		return true
	}
	view := s.core.View()
	if view == nil {
		return false
	}
	if s.generation != view.Generation {
		s.generation, s.query = view.Generation, view.Query(s.keys)
	}
	_, hit := view.Set.Match(&s.query)
	return hit
}

// check looks at all channels soon.
func (r *streams) check() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// run checks until nobody waits.
func (r *streams) run() {
	for {
		began := time.Now()
		if !r.sweep() {
			return
		}
		pause := max(sweepPause, sweepShare*time.Since(began))
		select {
		case <-r.closed:
			return
		case <-time.After(pause):
		}
		select {
		case <-r.closed:
			return
		case <-r.poke:
		case <-time.After(max(sweepEvery-pause, 0)):
		}
	}
}

// sweep closes what is over and reports whether somebody still waits.
func (r *streams) sweep() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for key, s := range r.waiting {
		if s.over(now, r.leeway) {
			close(s.done)
			delete(r.waiting, key)
		}
	}
	r.running = len(r.waiting) > 0
	return r.running
}

// close closes all channels, for good.
func (r *streams) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closed:
		return
	default:
	}
	close(r.closed)
	for key, s := range r.waiting {
		close(s.done)
		delete(r.waiting, key)
	}
}
