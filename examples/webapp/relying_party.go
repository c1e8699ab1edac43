package webapp

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// relyingParty is what discovery told of the issuer. It is asked at the first
// sign-in, and again after a failure.
type relyingParty struct {
	cfg    Config
	client *http.Client

	mu    sync.Mutex
	found *provider
}

// provider is a discovered issuer.
type provider struct {
	oidc       *oidc.Provider
	oauth2     oauth2.Config
	verifier   *oidc.IDTokenVerifier
	endSession string
}

// get returns the issuer. ctx is kept to fetch keys with: it must not end with a
// request.
func (p *relyingParty) get(ctx context.Context) (*provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	discovered, err := oidc.NewProvider(ctx, p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discover the issuer: %w", err)
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := discovered.Claims(&more); err != nil {
		return nil, fmt.Errorf("discover the issuer: %w", err)
	}
	endpoint := discovered.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	p.found = &provider{
		oidc: discovered,
		oauth2: oauth2.Config{
			ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: endpoint,
			RedirectURL: p.cfg.URL + CallbackPath, Scopes: Scopes(),
		},
		verifier:   discovered.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}),
		endSession: more.EndSession,
	}
	return p.found, nil
}
