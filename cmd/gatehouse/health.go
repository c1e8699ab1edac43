package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// Probes are asked by address, at the root of the listener whatever the issuer.
const (
	pathHealth = "/healthz"
	pathReady  = "/readyz"
)

const (
	readyTimeout = 2 * time.Second
	// readyFor is how long an answer is given again, so that probes, and strangers,
	// cost the database nothing.
	readyFor = time.Second
)

type healthAnswer struct {
	Status string `json:"status"`
}

// healthy answers as long as the process does.
func healthy(w http.ResponseWriter, _ *http.Request) {
	web.NoStore(w)
	web.WriteJSON(w, http.StatusOK, healthAnswer{"ok"})
}

// readiness says whether requests can be served. Strangers learn yes or no; why
// not goes to the log.
type readiness struct {
	*domain

	mu       sync.Mutex
	asked    time.Time
	err      error
	migrated bool // a schema never goes back
}

// ServeHTTP implements http.Handler.
func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	web.NoStore(w)
	if err := h.check(r.Context()); err != nil {
		web.Event(r.Context()).Cause = err
		web.WriteJSON(w, http.StatusServiceUnavailable, healthAnswer{"unavailable"})
		return
	}
	web.WriteJSON(w, http.StatusOK, healthAnswer{"ready"})
}

func (h *readiness) check(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.asked.IsZero() && h.now().Sub(h.asked) < readyFor {
		return h.err
	}
	// The answer is everybody's: it must not depend on who asked and has left.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	h.err, h.asked = h.look(ctx), h.now()
	return h.err
}

// look asks everything that a request needs. Redis is not among it: the database
// takes over.
func (h *readiness) look(ctx context.Context) error {
	if err := h.db.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err := h.lookAtMigrations(ctx); err != nil {
		return err
	}
	if _, err := h.tail.Point(ctx); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	set, err := h.ring.Current(ctx)
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	if _, err := set.Signer(keys.ES256); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	return nil
}

func (h *readiness) lookAtMigrations(ctx context.Context) error {
	if h.migrated {
		return nil
	}
	m, err := h.db.Migrator()
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	pending, err := m.Pending(ctx)
	if err := errors.Join(err, m.Close()); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if pending {
		return errors.New("migrations are pending: gatehouse migrate up")
	}
	h.migrated = true
	return nil
}
