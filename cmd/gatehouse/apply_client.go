package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// wantedClient is an app as a file says it. It is found by client_id, or by name
// if the file leaves that to Gatehouse.
type wantedClient struct {
	ClientID string `yaml:"client_id"`
	Name     string `yaml:"name"`
	Type     string `yaml:"type"`
	// SecretFile is where the secret is kept that is made with the client; without
	// it the secret is printed, once.
	SecretFile string `yaml:"secret_file"`

	AuthMethod             *string  `yaml:"auth_method"`
	JWKS                   *string  `yaml:"jwks"`
	RedirectURIs           []string `yaml:"redirect_uris"`
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris"`
	BackchannelLogoutURI   *string  `yaml:"backchannel_logout_uri"`
	BackchannelSession     *bool    `yaml:"backchannel_logout_session_required"`
	Scopes                 []string `yaml:"scopes"`
	OptionalScopes         []string `yaml:"optional_scopes"`
	Permissions            []string `yaml:"permissions"`
	VisibleGroups          []string `yaml:"visible_groups"`

	HomeURI   *string `yaml:"home_uri"`
	LogoURI   *string `yaml:"logo_uri"`
	PolicyURI *string `yaml:"policy_uri"`
	TermsURI  *string `yaml:"terms_uri"`

	IDTokenAlg  *string `yaml:"id_token_alg"`
	FirstParty  *bool   `yaml:"first_party"`
	RequirePKCE *bool   `yaml:"require_pkce"`
	RequirePAR  *bool   `yaml:"require_par"`
	RequiredACR *string `yaml:"required_acr"`

	AccessTokenLifetime *milliseconds `yaml:"access_token_lifetime"`
	IDTokenLifetime     *milliseconds `yaml:"id_token_lifetime"`
	RefreshIdle         *milliseconds `yaml:"refresh_idle"`
	RefreshAbsolute     *milliseconds `yaml:"refresh_absolute"`
}

// clientsPage is how many clients are read at once.
const clientsPage = 500

func (w wantedClient) label() string { return cmp.Or(w.ClientID, w.Name) }

// client makes an app or brings it up to what is wanted.
func (a *applier) client(ctx context.Context, w wantedClient) error {
	found, err := a.findClient(ctx, w)
	if err != nil {
		return err
	}
	if found == nil {
		return a.createClient(ctx, w)
	}
	if w.Type != "" && w.Type != string(found.Type) {
		return fmt.Errorf("it is of the type %s, which cannot change: make another client", found.Type)
	}
	next := *found
	what := w.put(&next)
	if len(what) == 0 {
		return nil
	}
	err = a.clients.Update(ctx, a.by, found.ClientID, func(c *accounts.Client) error {
		w.put(c)
		return nil
	})
	if err != nil {
		return err
	}
	a.changed("client", found.ClientID, what)
	return nil
}

// findClient returns nil if there is none.
func (a *applier) findClient(ctx context.Context, w wantedClient) (*accounts.Client, error) {
	if w.ClientID != "" {
		found, err := a.db.LockClient(ctx, w.ClientID)
		if errors.Is(err, accounts.ErrNotFound) {
			return nil, nil
		}
		return found, err
	}
	if w.Name == "" {
		return nil, errors.New("write a client_id, or a name to find it by")
	}
	var found *accounts.Client
	for after := ""; ; {
		page, err := a.db.ListClients(ctx, after, clientsPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if page[i].Name != w.Name || page[i].Type == accounts.ResourceClient {
				continue
			}
			if found != nil {
				return nil, fmt.Errorf("%s and %s have this name: write the client_id", found.ClientID, page[i].ClientID)
			}
			found = &page[i]
		}
		if len(page) < clientsPage {
			return found, nil
		}
		after = page[len(page)-1].ClientID
	}
}

func (a *applier) createClient(ctx context.Context, w wantedClient) error {
	if w.SecretFile != "" {
		if _, err := os.Lstat(w.SecretFile); err == nil {
			return fmt.Errorf("the secret would be kept in %s, which exists: move it away", w.SecretFile)
		}
	}
	var c accounts.Client
	c.RequirePKCE = true
	w.put(&c)
	made, text, err := a.clients.Register(ctx, a.by, accounts.Registration{
		ClientID: w.ClientID, Name: cmp.Or(w.Name, w.ClientID), Type: accounts.ClientType(w.Type), AuthMethod: c.AuthMethod, JWKS: c.JWKS,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, Scopes: c.Scopes,
		BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSessionRequired: c.BackchannelLogoutSessionRequired,
		OptionalScopes: c.OptionalScopes, Permissions: c.Permissions, VisibleGroups: c.VisibleGroups,
		HomeURI: c.HomeURI, LogoURI: c.LogoURI, PolicyURI: c.PolicyURI, TermsURI: c.TermsURI,
		IDTokenAlgorithm: c.IDTokenAlgorithm, FirstParty: c.FirstParty, WithoutPKCE: !c.RequirePKCE, RequirePAR: c.RequirePAR, RequiredACR: c.RequiredACR,
		AccessTokenLifetime: c.AccessTokenLifetime, IDTokenLifetime: c.IDTokenLifetime,
		RefreshIdle: c.RefreshIdle, RefreshAbsolute: c.RefreshAbsolute,
	})
	if err != nil {
		return err
	}
	change := applied{Kind: "client", Name: made.Name, Change: "created", ClientID: made.ClientID, secret: text}
	if text != "" {
		change.SecretFile = w.SecretFile
	}
	a.changes = append(a.changes, change)
	return nil
}

// put writes what the file says into a client, leaves the rest, and names what
// differed.
func (w wantedClient) put(c *accounts.Client) []string {
	name := &w.Name
	if w.Name == "" {
		name = nil
	}
	var changed []string
	note := func(setting string, differs bool) {
		if differs {
			changed = append(changed, setting)
		}
	}
	note("name", set(&c.Name, name))
	note("auth_method", set(&c.AuthMethod, w.AuthMethod))
	note("jwks", set(&c.JWKS, w.JWKS))
	note("redirect_uris", setList(&c.RedirectURIs, w.RedirectURIs))
	note("post_logout_redirect_uris", setList(&c.PostLogoutRedirectURIs, w.PostLogoutRedirectURIs))
	note("backchannel_logout_uri", set(&c.BackchannelLogoutURI, w.BackchannelLogoutURI))
	note("backchannel_logout_session_required", set(&c.BackchannelLogoutSessionRequired, w.BackchannelSession))
	note("scopes", setList(&c.Scopes, w.allScopes()))
	note("optional_scopes", setList(&c.OptionalScopes, w.OptionalScopes))
	note("permissions", setList(&c.Permissions, w.Permissions))
	note("visible_groups", setList(&c.VisibleGroups, w.VisibleGroups))
	note("home_uri", set(&c.HomeURI, w.HomeURI))
	note("logo_uri", set(&c.LogoURI, w.LogoURI))
	note("policy_uri", set(&c.PolicyURI, w.PolicyURI))
	note("terms_uri", set(&c.TermsURI, w.TermsURI))
	note("id_token_alg", set(&c.IDTokenAlgorithm, w.IDTokenAlg))
	note("first_party", set(&c.FirstParty, w.FirstParty))
	note("require_pkce", set(&c.RequirePKCE, w.RequirePKCE))
	note("require_par", set(&c.RequirePAR, w.RequirePAR))
	note("required_acr", set(&c.RequiredACR, w.RequiredACR))
	note("access_token_lifetime", set(&c.AccessTokenLifetime, (*int64)(w.AccessTokenLifetime)))
	note("id_token_lifetime", set(&c.IDTokenLifetime, (*int64)(w.IDTokenLifetime)))
	note("refresh_idle", set(&c.RefreshIdle, (*int64)(w.RefreshIdle)))
	note("refresh_absolute", set(&c.RefreshAbsolute, (*int64)(w.RefreshAbsolute)))
	return changed
}

// allScopes are the scopes with the optional ones, wherever the file names them.
func (w wantedClient) allScopes() []string {
	if w.Scopes == nil {
		return nil
	}
	all := slices.Clone(w.Scopes)
	for _, s := range w.OptionalScopes {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// setList writes a list that was given; its order does not matter.
func setList(target *[]string, given []string) bool {
	if given == nil || sameSet(*target, given) {
		return false
	}
	*target = slices.Clone(given)
	return true
}

func sameSet(a, b []string) bool {
	sorted := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
	return slices.Equal(sorted(a), sorted(b))
}

// milliseconds is written as a duration, such as 5m.
type milliseconds int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *milliseconds) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 5m", text)
	}
	*m = milliseconds(d.Milliseconds())
	return nil
}

// set writes a value that was given, and reports whether it differed.
func set[T comparable](target *T, given *T) bool {
	if given == nil || *target == *given {
		return false
	}
	*target = *given
	return true
}

// value is what was given, or nothing.
func value[T any](given *T) (v T) {
	if given != nil {
		v = *given
	}
	return v
}
