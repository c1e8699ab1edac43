package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ListSessions returns a page of sessions that were not ended, newest first. Errors:
// *Forbidden.
func (a *Admin) ListSessions(ctx context.Context, c *Caller, q SessionQuery) ([]ListedSession, error) {
	if err := c.need(accounts.AdminSessionsRead); err != nil {
		return nil, err
	}
	a.saw(ctx, c, "sessions", q.Subject)
	return a.Lists.ListedSessions(ctx, q)
}

// EndSession signs one browser out, whoever's it is. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) EndSession(ctx context.Context, c *Caller, sessionID id.ID) error {
	if err := c.need(accounts.AdminSessionsWrite); err != nil {
		return err
	}
	return a.endSession(ctx, c, sessionID)
}

func (a *Admin) endSession(ctx context.Context, c *Caller, sessionID id.ID) error {
	found, err := a.Lists.ListedSessions(ctx, SessionQuery{ID: sessionID, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("session: %w", accounts.ErrNotFound)
	}
	if err := a.mayTouchPerson(ctx, c, found[0].Subject); err != nil {
		return err
	}
	return a.Sessions.EndByID(ctx, c.Actor, sessionID)
}

// mayTouchPerson refuses if a person holds more of the deployment's own permissions
// than the caller. Errors: ErrSuperior, accounts.ErrNotFound.
func (a *Admin) mayTouchPerson(ctx context.Context, c *Caller, subject string) error {
	s, err := a.Callers.PersonStanding(ctx, subject, a.now())
	if err != nil {
		return fmt.Errorf("standing of a person: %w", err)
	}
	return c.mayTouch(s.Superuser, s.Held)
}
