package provider

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/pkce"
)

// fositeConfig answers fosite's questions. It embeds fosite's own Config for those
// that never matter here, and overrides every one whose default would be wrong or
// is filled in lazily without a lock.
type fositeConfig struct {
	*fosite.Config
	authorize fosite.AuthorizeEndpointHandlers
	// One list for each grant: fosite asks every handler in a list, and each that
	// is not concerned answers with a fresh stack trace, a third of its cost.
	token map[string]fosite.TokenEndpointHandlers
}

func newFosite(p *Provider) *fosite.Fosite {
	base := &fosite.Config{
		AccessTokenLifespan:          p.Lifetimes.AccessToken,
		RefreshTokenLifespan:         p.Lifetimes.RefreshAbsolute,
		AuthorizeCodeLifespan:        p.Lifetimes.Code,
		IDTokenLifespan:              p.Lifetimes.IDToken,
		ScopeStrategy:                func(haystack []string, needle string) bool { return slices.Contains(haystack, needle) },
		AudienceMatchingStrategy:     func([]string, []string) error { return nil }, // the gate chooses the audience
		MinParameterEntropy:          1,
		OmitRedirectScopeParam:       true,
		RefreshTokenScopes:           []string{},
		RedirectSecureChecker:        func(context.Context, *url.URL) bool { return true }, // registration and our matcher decide
		ClientAuthenticationStrategy: authenticatedClient,
		JWKSFetcherStrategy:          noFetcher{},
		ClientSecretsHasher:          noHasher{},
		// The capacity equals the length: fosite appends to the slice it is given.
		SanitationWhiteList: slices.Clip([]string{"redirect_uri"}),
	}
	store := &fositeStore{p: p}
	c := &fositeConfig{Config: base}
	code := &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: store, RefreshTokenStrategy: store, AuthorizeCodeStrategy: store,
		CoreStorage: store, TokenRevocationStorage: store, Config: c,
	}
	proof := &pkce.Handler{AuthorizeCodeStrategy: store, Storage: store, Config: c}
	refresh := &oauth2.RefreshTokenGrantHandler{
		AccessTokenStrategy: store, RefreshTokenStrategy: store, TokenRevocationStorage: store, Config: c,
	}
	machine := &oauth2.ClientCredentialsGrantHandler{
		HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: store, AccessTokenStorage: store, Config: c},
		Config:       c,
	}
	// PKCE insists on coming after the code's own handler.
	c.authorize = fosite.AuthorizeEndpointHandlers{code, proof}
	c.token = map[string]fosite.TokenEndpointHandlers{
		grantCode:    {code, proof, finisher{}},
		grantRefresh: {refresh, finisher{}},
		grantMachine: {machine, finisher{}},
	}
	return &fosite.Fosite{Store: store, Config: c}
}

func (c *fositeConfig) GetAuthorizeEndpointHandlers(context.Context) fosite.AuthorizeEndpointHandlers {
	return c.authorize
}

func (c *fositeConfig) GetTokenEndpointHandlers(ctx context.Context) fosite.TokenEndpointHandlers {
	return c.token[exchangeFrom(ctx).grantType]
}

// GetEnforcePKCE demands PKCE of every client that is not excepted. fosite deletes
// its PKCE row before it checks the verifier, so that without this a second try
// without a verifier would pass; our challenge lives in the code's row, and is
// never deleted apart from it.
func (c *fositeConfig) GetEnforcePKCE(ctx context.Context) bool {
	return exchangeFrom(ctx).client.needsPKCE()
}

func (c *fositeConfig) GetEnforcePKCEForPublicClients(context.Context) bool { return true }

func (c *fositeConfig) GetEnablePKCEPlainChallengeMethod(context.Context) bool { return false }

// finisher corrects the response that fosite's handlers leave: they write
// "bearer", and count expires_in by a clock of their own.
type finisher struct{}

func (finisher) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

func (finisher) CanHandleTokenEndpointRequest(context.Context, fosite.AccessRequester) bool {
	return false
}

func (finisher) HandleTokenEndpointRequest(context.Context, fosite.AccessRequester) error {
	return fosite.ErrUnknownRequest
}

func (finisher) PopulateTokenEndpointResponse(ctx context.Context, _ fosite.AccessRequester, resp fosite.AccessResponder) error {
	x := exchangeFrom(ctx)
	resp.SetTokenType("Bearer")
	// As the token says it, in whole seconds.
	resp.SetExpiresIn(time.Duration(x.verdict.expiresAt.Unix()-x.now.Unix()) * time.Second)
	resp.SetScopes(x.verdict.scopes)
	if x.idToken != "" {
		resp.SetExtra("id_token", x.idToken)
	}
	return nil
}
