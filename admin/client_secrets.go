package admin

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// maxLiveSecrets bounds how many secrets of one client live side by side: each is
// tried when the client authenticates.
const maxLiveSecrets = 10

// AddSecret gives a client another secret, returned this once. Those before it live on
// for the overlap at most; zero ends them now. Whoever has a secret acts as the app,
// so the caller must hold all that it reaches. Errors: *Forbidden, ErrSuperior,
// ErrState, accounts.ErrNotFound, accounts.ErrInvalid.
func (a *Admin) AddSecret(ctx context.Context, c *Caller, clientID string, overlap time.Duration) (text secret.Text, made *accounts.ClientSecret, err error) {
	err = a.lockedClient(ctx, c, clientID, c.mayControlApp, func(ctx context.Context) error {
		if text, err = a.Clients.RotateSecret(ctx, c.Actor, clientID, overlap); err != nil {
			return err
		}
		app, err := a.findClient(ctx, clientID)
		if err != nil {
			return err
		}
		if len(app.Secrets) > maxLiveSecrets {
			return accounts.Because(ErrState, "the app has %d secrets that live; end some first", maxLiveSecrets)
		}
		made = newest(app.Secrets)
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	return text, made, nil
}

// newest is the one of a client's secrets that does not end by itself and was made
// last.
func newest(secrets []accounts.ClientSecret) *accounts.ClientSecret {
	var found *accounts.ClientSecret
	for i, s := range secrets {
		if s.ExpiresAt == 0 {
			found = &secrets[i]
		}
	}
	return found
}

// EndSecret ends one live secret of a client. Tokens go on. Errors: *Forbidden,
// ErrSuperior, accounts.ErrNotFound.
func (a *Admin) EndSecret(ctx context.Context, c *Caller, clientID string, secretID id.ID) error {
	return a.lockedClient(ctx, c, clientID, c.mayChangeApp, func(ctx context.Context) error {
		return a.Clients.EndSecret(ctx, c.Actor, clientID, secretID)
	})
}

// CompromisedClient is for a client whose secret or key got into other hands: its
// credentials, grants and tokens end. Errors: *Forbidden, ErrSuperior,
// accounts.ErrNotFound.
func (a *Admin) CompromisedClient(ctx context.Context, c *Caller, clientID string) error {
	return a.lockedClient(ctx, c, clientID, c.mayChangeApp, func(ctx context.Context) error {
		return a.Clients.Compromised(ctx, c.Actor, clientID)
	})
}
