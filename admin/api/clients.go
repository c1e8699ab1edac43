package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagClients = "clients"

// Client is a registered app. It holds no secret; those are listed by themselves.
type Client struct {
	ClientID string `json:"client_id"`
	Type     string `json:"type" enum:"web,spa,native,machine,resource"`
	ClientSettings
	PermissionSets []string   `json:"permission_sets" nullable:"false" doc:"Names of the permission sets that it holds."`
	SetPermissions []string   `json:"set_permissions" nullable:"false" doc:"What those sets hold."`
	Audience       string     `json:"audience,omitempty" doc:"Of the API whose resource server it is."`
	Disabled       bool       `json:"disabled"`
	DisabledAt     *time.Time `json:"disabled_at,omitempty"`
	CreatedAt      *time.Time `json:"created_at,omitempty"`
	UpdatedAt      *time.Time `json:"updated_at,omitempty"`
	Marked
}

// ClientSettings are what is chosen about an app.
type ClientSettings struct {
	Name       string         `json:"name"`
	Texts      Texts          `json:"texts,omitempty" doc:"Name and addresses of pages in other languages, by BCP 47 tag."`
	AuthMethod string         `json:"auth_method" enum:"none,client_secret,private_key_jwt"`
	JWKS       map[string]any `json:"jwks,omitempty" doc:"Public keys for private_key_jwt, a JWK Set (RFC 7517)."`

	GrantTypes                       []string `json:"grant_types" nullable:"false"`
	RedirectURIs                     []string `json:"redirect_uris" nullable:"false"`
	PostLogoutRedirectURIs           []string `json:"post_logout_redirect_uris" nullable:"false"`
	BackchannelLogoutURI             string   `json:"backchannel_logout_uri"`
	BackchannelLogoutSessionRequired bool     `json:"backchannel_logout_session_required"`

	Scopes         []string `json:"scopes" nullable:"false" doc:"What it may ask people for."`
	OptionalScopes []string `json:"optional_scopes" nullable:"false" doc:"Of these, what people may untick."`
	Permissions    []string `json:"permissions" nullable:"false" doc:"What it holds itself."`
	VisibleGroups  []string `json:"visible_groups" nullable:"false" doc:"Groups that the scope groups may show it; * means all."`

	HomeURI   string `json:"home_uri"`
	LogoURI   string `json:"logo_uri"`
	PolicyURI string `json:"policy_uri"`
	TermsURI  string `json:"terms_uri"`

	IDTokenAlgorithm      string `json:"id_token_algorithm" enum:"RS256,ES256,EdDSA,PS256"`
	FirstParty            bool   `json:"first_party" doc:"The operator's own app: nobody is asked for consent."`
	RequirePKCE           bool   `json:"require_pkce"`
	RequirePAR            bool   `json:"require_par"`
	RotateRefresh         bool   `json:"rotate_refresh"`
	RequiredACR           string `json:"required_acr" enum:",aal1,aal2"`
	TokenEndpointAudience bool   `json:"token_endpoint_audience" doc:"Takes assertions whose aud is the token endpoint."`

	AccessTokenSeconds     int64 `json:"access_token_seconds" doc:"Lifetime; 0 is the default of the deployment."`
	IDTokenSeconds         int64 `json:"id_token_seconds"`
	RefreshIdleSeconds     int64 `json:"refresh_idle_seconds"`
	RefreshAbsoluteSeconds int64 `json:"refresh_absolute_seconds"`
}

func clientOf(c *accounts.Client) Client {
	out := Client{
		ClientID: c.ClientID, Type: string(c.Type), ClientSettings: settingsOf(c),
		PermissionSets: filled(c.PermissionSets), SetPermissions: filled(c.SetPermissions),
		Audience: c.APIAud, Disabled: c.DisabledAt != 0, DisabledAt: timeOf(c.DisabledAt),
		CreatedAt: timeOf(c.CreatedAt), UpdatedAt: timeOf(c.UpdatedAt),
	}
	return out
}

func settingsOf(c *accounts.Client) ClientSettings {
	return ClientSettings{
		Name: c.Name, Texts: textsOf(c.Texts), AuthMethod: c.AuthMethod, JWKS: jwksOf(c),
		GrantTypes: filled(c.GrantTypes), RedirectURIs: filled(c.RedirectURIs), PostLogoutRedirectURIs: filled(c.PostLogoutRedirectURIs),
		BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSessionRequired: c.BackchannelLogoutSessionRequired,
		Scopes: filled(c.Scopes), OptionalScopes: filled(c.OptionalScopes), Permissions: filled(c.Permissions), VisibleGroups: filled(c.VisibleGroups),
		HomeURI: c.HomeURI, LogoURI: c.LogoURI, PolicyURI: c.PolicyURI, TermsURI: c.TermsURI,
		IDTokenAlgorithm: c.IDTokenAlgorithm, FirstParty: c.FirstParty, RequirePKCE: c.RequirePKCE, RequirePAR: c.RequirePAR,
		RotateRefresh: c.RotateRefresh, RequiredACR: c.RequiredACR, TokenEndpointAudience: c.TokenEndpointAudience,
		AccessTokenSeconds: c.AccessTokenLifetime / msPerSecond, IDTokenSeconds: c.IDTokenLifetime / msPerSecond,
		RefreshIdleSeconds: c.RefreshIdle / msPerSecond, RefreshAbsoluteSeconds: c.RefreshAbsolute / msPerSecond,
	}
}

func jwksOf(c *accounts.Client) map[string]any {
	if c.JWKS == "" {
		return nil
	}
	var jwks map[string]any
	// What is stored was read as a set of keys when it came.
	_ = json.Unmarshal([]byte(c.JWKS), &jwks)
	return jwks
}

const msPerSecond = 1000

// ClientPath names an app in a path.
type ClientPath struct {
	Client string `path:"client" maxLength:"4096" doc:"client_id; one with other characters than letters, digits and -._~ is written as ~ and its base64url."`
}

type clientFilters struct {
	Paging
	Name         string `query:"name" maxLength:"100" doc:"Those whose name begins so, in any case."`
	RedirectHost string `query:"redirect_host" maxLength:"255" doc:"Those that send people back to this host, without port."`
	Type         string `query:"type" enum:"web,spa,native,machine,resource"`
	State        string `query:"state" enum:"enabled,disabled"`
	Sort         string `query:"sort" enum:"name,-created_at" default:"name" doc:"-created_at lists the newest first; not together with name or redirect_host."`
}

func (s *surface) clients() {
	register(s, Route{
		ID: "listClients", Method: http.MethodGet, Path: "/clients", Tag: tagClients, Permission: accounts.AdminClientsRead,
		Summary: "List apps",
	}, s.listClients)
	register(s, Route{
		ID: "getClient", Method: http.MethodGet, Path: "/clients/{client}", Tag: tagClients, Permission: accounts.AdminClientsRead,
		Summary: "Show an app",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		ClientPath
		Seen
	},
	) (*One[Client], error) {
		clientID, err := fromSegment(in.Client)
		if err != nil {
			return nil, err
		}
		found, err := s.Admin.Client(ctx, c, clientID)
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, in.Seen, accounts.ManagedClient, found.ID, clientOf(found))
	})
	s.clientChanges()
	s.clientStates()
	s.clientSecrets()
	s.clientRefusals()
}

func (s *surface) listClients(ctx context.Context, c *admin.Caller, in *clientFilters) (*List[Client], error) {
	q := admin.ClientQuery{
		Prefix: in.Name, RedirectHost: in.RedirectHost, Type: accounts.ClientType(in.Type), State: in.State, Limit: in.Limit + 1,
		Newest: in.Sort == "-created_at",
	}
	if q.Newest && (in.Name != "" || in.RedirectHost != "") {
		return nil, &parameterError{"sort", "it has an order of its own with name or redirect_host"}
	}
	var at idKey
	err := s.after(ctx, in.Cursor, &q.After)
	if q.Newest {
		err = s.after(ctx, in.Cursor, &at)
	}
	if err != nil {
		return nil, err
	}
	q.Before = at.ID
	read, err := s.Admin.ListClients(ctx, c, q)
	if err != nil {
		return nil, err
	}
	found, more := cut(read, in.Limit)
	items := make([]Client, len(found))
	for i := range found {
		items[i] = clientOf(&found[i].Client)
	}
	if err := markAll(ctx, s, accounts.ManagedClient, items, func(i int) id.ID { return found[i].ID }); err != nil {
		return nil, err
	}
	if !more {
		return page(s, ctx, items, nil)
	}
	last := found[len(found)-1]
	if q.Newest {
		return page(s, ctx, items, idKey{last.ID})
	}
	return page(s, ctx, items, last.Key)
}

func (s *surface) clientChanges() {
	register(s, Route{
		ID: "createClient", Method: http.MethodPost, Path: "/clients", Tag: tagClients, Permission: accounts.AdminClientsWrite,
		Summary: "Register an app", Status: http.StatusCreated, MaxBody: 256 << 10,
		Details: "What is left out takes the defaults of the type. The answer holds the app's secret, if it has one: it is shown this once. " +
			"An app can be given no permission, and no scope of the admin API, that you do not hold; a first-party app no scope of any API.",
	}, func(ctx context.Context, c *admin.Caller, in *struct{ Body NewClient }) (*Created[ClientMade], error) {
		r, err := in.Body.registration()
		if err != nil {
			return nil, err
		}
		made, text, err := s.Admin.CreateClient(ctx, c, r)
		if err != nil {
			return nil, err
		}
		app := clientOf(made)
		return created(s, "/clients", app.ClientID, app, ClientMade{Client: app, ClientSecret: text.Reveal()}), nil
	})
	register(s, Route{
		ID: "updateClient", Method: http.MethodPatch, Path: "/clients/{client}", Tag: tagClients, Permission: accounts.AdminClientsWrite,
		Summary: "Change an app", MaxBody: 256 << 10,
		Details: "A merge patch (RFC 7396). What an app loses ends its tokens; it refreshes them. " +
			"Its type and client_id stay.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		ClientPath
		Match
		Body ClientPatch
	},
	) (*One[Client], error) {
		if err := in.given(); err != nil {
			return nil, err
		}
		clientID, err := fromSegment(in.Client)
		if err != nil {
			return nil, err
		}
		changed, err := s.Admin.UpdateClient(ctx, c, clientID, func(app *accounts.Client) error {
			if err := in.unless(tagOf(clientOf(app))); err != nil {
				return err
			}
			return in.Body.apply(app)
		})
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, Seen{}, accounts.ManagedClient, changed.ID, clientOf(changed))
	})
}

// clientStates are the changes of an app that take no body.
func (s *surface) clientStates() {
	for _, r := range []struct {
		route Route
		do    func(ctx context.Context, c *admin.Caller, clientID string) error
	}{
		{Route{
			ID: "deleteClient", Method: http.MethodDelete, Path: "/clients/{client}",
			Summary: "Delete an app", Details: "Its grants, consents, secrets and tokens end. The client of a resource server goes with its API.",
		}, s.Admin.DeleteClient},
		{Route{
			ID: "disableClient", Method: http.MethodPost, Path: "/clients/{client}/disable",
			Summary: "Disable an app", Details: "Nobody knows it until it is enabled; its grants and tokens end.",
		}, s.Admin.DisableClient},
		{Route{
			ID: "enableClient", Method: http.MethodPost, Path: "/clients/{client}/enable",
			Summary: "Enable an app", Details: "What disabling it ended stays ended.",
		}, s.Admin.EnableClient},
		{Route{
			ID: "compromisedClient", Method: http.MethodPost, Path: "/clients/{client}/compromised",
			Summary: "Say that an app's secret or key is in other hands",
			Details: "Its secrets and keys end now, and with them its grants and tokens. Another secret, or other keys, let it go on.",
		}, s.Admin.CompromisedClient},
	} {
		r.route.Tag, r.route.Permission, r.route.Status = tagClients, accounts.AdminClientsWrite, http.StatusNoContent
		register(s, r.route, func(ctx context.Context, c *admin.Caller, in *ClientPath) (*struct{}, error) {
			clientID, err := fromSegment(in.Client)
			if err != nil {
				return nil, err
			}
			return nil, r.do(ctx, c, clientID)
		})
	}
}

// ClientMade is a new app and its secret.
type ClientMade struct {
	Client       Client `json:"client"`
	ClientSecret string `json:"client_secret,omitempty" doc:"Shown this once; it cannot be read again."`
}

func jwksText(jwks map[string]any) (string, error) {
	if len(jwks) == 0 {
		return "", nil
	}
	text, err := json.Marshal(jwks)
	if err != nil {
		return "", &admin.Field{Name: "jwks", Err: fmt.Errorf("%w: not a JWK Set", accounts.ErrInvalid)}
	}
	return string(text), nil
}
