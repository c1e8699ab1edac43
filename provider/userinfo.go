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
)

// userinfo answers with the claims of the person (OpenID Connect Core §5.3) for
// any live token of theirs with the scope openid, whatever its audience.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		p.answerBearer(w, r, scopeOpenID, newError(http.StatusMethodNotAllowed, "invalid_request", "Only GET and POST are allowed here"))
		return
	}
	raw, err := bearer(w, r)
	if err != nil {
		p.answerBearer(w, r, scopeOpenID, err)
		return
	}
	claims, err := p.personClaims(r.Context(), raw)
	if err != nil {
		p.answerBearer(w, r, scopeOpenID, err)
		return
	}
	web.NoStore(w)
	web.WriteJSON(w, http.StatusOK, claims)
}

func invalidToken(description string) *Error {
	return newError(http.StatusUnauthorized, "invalid_token", description)
}

func (p *Provider) personClaims(ctx context.Context, raw string) (map[string]any, error) {
	at, err := p.moment(ctx)
	if err != nil {
		return nil, err
	}
	a, live, err := p.liveAccess(ctx, raw, at)
	if err != nil {
		return nil, err
	}
	if !live {
		return nil, errGone()
	}
	event := web.Event(ctx)
	event.ClientID, event.UserID = a.ClientID, a.Subject
	scopes := strings.Fields(a.Scope)
	if !slices.Contains(scopes, scopeOpenID) || a.GrantID == "" {
		return nil, newError(http.StatusForbidden, "insufficient_scope", "The access token lacks the scope openid")
	}
	person, err := p.personOf(ctx, a, slices.Contains(scopes, scopeGroups))
	if err != nil {
		return nil, err
	}
	wanted, err := parseClaims(person.Claims)
	if err != nil {
		return nil, err
	}
	var visible, allowed []string
	if slices.Contains(scopes, scopeGroups) || len(wanted.Userinfo) > 0 {
		c, _, err := p.clientAt(ctx, a.ClientID, person.Mark, p.Now())
		if errors.Is(err, accounts.ErrNotFound) {
			return nil, errGone()
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(scopes, scopeGroups) {
			visible = visibleGroups(c, person.Groups)
		}
		allowed = allowedClaims(c, person.Consent)
	}
	out := release(person.User, visible, scopes, wanted.Userinfo, allowed)
	out["sub"] = a.Subject
	return out, nil
}

func errGone() *Error { return invalidToken("The access token is not valid") }

// personOf reads the person of a live token, who must be the one it names.
func (p *Provider) personOf(ctx context.Context, a *knownToken, groups bool) (*granting.Person, error) {
	grantID, err := id.Parse(a.GrantID)
	if err != nil {
		return nil, errGone()
	}
	var person *granting.Person
	err = p.statement(func() (mark accounts.Mark, err error) {
		if person, err = p.Standings.GrantPerson(ctx, grantID, groups, p.Now().UnixMilli()); err == nil {
			mark = person.Mark
		}
		return mark, err
	})
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return nil, errGone()
	case err != nil:
		return nil, err
	case !person.User.Active() || person.User.Subject != a.Subject:
		return nil, errGone()
	}
	return person, nil
}

// bearer finds the one access token of a request: in the header, or in the form of
// a POST (RFC 6750 §2.1, §2.2). A token in the query is not looked for.
func bearer(w http.ResponseWriter, r *http.Request) (string, error) {
	found, err := headerBearers(r)
	if err != nil {
		return "", err
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
	return onlyBearer(found)
}

func headerBearers(r *http.Request) ([]string, error) {
	var found []string
	for _, header := range r.Header.Values("Authorization") {
		scheme, value, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil, invalidToken("The authorization scheme must be Bearer")
		}
		found = append(found, strings.TrimLeft(value, " "))
	}
	return found, nil
}

func onlyBearer(found []string) (string, error) {
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

// answerBearer writes an error of a protected resource that needs a scope
// (RFC 6750 §3).
func (p *Provider) answerBearer(w http.ResponseWriter, r *http.Request, scope string, err error) {
	scheme := `Bearer realm="Gatehouse", resource_metadata="` + p.resourceURL() + `"` // RFC 9728 §5.1
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
			value += `, scope="` + scope + `"`
		}
		w.Header().Set("WWW-Authenticate", value)
	}
	p.answerError(w, r, err)
}
