package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/storage/cache"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

// limiter shows the limits of a cache in the shape that the domain declares.
type limiter struct{ store cache.Store }

// Spend implements accounts.Limiter and provider.Limiter.
func (l limiter) Spend(ctx context.Context, key string, burst int, every time.Duration, n int) (time.Duration, error) {
	return l.store.Spend(ctx, key, cache.Limit{Burst: burst, Every: every}, n)
}

// pushed shows a cache's "not found" as the domain's.
type pushed struct{ cache.Store }

// Get implements provider.Pushed.
func (p pushed) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := p.Store.Get(ctx, key)
	if errors.Is(err, cache.ErrNotFound) {
		return nil, fmt.Errorf("pushed request: %w", accounts.ErrNotFound)
	}
	return value, err
}

// holdings reads what the protocol's gate reads.
type holdings struct{ *sqldb.DB }

// HeldPermissions implements consent.Holdings.
func (h holdings) HeldPermissions(ctx context.Context, sessionTokenHash []byte, names []string, now int64) ([]string, error) {
	standing, err := h.SessionStanding(ctx, sessionTokenHash, id.ID{}, names, now)
	if err != nil {
		return nil, err
	}
	known, err := h.Audiences(ctx, names, nil)
	if err != nil {
		return nil, err
	}
	var held []string
	for _, p := range known.Permissions { // a superuser holds all that there are
		if standing.User != nil && standing.User.Superuser ||
			slices.ContainsFunc(standing.Held, func(has granting.Held) bool { return has.Permission == p.Permission }) {
			held = append(held, p.Permission)
		}
	}
	return held, nil
}

// released tells what an app learns of a person.
type released struct{ *sqldb.DB }

// ClaimsFor implements selfservice.Claims.
func (r released) ClaimsFor(ctx context.Context, subject, clientID string, scopes []string) (map[string]any, error) {
	u, err := r.UserBySubject(ctx, subject)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	var c *accounts.Client
	if clientID != "" {
		if c, _, err = r.ClientByID(ctx, clientID, now); err != nil {
			return nil, err
		}
	}
	groups, err := r.GroupsOf(ctx, u.ID, now)
	if err != nil {
		return nil, err
	}
	return provider.Released(u, c, groups, scopes), nil
}
