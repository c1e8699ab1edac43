package provider

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

// introspect is the introspection endpoint (RFC 7662). It answers by the ledger,
// and only who may know: the resource server of the token's audience, and the
// client that the token was issued to. Everybody else learns that it is not
// active, as of any string.
func (p *Provider) introspect(w http.ResponseWriter, r *http.Request) {
	if !p.postOnly(w, r) {
		return
	}
	form, err := web.ParseForm(w, r)
	if err != nil {
		p.answerError(w, r, formError(err))
		return
	}
	c, err := p.authenticate(r.Context(), r, form, p.Now())
	if err == nil && c.Public() {
		err = invalidClient("A public client may not introspect")
	}
	if err == nil && !form.Has("token") {
		err = invalidRequest("The parameter is missing: token")
	}
	var answer map[string]any
	if err == nil {
		answer, err = p.introspection(r.Context(), c, form.Get("token"))
	}
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	outcome := counts.Inactive
	if answer["active"] == true {
		outcome = counts.Active
	}
	web.Event(r.Context()).Outcome = outcome
	web.NoStore(w)
	web.WriteJSON(w, http.StatusOK, answer)
}

var inactive = map[string]any{"active": false}

// introspection finds the token by its form; the hint could only mislead.
func (p *Provider) introspection(ctx context.Context, c *caller, raw string) (map[string]any, error) {
	if strings.HasPrefix(raw, refreshPrefix) {
		return p.introspectRefresh(ctx, c.Client, raw)
	}
	a, live, err := p.liveAccess(ctx, raw, c.mark)
	if err != nil {
		return nil, err
	}
	if !live {
		return inactive, nil
	}
	api := c.Type == accounts.ResourceClient && c.APIAud != "" && c.APIAud == a.Audience
	if !api && c.ClientID != a.ClientID {
		return inactive, nil
	}
	return describe(&a.Access), nil
}

// describe tells what a live token says, and nothing that would have to be read: it
// says no username, which RFC 7662 §2.2 leaves open.
func describe(a *token.Access) map[string]any {
	out := map[string]any{
		"active": true, "token_type": "Bearer", "iss": a.Issuer, "sub": a.Subject, "aud": a.Audience,
		"client_id": a.ClientID, "iat": a.IssuedAt, "exp": a.ExpiresAt, "jti": a.ID, "rev": a.Rev,
	}
	put := func(name, value string) {
		if value != "" {
			out[name] = value
		}
	}
	put("scope", a.Scope)
	put("sid", a.SessionID)
	put("gid", a.GrantID)
	put("acr", a.ACR)
	if a.AuthTime != 0 {
		out["auth_time"], out["amr"] = a.AuthTime, a.AMR
	}
	return out
}

// introspectRefresh answers about a refresh token, to its own client alone.
func (p *Provider) introspectRefresh(ctx context.Context, c *accounts.Client, raw string) (map[string]any, error) {
	now := p.Now()
	t, grant, st, err := p.findRefresh(ctx, c, raw, now)
	if err != nil || grant == nil {
		return inactive, err
	}
	live := grant.Refresh
	if grant.EndedAt != 0 || live.Generation != t.generation || !t.is(p.Keyring, live.Hash) {
		return inactive, nil
	}
	ends := min(live.IdleEndsAt, live.ExpiresAt)
	if now.UnixMilli() >= ends {
		return inactive, nil
	}
	if err := p.complete(ctx, st, grant.Scopes, grant.Resources); err != nil {
		return nil, unavailable(err)
	}
	b := basis{
		user: grant.UserID, session: grant.SessionID, rev: grant.Rev, acr: grant.ACR,
		scopes: grant.Scopes, resources: grant.Resources,
		offline: grant.Offline && offline(c, st, grant.Scopes),
	}
	v, err := p.gate(ctx).decide(c, st.Mark, st, b, ask{grantType: grantRefresh, now: now, openAudience: true})
	if err != nil {
		return inactive, nil
	}
	out := map[string]any{
		"active": true, "token_type": "refresh_token", "iss": p.issuer, "client_id": c.ClientID,
		"sub": st.User.Subject, "scope": strings.Join(v.granted, " "),
		"iat": unix(grant.CreatedAt), "exp": unix(ends), "gid": grant.ID.String(),
	}
	if slices.Contains(v.granted, scopeProfile) {
		out["username"] = st.User.Username
	}
	return out, nil
}

// findRefresh returns the grant of a genuine refresh token of this client, or no
// grant.
func (p *Provider) findRefresh(ctx context.Context, c *accounts.Client, raw string, now time.Time) (refreshToken, *granting.Grant, *granting.Standing, error) {
	t, err := parseRefresh(raw)
	if err != nil || !t.genuine(p.Keyring) {
		return t, nil, nil, nil
	}
	grant, st, err := p.grantStanding(ctx, t.grant, now)
	if errors.Is(err, accounts.ErrNotFound) {
		return t, nil, nil, nil
	}
	if err != nil {
		return t, nil, nil, unavailable(err)
	}
	if grant.ClientID != c.ID || grant.Refresh.Hash == nil {
		return t, nil, nil, nil
	}
	return t, grant, st, nil
}
