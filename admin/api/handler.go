package api

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// Base is where the API lives, below the issuer's path.
const Base = "/admin/api/v1"

// Authorizer finds out who asks, by the access token of the request. When there is
// none that is good, it has answered: 401 with a challenge (RFC 6750 §3), as a
// problem.
type Authorizer interface {
	Administrator(w http.ResponseWriter, r *http.Request) (*admin.Caller, bool)
}

// Handler is the API.
type Handler struct {
	Issuer     *url.URL
	Admin      *admin.Admin
	Authorizer Authorizer
	Answers    admin.AnswerStore
	Keyring    *secret.Keyring
	Log        *slog.Logger
	Now        func() time.Time
}

// surface is the handler while its routes are made.
type surface struct {
	*Handler
	api  huma.API
	base string // path of the API, with the issuer's
}

// Mount adds the API to a router.
func (h *Handler) Mount(r *mux.Router) {
	base := h.Issuer.Path + Base
	sub := r.PathPrefix(base + "/").Subrouter()
	sub.Use(func(next http.Handler) http.Handler { return web.Recover(http.HandlerFunc(h.failed), next) })
	sub.NotFoundHandler = h.refusal(http.StatusNotFound, "not-found", "There is nothing at this address")
	s := &surface{Handler: h, base: base}
	s.api = s.newAPI(sub)
	s.routes()
	s.describe(sub)
	s.otherMethods(sub)
}

// otherMethods answers 405 where there is something, but not for the method: gorilla/mux
// forgets in a subrouter that it has met the path.
func (s *surface) otherMethods(r *mux.Router) {
	for path, item := range s.api.OpenAPI().Paths {
		var allowed []string
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if op != nil {
				allowed = append(allowed, method)
			}
		}
		slices.Sort(allowed)
		refused := s.refusal(http.StatusMethodNotAllowed, "method-not-allowed", "This address does not answer to the method")
		r.Path(path).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", ")) // RFC 9110 §15.5.6
			refused.ServeHTTP(w, r)
		})
	}
}

// routes adds what there is, object by object.
func (s *surface) routes() {
	s.users()
	s.groups()
	s.clients()
	s.permissionSets()
	s.apis()
	s.sessions()
	s.consents()
	s.revocations()
	s.keys()
	s.audit()
	s.settings()
	s.status()
}

func (h *Handler) refusal(status int, slug, detail string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		web.WriteProblem(w, r, h.problem(status, slug, detail))
	})
}

// failed answers after a panic.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request) {
	web.WriteProblem(w, r, h.problem(http.StatusInternalServerError, "server-error", ""))
}
