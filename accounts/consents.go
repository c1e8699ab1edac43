package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Consents keeps what people allowed apps, and takes it back.
type Consents struct {
	Journal
	Users  UserStore
	Grants GrantStore
}

// Live reports whether the consent counts at the given time.
func (c *Consent) Live(now int64) bool {
	return c != nil && c.RevokedAt == 0 && (c.ExpiresAt == 0 || now < c.ExpiresAt)
}

// Allow records a person's answer: of the scopes that the client asked and the
// page showed, they allowed some. Scopes that were not shown this time stay as
// they were. Errors: ErrInvalid if more is allowed than was asked, ErrBanned.
func (s *Consents) Allow(ctx context.Context, actor audit.Actor, user *User, client *Client, asked, allowed []string) error {
	for _, scope := range allowed {
		if !slices.Contains(asked, scope) {
			return invalid("scope %q was not asked", scope)
		}
	}
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, user.Subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		if !u.Active() {
			return nil, ErrBanned
		}
		old, err := s.consent(ctx, u.ID, client.ID)
		if err != nil {
			return nil, err
		}
		c, narrowed, changed := merge(old, asked, allowed, now)
		if !changed {
			return nil, nil
		}
		c.UserID, c.ClientID = u.ID, client.ID
		if err := s.Grants.PutConsent(ctx, c); err != nil {
			return nil, fmt.Errorf("put consent: %w", err)
		}
		e := consentEffect("consent.allow", u, client, map[string]any{"scopes": c.Scopes})
		if narrowed {
			e.rows = []revocation.Entry{{Kind: revocation.Membership, Key: u.Subject, Reason: reasonConsentNarrowed}}
		}
		return e.changed(consentValues(old, now), consentValues(c, now)), nil
	})
}

// consent returns the consent, nil if there is none.
func (s *Consents) consent(ctx context.Context, userID, clientID id.ID) (*Consent, error) {
	c, err := s.Grants.ConsentOf(ctx, userID, clientID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find consent: %w", err)
	}
	return c, nil
}

// merge puts an answer on top of what was allowed before, and reports whether a
// scope was taken away and whether anything changed.
func merge(old *Consent, asked, allowed []string, now int64) (c *Consent, narrowed, changed bool) {
	c = &Consent{GrantedAt: now, UpdatedAt: now}
	if old.Live(now) {
		c.GrantedAt, c.ExpiresAt = old.GrantedAt, old.ExpiresAt
		c.Asked = slices.Clone(old.Asked)
		for _, scope := range old.Scopes {
			switch {
			case !slices.Contains(asked, scope), slices.Contains(allowed, scope):
				c.Scopes = append(c.Scopes, scope)
			default:
				narrowed = true
			}
		}
	}
	c.Asked = union(c.Asked, asked)
	c.Scopes = union(c.Scopes, allowed)
	changed = !old.Live(now) || narrowed || len(c.Scopes) != len(old.Scopes) || len(c.Asked) != len(old.Asked)
	return c, narrowed, changed
}

// union appends to a what of b it lacks.
func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// Disconnect takes back all that a person allowed a client and ends its grants,
// the offline ones too. It returns ErrNotFound when there was nothing of it.
//
// The consent's row stays, and is made if there was none: it carries the position
// that kills a code which is being issued at this moment (L2).
func (s *Consents) Disconnect(ctx context.Context, actor audit.Actor, user *User, client *Client) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, user.Subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		old, err := s.consent(ctx, u.ID, client.ID)
		if err != nil {
			return nil, err
		}
		ended, err := s.Grants.EndGrants(ctx, GrantFilter{UserID: u.ID, ClientID: client.ID}, now, reasonDisconnected)
		if err != nil {
			return nil, fmt.Errorf("end grants: %w", err)
		}
		if !old.Live(now) && len(ended) == 0 {
			return nil, ErrNotFound
		}
		c := &Consent{UserID: u.ID, ClientID: client.ID, GrantedAt: now, UpdatedAt: now, RevokedAt: now}
		if old != nil {
			c.GrantedAt, c.ExpiresAt = old.GrantedAt, old.ExpiresAt
		}
		if err := s.Grants.PutConsent(ctx, c); err != nil {
			return nil, fmt.Errorf("put consent: %w", err)
		}
		e := consentEffect("consent.disconnect", u, client, map[string]any{"grants": len(ended)})
		e.rows = grantRows(ended, reasonDisconnected)
		e.stamps = []revocation.Stamp{{Subject: revocation.ConsentValidFrom, ID: u.Subject + " " + client.ClientID}}
		return e.changed(consentValues(old, now), nil), nil
	})
}

// RevokeGrant ends one grant, for one of the exported reasons: its refresh token
// or code was used again, or the client gave its token back. It works before the
// grant exists, while its code is redeemed. Ending an ended grant changes
// nothing.
func (s *Consents) RevokeGrant(ctx context.Context, actor audit.Actor, grantID id.ID, reason string) error {
	if grantID.IsZero() {
		return ErrNotFound
	}
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		// No lock on the user: nothing of them is read, and a grant's row comes
		// after theirs in the order of locks.
		ended, err := s.Grants.EndGrants(ctx, GrantFilter{GrantID: grantID}, now, reason)
		if err != nil {
			return nil, fmt.Errorf("end grant: %w", err)
		}
		if len(ended) == 0 {
			return nil, nil
		}
		return &effect{
			action: "grant.revoke", kind: "grant", target: grantID.String(),
			details: map[string]any{"reason": reason}, rows: grantRows(ended[:1], reason),
		}, nil
	})
}

// grantRows returns a row for each grant, once: a grant and its code have one id
// and may both be listed.
func grantRows(ids []id.ID, reason string) []revocation.Entry {
	rows := make([]revocation.Entry, 0, len(ids))
	for _, g := range ids {
		e := revocation.Entry{Kind: revocation.Grant, Key: g.String(), Reason: reason}
		if !slices.Contains(rows, e) {
			rows = append(rows, e)
		}
	}
	return rows
}

func consentEffect(action string, u *User, c *Client, details map[string]any) *effect {
	details["client_id"] = c.ClientID
	return &effect{action: action, kind: "user", target: u.Subject, details: details}
}
