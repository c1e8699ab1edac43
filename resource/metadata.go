package resource

import "net/http"

// metadata is the part of RFC 9728 §2 that says how to get in.
type metadata struct {
	Resource      string   `json:"resource"`
	Issuers       []string `json:"authorization_servers"`
	BearerMethods []string `json:"bearer_methods_supported"`
	Scopes        []string `json:"scopes_supported,omitempty"`
}

// MetadataHandler serves this API's metadata (RFC 9728), from which a client
// that knows the API alone learns where to get a token. It belongs, without
// middleware, at the path /.well-known/oauth-protected-resource, followed by
// the path of the audience if that has one (§3.1).
func (v *Verifier) MetadataHandler() http.Handler {
	document := metadata{
		Resource:      v.audience,
		Issuers:       []string{v.issuer},
		BearerMethods: []string{"header"},
		Scopes:        v.scopes,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "method_not_allowed"})
			return
		}
		// Apps in browsers read it too, and there is no secret in it.
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "public, max-age=300")
		writeJSON(w, http.StatusOK, document)
	})
}
