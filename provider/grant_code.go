package provider

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/ory/fosite"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// errReplayed says that a code or refresh token was used before; errAlreadyUsed
// that a request has had its code.
var (
	errReplayed    = errors.New("provider: replayed")
	errAlreadyUsed = errors.New("provider: the request was already answered with a code")
)

// loadCode reads the code and everything that its redemption stands on, in one
// statement.
//
// A request that does not prove to come from the code's own client changes
// nothing: neither is the code burned (RFC 9700 §4.8) nor does a replay end the
// grant. Who has seen a code, but holds neither the client's credential nor the
// verifier, can do no harm with it.
func (p *Provider) loadCode(ctx context.Context, x *exchange, raw string) error {
	unknown := invalidGrant("The authorization code is unknown, was used, or belongs to another client").why(counts.ReasonUnknown)
	code, err := parseCode(raw)
	if err != nil {
		return unknown
	}
	var issued *granting.Code
	var used *granting.Grant
	err = p.stand(ctx, x, func() (st *granting.Standing, a asked, err error) {
		issued, used, st, err = p.Standings.CodeStanding(ctx, code.grant, x.now.UnixMilli())
		if issued != nil {
			a = asked{issued.Scopes, issued.Resources}
		}
		return st, a, err
	})
	if errors.Is(err, accounts.ErrNotFound) {
		return unknown
	}
	if err != nil {
		return err
	}
	if issued == nil {
		// The code's row is gone, the grant remembers its hash (attack 42).
		issued = codeOf(used)
	}
	if !code.is(p.Keyring, issued.SecretHash) || issued.ClientID != x.client.ID {
		return unknown
	}
	x.code, x.issue = code, issued
	x.requester = &fosite.Request{
		ID:             issued.GrantID.String(),
		RequestedAt:    time.UnixMilli(issued.CreatedAt),
		Client:         x.client,
		RequestedScope: issued.Scopes,
		GrantedScope:   issued.Scopes,
		Session:        newSession(""),
		Form: url.Values{
			"redirect_uri":          {issued.RedirectURI},
			"code_challenge":        {issued.Challenge},
			"code_challenge_method": {"S256"},
		},
	}
	if used != nil {
		if !proves(x.form.Get("code_verifier"), issued.Challenge) {
			return unknown
		}
		return errReplayed
	}
	x.basis = basis{
		user: issued.UserID, session: issued.SessionID, rev: issued.Rev, acr: issued.ACR,
		scopes: issued.Scopes, resources: issued.Resources, signedIn: true,
		offline: offline(x.client.Client, x.standing, issued.Scopes),
	}
	x.nonce, x.claims = issued.Nonce, issued.Claims
	x.authTime, x.amr, x.acr = time.UnixMilli(issued.AuthTime), issued.AMR, issued.ACR
	return nil
}

// codeOf rebuilds what a replay must be compared with. Its redirect_uri is not
// kept; the code is dead in any case.
func codeOf(g *granting.Grant) *granting.Code {
	return &granting.Code{
		GrantID: g.ID, SecretHash: g.CodeHash, ClientID: g.ClientID, UserID: g.UserID,
		SessionID: g.SessionID, Challenge: g.Challenge, Scopes: g.Scopes,
	}
}

// proves compares a verifier with an S256 challenge (RFC 7636 §4.6). Without a
// challenge the client was excepted from PKCE.
func proves(verifier, challenge string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// offline reports whether the grant may outlive its session: the client may ask
// for it, did, and the person consented.
func offline(c *accounts.Client, st *granting.Standing, asked []string) bool {
	return slices.Contains(asked, scopeOffline) && slices.Contains(c.Scopes, scopeOffline) &&
		st.Consent != nil && slices.Contains(st.Consent.Scopes, scopeOffline)
}

// redeem writes the grant, and by that uses the code up: its primary key has one
// winner (L14).
func (p *Provider) redeem(ctx context.Context, x *exchange) error {
	c, now := x.client, x.now.UnixMilli()
	g := &granting.Grant{
		Grant: accounts.Grant{
			ID: x.issue.GrantID, UserID: x.issue.UserID, ClientID: x.issue.ClientID, SessionID: x.issue.SessionID,
			Offline: x.basis.offline, Scopes: x.issue.Scopes, Resources: x.issue.Resources, CreatedAt: now,
		},
		CodeHash: x.issue.SecretHash, Challenge: x.issue.Challenge, Claims: x.issue.Claims,
		Rev: x.verdict.rev, AuthTime: x.issue.AuthTime, AMR: x.issue.AMR, ACR: x.issue.ACR,
		PurgeAt: x.now.Add(keepWithoutRefresh).UnixMilli(),
	}
	if !x.next.grant.IsZero() {
		expires := x.now.Add(p.refreshAbsolute(c.Client))
		g.Refresh = granting.RefreshState{
			Hash: x.next.hash(p.Keyring), Generation: x.next.generation,
			IdleEndsAt: x.now.Add(p.refreshIdle(c.Client)).UnixMilli(), ExpiresAt: expires.UnixMilli(),
		}
		g.PurgeAt = expires.Add(keepWithoutRefresh).UnixMilli()
	}
	won, err := p.Grants.RedeemCode(ctx, g)
	if errors.Is(err, accounts.ErrNotFound) {
		return hasEnded()
	}
	if err != nil {
		return err
	}
	if !won {
		// Somebody was faster with the same proof of possession: that is a replay
		// like any later one, and ends what the winner got (RFC 6749 §4.1.2).
		if err := p.endReplayed(ctx, x); err != nil {
			return err
		}
		return invalidGrant("The authorization code was already used").why(counts.ReasonReused)
	}
	x.redeemed = g
	return nil
}

// keepWithoutRefresh is how long a grant is remembered after its last token could
// be used, so that a late replay of its code is still recognized.
const keepWithoutRefresh = 30 * 24 * time.Hour

// endReplayed ends the grant whose code or refresh token was used again.
func (p *Provider) endReplayed(ctx context.Context, x *exchange) error {
	by := audit.Actor{Kind: audit.System, ID: "provider"}
	if x.grantType == grantRefresh {
		return p.Consents.RevokeGrant(ctx, by, x.refresh.grant, accounts.ReasonRefreshReuse)
	}
	return p.Consents.RevokeGrant(ctx, by, x.code.grant, accounts.ReasonCodeReuse)
}

func (p *Provider) refreshIdle(c *accounts.Client) time.Duration {
	if c.RefreshIdle > 0 {
		return time.Duration(c.RefreshIdle) * time.Millisecond
	}
	return p.Lifetimes.RefreshIdle
}

func (p *Provider) refreshAbsolute(c *accounts.Client) time.Duration {
	if c.RefreshAbsolute > 0 {
		return time.Duration(c.RefreshAbsolute) * time.Millisecond
	}
	return p.Lifetimes.RefreshAbsolute
}
