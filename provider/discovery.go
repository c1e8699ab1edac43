package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

const cachePublic = "public, max-age=300"

// metadataPaths are the places where clients look for the metadata: OpenID Connect
// Discovery §4 appends to the issuer's path, RFC 8414 §3 inserts before it, and
// some clients of one look where the other would be.
func (p *Provider) metadataPaths() []string {
	path := p.Issuer.Path
	paths := []string{
		path + "/.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server" + path,
		"/.well-known/openid-configuration" + path,
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// metadata describes the server (RFC 8414, OpenID Connect Discovery 1.0). It holds
// no empty list and no null: some clients choke on them.
func (p *Provider) metadata(w http.ResponseWriter, r *http.Request) {
	signUp := accounts.CurrentSettings(r.Context(), p.Settings).SignUp.Open()
	document := p.document.Load()
	if document == nil || document.signUp != signUp {
		body, err := json.Marshal(p.withStatusLists(p.metadataDocument(r.Context(), signUp)))
		if err != nil {
			p.answerError(w, r, err)
			return
		}
		document = &published{body: body, etag: etagOf(body), signUp: signUp}
		p.document.Store(document) // nothing else in it changes while the server runs
	}
	servePublic(w, r, "application/json", document.body, document.etag)
}

// published is a document that does not change from request to request.
type published struct {
	body   []byte
	etag   string
	signUp bool // people can make accounts themselves
}

func (p *Provider) metadataDocument(ctx context.Context, signUp bool) map[string]any {
	methods := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	withNone := append(slices.Clone(methods), "none")
	algorithms := keys.Algorithms()
	return map[string]any{
		"issuer":                                p.issuer,
		"authorization_endpoint":                p.url(flow.PathAuthorize),
		"token_endpoint":                        p.url(pathToken),
		"userinfo_endpoint":                     p.url(pathUserinfo),
		"jwks_uri":                              p.url(pathJWKS),
		"revocation_endpoint":                   p.url(pathRevoke),
		"introspection_endpoint":                p.url(pathIntrospect),
		"pushed_authorization_request_endpoint": p.url(pathPAR),
		"end_session_endpoint":                  p.url(pathLogout),

		"response_types_supported":                                 []string{"code"},
		"response_modes_supported":                                 []string{"query", "form_post"},
		"grant_types_supported":                                    []string{grantCode, grantRefresh, grantMachine},
		"scopes_supported":                                         personScopes,
		"claims_supported":                                         p.claimNames(),
		"claim_types_supported":                                    []string{"normal"},
		"subject_types_supported":                                  []string{"public"},
		"id_token_signing_alg_values_supported":                    algorithms,
		"token_endpoint_auth_methods_supported":                    withNone,
		"token_endpoint_auth_signing_alg_values_supported":         algorithms,
		"revocation_endpoint_auth_methods_supported":               withNone,
		"revocation_endpoint_auth_signing_alg_values_supported":    algorithms,
		"introspection_endpoint_auth_methods_supported":            methods,
		"introspection_endpoint_auth_signing_alg_values_supported": algorithms,
		"code_challenge_methods_supported":                         []string{"S256"},
		"prompt_values_supported":                                  promptValues(signUp),
		"display_values_supported":                                 []string{"page", "popup", "touch", "wap"},
		"acr_values_supported":                                     acrValues(),
		"ui_locales_supported":                                     p.Pages.Languages(),

		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
		"claims_parameter_supported":                     true,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false, // its default is true
		"require_pushed_authorization_requests":          false,
		"authorization_response_iss_parameter_supported": true,
	}
}

// promptValues are those that a client may count on (OpenID Connect Initiating User
// Registration 1.0 §3).
func promptValues(signUp bool) []string {
	if signUp {
		return prompts
	}
	return without(prompts, []string{"create"})
}

func (p *Provider) claimNames() []string {
	names := []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"}
	for _, scope := range personScopes {
		names = append(names, scopeClaims[scope]...)
	}
	return names
}

// jwks publishes the public keys: next, active and retiring ones.
func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) {
	at, err := p.moment(r.Context())
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	set, err := p.Keys.At(r.Context(), at.Change)
	if err != nil {
		p.answerError(w, r, unavailable(err))
		return
	}
	body, etag := set.JWKS()
	servePublic(w, r, "application/json", body, etag)
}

// etagOf is the entity tag of a document, quoted for the header.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// servePublic answers with a document that anybody may keep for a while.
func servePublic(w http.ResponseWriter, r *http.Request, contentType string, body []byte, etag string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD are allowed here.", http.StatusMethodNotAllowed)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", cachePublic)
	h.Set("ETag", etag)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	// A proxy that compresses makes the tag weak; the comparison here is the weak
	// one (RFC 9110 §13.1.2).
	if known := r.Header.Get("If-None-Match"); known != "" {
		known = strings.NewReplacer(" ", "", "W/", "").Replace(known)
		if slices.Contains(strings.Split(known, ","), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", contentType)
	_, _ = w.Write(body)
}

// allowOrigin lets a page of a single-page app use the back channel from the
// browser. Any other origin could send the same requests, but not read answers.
func (p *Provider) allowOrigin(ctx context.Context, origin string, _ *http.Request) bool {
	ok, err := p.spaOrigin(ctx, origin)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		p.Log.WarnContext(ctx, "look up an origin", "error", err)
	}
	return ok
}

// spaOrigin asks at a moment of the ledger; without a tail, to find the moment would
// cost as much as to ask.
func (p *Provider) spaOrigin(ctx context.Context, origin string) (bool, error) {
	if p.Tail == nil {
		return p.Origins.SPAOrigin(ctx, origin)
	}
	at, err := p.moment(ctx)
	if err != nil {
		return false, err
	}
	ok, _, err := p.origins.at(ctx, origin, at, func(ctx context.Context) (bool, accounts.Mark, error) {
		ok, err := p.Origins.SPAOrigin(ctx, origin)
		if err == nil && !ok {
			err = accounts.ErrNotFound // what strangers ask for is not kept
		}
		return ok, at, err // it was read after that moment: true then, or truer
	})
	return ok, err
}

// backChannel is the CORS policy of token, userinfo and revocation.
func (p *Provider) backChannel() *web.CORS {
	return &web.CORS{
		Methods:     []string{http.MethodGet, http.MethodPost},
		Headers:     []string{"Authorization", "Content-Type", "MCP-Protocol-Version"},
		Expose:      []string{"WWW-Authenticate", "Retry-After", "X-Request-Id"},
		AllowOrigin: p.allowOrigin,
	}
}
