package api

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

const (
	maxBody     = 64 << 10 // bytes, unless a route says otherwise
	bodyTimeout = 10 * time.Second
	mergePatch  = "application/merge-patch+json" // RFC 7396
	schemeName  = "gatehouse"
	extension   = "x-permission"
)

// Route says what an operation is called, where it is, and who may use it.
type Route struct {
	ID      string // operationId; names the method of a generated client
	Method  string
	Path    string // relative to the API
	Tag     string // the object
	Summary string
	Details string // what the summary does not say, Markdown
	// Permission is what callers need. There is no route without one.
	Permission string
	Status     int   // of a good answer; 200, or 204 without a body
	MaxBody    int64 // bytes; zero means 64 KiB
}

// newAPI makes an API without any route, description or documentation: huma's own
// page would load scripts from elsewhere.
func (s *surface) newAPI(r *mux.Router) huma.API {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Gatehouse admin API", Version: "1",
				Description: "Administers users, groups, APIs, apps, sessions and keys of this deployment.",
			},
			Servers:    []*huma.Server{{URL: s.base}},
			Components: &huma.Components{Schemas: registry, SecuritySchemes: s.schemes()},
		},
		Formats:                      map[string]huma.Format{"application/json": strictJSON(), "json": strictJSON()},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{s.transform},
	}
	return huma.NewAPI(config, humamux.NewAdapter(r))
}

func (s *surface) schemes() map[string]*huma.SecurityScheme {
	scopes := map[string]string{}
	for _, p := range accounts.BuiltinPermissions() {
		if strings.HasPrefix(p.Name, "admin:") {
			scopes[p.Name] = p.Description
		}
	}
	issuer := s.Issuer.String()
	return map[string]*huma.SecurityScheme{schemeName: {
		Type:        "oauth2",
		Description: "An access token of this issuer, for the issuer as audience, in the Authorization header.",
		Flows: &huma.OAuthFlows{
			AuthorizationCode: &huma.OAuthFlow{
				AuthorizationURL: issuer + "/oauth2/authorize", TokenURL: issuer + "/oauth2/token", Scopes: scopes,
			},
			ClientCredentials: &huma.OAuthFlow{TokenURL: issuer + "/oauth2/token", Scopes: scopes},
		},
	}}
}

// register adds a route: the only way to one. f is called for those alone who hold
// the route's permission now and whose token allows it. It panics on a route that
// does not say who may use it, so that none can exist.
func register[I, O any](s *surface, rt Route, f func(ctx context.Context, c *admin.Caller, in *I) (*O, error)) {
	visible(reflect.TypeFor[I]())
	visible(reflect.TypeFor[O]())
	huma.Register(s.api, s.operation(rt), func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, callOf(ctx).caller, in)
		if err != nil {
			return nil, s.refuse(ctx, err)
		}
		return out, nil
	})
	if rt.Method == http.MethodPatch {
		describePatch(s.api.OpenAPI().Paths[rt.Path].Patch)
	}
}

// describePatch tells generators of clients what huma does not know of a PATCH: both
// types that a body may have, and that without If-Match the answer is 428.
func describePatch(op *huma.Operation) {
	op.RequestBody.Content[mergePatch] = op.RequestBody.Content["application/json"]
	for _, p := range op.Parameters {
		p.Required = p.Required || p.Name == "If-Match"
	}
}

// visible panics for a struct that embeds one which huma would pass over in silence,
// and with it a parameter.
func visible(t reflect.Type) {
	for f := range t.Fields() {
		if f.Anonymous && !f.IsExported() {
			panic(fmt.Sprintf("admin API: %s embeds %s, which is not exported", t, f.Name))
		}
	}
}

func (s *surface) operation(rt Route) huma.Operation {
	if !slices.Contains(accounts.AdminPermissions(), rt.Permission) {
		panic(fmt.Sprintf("admin API: route %s %s needs a permission of the admin API, not %q", rt.Method, rt.Path, rt.Permission))
	}
	if rt.MaxBody == 0 {
		rt.MaxBody = maxBody
	}
	about := "Needs the permission `" + rt.Permission + "`."
	if rt.Details != "" {
		about = rt.Details + "\n\n" + about
	}
	steps := huma.Middlewares{s.guard(rt)}
	var parameters []*huma.Param
	if rt.Method == http.MethodPost {
		steps = append(steps, s.once(rt))
		parameters = append(parameters, keyParameter())
	}
	return huma.Operation{
		OperationID: rt.ID, Method: rt.Method, Path: rt.Path, Tags: []string{rt.Tag}, Summary: rt.Summary,
		Description: about, DefaultStatus: rt.Status, MaxBodyBytes: rt.MaxBody, BodyReadTimeout: bodyTimeout,
		Security:    []map[string][]string{{schemeName: {rt.Permission}}},
		Extensions:  map[string]any{extension: rt.Permission},
		Middlewares: steps, Parameters: parameters,
		Responses: map[string]*huma.Response{"default": s.problemResponse()},
	}
}

func (s *surface) problemResponse() *huma.Response {
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[web.Problem](), true, "Problem")
	return &huma.Response{
		Description: "A problem (RFC 9457)",
		Content:     map[string]*huma.MediaType{web.ProblemType: {Schema: schema}},
	}
}

// call is what a request is known by while it is served.
type call struct {
	caller *admin.Caller
	route  Route
	path   string
	query  string // without paging, in one order
	limit  string // as it was asked for
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// guard lets through who may use the route, before anything else of the request is
// looked at.
func (s *surface) guard(rt Route) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, w := humamux.Unwrap(hc)
		web.NoStore(w)
		c, ok := s.Authorizer.Administrator(w, r)
		if !ok {
			return
		}
		if !c.May(rt.Permission) {
			s.write(w, r, &admin.Forbidden{Permission: rt.Permission})
			return
		}
		asked := &call{caller: c, route: rt, path: r.URL.Path}
		var err error
		if asked.query, asked.limit, err = filters(r.URL); err == nil {
			err = mediaType(r)
		}
		if err != nil {
			s.write(w, r, err)
			return
		}
		next(huma.WithContext(hc, context.WithValue(r.Context(), callKey{}, asked)))
	}
}

// mediaType refuses a body that does not say that it is JSON: what the sender and
// we take it for must be the same.
func mediaType(r *http.Request) error {
	if r.Method != http.MethodPost && r.Method != http.MethodPatch && r.Method != http.MethodPut || r.ContentLength == 0 {
		return nil
	}
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && (got == "application/json" || r.Method == http.MethodPatch && got == mergePatch) {
		return nil
	}
	return errMediaType
}
