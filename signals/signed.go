package signals

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// signedFor is how long a token is used again: below the time for which others
	// may hold the keys, so that one which was rotated away is soon out of use.
	signedFor  = time.Minute
	signedKept = 2048
)

// signedCache keeps what was signed lately: a receiver that polls without
// acknowledging must not cost a signature for each event each time.
type signedCache struct {
	mu     sync.Mutex
	tokens map[string]signedToken // by jti
}

type signedToken struct {
	token string
	at    time.Time
}

// token returns an event as a signed security event token.
func (t *Transmitter) token(ctx context.Context, e Event) (string, error) {
	now := t.Now()
	t.signed.mu.Lock()
	known, ok := t.signed.tokens[e.JTI]
	t.signed.mu.Unlock()
	if ok && now.Sub(known.at) < signedFor {
		return known.token, nil
	}
	token, err := t.Signer.SignSET(ctx, e.Claims)
	if err != nil {
		return "", fmt.Errorf("sign security event: %w", err)
	}
	t.signed.mu.Lock()
	defer t.signed.mu.Unlock()
	if t.signed.tokens == nil || len(t.signed.tokens) >= signedKept {
		t.signed.tokens = map[string]signedToken{}
	}
	t.signed.tokens[e.JTI] = signedToken{token, now}
	return token, nil
}
