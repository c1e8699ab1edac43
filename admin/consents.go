package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ListGrants returns a page of grants of a client or a person, newest first. Errors:
// *Forbidden, accounts.ErrInvalid unless one of them is named.
func (a *Admin) ListGrants(ctx context.Context, c *Caller, q GrantQuery) ([]ListedGrant, error) {
	if err := c.need(accounts.AdminConsentsRead); err != nil {
		return nil, err
	}
	if q.ClientID == "" && q.Subject == "" {
		return nil, fmt.Errorf("%w: name a client or a person", accounts.ErrInvalid)
	}
	a.saw(ctx, c, "grants", q.Subject)
	return a.Lists.ListedGrants(ctx, q)
}

// ListConsents returns a page of what people allowed a client, or one person any.
// Errors as those of ListGrants.
func (a *Admin) ListConsents(ctx context.Context, c *Caller, q ConsentQuery) ([]ListedConsent, error) {
	if err := c.need(accounts.AdminConsentsRead); err != nil {
		return nil, err
	}
	if q.ClientID == "" && q.Subject == "" {
		return nil, fmt.Errorf("%w: name a client or a person", accounts.ErrInvalid)
	}
	a.saw(ctx, c, "consents", q.Subject)
	return a.Lists.ListedConsents(ctx, q)
}

// EndGrant ends one grant with its tokens; what the person allowed stays. Errors:
// *Forbidden, ErrSuperior, accounts.ErrNotFound.
func (a *Admin) EndGrant(ctx context.Context, c *Caller, grantID id.ID) error {
	if err := c.need(accounts.AdminConsentsWrite); err != nil {
		return err
	}
	return a.endGrant(ctx, c, grantID)
}

func (a *Admin) endGrant(ctx context.Context, c *Caller, grantID id.ID) error {
	found, err := a.Lists.ListedGrants(ctx, GrantQuery{ID: grantID, Limit: 1})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("grant: %w", accounts.ErrNotFound)
	}
	if err := a.mayTouchPerson(ctx, c, found[0].Subject); err != nil {
		return err
	}
	return a.Consents.RevokeGrant(ctx, c.Actor, grantID, accounts.ReasonRevoked)
}

// RevokeConsent takes back what one person allowed a client, and ends the grants.
// Errors: *Forbidden, ErrSuperior, accounts.ErrNotFound.
func (a *Admin) RevokeConsent(ctx context.Context, c *Caller, clientID, subject string) error {
	if err := c.need(accounts.AdminConsentsWrite); err != nil {
		return err
	}
	if err := a.mayTouchPerson(ctx, c, subject); err != nil {
		return err
	}
	app, err := a.findClient(ctx, clientID)
	if err != nil {
		return err
	}
	return a.Consents.Disconnect(ctx, c.Actor, &accounts.User{Subject: subject}, app)
}

// RevokeConsents takes back what everybody allowed a client, and ends all its grants
// and tokens; confirm repeats the client_id. Errors: *Forbidden, ErrSuperior,
// ErrUnconfirmed, accounts.ErrNotFound.
func (a *Admin) RevokeConsents(ctx context.Context, c *Caller, clientID, confirm string) error {
	if err := c.need(accounts.AdminConsentsWrite); err != nil {
		return err
	}
	app, err := a.findClient(ctx, clientID)
	if err != nil {
		return err
	}
	if err := c.mayChangeApp(app); err != nil {
		return err
	}
	if confirm != clientID {
		return ErrUnconfirmed
	}
	return a.Connections.Disconnect(ctx, c.Actor, clientID)
}
