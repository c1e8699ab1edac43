package provider

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// Revocations write to the ledger, whose every row each follower reads: a client
// has a budget of them (L26).
const (
	revocationBurst = 100
	revocationEvery = 100 * time.Millisecond
)

// revoke is the revocation endpoint (RFC 7009). An access token dies by its jti; a
// refresh token takes its whole grant with it. A token that is unknown, dead, or
// another client's is answered with 200 and nothing happens; only a failure of
// ours is told, or a client would believe in a revocation that was lost.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	if !p.postOnly(w, r) {
		return
	}
	form, err := web.ParseForm(w, r)
	if err != nil {
		p.answerError(w, r, formError(err))
		return
	}
	c, err := p.authenticate(r.Context(), r, form, p.Now())
	if err == nil && !form.Has("token") {
		err = invalidRequest("The parameter is missing: token")
	}
	if err == nil {
		err = p.revokeToken(r.Context(), c, form.Get("token"))
	}
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	web.Event(r.Context()).Outcome = "revoked"
	web.NoStore(w)
	w.WriteHeader(http.StatusOK)
}

func (p *Provider) revokeToken(ctx context.Context, c *caller, raw string) error {
	by := audit.Actor{Kind: audit.Client, ID: c.ClientID, Name: c.Name}
	if v := voucherFrom(ctx); v != nil {
		by = v.by
	}
	if strings.HasPrefix(raw, refreshPrefix) {
		// Earlier generations count as well: the client means its grant.
		_, grant, _, err := p.findRefresh(ctx, c.Client, raw, p.Now())
		if err != nil || grant == nil || grant.EndedAt != 0 {
			return err
		}
		if err := p.spendRevocation(ctx, c.Client); err != nil {
			return err
		}
		return p.Consents.RevokeGrant(ctx, by, grant.ID, accounts.ReasonRevoked)
	}
	a, live, err := p.liveAccess(ctx, raw, c.mark)
	if err != nil || !live || a.ClientID != c.ClientID {
		return err
	}
	if err := p.spendRevocation(ctx, c.Client); err != nil {
		return err
	}
	return p.Tokens.Revoke(ctx, by, a.keys(), a.Audience, time.Unix(a.ExpiresAt, 0).UnixMilli())
}

// spendRevocation pays for one row. What writes none costs nothing: anybody can
// send garbage in the name of a public client.
func (p *Provider) spendRevocation(ctx context.Context, c *accounts.Client) error {
	return p.spend(ctx, revocationKey(audit.Client, c.ClientID), revocationBurst, revocationEvery)
}

func revocationKey(kind, id string) string { return limitKey("revoke-"+kind, id, "") }

// SpendRevocation pays for one row of a token that somebody ends by the admin API or the
// console. A client pays from the same budget as at the endpoint. Error:
// *accounts.Throttled.
func (d *Console) SpendRevocation(ctx context.Context, by audit.Actor) error {
	p := d.Provider
	wait, err := p.Limiter.Spend(ctx, revocationKey(by.Kind, by.ID), revocationBurst, revocationEvery, 1)
	if err != nil { // it stops nobody, as everywhere
		p.Log.WarnContext(ctx, "spend from a budget", "error", err)
	}
	if wait > 0 {
		return &accounts.Throttled{Wait: wait}
	}
	return nil
}
