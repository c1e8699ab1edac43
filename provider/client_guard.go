package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
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

// limitKey names a budget of a client. A client_id may be longer than a key of the
// Limiter, and a key that it refuses would be a budget without end.
func limitKey(purpose, clientID, rest string) string {
	sum := sha256.Sum256([]byte(clientID))
	return purpose + ":" + base64.RawURLEncoding.EncodeToString(sum[:]) + "|" + rest
}
