package provider

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

// mint signs the access token of a verdict, and the ID token that goes with it.
func (p *Provider) mint(ctx context.Context, x *exchange) (string, error) {
	v := x.verdict
	set, err := p.Keys.At(ctx, x.mark.Change)
	if err != nil {
		return "", unavailable(err)
	}
	x.keys = set
	claims := token.Access{
		Issuer:    p.issuer,
		Subject:   p.subject(x),
		Audience:  v.audience.URI,
		ClientID:  x.client.ClientID,
		IssuedAt:  x.now.Unix(),
		ExpiresAt: v.expiresAt.Unix(),
		ID:        id.New().String(),
		Scope:     strings.Join(v.scopes, " "),
		Rev:       v.rev,
	}
	if !x.basis.user.IsZero() {
		claims.GrantID = x.requester.ID
		claims.SessionID = liveSession(x)
	}
	if v.audience.AuthenticationClaims && !x.authTime.IsZero() {
		claims.AuthTime, claims.ACR, claims.AMR = x.authTime.Unix(), x.acr, x.amr
	}
	if claims.ExpiresAt <= claims.IssuedAt {
		// What the decision stands on ends within this second (L11).
		return "", hasEnded()
	}
	algorithm := v.audience.TokenAlgorithm
	if algorithm == "" {
		algorithm = keys.ES256
	}
	if claims.Status, err = p.status(ctx, set, algorithm, x, claims); err != nil {
		return "", unavailable(err)
	}
	access, err := token.SignAccess(set, algorithm, claims)
	if err != nil {
		return "", unavailable(err)
	}
	if slices.Contains(v.granted, scopeOpenID) && slices.Contains(v.scopes, scopeOpenID) {
		if x.idToken, err = p.mintID(ctx, x, access); err != nil {
			return "", err
		}
	}
	return access, nil
}

// subject is the person's sub, or the client's id when it acts for itself
// (RFC 9068 §2.2).
func (p *Provider) subject(x *exchange) string {
	if x.standing != nil && x.standing.User != nil {
		return x.standing.User.Subject
	}
	return x.client.ClientID
}

// liveSession is the sid, as long as the session lives: a session's row in the
// ledger kills every token that names it, and an offline grant outlives it (L1).
func liveSession(x *exchange) string {
	s := x.standing.Session
	if s == nil || !s.Live(x.now.UnixMilli(), x.standing.User.ValidFrom) {
		return ""
	}
	return s.ID.String()
}

// mintID signs the ID token. On refresh it has no nonce, and the auth_time of the
// beginning (OpenID Connect Core §12.2).
func (p *Provider) mintID(ctx context.Context, x *exchange, access string) (string, error) {
	lifetime := p.Lifetimes.IDToken
	if ms := x.client.IDTokenLifetime; ms > 0 {
		lifetime = time.Duration(ms) * time.Millisecond
	}
	extra, err := p.idTokenClaims(ctx, x)
	if err != nil {
		return "", err
	}
	claims := token.ID{
		Issuer:    p.issuer,
		Subject:   p.subject(x),
		Audience:  x.client.ClientID,
		IssuedAt:  x.now.Unix(),
		ExpiresAt: x.now.Add(lifetime).Unix(),
		AuthTime:  x.authTime.Unix(),
		Nonce:     x.nonce,
		ACR:       x.acr,
		AMR:       x.amr,
		SessionID: liveSession(x),

		Extra:       extra,
		AccessToken: access,
	}
	algorithm := x.client.IDTokenAlgorithm
	if algorithm == "" {
		algorithm = keys.RS256
	}
	signed, err := token.SignID(x.keys, algorithm, claims)
	if err != nil {
		return "", unavailable(err)
	}
	return signed, nil
}
