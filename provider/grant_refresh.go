package provider

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/ory/fosite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// loadRefresh reads the grant of a refresh token with its person's standing, and
// decides what the token is: the live one, one that was just replaced, or one that
// somebody must have stolen.
func (p *Provider) loadRefresh(ctx context.Context, x *exchange, raw string) error {
	unknown := invalidGrant("The refresh token is unknown, has expired, or belongs to another client").why(counts.ReasonUnknown)
	token, err := parseRefresh(raw)
	if err != nil || !token.genuine(p.Keyring) {
		return unknown
	}
	var grant *granting.Grant
	err = p.stand(ctx, x, func() (st *granting.Standing, a asked, err error) {
		if grant, st, err = p.Standings.GrantStanding(ctx, token.grant, x.now.UnixMilli()); err == nil {
			a = asked{grant.Scopes, grant.Resources}
		}
		return st, a, err
	})
	if errors.Is(err, accounts.ErrNotFound) {
		return unknown
	}
	if err != nil {
		return err
	}
	// A token of another client: nothing happens to it, or a thief of nothing
	// could end what is not theirs.
	if grant.ClientID != x.client.ID || grant.Refresh.Hash == nil {
		return unknown
	}
	x.refresh, x.grant = token, grant
	x.requester = &fosite.Request{
		ID:             grant.ID.String(),
		RequestedAt:    time.UnixMilli(grant.CreatedAt),
		Client:         x.client,
		RequestedScope: grant.Scopes,
		// None: fosite would refuse a token whose client may ask less than before,
		// instead of narrowing it. The gate grants.
		GrantedScope: nil,
		Session:      newSession(""),
		Form:         url.Values{},
	}
	if grant.EndedAt != 0 {
		return hasEnded()
	}
	if err := p.classify(x, grant.Refresh); err != nil {
		return err
	}
	x.basis = basis{
		user: grant.UserID, session: grant.SessionID, rev: grant.Rev, acr: grant.ACR,
		scopes: grant.Scopes, resources: grant.Resources,
		offline: grant.Offline && offline(x.client.Client, x.standing, grant.Scopes),
	}
	x.claims = grant.Claims
	x.authTime, x.amr, x.acr = time.UnixMilli(grant.AuthTime), grant.AMR, grant.ACR
	return nil
}

// classify sets the successor that is answered, or returns errReplayed.
//
// Two tabs, or a response that was lost, must not sign anybody out: for a while
// after its rotation a token is answered with the same successor. The times of
// the last rotations are kept, so that this holds for a slow tab as well when
// others have rotated on meanwhile.
func (p *Provider) classify(x *exchange, live granting.RefreshState) error {
	expired := invalidGrant("The refresh token has expired").why(counts.ReasonExpired)
	now := x.now.UnixMilli()
	if now >= live.ExpiresAt || now >= live.IdleEndsAt {
		return expired
	}
	ago := live.Generation - x.refresh.generation
	switch {
	case ago < 0:
		return invalidGrant("The refresh token is not known").why(counts.ReasonUnknown)
	case ago == 0:
		if !x.refresh.is(p.Keyring, live.Hash) {
			return invalidGrant("The refresh token is not known").why(counts.ReasonUnknown)
		}
		return p.setNext(x, p.Keyring.Current())
	case ago > int64(len(live.Recent)) || now-live.Recent[ago-1] > p.Lifetimes.RefreshGrace.Milliseconds():
		return errReplayed
	}
	x.repeated = true
	version := p.Keyring.Current()
	if ago == 1 {
		version = live.Hash[0] // the server's secret under which the successor was made
	}
	if err := p.setNext(x, version); err != nil {
		return err
	}
	if ago == 1 && !x.next.is(p.Keyring, live.Hash) {
		return invalidGrant("The refresh token is not known").why(counts.ReasonUnknown)
	}
	return nil
}

func (p *Provider) setNext(x *exchange, version byte) error {
	if !x.client.RotateRefresh {
		x.next = x.refresh
		return nil
	}
	next, err := x.refresh.successor(p.Keyring, version)
	if err != nil {
		return err
	}
	x.next = next
	return nil
}

// recentRotations is how many times of rotations a grant remembers.
const recentRotations = 32

// rotate replaces the live token, if it still is the one presented. Who loses the
// race answers with the successor that the winner wrote, which is the same.
func (p *Provider) rotate(ctx context.Context, x *exchange) error {
	if x.repeated {
		return nil
	}
	live := x.grant.Refresh
	idle := x.now.Add(p.refreshIdle(x.client.Client)).UnixMilli()
	r := granting.Rotation{
		GrantID: x.grant.ID, Old: live.Hash, Hash: live.Hash,
		Generation: live.Generation, Recent: live.Recent, IdleEndsAt: idle,
	}
	if x.client.RotateRefresh {
		r.Hash, r.Generation = x.next.hash(p.Keyring), x.next.generation
		r.Recent = p.recent(live.Recent, x.now)
	} else if idle-live.IdleEndsAt < time.Hour.Milliseconds() {
		return nil // the token stays as it is, and its idle end moves in steps
	}
	won, err := p.Grants.RotateRefresh(ctx, r)
	if err != nil || won {
		return err
	}
	grant, _, err := p.grantStanding(ctx, x.grant.ID, x.now)
	if errors.Is(err, accounts.ErrNotFound) {
		return hasEnded()
	}
	if err != nil {
		return err
	}
	if grant.EndedAt != 0 {
		return hasEnded()
	}
	x.grant = grant
	if err := p.classify(x, grant.Refresh); err != nil {
		if errors.Is(err, errReplayed) {
			return invalidGrant("The refresh token was already used").why(counts.ReasonReused)
		}
		return err
	}
	return nil
}

// grantStanding reads a grant outside the exchange of its token; the standing is not
// complete.
func (p *Provider) grantStanding(ctx context.Context, grantID id.ID, now time.Time) (g *granting.Grant, st *granting.Standing, err error) {
	err = p.statement(func() (mark accounts.Mark, err error) {
		if g, st, err = p.Standings.GrantStanding(ctx, grantID, now.UnixMilli()); err == nil {
			mark = st.Mark
		}
		return mark, err
	})
	return g, st, err
}

// recent puts now before the times that still matter for the grace period.
func (p *Provider) recent(times []int64, now time.Time) []int64 {
	since := now.Add(-p.Lifetimes.RefreshGrace).UnixMilli()
	kept := append([]int64{now.UnixMilli()}, times...)
	if end := slices.IndexFunc(kept, func(t int64) bool { return t < since }); end >= 0 {
		kept = kept[:end]
	}
	return kept[:min(len(kept), recentRotations)]
}
