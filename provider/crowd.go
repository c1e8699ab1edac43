package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"net/http"
	"runtime"
	"time"
)

// One row of the ledger of the kind permission sends every app that holds such a
// token back here at once (L19). So many requests run together as keep processors
// and database busy; the others wait for a moment and are then sent away, for all
// would end later if all were let in, and whoever signs in would stand behind them.
const (
	crowdPerProcessor = 32
	crowdPatience     = time.Second

	// Whoever is sent away comes back after so long, not all in the same second.
	shortestAway = 2 * time.Second
	longestAway  = 6 * time.Second
)

var errCrowded = errors.New("provider: too many token requests at once")

// crowd bounds how many do something at once.
type crowd struct {
	places   chan struct{}
	patience time.Duration // how long one waits for a place
}

func newCrowd() crowd {
	return crowd{places: make(chan struct{}, crowdPerProcessor*runtime.GOMAXPROCS(0)), patience: crowdPatience}
}

// enter takes a place, which leave gives back. The error says to come again later.
func (c crowd) enter(ctx context.Context) error {
	select {
	case c.places <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(c.patience)
	defer patience.Stop()
	select {
	case c.places <- struct{}{}:
		return nil
	case <-patience.C:
		return crowded(errCrowded)
	case <-ctx.Done():
		return crowded(ctx.Err())
	}
}

func (c crowd) leave() { <-c.places }

func crowded(cause error) *Error {
	away := shortestAway
	// Without randomness all come back together, which is no reason to fail.
	if n, err := rand.Int(rand.Reader, big.NewInt(int64(longestAway-shortestAway))); err == nil {
		away += time.Duration(n.Int64())
	}
	return &Error{
		Code: "temporarily_unavailable", Description: "Too many requests at once; try again later",
		Status: http.StatusServiceUnavailable, Cause: cause, RetryAfter: away,
	}
}

// crowdOf keeps refreshes apart from what follows a sign-in: those must not wait
// behind the storm.
func (p *Provider) crowdOf(grantType string) crowd {
	if grantType == grantRefresh {
		return p.refreshes
	}
	return p.redemptions
}
