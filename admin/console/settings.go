package console

import (
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/templates"
)

// settings are what an app's framework wants to be told, with the real values. A
// secret is never among them: it is shown once, elsewhere.
func (v *visit) settings(app *accounts.Client) []templates.ConsoleCode {
	issuer := strings.TrimSuffix(v.Issuer.String(), "/")
	scope := strings.Join(app.Scopes, " ")
	if app.Type == accounts.MachineClient {
		return []templates.ConsoleCode{{ID: "curl", Said: templates.Named("curl"), Text: fmt.Sprintf(
			"curl -u '%s:SECRET' -d grant_type=client_credentials \\\n  -d scope='%s' %s/oauth2/token\n",
			app.ClientID, strings.Join(app.Held(), " "), issuer)}}
	}
	redirect := "https://app.example.com/callback"
	if len(app.RedirectURIs) > 0 {
		redirect = app.RedirectURIs[0]
	}
	env := fmt.Sprintf("OIDC_ISSUER=%s\nOIDC_CLIENT_ID=%s\nOIDC_REDIRECT_URI=%s\nOIDC_SCOPE=%s\n", issuer, app.ClientID, redirect, scope)
	list := []templates.ConsoleCode{{ID: "env", Said: templates.Say("console.client.environment"), Text: env}}
	if app.Public() {
		return append(list, templates.ConsoleCode{ID: "oauth4webapi", Said: templates.Named("oauth4webapi (JavaScript)"), Text: fmt.Sprintf(
			"const issuer = new URL(%q);\nconst as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));\nconst client = { client_id: %q };\nconst redirect_uri = %q;\n",
			issuer, app.ClientID, redirect)})
	}
	return append(list,
		templates.ConsoleCode{ID: "go", Said: templates.Named("Go (coreos/go-oidc, golang.org/x/oauth2)"), Text: fmt.Sprintf(
			"provider, err := oidc.NewProvider(ctx, %q)\nconfig := oauth2.Config{\n\tClientID:     %q,\n\tClientSecret: os.Getenv(\"OIDC_CLIENT_SECRET\"),\n\tEndpoint:     provider.Endpoint(),\n\tRedirectURL:  %q,\n\tScopes:       strings.Fields(%q),\n}\n",
			issuer, app.ClientID, redirect, scope)},
		templates.ConsoleCode{ID: "node", Said: templates.Named("Node.js (openid-client)"), Text: fmt.Sprintf(
			"const config = await client.discovery(new URL(%q), %q, process.env.OIDC_CLIENT_SECRET);\nconst redirect_uri = %q;\n", issuer, app.ClientID, redirect)},
		templates.ConsoleCode{ID: "django", Said: templates.Named("Django (mozilla-django-oidc)"), Text: fmt.Sprintf(
			"OIDC_RP_CLIENT_ID = %q\nOIDC_RP_CLIENT_SECRET = os.environ[\"OIDC_CLIENT_SECRET\"]\nOIDC_RP_SIGN_ALGO = \"RS256\"\nOIDC_RP_SCOPES = %q\nOIDC_OP_AUTHORIZATION_ENDPOINT = %q\nOIDC_OP_TOKEN_ENDPOINT = %q\nOIDC_OP_USER_ENDPOINT = %q\nOIDC_OP_JWKS_ENDPOINT = %q\nOIDC_USE_PKCE = True\n",
			app.ClientID, scope, issuer+"/oauth2/authorize", issuer+"/oauth2/token", issuer+"/oauth2/userinfo", issuer+"/.well-known/jwks.json")},
		templates.ConsoleCode{ID: "spring", Said: templates.Named("Spring Boot"), Text: fmt.Sprintf(
			"spring.security.oauth2.client.provider.gatehouse.issuer-uri=%s\nspring.security.oauth2.client.registration.gatehouse.client-id=%s\nspring.security.oauth2.client.registration.gatehouse.client-secret=${OIDC_CLIENT_SECRET}\nspring.security.oauth2.client.registration.gatehouse.scope=%s\n",
			issuer, app.ClientID, strings.Join(app.Scopes, ","))},
		templates.ConsoleCode{ID: "proxy", Said: templates.Named("oauth2-proxy"), Text: fmt.Sprintf(
			"provider = \"oidc\"\noidc_issuer_url = %q\nclient_id = %q\nclient_secret_file = \"/run/secrets/oidc\"\nredirect_url = %q\ncode_challenge_method = \"S256\"\nscope = %q\n",
			issuer, app.ClientID, redirect, scope)},
	)
}
