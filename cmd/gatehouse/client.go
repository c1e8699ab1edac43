package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/snippet"
)

type clientCommand struct {
	Create       clientCreate       `cmd:"" help:"Register an app; prints its id and its secret, once."`
	List         clientList         `cmd:"" help:"List apps."`
	Show         clientShow         `cmd:"" help:"Show an app."`
	Update       clientUpdate       `cmd:"" help:"Change what people read about an app."`
	RotateSecret clientRotateSecret `cmd:"" help:"Give an app another secret, shown once."`
	Compromised  clientCompromised  `cmd:"" help:"End an app's secrets, grants and tokens: somebody else has its secret."`
	Disable      clientDisable      `cmd:"" help:"Make an app unknown to everyone; its grants and tokens end."`
	Enable       clientEnable       `cmd:"" help:"End a disable."`
	Delete       clientDelete       `cmd:"" help:"Remove an app with its grants and consents."`
}

// whichClient names an app on the command line.
type whichClient struct {
	Client string `required:"" placeholder:"ID" help:"client_id of the app."`
}

func (w whichClient) explain(err error) error {
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return fmt.Errorf("there is no client %q", w.Client)
	case errors.Is(err, accounts.ErrOfAPI):
		return errors.New("that is the client of an API's resource server: it goes with its API (gatehouse api delete)")
	}
	return err
}

func (w whichClient) change(c *call, did string, f func(ctx context.Context, d *domain, by audit.Actor) error) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := f(ctx, d, by); err != nil {
			return w.explain(err)
		}
		return c.done("client %s %s", plain(w.Client), did)
	})
}

type clientAnswer struct {
	ClientID               string         `json:"client_id"`
	ClientSecret           string         `json:"client_secret,omitempty"` // only when it was made
	Name                   string         `json:"name"`
	Texts                  accounts.Texts `json:"texts,omitempty"`
	Type                   string         `json:"type"`
	AuthMethod             string         `json:"auth_method"`
	RedirectURIs           []string       `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string       `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI   string         `json:"backchannel_logout_uri,omitempty"`
	RequiredACR            string         `json:"required_acr,omitempty"`
	BackchannelSession     bool           `json:"backchannel_logout_session_required,omitempty"`
	Scopes                 []string       `json:"scopes,omitempty"`
	OptionalScopes         []string       `json:"optional_scopes,omitempty"`
	Permissions            []string       `json:"permissions,omitempty"`
	PermissionSets         []string       `json:"permission_sets,omitempty"` // names; what they hold is not among permissions
	VisibleGroups          []string       `json:"visible_groups,omitempty"`
	IDTokenAlg             string         `json:"id_token_alg,omitempty"`
	FirstParty             bool           `json:"first_party,omitempty"`
	RequirePKCE            bool           `json:"require_pkce"`
	RequirePAR             bool           `json:"require_par,omitempty"`
	Audience               string         `json:"audience,omitempty"` // of a resource server's client
	Disabled               bool           `json:"disabled"`
	CreatedAt              string         `json:"created_at"`
	Issuer                 string         `json:"issuer"`
	Discovery              string         `json:"discovery"`
}

func clientAnswerOf(d *domain, c *accounts.Client) clientAnswer {
	issuer := d.cfg.Issuer.String()
	return clientAnswer{
		ClientID: c.ClientID, Name: c.Name, Texts: c.Texts, Type: string(c.Type), AuthMethod: c.AuthMethod,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		RequiredACR: c.RequiredACR, BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelSession: c.BackchannelLogoutSessionRequired, Scopes: c.Scopes,
		OptionalScopes: c.OptionalScopes, Permissions: c.Permissions, PermissionSets: c.PermissionSets, VisibleGroups: c.VisibleGroups,
		IDTokenAlg: c.IDTokenAlgorithm, FirstParty: c.FirstParty, RequirePKCE: c.RequirePKCE, RequirePAR: c.RequirePAR,
		Audience: c.APIAud, Disabled: c.DisabledAt != 0, CreatedAt: when(c.CreatedAt),
		Issuer: issuer, Discovery: issuer + "/.well-known/openid-configuration",
	}
}

// environment is what an app's configuration needs, ready to paste.
func (d *domain) environment(ctx context.Context, clientID, secret string) (string, error) {
	app, _, err := d.db.ClientByID(ctx, clientID, d.now().UnixMilli())
	if err != nil {
		return "", err
	}
	all, err := d.db.ListAPIs(ctx)
	if err != nil {
		return "", err
	}
	return snippet.App{Issuer: d.cfg.Issuer.String(), Client: app, APIs: accounts.APIsOf(app, all)}.Environment(secret), nil
}

type clientList struct {
	After string `placeholder:"ID" help:"Begin after this client_id."`
	Limit int    `default:"100" help:"How many at most."`
}

// Run lists apps in the order of their ids.
func (l *clientList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, err := d.db.ListClients(ctx, l.After, l.Limit)
		if err != nil {
			return err
		}
		list := make([]clientAnswer, len(found))
		rows := [][]string{{"CLIENT_ID", "TYPE", "NAME", ""}}
		for i := range found {
			list[i] = clientAnswerOf(d, &found[i])
			rows = append(rows, []string{list[i].ClientID, list[i].Type, list[i].Name, mark(list[i].Disabled, "disabled")})
		}
		return c.answer(map[string]any{"clients": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type clientShow struct{ whichClient }

// Run shows an app.
func (s *clientShow) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, _, err := d.db.ClientByID(ctx, s.Client, c.now().UnixMilli())
		if err != nil {
			return s.explain(err)
		}
		a := clientAnswerOf(d, found)
		rows := [][]string{
			{"client_id", a.ClientID}, {"name", a.Name}, {"type", a.Type, mark(a.Disabled, "disabled")}, {"authentication", a.AuthMethod},
			{"scopes", words(a.Scopes)}, {"optional scopes", words(a.OptionalScopes)}, {"permissions", words(a.Permissions)},
			{"permission sets", strings.Join(a.PermissionSets, ", ")},
		}
		rows = append(rows, textRows(a.Texts)...)
		for _, u := range a.RedirectURIs {
			rows = append(rows, []string{"redirect URI", u})
		}
		if a.RequiredACR != "" {
			rows = append(rows, []string{"required acr", a.RequiredACR})
		}
		if a.BackchannelLogoutURI != "" {
			rows = append(rows, []string{"back-channel logout", a.BackchannelLogoutURI, mark(a.BackchannelSession, "session required")})
		}
		for _, s := range found.Secrets {
			ends := "no end"
			if s.ExpiresAt != 0 {
				ends = "ends " + when(s.ExpiresAt)
			}
			rows = append(rows, []string{"secret", "made " + when(s.CreatedAt), ends})
		}
		return c.answer(a, func(w io.Writer) { table(w, rows...) })
	})
}

type clientRotateSecret struct {
	whichClient
	Overlap time.Duration `help:"How long the secrets before it go on, such as 24h; by default they end now."`
}

// Run gives an app another secret.
func (r *clientRotateSecret) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		text, err := d.clients.RotateSecret(ctx, by, r.Client, r.Overlap)
		if err != nil {
			return r.explain(err)
		}
		answer := map[string]string{"client_id": r.Client, "client_secret": text.Reveal()}
		return c.answer(answer, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "The new secret is shown this once:\n\nOIDC_CLIENT_SECRET=%s\n", text.Reveal())
		})
	})
}

type clientCompromised struct{ whichClient }

// Run ends everything that somebody with the secret could have got.
func (w *clientCompromised) Run(c *call) error {
	return w.change(c, "has no secret, grant or token any more; give it a new secret: gatehouse client rotate-secret", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.clients.Compromised(ctx, by, w.Client)
	})
}

type clientDisable struct{ whichClient }

// Run disables an app.
func (w *clientDisable) Run(c *call) error {
	return w.change(c, "disabled", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.clients.Disable(ctx, by, w.Client)
	})
}

type clientEnable struct{ whichClient }

// Run ends a disable.
func (w *clientEnable) Run(c *call) error {
	return w.change(c, "enabled", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.clients.Enable(ctx, by, w.Client)
	})
}

type clientDelete struct{ whichClient }

// Run removes an app.
func (w *clientDelete) Run(c *call) error {
	return w.change(c, "deleted", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.clients.Delete(ctx, by, w.Client)
	})
}
