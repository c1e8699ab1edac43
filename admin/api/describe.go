package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/gorilla/mux"
)

// describe adds the description of the API, which is the same for everybody and no
// secret: it is made once, from the types of the routes.
func (s *surface) describe(r *mux.Router) {
	r.Methods(http.MethodGet, http.MethodHead).Path("/openapi.json").Handler(file("application/openapi+json", func() []byte {
		return described(json.MarshalIndent(s.api.OpenAPI(), "", "  "))
	}))
	r.Methods(http.MethodGet, http.MethodHead).Path("/openapi.yaml").Handler(file("application/openapi+yaml", func() []byte {
		return described(s.api.OpenAPI().YAML())
	}))
	s.mountDocs(r)
}

// described panics where the description cannot be written, which tests would have
// found.
func described(b []byte, err error) []byte {
	if err != nil {
		panic(fmt.Errorf("describe the admin API: %w", err))
	}
	return b
}

// file answers with bytes that never change while the process runs. They are made
// when they are first asked for: making all three takes twelve megabytes and a tenth
// of the start, and most processes are never asked.
func file(mediaType string, content func() []byte) http.Handler {
	type made struct {
		bytes []byte
		tag   string
	}
	once := sync.OnceValue(func() made {
		b := content()
		sum := sha256.Sum256(b)
		return made{b, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := once()
		w.Header().Set("ETag", m.tag)
		w.Header().Set("Cache-Control", "public, max-age=300")
		if matches(r.Header.Get("If-None-Match"), m.tag, true) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		if r.Method == http.MethodHead {
			return
		}
		_, _ = w.Write(m.bytes)
	})
}
