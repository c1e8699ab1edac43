package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ClientSecret tells of a secret everything but its value.
type ClientSecret struct {
	ID        string     `json:"id"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Missing for one that lives until it is replaced."`
	Imported  bool       `json:"imported" doc:"It was not made by Gatehouse and costs as much to check as a password."`
}

func secretOf(s *accounts.ClientSecret) ClientSecret {
	return ClientSecret{ID: s.ID.String(), CreatedAt: timeOf(s.CreatedAt), ExpiresAt: timeOf(s.ExpiresAt), Imported: !s.Generated()}
}

// NewSecret asks for another secret.
type NewSecret struct {
	OverlapSeconds int64 `json:"overlap_seconds" minimum:"0" maximum:"7776000" doc:"For how long those before it live on; 0 ends them now."`
}

// SecretMade is a new secret.
type SecretMade struct {
	ClientSecret
	Value string `json:"client_secret" doc:"Shown this once; it cannot be read again."`
}

// clientSecrets are a list by themselves: several live side by side while one is
// replaced.
func (s *surface) clientSecrets() {
	register(s, Route{
		ID: "listClientSecrets", Method: http.MethodGet, Path: "/clients/{client}/secrets", Tag: tagClients, Permission: accounts.AdminClientsRead,
		Summary: "List an app's live secrets", Details: "Never their values.",
	}, func(ctx context.Context, c *admin.Caller, in *ClientPath) (*List[ClientSecret], error) {
		clientID, err := fromSegment(in.Client)
		if err != nil {
			return nil, err
		}
		found, err := s.Admin.Client(ctx, c, clientID)
		if err != nil {
			return nil, err
		}
		items := make([]ClientSecret, len(found.Secrets))
		for i := range found.Secrets {
			items[i] = secretOf(&found.Secrets[i])
		}
		return page(s, ctx, items, nil)
	})
	register(s, Route{
		ID: "addClientSecret", Method: http.MethodPost, Path: "/clients/{client}/secrets", Tag: tagClients, Permission: accounts.AdminClientsWrite,
		Summary: "Give an app another secret", Status: http.StatusCreated,
		Details: "It is shown this once. Whoever has it acts as the app, so you must hold all that the app holds.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		ClientPath
		Body NewSecret
	},
	) (*struct{ Body SecretMade }, error) {
		clientID, err := fromSegment(in.Client)
		if err != nil {
			return nil, err
		}
		text, made, err := s.Admin.AddSecret(ctx, c, clientID, time.Duration(in.Body.OverlapSeconds)*time.Second)
		if err != nil {
			return nil, err
		}
		return &struct{ Body SecretMade }{SecretMade{ClientSecret: secretOf(made), Value: text.Reveal()}}, nil
	})
	register(s, Route{
		ID: "endClientSecret", Method: http.MethodDelete, Path: "/clients/{client}/secrets/{secret}", Tag: tagClients,
		Permission: accounts.AdminClientsWrite, Status: http.StatusNoContent,
		Summary: "End one secret of an app", Details: "Tokens go on. For a secret in other hands, say that it is compromised.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		ClientPath
		Secret string `path:"secret" maxLength:"22"`
	},
	) (*struct{}, error) {
		clientID, err := fromSegment(in.Client)
		if err != nil {
			return nil, err
		}
		secretID, err := id.Parse(in.Secret)
		if err != nil {
			return nil, fmt.Errorf("secret: %w", accounts.ErrNotFound)
		}
		return nil, s.Admin.EndSecret(ctx, c, clientID, secretID)
	})
}
