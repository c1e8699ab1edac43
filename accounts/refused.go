package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Bounds of what is kept about redirect URIs that were refused. Whoever knows a
// client's id can have any number of them refused.
const (
	// RefusedPerClient is how many URIs are kept of one client.
	RefusedPerClient = 20
	// refusedKept is for how long one is kept that is not seen again.
	refusedKept = 90 * 24 * time.Hour
	// refusedBytes bounds the text of one.
	refusedBytes = 512
	// refusedWaiting is how many URIs of all clients wait in memory to be written.
	refusedWaiting = 1000
	// refusedEvery is how often what waits is written.
	refusedEvery = time.Second
	// refusedTimeout bounds one such write.
	refusedTimeout = 10 * time.Second
)

// leftOut stands in a refused URI for what is not kept of it. No URI holds it.
const leftOut = "…"

// RefusedRedirect is a redirect URI that was refused because it is not registered.
// Times are Unix milliseconds.
type RefusedRedirect struct {
	// URI is what Recognisable made of it: ASCII but for the sign of what was left
	// out, and hostile all the same.
	URI     string
	Count   int64
	FirstAt int64
	LastAt  int64
}

// Whole reports whether the URI is kept byte for byte as it was sent.
func (r RefusedRedirect) Whole() bool { return !strings.Contains(r.URI, leftOut) }

// RefusedStore keeps refused redirect URIs.
type RefusedStore interface {
	// AddRefused adds to what is kept of a client, in one transaction: counts of the
	// same URI are summed. Then it removes what was last seen before since, and all but
	// the keep that were seen last.
	AddRefused(ctx context.Context, clientID id.ID, list []RefusedRedirect, keep int, since int64) error
	// RefusedRedirects returns what is kept of a client and was seen at since or later,
	// last seen first.
	RefusedRedirects(ctx context.Context, clientID id.ID, since int64) ([]RefusedRedirect, error)
	// ForgetRefused removes one, or returns ErrNotFound.
	ForgetRefused(ctx context.Context, clientID id.ID, uri string) error
}

// Refusals remembers which redirect URIs were refused, so that operators see what an
// app really sends. Requests only leave a note in memory, which is bounded; Run
// writes the notes, at most once a second. Notes may be lost: nothing is decided by
// them.
type Refusals struct {
	Journal
	Store RefusedStore
	Log   *slog.Logger

	mu      sync.Mutex
	waiting map[id.ID]map[string]*RefusedRedirect
	size    int           // of all maps in waiting
	wake    chan struct{} // holds one sign that something waits
}

// NewRefusals returns Refusals that keep what they note in store.
func NewRefusals(journal Journal, store RefusedStore, log *slog.Logger) *Refusals {
	return &Refusals{Journal: journal, Store: store, Log: log, wake: make(chan struct{}, 1)}
}

// Recognisable is what is kept of a redirect URI as somebody sent it: enough to
// recognise it by. Query, fragment and user information may hold secrets and are left
// out; what is not printable ASCII is written as \xNN, so that nothing can look like
// something else; the rest is cut at 512 bytes. A URI that can be registered and has
// no query stays as it is.
func Recognisable(raw string) string {
	end := strings.IndexAny(raw, "?#")
	for _, escaped := range []string{"%3f", "%3F", "%23"} { // of an app that escapes twice
		if i := strings.Index(raw, escaped); i >= 0 && (end < 0 || i < end) {
			end = i
		}
	}
	tail := ""
	if end >= 0 {
		tail, raw = raw[end:end+1]+leftOut, raw[:end]
	}
	head, rest := withoutUser(raw)
	var b strings.Builder
	b.WriteString(head)
	for i := 0; i < len(rest); i++ {
		piece := rest[i : i+1]
		if c := rest[i]; c <= ' ' || c >= 0x7f {
			piece = fmt.Sprintf(`\x%02X`, c)
		}
		if b.Len()+len(piece) > refusedBytes {
			return b.String() + leftOut
		}
		b.WriteString(piece)
	}
	return b.String() + tail
}

// withoutUser takes user information out of a URI and returns the part that ends with
// where it was, if it had any, and the rest. Browsers take backslashes for slashes.
func withoutUser(raw string) (head, rest string) {
	scheme := strings.IndexByte(raw, ':') + 1
	if !validScheme(strings.ToLower(strings.TrimSuffix(raw[:scheme], ":"))) {
		scheme = 0
	}
	authority := strings.TrimLeft(raw[scheme:], `/\`)
	start := len(raw) - len(authority)
	if start == scheme { // no slashes, no authority
		return "", raw
	}
	if end := strings.IndexAny(authority, `/\`); end >= 0 {
		authority = authority[:end]
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 || start > refusedBytes {
		return "", raw
	}
	return raw[:start] + leftOut, raw[start+at:]
}

// Note remembers that a redirect URI of a client was refused. It neither waits nor
// fails; what there is no room for is not remembered.
func (r *Refusals) Note(clientID id.ID, raw string) {
	uri, now := Recognisable(raw), r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.waiting[clientID][uri]; known != nil {
		known.Count++
		known.LastAt = now
		return
	}
	if len(r.waiting[clientID]) >= RefusedPerClient || r.size >= refusedWaiting {
		return
	}
	if r.waiting == nil {
		r.waiting = map[id.ID]map[string]*RefusedRedirect{}
	}
	if r.waiting[clientID] == nil {
		r.waiting[clientID] = map[string]*RefusedRedirect{}
	}
	r.waiting[clientID][uri] = &RefusedRedirect{URI: uri, Count: 1, FirstAt: now, LastAt: now}
	r.size++
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
}

// Run writes what was noted until ctx ends, and then what still waits. It returns the
// error of ctx.
func (r *Refusals) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
		case <-r.wake:
		}
		if err := r.Flush(context.WithoutCancel(ctx)); err != nil {
			r.Log.WarnContext(ctx, "keep refused redirect URIs", "error", err)
		}
		pause := time.NewTimer(refusedEvery)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// Flush writes what was noted. What cannot be written is lost.
func (r *Refusals) Flush(ctx context.Context) error {
	r.mu.Lock()
	waiting := r.waiting
	r.waiting, r.size = nil, 0
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, refusedTimeout)
	defer cancel()
	var failed []error
	for clientID, uris := range waiting {
		list := make([]RefusedRedirect, 0, len(uris))
		for _, x := range uris {
			list = append(list, *x)
		}
		// In one order everywhere: two nodes must not wait for each other.
		slices.SortFunc(list, func(x, y RefusedRedirect) int { return strings.Compare(x.URI, y.URI) })
		if err := r.Store.AddRefused(ctx, clientID, list, RefusedPerClient, r.since()); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (r *Refusals) since() int64 { return r.now() - refusedKept.Milliseconds() }

// Of returns what was refused of a client in the last 90 days, at most
// RefusedPerClient, last seen first.
func (r *Refusals) Of(ctx context.Context, c *Client) ([]RefusedRedirect, error) {
	return r.Store.RefusedRedirects(ctx, c.ID, r.since())
}

// Forget removes one of what was refused of a client. Errors: ErrNotFound.
func (r *Refusals) Forget(ctx context.Context, by audit.Actor, c *Client, uri string) error {
	return r.record(ctx, by, func(ctx context.Context, _ int64) (*effect, error) {
		if err := r.Store.ForgetRefused(ctx, c.ID, uri); err != nil {
			return nil, fmt.Errorf("refused redirect URI: %w", err)
		}
		return clientEffect("client.refused.forget", c, map[string]any{"uri": uri}), nil
	})
}
