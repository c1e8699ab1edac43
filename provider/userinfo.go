package provider

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/granting"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// userinfo answers with the claims of the person (OpenID Connect Core §5.3) for
// any live token of theirs with the scope openid, whatever its audience.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		p.answerBearer(w, r, newError(http.StatusMethodNotAllowed, "invalid_request", "Only GET and POST are allowed here"))
		return
	}
	raw, err := bearer(w, r)
	if err != nil {
		p.answerBearer(w, r, err)
		return
	}
	claims, err := p.personClaims(r.Context(), raw)
	if err != nil {
		p.answerBearer(w, r, err)
		return
	}
	web.NoStore(w)
	web.WriteJSON(w, http.StatusOK, claims)
}

func invalidToken(description string) *Error {
	return newError(http.StatusUnauthorized, "invalid_token", description)
}

func (p *Provider) personClaims(ctx context.Context, raw string) (map[string]any, error) {
	now := p.Now()
	head, err := p.Ledger.Head(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	a, live, err := p.liveAccess(ctx, raw, head.Change)
	if err != nil {
		return nil, err
	}
	gone := invalidToken("The access token is not valid")
	if !live {
		return nil, gone
	}
	event := web.Event(ctx)
	event.ClientID, event.UserID = a.ClientID, a.Subject
	scopes := strings.Fields(a.Scope)
	if !slices.Contains(scopes, scopeOpenID) || a.GrantID == "" {
		return nil, newError(http.StatusForbidden, "insufficient_scope", "The access token lacks the scope openid")
	}
	u, groups, err := p.Standings.UserStanding(ctx, a.Subject, now.UnixMilli())
	if errors.Is(err, accounts.ErrNotFound) || err == nil && !u.Active() {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	g, st, err := p.grantOf(ctx, a, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	wanted, err := parseClaims(g.Claims)
	if err != nil {
		return nil, err
	}
	var visible, allowed []string
	if slices.Contains(scopes, scopeGroups) || len(wanted.Userinfo) > 0 {
		c, _, err := p.Clients.ClientByID(ctx, a.ClientID, now.UnixMilli())
		if errors.Is(err, accounts.ErrNotFound) {
			return nil, gone
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(scopes, scopeGroups) {
			visible = visibleGroups(c, groups)
		}
		allowed = allowedClaims(c, st)
	}
	out := release(u, visible, scopes, wanted.Userinfo, allowed)
	out["sub"] = a.Subject
	return out, nil
}

// grantOf reads the grant of a live token, for what it asked of userinfo and what
// its person allows now.
func (p *Provider) grantOf(ctx context.Context, a token.Access, now int64) (*granting.Grant, *granting.Standing, error) {
	gone := invalidToken("The access token is not valid")
	grantID, err := id.Parse(a.GrantID)
	if err != nil {
		return nil, nil, gone
	}
	g, st, err := p.Standings.GrantStanding(ctx, grantID, now)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, nil, gone
	}
	return g, st, err
}

// liveAccess verifies one of our access tokens, with the keys as they are at the
// change that the caller has just read, and asks the ledger about it. A
// token that is malformed, expired or revoked is not live; an error means that
// nobody could tell.
func (p *Provider) liveAccess(ctx context.Context, raw string, change int64) (token.Access, bool, error) {
	set, err := p.Keys.At(ctx, change)
	if err != nil {
		return token.Access{}, false, unavailable(err)
	}
	a, err := token.ParseAccess(set, p.issuer, raw, p.Now())
	if err != nil {
		return token.Access{}, false, nil
	}
	revoked, err := p.Ledger.Revoked(ctx, ledgerKeys(a))
	if err != nil {
		return token.Access{}, false, unavailable(err)
	}
	return a, !revoked, nil
}

func ledgerKeys(a token.Access) revocation.Keys {
	return revocation.Keys{
		ID: a.ID, SessionID: a.SessionID, GrantID: a.GrantID, Subject: a.Subject, ClientID: a.ClientID,
		KeyID: a.KeyID, Scopes: strings.Fields(a.Scope), Rev: a.Rev,
	}
}

// bearer finds the one access token of a request: in the header, or in the form of
// a POST (RFC 6750 §2.1, §2.2). A token in the query is not looked for.
func bearer(w http.ResponseWriter, r *http.Request) (string, error) {
	var found []string
	for _, header := range r.Header.Values("Authorization") {
		scheme, value, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", invalidToken("The authorization scheme must be Bearer")
		}
		found = append(found, strings.TrimLeft(value, " "))
	}
	if r.Method == http.MethodPost && r.ContentLength != 0 {
		form, err := web.ParseForm(w, r)
		if err != nil {
			return "", formError(err)
		}
		if form.Has("access_token") {
			found = append(found, form.Get("access_token"))
		}
	}
	switch len(found) {
	case 0:
		return "", errNoToken
	case 1:
		return found[0], nil
	}
	return "", invalidRequest("More than one access token")
}

// errNoToken: the challenge names no error when nothing was presented
// (RFC 6750 §3).
var errNoToken = errors.New("provider: no access token")

// answerBearer writes an error of a protected resource (RFC 6750 §3).
func (p *Provider) answerBearer(w http.ResponseWriter, r *http.Request, err error) {
	const scheme = `Bearer realm="Gatehouse"`
	if errors.Is(err, errNoToken) {
		w.Header().Set("WWW-Authenticate", scheme)
		web.NoStore(w)
		web.WriteJSON(w, http.StatusUnauthorized, map[string]string{
			"error": "invalid_token", "error_description": "No access token",
		})
		return
	}
	e := asError(err)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Status == http.StatusBadRequest {
		value := scheme + `, error="` + e.Code + `", error_description="` + printable(e.Description) + `"`
		if e.Code == "insufficient_scope" {
			value += `, scope="openid"`
		}
		w.Header().Set("WWW-Authenticate", value)
	}
	p.answerError(w, r, err)
}
