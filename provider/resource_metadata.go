package provider

import (
	"encoding/json"
	"net/http"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// pathResource is where clients of the issuer's own API look for its metadata. It
// stands before the issuer's path (RFC 9728 §3.1).
const pathResource = "/.well-known/oauth-protected-resource"

func (p *Provider) resourceURL() string {
	return p.Issuer.Scheme + "://" + p.Issuer.Host + pathResource + p.Issuer.Path
}

// resourceMetadata describes the issuer as the resource that it is to followers and
// to receivers of signals (RFC 9728 §2): whom they ask for a token, and for which
// scope. A token for it names the issuer as its audience.
func (p *Provider) resourceMetadata(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(map[string]any{
		"resource":                 p.issuer,
		"authorization_servers":    []string{p.issuer},
		"scopes_supported":         []string{scopeFollow, accounts.PermissionSignalsManage},
		"bearer_methods_supported": []string{"header"},
	})
	if err != nil {
		p.answerError(w, r, err)
		return
	}
	servePublic(w, r, "application/json", body, etagOf(body))
}
