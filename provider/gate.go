package provider

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// gate decides whether this user, client, session, grant and audience may have a
// token now, and which. It is the only place that does, and every grant type
// calls it: a second path that forgot one of its checks is how most servers of
// this kind were broken.
//
// It is a pure function of what was read; the reads are one snapshot each, and
// the token's rev is the smallest position among them (L9).
type gate struct {
	issuer      string
	accessToken time.Duration // default lifetime
}

// gate is the gate by the settings of a request.
func (p *Provider) gate(ctx context.Context) gate {
	lifetime := accounts.CurrentSettings(ctx, p.Settings).AccessTokenLifetime
	return gate{issuer: p.issuer, accessToken: cmp.Or(lifetime, p.Lifetimes.AccessToken)}
}

// basis is what the decision rests on: a person's session at the authorization
// endpoint, a code, a grant, or nothing but the client.
type basis struct {
	user      id.ID // zero for a machine
	session   id.ID
	acr       string // that the person reached
	offline   bool   // may outlive its session
	ended     bool
	rev       int64 // position at which the basis was itself decided (L2)
	scopes    []string
	resources []string
	// signedIn demands the session itself, alive: at the authorization endpoint
	// and for a code, however offline its grant will be.
	signedIn bool
}

// ask is what the request at hand wants of the basis.
type ask struct {
	grantType string
	scopes    []string // nil: everything of the basis
	resource  string   // empty: none named
	now       time.Time
	// openAudience leaves the choice of the API to the token request: at the
	// authorization endpoint several may still be meant.
	openAudience bool
	// demands are made of the person where a code is issued; nil elsewhere. What
	// stands on a code goes on when they change: they count at the next sign-in.
	demands *demands
}

// verdict is a token that may be issued.
type verdict struct {
	scopes    []string // of this token
	granted   []string // of the whole grant as it stands now
	audience  granting.Audience
	rev       int64
	expiresAt time.Time
}

// decide returns the verdict, or an *Error for the client.
func (g gate) decide(c *accounts.Client, mark accounts.Mark, st *granting.Standing, b basis, a ask) (*verdict, error) {
	if c.DisabledAt != 0 {
		return nil, invalidClient("The client is disabled")
	}
	if !c.Allows(a.grantType) {
		return nil, unauthorizedClient("The client may not use this grant type")
	}
	machine := b.user.IsZero()
	if !machine {
		if err := checkPerson(c, st, b, a.now); err != nil {
			return nil, err
		}
		if err := checkAssurance(c, st, b, a.demands); err != nil {
			return nil, err
		}
	}
	granted := grantedScopes(c, st, b)
	scopes, err := narrow(granted, b.scopes, a.scopes)
	if err != nil {
		return nil, err
	}
	var audience granting.Audience
	if !a.openAudience {
		if audience, err = g.audience(st, b, scopes, a.resource); err != nil {
			return nil, err
		}
		// A token speaks to one API: the names that another one defines mean
		// nothing there, and would only tell it what else the person may do.
		scopes = scopesFor(audience.URI, scopes, st.Held)
	}
	if len(scopes) == 0 && (len(b.scopes) > 0 || len(a.scopes) > 0) {
		if a.grantType == grantRefresh && a.scopes == nil {
			return nil, invalidGrant("Nothing of what was granted is left").why(counts.ReasonRevoked) // clients begin anew on this
		}
		return nil, invalidScope("None of the scopes can be granted")
	}
	return &verdict{
		scopes:    scopes,
		granted:   granted,
		audience:  audience,
		rev:       min(mark.Position, st.Position),
		expiresAt: g.expiry(c, st, b, audience, scopes, a.now),
	}, nil
}

// checkPerson refuses when anything that the grant stands on has ended.
func checkPerson(c *accounts.Client, st *granting.Standing, b basis, now time.Time) error {
	ms := now.UnixMilli()
	gone := hasEnded()
	switch u := st.User; {
	case b.ended, u == nil, !u.Active(), b.rev < u.ValidFrom, b.rev < c.ValidFrom:
		return gone
	}
	switch s := st.Session; {
	case s != nil && s.ID != b.session:
		return gone
	case b.signedIn || !b.offline:
		if s == nil || !s.Live(ms, st.User.ValidFrom) {
			return gone
		}
	}
	switch k := st.Consent; {
	case k == nil, k.RevokedAt != 0, b.rev < k.ValidFrom, k.ExpiresAt != 0 && k.ExpiresAt <= ms:
		return gone
	}
	return nil
}

// checkAssurance refuses who has not proven enough for the client as it is now, and,
// where a code is issued, who has something to do first.
func checkAssurance(c *accounts.Client, st *granting.Standing, b basis, d *demands) error {
	// The client learns what it lacks: it heals this by asking for authorization anew.
	weak := invalidGrant("The person has to sign in with another factor").why(counts.ReasonFactor)
	if !accounts.ACRAtLeast(b.acr, c.RequiredACR) {
		return weak
	}
	if d == nil {
		return nil
	}
	if !accounts.ACRAtLeast(b.acr, d.least(c)) {
		return weak
	}
	if len(d.policy.Required(st.User, d.has, d.mustHave)) > 0 {
		return invalidGrant("The person has something to do first")
	}
	return nil
}

// grantedScopes is requested ∩ what the client may ask ∩ what the person
// consented to ∩ what their groups hold now; for a machine, requested ∩ what it
// holds itself.
func grantedScopes(c *accounts.Client, st *granting.Standing, b basis) []string {
	var granted []string
	machine := b.user.IsZero()
	for _, s := range b.scopes {
		held := slices.ContainsFunc(st.Held, func(h granting.Held) bool { return h.Permission == s })
		switch {
		case machine:
			if held {
				granted = append(granted, s)
			}
		case !slices.Contains(c.Scopes, s), !slices.Contains(st.Consent.Scopes, s):
		case isPersonScope(s), held:
			granted = append(granted, s)
		}
	}
	return granted
}

// narrow applies the scope parameter of a token request: no wider than what was
// asked at the beginning (RFC 6749 §6).
func narrow(granted, original, asked []string) ([]string, error) {
	if asked == nil {
		return granted, nil
	}
	if wider := without(asked, original); len(wider) > 0 {
		return nil, invalidScope("The scope is wider than what was granted: " + printable(strings.Join(wider, " ")))
	}
	return intersect(granted, asked), nil
}

// audience chooses the one API that the token is for: the resource asked for,
// else the one that the granted API scopes belong to, else the issuer.
func (g gate) audience(st *granting.Standing, b basis, scopes []string, resource string) (granting.Audience, error) {
	if resource == "" && len(b.resources) == 1 {
		resource = b.resources[0]
	}
	if resource != "" {
		return g.named(st, b, resource)
	}
	var found []granting.Audience
	for _, h := range st.Held {
		if !slices.Contains(scopes, h.Permission) {
			continue
		}
		if len(b.resources) > 0 && !slices.Contains(b.resources, h.API.URI) {
			continue
		}
		if !slices.ContainsFunc(found, func(a granting.Audience) bool { return a.URI == h.API.URI }) {
			found = append(found, h.API)
		}
	}
	switch len(found) {
	case 0:
		if len(b.resources) > 1 {
			return granting.Audience{}, ambiguous(b.resources)
		}
		return granting.Audience{URI: g.issuer}, nil
	case 1:
		return found[0], nil
	}
	uris := make([]string, len(found))
	for i, a := range found {
		uris[i] = a.URI
	}
	return granting.Audience{}, ambiguous(uris)
}

func ambiguous(uris []string) *Error {
	slices.Sort(uris)
	return invalidTarget("Name one of these as resource: " + printable(strings.Join(uris, " ")))
}

// named finds an asked resource among those that the basis allows (RFC 8707 §2.2).
func (g gate) named(st *granting.Standing, b basis, resource string) (granting.Audience, error) {
	allowed := len(b.resources) == 0 || slices.Contains(b.resources, resource)
	if allowed {
		for _, a := range st.APIs {
			if a.URI == resource {
				return a, nil
			}
		}
		for _, h := range st.Held {
			if h.API.URI == resource {
				return h.API, nil
			}
		}
		if resource == g.issuer {
			return granting.Audience{URI: g.issuer}, nil
		}
	}
	return granting.Audience{}, invalidTarget("The resource is unknown, disabled, or was not part of the authorization")
}

// scopesFor keeps the scopes of OpenID Connect and those that the API defines.
func scopesFor(audience string, scopes []string, held []granting.Held) []string {
	var kept []string
	for _, s := range scopes {
		if isPersonScope(s) || slices.ContainsFunc(held, func(h granting.Held) bool {
			return h.Permission == s && h.API.URI == audience
		}) {
			kept = append(kept, s)
		}
	}
	return kept
}

// expiry is the earlier of the lifetime and the end of anything that the decision
// used: what ends by time writes no row (L11). It counts from the moment of the
// decision's read (L12).
func (g gate) expiry(c *accounts.Client, st *granting.Standing, b basis, audience granting.Audience, scopes []string, now time.Time) time.Time {
	lifetime := g.accessToken
	if c.AccessTokenLifetime > 0 {
		lifetime = time.Duration(c.AccessTokenLifetime) * time.Millisecond
	}
	if audience.TokenLifetime > 0 {
		lifetime = min(lifetime, time.Duration(audience.TokenLifetime)*time.Millisecond)
	}
	end := now.Add(lifetime).UnixMilli()
	for _, h := range st.Held {
		if h.EndsAt != 0 && slices.Contains(scopes, h.Permission) {
			end = min(end, h.EndsAt)
		}
	}
	if !b.user.IsZero() {
		if !b.offline && st.Session != nil {
			end = min(end, st.Session.EndsAt())
		}
		if st.Consent.ExpiresAt != 0 {
			end = min(end, st.Consent.ExpiresAt)
		}
	}
	return time.UnixMilli(end)
}
