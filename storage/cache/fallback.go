package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	probeEvery = time.Second
	probeKey   = "probe"
)

// Fallback uses Primary while it answers and Secondary while it does not. Any
// failure of Primary (no answer, out of memory, read only) sends this call and all
// that follow to Secondary; once a second one of them starts, in the background, a
// write to Primary, and the first that succeeds brings it back.
//
// The two are never compared or merged: a value put into one is not found in the
// other, a value deleted meanwhile may be back, and a limit starts with a full
// burst. That is the price named in the package comment.
type Fallback struct {
	Primary   Store
	Secondary Store
	Log       *slog.Logger
	Now       func() time.Time

	mu        sync.Mutex
	away      bool
	lastProbe time.Time
}

var _ Store = (*Fallback)(nil)

// Put implements Store.
func (f *Fallback) Put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return f.use(ctx, func(s Store) error { return s.Put(ctx, key, value, ttl) })
}

// Get implements Store.
func (f *Fallback) Get(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := f.use(ctx, func(s Store) (err error) {
		value, err = s.Get(ctx, key)
		return err
	})
	return value, err
}

// Delete implements Store.
func (f *Fallback) Delete(ctx context.Context, key string) error {
	return f.use(ctx, func(s Store) error { return s.Delete(ctx, key) })
}

// Spend implements Store.
func (f *Fallback) Spend(ctx context.Context, key string, l Limit, n int) (time.Duration, error) {
	var wait time.Duration
	err := f.use(ctx, func(s Store) (err error) {
		wait, err = s.Spend(ctx, key, l, n)
		return err
	})
	return wait, err
}

// Away reports whether Secondary is in use.
func (f *Fallback) Away() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.away
}

func (f *Fallback) use(ctx context.Context, do func(Store) error) error {
	if !f.primaryAway(ctx) {
		err := do(f.Primary)
		// The last case is the caller's own hurry, which says nothing about Primary.
		if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) || ctx.Err() != nil {
			return err
		}
		f.leave(ctx, err)
	}
	return do(f.Secondary)
}

// primaryAway reports whether to use Secondary, and sees to the probe.
func (f *Fallback) primaryAway(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away && f.Now().Sub(f.lastProbe) >= probeEvery {
		f.lastProbe = f.Now()
		go f.probe(context.WithoutCancel(ctx))
	}
	return f.away
}

func (f *Fallback) leave(ctx context.Context, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return // somebody else was first
	}
	f.away, f.lastProbe = true, f.Now()
	f.Log.WarnContext(ctx, "short-lived state moves to the database: its store does not answer", "error", err)
}

// probe writes, since a full or read-only Redis answers a ping.
func (f *Fallback) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*probeEvery)
	defer cancel()
	if err := f.Primary.Put(ctx, probeKey, []byte{1}, 10*time.Second); err != nil {
		return // it is away, as is known
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = false
	f.Log.InfoContext(ctx, "short-lived state is back in its store")
}
