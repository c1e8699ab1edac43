package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

type clientCreate struct {
	Name                  string   `required:"" help:"What people know the app by."`
	Type                  string   `required:"" enum:"web,spa,native,machine" help:"web (has a server), spa (in the browser), native (on a device) or machine (acts for itself)."`
	RedirectURI           []string `name:"redirect-uri" sep:"none" placeholder:"URI" help:"Where people come back to; repeatable."`
	PostLogoutRedirectURI []string `name:"post-logout-redirect-uri" sep:"none" placeholder:"URI" help:"Where people come after signing out; repeatable."`
	BackchannelLogoutURI  string   `name:"backchannel-logout-uri" placeholder:"URI" help:"Where it is told that a session of a person has ended."`
	BackchannelSession    bool     `name:"backchannel-logout-session-required" help:"Tell it only with the id of the session."`
	Scope                 []string `sep:"none" placeholder:"\"A B\"" help:"Scopes that it may ask for; for a machine, the permissions that it holds."`
	OptionalScope         []string `name:"optional-scope" sep:"none" placeholder:"\"C\"" help:"Scopes that it may ask besides, and that a person may leave out."`
	AuthMethod            string   `name:"auth-method" enum:",none,client_secret,private_key_jwt" default:"" help:"none, client_secret or private_key_jwt; by default what fits the type."`
	JWKSFile              string   `name:"jwks-file" placeholder:"FILE" help:"Public keys for private_key_jwt, a JWK Set."`
	IDTokenAlg            string   `name:"id-token-alg" placeholder:"ALG" help:"RS256 (default), ES256, EdDSA or PS256."`
	FirstParty            bool     `name:"first-party" help:"Your own app: people are not asked for consent."`
	NoPKCE                bool     `name:"no-pkce" help:"An old OpenID Connect client of type web that knows no PKCE."`
	RequiredACR           string   `name:"required-acr" enum:",aal1,aal2" default:"" help:"How surely people must have signed in: aal2 is two factors."`
	RequirePAR            bool     `name:"require-par" help:"Accept only pushed authorization requests."`
	TokenEndpointAudience bool     `name:"token-endpoint-audience" help:"For private_key_jwt: accept the token endpoint as the assertion's audience too, from an old library."`
	VisibleGroup          []string `name:"visible-group" sep:"none" placeholder:"G" help:"A group that the scope groups may show to it; * for all; repeatable."`
	PermissionSet         []string `name:"permission-set" sep:"none" placeholder:"S" help:"A permission set that it holds, for an app that acts for itself; repeatable."`
	textOptions
}

// maxJWKSFile bounds what is read; the domain has its own, lower limit.
const maxJWKSFile = 1 << 20

// Run registers an app.
func (n *clientCreate) Run(c *call) error {
	r, err := n.registration()
	if err != nil {
		return err
	}
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		made, text, err := n.register(ctx, d, by, r)
		if errors.Is(err, errNoSet) {
			return err
		}
		if errors.Is(err, accounts.ErrNotFound) {
			return fmt.Errorf("one of the permissions %q does not exist: gatehouse api create or add-permission makes it", words(r.Permissions))
		}
		if err != nil {
			return err
		}
		if err := c.noteUnknownScopes(ctx, d, made.Scopes); err != nil {
			return err
		}
		answer := clientAnswerOf(d, made)
		answer.ClientSecret = text.Reveal()
		settings, err := d.environment(ctx, made.ClientID, answer.ClientSecret)
		if err != nil {
			return err
		}
		return c.answer(answer, func(w io.Writer) {
			once := ""
			if answer.ClientSecret != "" {
				once = " (the secret is shown this once)"
			}
			_, _ = fmt.Fprintf(w, "client %s created. Its settings%s:\n\n", plain(answer.Name), once)
			_, _ = io.WriteString(w, settings)
			_, _ = fmt.Fprintf(w, "\nThe rest is found at %s\n", answer.Discovery)
		})
	})
}

var errNoSet = errors.New("there is no such permission set")

// register registers the app with its permission sets, or not at all.
func (n *clientCreate) register(ctx context.Context, d *domain, by audit.Actor, r accounts.Registration) (made *accounts.Client, text secret.Text, err error) {
	err = d.db.InTx(ctx, func(ctx context.Context) error {
		if made, text, err = d.clients.Register(ctx, by, r); err != nil {
			return err
		}
		for _, name := range n.PermissionSet {
			err := d.sets.Assign(ctx, by, name, made.ClientID)
			if errors.Is(err, accounts.ErrNotFound) {
				return fmt.Errorf("%w: %q", errNoSet, name)
			}
			if err != nil {
				return err
			}
			made.PermissionSets = append(made.PermissionSets, name)
		}
		return nil
	})
	return made, text, err
}

func (n *clientCreate) registration() (accounts.Registration, error) {
	r := accounts.Registration{
		Name: n.Name, Type: accounts.ClientType(n.Type), AuthMethod: n.AuthMethod,
		RedirectURIs: n.RedirectURI, PostLogoutRedirectURIs: n.PostLogoutRedirectURI,
		BackchannelLogoutURI: n.BackchannelLogoutURI, BackchannelLogoutSessionRequired: n.BackchannelSession,
		Scopes: split(n.Scope), OptionalScopes: split(n.OptionalScope), VisibleGroups: n.VisibleGroup, TokenEndpointAudience: n.TokenEndpointAudience,
		IDTokenAlgorithm: n.IDTokenAlg, FirstParty: n.FirstParty, WithoutPKCE: n.NoPKCE, RequirePAR: n.RequirePAR, RequiredACR: n.RequiredACR,
	}
	var err error
	if r.Texts, err = n.edit(nil); err != nil {
		return r, err
	}
	if r.Type == accounts.MachineClient {
		r.Scopes, r.Permissions = nil, r.Scopes
	}
	if n.JWKSFile != "" {
		info, err := os.Stat(n.JWKSFile)
		if err != nil {
			return r, fmt.Errorf("keys: %w", err)
		}
		if info.Size() > maxJWKSFile {
			return r, fmt.Errorf("keys: %s is too large for a JWK Set", n.JWKSFile)
		}
		text, err := os.ReadFile(n.JWKSFile)
		if err != nil {
			return r, fmt.Errorf("keys: %w", err)
		}
		r.JWKS = string(text)
		if r.AuthMethod == "" {
			r.AuthMethod = accounts.AuthPrivateKeyJWT
		}
	}
	return r, nil
}

// split reads lists whose items are divided by spaces.
func split(lists []string) []string {
	var out []string
	for _, l := range lists {
		out = append(out, strings.Fields(l)...)
	}
	return out
}

// noteUnknownScopes tells of scopes that mean nothing yet. That is no error: an
// app may be registered before its API.
func (c *call) noteUnknownScopes(ctx context.Context, d *domain, scopes []string) error {
	standard := []string{"openid", "profile", "email", "address", "phone", "offline_access", "groups"}
	names := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(standard, s) })
	known, err := d.db.PermissionsByName(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := known[name]; !ok {
			c.note("no API has the permission %q yet; until one has, nobody is granted it", name)
		}
	}
	return nil
}
