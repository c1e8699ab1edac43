package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"
)

// describe adds the description of the API, which is the same for everybody and no
// secret: it is made once, from the types of the routes.
func (s *surface) describe(r *mux.Router) error {
	asJSON, err := json.MarshalIndent(s.api.OpenAPI(), "", "  ")
	if err != nil {
		return fmt.Errorf("describe the admin API: %w", err)
	}
	asYAML, err := s.api.OpenAPI().YAML()
	if err != nil {
		return fmt.Errorf("describe the admin API as YAML: %w", err)
	}
	r.Methods(http.MethodGet, http.MethodHead).Path("/openapi.json").Handler(file("application/openapi+json", asJSON))
	r.Methods(http.MethodGet, http.MethodHead).Path("/openapi.yaml").Handler(file("application/openapi+yaml", asYAML))
	s.mountDocs(r)
	return nil
}

// file answers with bytes that never change while the process runs.
func file(mediaType string, b []byte) http.Handler {
	sum := sha256.Sum256(b)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "public, max-age=300")
		if matches(r.Header.Get("If-None-Match"), tag, true) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		if r.Method == http.MethodHead {
			return
		}
		_, _ = w.Write(b)
	})
}
