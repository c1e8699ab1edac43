package provider

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// scopeFollow is the permission of the built-in API to follow the ledger.
const scopeFollow = "revocations:read"

var _ feed.Authorizer = (*Provider)(nil)

// Follower implements feed.Authorizer: the resource server of an API, with an
// access token of its own for the issuer that holds the permission to follow.
func (p *Provider) Follower(w http.ResponseWriter, r *http.Request) (*feed.Follower, bool) {
	// In the header alone: a body is not a form here.
	found, err := headerBearers(r)
	var raw string
	if err == nil {
		raw, err = onlyBearer(found)
	}
	var f *feed.Follower
	if err == nil {
		f, err = p.follower(r.Context(), raw)
	}
	if err != nil {
		p.answerBearer(w, r, scopeFollow, err)
		return nil, false
	}
	return f, true
}

func (p *Provider) follower(ctx context.Context, raw string) (*feed.Follower, error) {
	at, err := p.moment(ctx)
	if err != nil {
		return nil, err
	}
	t, live, err := p.liveAccess(ctx, raw, at)
	if err != nil {
		return nil, err
	}
	if !live || t.Audience != p.issuer {
		return nil, errGone()
	}
	web.Event(ctx).ClientID = t.ClientID
	if !slices.Contains(strings.Fields(t.Scope), scopeFollow) {
		return nil, newError(http.StatusForbidden, "insufficient_scope", "The access token lacks the scope "+scopeFollow)
	}
	c, _, err := p.clientAt(ctx, t.ClientID, at, p.Now())
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return nil, err
	}
	// A row of the ledger has ended the tokens of a client that is gone or disabled.
	// This is for one that came to its token in another way than for itself.
	if err != nil || c.DisabledAt != 0 || c.Type != accounts.ResourceClient || c.APIAud == "" || t.GrantID != "" {
		return nil, newError(http.StatusForbidden, "insufficient_scope", "Only the resource server of an API may follow the ledger")
	}
	return &feed.Follower{
		ClientID: c.ClientID, Audience: c.APIAud, ExpiresAt: time.Unix(t.ExpiresAt, 0),
		Query: t.query, Keys: t.keys,
	}, nil
}
