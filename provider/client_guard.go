package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/web"
)

// guard remembers which client may not try to authenticate from which network for
// a while. The budget itself is in the Limiter, which all nodes share, and only a
// failure asks it: what succeeds, almost every request, costs no round trip. Its
// zero value is ready.
type guard struct {
	mu     sync.Mutex
	barred map[string]time.Time // until when
}

// maxBarred bounds what strangers can make a node remember.
const maxBarred = 10_000

// wait returns how long the key is barred, or zero.
func (g *guard) wait(key string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, g.barred[key].Sub(now))
}

// bar refuses the key until a time.
func (g *guard) bar(key string, until, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.barred == nil {
		g.barred = map[string]time.Time{}
	}
	if len(g.barred) >= maxBarred {
		for k, end := range g.barred {
			if !now.Before(end) {
				delete(g.barred, k)
			}
		}
	}
	if len(g.barred) < maxBarred {
		g.barred[key] = until
	}
}

// Budgets of what anybody may make the server keep: requests that wait for a
// person, by network, and pushed ones, by client and network. They are far above
// what an office behind one address needs.
const (
	waitingBurst = 300
	waitingEvery = 200 * time.Millisecond
	pushedBurst  = 100
	pushedEvery  = 100 * time.Millisecond
)

// spendHere is spend from a budget of the network that the request came from. The
// machine itself has none: what runs here has shorter ways to fill the database.
func (p *Provider) spendHere(ctx context.Context, key func(network string) string, burst int, every time.Duration) error {
	addr := web.ClientIP(ctx)
	if addr.IsLoopback() {
		return nil
	}
	return p.spend(ctx, key(web.Bucket(addr)), burst, every)
}

// spend takes one from a budget; an error says that it is used up. A Limiter that
// does not answer stops nobody.
func (p *Provider) spend(ctx context.Context, key string, burst int, every time.Duration) error {
	wait, err := p.Limiter.Spend(ctx, key, burst, every, 1)
	if err != nil {
		p.Log.WarnContext(ctx, "spend from a budget", "error", err)
	}
	if wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// limitKey names a budget of a client. A client_id may be longer than a key of the
// Limiter, and a key that it refuses would be a budget without end.
func limitKey(purpose, clientID, rest string) string {
	sum := sha256.Sum256([]byte(clientID))
	return purpose + ":" + base64.RawURLEncoding.EncodeToString(sum[:]) + "|" + rest
}
