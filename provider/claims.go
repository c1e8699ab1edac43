package provider

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// claimsRequest is the claims parameter (OpenID Connect Core §5.5) as far as it is
// understood: which claims are wanted where, and values demanded of sub and acr.
type claimsRequest struct {
	Userinfo map[string]*claimWish `json:"userinfo"`
	IDToken  map[string]*claimWish `json:"id_token"`
}

type claimWish struct {
	Essential bool  `json:"essential"`
	Value     any   `json:"value"`
	Values    []any `json:"values"`
}

const (
	maxClaimsLength = 4 << 10
	maxClaims       = 50
)

// parseClaims reads the claims parameter. Members that are not understood are
// ignored (§5.5); what has the wrong shape is refused.
func parseClaims(raw string) (claimsRequest, error) {
	var c claimsRequest
	if raw == "" {
		return c, nil
	}
	bad := invalidRequest("The claims parameter is not a JSON object as OpenID Connect Core section 5.5 describes it")
	if len(raw) > maxClaimsLength {
		return c, invalidRequest("The claims parameter is too long")
	}
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return claimsRequest{}, bad
	}
	if raw[0] != '{' && !isJSONObject(raw) {
		return claimsRequest{}, bad
	}
	if len(c.Userinfo)+len(c.IDToken) > maxClaims {
		return claimsRequest{}, invalidRequest("The claims parameter asks for too many claims")
	}
	return c, nil
}

func isJSONObject(raw string) bool {
	var m map[string]json.RawMessage
	return json.Unmarshal([]byte(raw), &m) == nil && m != nil
}

// demandedSubject is the sub that the ID token must have, or empty.
func (c claimsRequest) demandedSubject() string {
	if wish := c.IDToken["sub"]; wish != nil {
		s, _ := wish.Value.(string)
		return s
	}
	return ""
}

// demandedACR lists the acr values one of which is essential, or nil.
func (c claimsRequest) demandedACR() []string {
	if wish := c.IDToken["acr"]; wish != nil && wish.Essential {
		return wish.texts()
	}
	return nil
}

// wishedACR lists the acr values that are asked for as a voluntary claim, the most
// wanted first (OpenID Connect Core §5.5.1.1).
func (c claimsRequest) wishedACR() []string {
	if wish := c.IDToken["acr"]; wish != nil && !wish.Essential {
		return wish.texts()
	}
	return nil
}

func (w *claimWish) texts() []string {
	var texts []string
	for _, v := range append([]any{w.Value}, w.Values...) {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}

// scopeClaims are the claims that each scope asks for (OpenID Connect Core §5.4).
var scopeClaims = map[string][]string{
	scopeProfile: {
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	},
	scopeEmail:   {"email", "email_verified"},
	scopeAddress: {"address"},
	scopePhone:   {"phone_number", "phone_number_verified"},
	scopeGroups:  {"groups"},
}

// scopes are those that cover the claims asked for by name. Their consent is asked
// for: a request for "email" alone must not get around the consent page. The token
// does not get them.
func (c claimsRequest) scopes() []string {
	var scopes []string
	for _, wishes := range []map[string]*claimWish{c.Userinfo, c.IDToken} {
		for name := range wishes {
			if s := claimScope(name); s != "" && !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	slices.Sort(scopes)
	return scopes
}

// claimScope returns the scope that covers a claim.
func claimScope(name string) string {
	for scope, names := range scopeClaims {
		if slices.Contains(names, name) {
			return scope
		}
	}
	return ""
}

// standardClaims returns every claim that is known of the person. Empty ones are
// absent.
func standardClaims(u *accounts.User) map[string]any {
	c := map[string]any{}
	put := func(name, value string) {
		if value != "" {
			c[name] = value
		}
	}
	f := u.Profile
	put("name", u.Name)
	put("given_name", f.GivenName)
	put("family_name", f.FamilyName)
	put("middle_name", f.MiddleName)
	put("nickname", f.Nickname)
	put("preferred_username", u.Username)
	put("profile", f.ProfileURL)
	put("picture", f.Picture)
	put("website", f.Website)
	put("gender", f.Gender)
	put("birthdate", f.Birthdate)
	put("zoneinfo", f.Zoneinfo)
	put("locale", f.Locale)
	if u.UpdatedAt != 0 {
		c["updated_at"] = unix(u.UpdatedAt)
	}
	if u.Email != "" {
		c["email"], c["email_verified"] = u.Email, u.EmailVerified
	}
	if f.PhoneNumber != "" {
		c["phone_number"], c["phone_number_verified"] = f.PhoneNumber, f.PhoneVerified
	}
	if f.Address != nil {
		c["address"] = f.Address
	}
	return c
}

// release picks the claims that the scopes cover, and those asked for by name whose
// scope the person allowed.
func release(u *accounts.User, groups, scopes []string, wishes map[string]*claimWish, allowed []string) map[string]any {
	all := standardClaims(u)
	if groups != nil {
		all["groups"] = groups
	}
	out := map[string]any{}
	for _, s := range scopes {
		for _, name := range scopeClaims[s] {
			if v, ok := all[name]; ok {
				out[name] = v
			}
		}
	}
	for name := range wishes {
		if v, ok := all[name]; ok && slices.Contains(allowed, claimScope(name)) {
			out[name] = v
		}
	}
	return out
}

// allowedClaims are the scopes whose claims the person allowed the client, now.
func allowedClaims(c *accounts.Client, k *accounts.Consent) []string {
	if k == nil || k.RevokedAt != 0 {
		return nil
	}
	return intersect(k.Scopes, c.Scopes)
}

// visibleGroups keeps the groups that an operator lets the client see.
func visibleGroups(c *accounts.Client, groups []string) []string {
	if slices.Contains(c.VisibleGroups, "*") {
		return groups
	}
	visible := intersect(groups, c.VisibleGroups)
	if visible == nil {
		visible = []string{}
	}
	return visible
}

// idTokenClaims are the claims beyond those of the protocol. With the code flow
// the scopes' claims are for userinfo (OpenID Connect Core §5.4); what was asked
// for by name, and the groups, are in the ID token too.
func (p *Provider) idTokenClaims(ctx context.Context, x *exchange) (map[string]any, error) {
	wanted, err := parseClaims(x.claims)
	if err != nil {
		return nil, err
	}
	granted := x.verdict.granted
	var groups []string
	if slices.Contains(granted, scopeGroups) {
		_, all, err := p.Standings.UserStanding(ctx, x.standing.User.Subject, x.now.UnixMilli())
		if err != nil {
			return nil, err
		}
		groups = visibleGroups(x.client.Client, all)
	}
	extra := release(x.standing.User, groups, nil, wanted.IDToken, allowedClaims(x.client.Client, x.standing.Consent))
	if groups != nil {
		extra["groups"] = groups
	}
	return extra, nil
}
