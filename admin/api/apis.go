package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagAPIs = "apis"

// API is what a resource server serves: the audience of access tokens.
type API struct {
	Audience             string       `json:"audience"`
	Name                 string       `json:"name"`
	Texts                Texts        `json:"texts,omitempty" doc:"The name in other languages, by BCP 47 tag."`
	TokenSeconds         int64        `json:"token_seconds" doc:"Lifetime of its access tokens; 0 is the app's or the default."`
	TokenAlgorithm       string       `json:"token_algorithm" enum:",ES256,EdDSA,PS256,RS256" doc:"Empty means ES256."`
	AuthenticationClaims bool         `json:"authentication_claims" doc:"Its tokens tell auth_time, acr and amr."`
	StatusList           bool         `json:"status_list" doc:"Its tokens name their place in a status list."`
	Permissions          []Permission `json:"permissions" nullable:"false"`
	ResourceServer       string       `json:"resource_server,omitempty" doc:"client_id of its resource server's own client."`
	Disabled             bool         `json:"disabled"`
	DisabledAt           *time.Time   `json:"disabled_at,omitempty"`
	CreatedAt            *time.Time   `json:"created_at,omitempty"`
	UpdatedAt            *time.Time   `json:"updated_at,omitempty"`
	Marked
}

// Permission is a right within an API, and the scope that asks for it.
type Permission struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Texts       Texts  `json:"texts,omitempty" doc:"The description in other languages, by BCP 47 tag."`
}

func apiOf(a *accounts.API) API {
	out := API{
		Audience: a.Audience, Name: a.Name, Texts: textsOf(a.Texts), TokenSeconds: a.TokenLifetime / msPerSecond,
		TokenAlgorithm: a.TokenAlgorithm, AuthenticationClaims: a.AuthenticationClaims, StatusList: a.StatusList,
		Permissions: make([]Permission, len(a.Permissions)), ResourceServer: a.ResourceServer, Disabled: a.DisabledAt != 0,
		DisabledAt: timeOf(a.DisabledAt), CreatedAt: timeOf(a.CreatedAt), UpdatedAt: timeOf(a.UpdatedAt),
	}
	for i, p := range a.Permissions {
		out.Permissions[i] = Permission{Name: p.Name, Description: p.Description, Texts: textsOf(p.Texts)}
	}
	return out
}

// NewPermission is what a permission is made of.
type NewPermission struct {
	Name        string `json:"name" minLength:"1" maxLength:"64"`
	Description string `json:"description" minLength:"1" maxLength:"200"`
	Texts       Texts  `json:"texts,omitempty"`
}

func (n *NewPermission) made() accounts.NewPermission {
	return accounts.NewPermission{Name: n.Name, Description: n.Description, Texts: n.Texts.texts()}
}

// NewAPI is what an API is made of.
type NewAPI struct {
	Audience             string          `json:"audience" minLength:"1" maxLength:"2048" doc:"An absolute URI without fragment (RFC 8707 §2)."`
	Name                 string          `json:"name" minLength:"1" maxLength:"100"`
	Texts                Texts           `json:"texts,omitempty"`
	Permissions          []NewPermission `json:"permissions,omitempty" nullable:"false" maxItems:"500"`
	TokenSeconds         int64           `json:"token_seconds,omitempty" minimum:"0" maximum:"3600"`
	TokenAlgorithm       string          `json:"token_algorithm,omitempty" enum:"ES256,EdDSA,PS256,RS256"`
	AuthenticationClaims bool            `json:"authentication_claims,omitempty"`
	StatusList           bool            `json:"status_list,omitempty"`
}

func (n *NewAPI) made() accounts.NewAPI {
	made := accounts.NewAPI{
		Audience: n.Audience, Name: n.Name, Texts: n.Texts.texts(), TokenLifetime: n.TokenSeconds * msPerSecond,
		TokenAlgorithm: n.TokenAlgorithm, AuthenticationClaims: n.AuthenticationClaims, StatusList: n.StatusList,
	}
	for i := range n.Permissions {
		made.Permissions = append(made.Permissions, n.Permissions[i].made())
	}
	return made
}

// APIMade is a new API, and what its resource server proves itself with.
type APIMade struct {
	API          API    `json:"api"`
	ClientID     string `json:"client_id" doc:"Of its resource server's own client."`
	ClientSecret string `json:"client_secret" doc:"Shown this once; it cannot be read again."`
}

// APIPatch is a change of an API.
type APIPatch struct {
	Name                 Change[string] `json:"name,omitempty"`
	Texts                TextsPatch     `json:"texts,omitempty"`
	TokenSeconds         Change[int64]  `json:"token_seconds,omitempty"`
	TokenAlgorithm       Change[string] `json:"token_algorithm,omitempty"`
	AuthenticationClaims Change[bool]   `json:"authentication_claims,omitempty"`
	StatusList           Change[bool]   `json:"status_list,omitempty"`
}

// settings are what the patch makes of an API.
func (p *APIPatch) settings(of *accounts.API) accounts.APISettings {
	next := accounts.APISettings{
		Name: p.Name.pointer(), TokenAlgorithm: p.TokenAlgorithm.pointer(),
		AuthenticationClaims: p.AuthenticationClaims.pointer(), StatusList: p.StatusList.pointer(),
	}
	if p.Texts.Given {
		next.Texts = of.Texts
		patchTexts(&next.Texts, p.Texts)
	}
	if p.TokenSeconds.Given {
		var ms int64
		setSeconds(&ms, p.TokenSeconds)
		next.TokenLifetime = &ms
	}
	return next
}

// APIPath names an API in a path.
type APIPath struct {
	API string `path:"api" maxLength:"4096" doc:"Its audience, written as ~ and its base64url."`
}

type apiFilters struct {
	Paging
	Text string `query:"text" maxLength:"200" doc:"Those whose audience or name holds it, in any case."`
}

func (s *surface) apis() {
	register(s, Route{
		ID: "listAPIs", Method: http.MethodGet, Path: "/apis", Tag: tagAPIs, Permission: accounts.AdminAPIsRead,
		Summary: "List APIs", Details: "In the order of their audiences.",
	}, func(ctx context.Context, c *admin.Caller, in *apiFilters) (*List[API], error) {
		var at nameKey
		if err := s.after(ctx, in.Cursor, &at); err != nil {
			return nil, err
		}
		read, err := s.Admin.ListAPIs(ctx, c, in.Text, at.Key, in.Limit+1)
		if err != nil {
			return nil, err
		}
		found, more := cut(read, in.Limit)
		items := make([]API, len(found))
		for i := range found {
			items[i] = apiOf(&found[i])
		}
		if err := markAll(ctx, s, accounts.ManagedAPI, items, func(i int) id.ID { return found[i].ID }); err != nil {
			return nil, err
		}
		if !more {
			return page(s, ctx, items, nil)
		}
		return page(s, ctx, items, nameKey{found[len(found)-1].Audience})
	})
	register(s, Route{
		ID: "createAPI", Method: http.MethodPost, Path: "/apis", Tag: tagAPIs, Permission: accounts.AdminAPIsWrite,
		Summary: "Create an API", Status: http.StatusCreated, MaxBody: 1 << 20,
		Details: "Its resource server gets a client of its own, whose secret is shown this once. Nobody holds its permissions yet.",
	}, func(ctx context.Context, c *admin.Caller, in *struct{ Body NewAPI }) (*Created[APIMade], error) {
		made, client, text, err := s.Admin.CreateAPI(ctx, c, in.Body.made())
		if err != nil {
			return nil, err
		}
		api := apiOf(made)
		return created(s, "/apis", api.Audience, api, APIMade{API: api, ClientID: client.ClientID, ClientSecret: text.Reveal()}), nil
	})
	s.oneAPI()
	s.apiStates()
	s.apiPermissions()
}

func (s *surface) oneAPI() {
	register(s, Route{
		ID: "getAPI", Method: http.MethodGet, Path: "/apis/{api}", Tag: tagAPIs, Permission: accounts.AdminAPIsRead,
		Summary: "Show an API",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		APIPath
		Seen
	},
	) (*One[API], error) {
		audience, err := fromSegment(in.API)
		if err != nil {
			return nil, err
		}
		found, err := s.Admin.API(ctx, c, audience)
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, in.Seen, accounts.ManagedAPI, found.ID, apiOf(found))
	})
	register(s, Route{
		ID: "updateAPI", Method: http.MethodPatch, Path: "/apis/{api}", Tag: tagAPIs, Permission: accounts.AdminAPIsWrite,
		Summary: "Change an API", Details: "A merge patch (RFC 7396). Its audience stays. Nothing is taken from anybody: tokens that live are good until they expire.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		APIPath
		Match
		Body APIPatch
	},
	) (*One[API], error) {
		if err := in.given(); err != nil {
			return nil, err
		}
		audience, err := fromSegment(in.API)
		if err != nil {
			return nil, err
		}
		changed, err := s.Admin.UpdateAPI(ctx, c, audience, func(a *accounts.API) (accounts.APISettings, error) {
			return in.Body.settings(a), in.unless(tagOf(apiOf(a)))
		})
		if err != nil {
			return nil, err
		}
		return oneMarked(ctx, s, Seen{}, accounts.ManagedAPI, changed.ID, apiOf(changed))
	})
}

// apiStates are the changes of an API that take no body.
func (s *surface) apiStates() {
	for _, r := range []struct {
		route Route
		do    func(ctx context.Context, c *admin.Caller, audience string) error
	}{
		{Route{
			ID: "deleteAPI", Method: http.MethodDelete, Path: "/apis/{api}",
			Summary: "Delete an API", Details: "With its permissions, which everyone loses, and its resource server's client.",
		}, s.Admin.DeleteAPI},
		{Route{
			ID: "disableAPI", Method: http.MethodPost, Path: "/apis/{api}/disable",
			Summary: "Disable an API", Details: "There are no tokens for it, and nobody holds its permissions, until it is enabled.",
		}, s.Admin.DisableAPI},
		{Route{ID: "enableAPI", Method: http.MethodPost, Path: "/apis/{api}/enable", Summary: "Enable an API"}, s.Admin.EnableAPI},
	} {
		r.route.Tag, r.route.Permission, r.route.Status = tagAPIs, accounts.AdminAPIsWrite, http.StatusNoContent
		register(s, r.route, func(ctx context.Context, c *admin.Caller, in *APIPath) (*struct{}, error) {
			audience, err := fromSegment(in.API)
			if err != nil {
				return nil, err
			}
			return nil, r.do(ctx, c, audience)
		})
	}
}

// DescribedPermission is what may change about a permission.
type DescribedPermission struct {
	Description string `json:"description" minLength:"1" maxLength:"200"`
	Texts       Texts  `json:"texts,omitempty" doc:"Exactly these; missing for none."`
}

func (s *surface) apiPermissions() {
	register(s, Route{
		ID: "addPermission", Method: http.MethodPost, Path: "/apis/{api}/permissions", Tag: tagAPIs, Permission: accounts.AdminAPIsWrite,
		Summary: "Give an API another permission", Details: "Nobody holds it yet.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		APIPath
		Body NewPermission
	},
	) (*struct{}, error) {
		audience, err := fromSegment(in.API)
		if err != nil {
			return nil, err
		}
		return nil, s.Admin.AddPermission(ctx, c, audience, in.Body.made())
	})
	register(s, Route{
		ID: "describePermission", Method: http.MethodPut, Path: "/apis/{api}/permissions/{permission}", Tag: tagAPIs, Permission: accounts.AdminAPIsWrite,
		Summary: "Describe a permission", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		APIPath
		Permission string `path:"permission" maxLength:"1024"`
		Body       DescribedPermission
	},
	) (*struct{}, error) {
		audience, name, err := two(in.API, in.Permission)
		if err != nil {
			return nil, err
		}
		n := NewPermission{Name: name, Description: in.Body.Description, Texts: in.Body.Texts}
		return nil, s.Admin.DescribePermission(ctx, c, audience, n.made())
	})
	register(s, Route{
		ID: "deletePermission", Method: http.MethodDelete, Path: "/apis/{api}/permissions/{permission}", Tag: tagAPIs, Permission: accounts.AdminAPIsWrite,
		Summary: "Delete a permission", Details: "Everyone loses it.", Status: http.StatusNoContent,
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		APIPath
		Permission string `path:"permission" maxLength:"1024"`
	},
	) (*struct{}, error) {
		audience, name, err := two(in.API, in.Permission)
		if err != nil {
			return nil, err
		}
		return nil, s.Admin.DeletePermission(ctx, c, audience, name)
	})
}
