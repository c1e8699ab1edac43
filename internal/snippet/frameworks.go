package snippet

import (
	"fmt"
	"net/url"
	"strings"
)

// Each of these ends with what a sign-in needs besides: PKCE, which apps have to use
// unless they are registered without it, and the API where there could be several.

func (a App) goSettings() string {
	config := "\tClientSecret: os.Getenv(\"OIDC_CLIENT_SECRET\"),\n\tEndpoint:     provider.Endpoint(),\n"
	begin, end := "", ""
	if a.keyed() {
		config = "\tEndpoint:     oauth2.Endpoint{AuthURL: provider.Endpoint().AuthURL, TokenURL: provider.Endpoint().TokenURL, AuthStyle: oauth2.AuthStyleInParams},\n"
		end = ",\n\t// A JWT that the app signs with its key (RFC 7523): iss and sub are its client_id, aud is the issuer.\n" +
			"\toauth2.SetAuthURLParam(\"client_assertion_type\", \"urn:ietf:params:oauth:client-assertion-type:jwt-bearer\"),\n" +
			"\toauth2.SetAuthURLParam(\"client_assertion\", assertion)"
	}
	if r := a.resource(); r != "" {
		begin = ", oauth2.SetAuthURLParam(\"resource\", " + literal(r) + ")"
		end = begin + end
	}
	return fmt.Sprintf("provider, err := oidc.NewProvider(ctx, %s)\nconfig := oauth2.Config{\n\tClientID:     %s,\n%s\tRedirectURL:  %s,\n\tScopes:       []string{%s},\n}\n"+
		"verifier := oauth2.GenerateVerifier()\nlocation := config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)%s)\n"+
		"// At the redirect URI:\ntoken, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier)%s)\n",
		literal(a.Issuer), literal(a.Client.ClientID), config, literal(a.redirect("")), literals(a.scopes()), begin, end)
}

func (a App) node() string {
	credential := "process.env.OIDC_CLIENT_SECRET"
	if a.keyed() {
		credential = "undefined, client.PrivateKeyJwt({ key, kid })"
	}
	if a.insecure() {
		if !a.keyed() {
			credential += ", undefined"
		}
		credential += ", { execute: [client.allowInsecureRequests] }"
	}
	more, last := "", ""
	if r := a.resource(); r != "" {
		more, last = "  resource: "+literal(r)+",\n", ", { resource: "+literal(r)+" }"
	}
	return fmt.Sprintf("const config = await client.discovery(new URL(%s), %s, %s);\nconst verifier = client.randomPKCECodeVerifier();\n"+
		"const location = client.buildAuthorizationUrl(config, {\n  redirect_uri: %s,\n  scope: %s,\n%s"+
		"  code_challenge: await client.calculatePKCECodeChallenge(verifier),\n  code_challenge_method: \"S256\",\n  state,\n});\n"+
		"// At the redirect URI:\nconst tokens = await client.authorizationCodeGrant(config, currentUrl, { pkceCodeVerifier: verifier, expectedState: state }%s);\n",
		literal(a.Issuer), literal(a.Client.ClientID), credential, literal(a.redirect("")), literal(a.scope()), more, last)
}

// django is for apps with a secret: the library knows no other way, and of the
// algorithms those of RSA and of elliptic curves alone.
func (a App) django() string {
	const path = "/oidc/callback/"
	var b strings.Builder
	b.WriteString(a.answersAt("mozilla-django-oidc", path, ""))
	if alg := a.Client.IDTokenAlgorithm; alg != "RS256" && alg != "ES256" {
		b.WriteString("# mozilla-django-oidc cannot verify ID tokens with " + remark(alg) + ": let the app have RS256 or ES256.\n")
	}
	for _, line := range [][2]string{
		{"OIDC_RP_CLIENT_ID", literal(a.Client.ClientID)}, {"OIDC_RP_CLIENT_SECRET", "os.environ[\"OIDC_CLIENT_SECRET\"]"},
		{"OIDC_RP_SIGN_ALGO", literal(a.Client.IDTokenAlgorithm)}, {"OIDC_RP_SCOPES", literal(a.scope())},
		{"OIDC_OP_AUTHORIZATION_ENDPOINT", literal(a.Issuer + "/oauth2/authorize")}, {"OIDC_OP_TOKEN_ENDPOINT", literal(a.Issuer + "/oauth2/token")},
		{"OIDC_OP_USER_ENDPOINT", literal(a.Issuer + "/userinfo")}, {"OIDC_OP_JWKS_ENDPOINT", literal(a.Issuer + "/.well-known/jwks.json")},
		{"OIDC_USE_PKCE", "True"},
	} {
		b.WriteString(line[0] + " = " + line[1] + "\n")
	}
	return b.String()
}

func (a App) spring() string {
	const path, one = "/login/oauth2/code/gatehouse", "spring.security.oauth2.client.registration.gatehouse."
	redirect := a.redirect(path)
	other := ""
	if u, err := url.Parse(redirect); err == nil && u.Path != "" {
		other = ", or let\n# oauth2Login(login -> login.redirectionEndpoint(at -> at.baseUri(...))) take it at " + remark(u.Path)
	}
	var b strings.Builder
	b.WriteString(a.answersAt("Spring", path, other))
	if a.Client.RequirePKCE {
		b.WriteString("# The app has to use PKCE, which Spring does if told: OAuth2AuthorizationRequestCustomizers.withPkce().\n")
	}
	if alg := a.Client.IDTokenAlgorithm; alg != "RS256" {
		b.WriteString("# Its ID tokens are signed with " + remark(alg) + ": OidcIdTokenDecoderFactory.setJwsAlgorithmResolver has to say so.\n")
	}
	method := "client_secret_basic"
	if a.keyed() {
		b.WriteString("# The key comes from a bean: NimbusJwtClientAuthenticationParametersConverter.\n")
		method = "private_key_jwt"
	}
	b.WriteString("spring.security.oauth2.client.provider.gatehouse.issuer-uri=" + property(a.Issuer) + "\n")
	b.WriteString(one + "client-id=" + property(a.Client.ClientID) + "\n" + one + "client-authentication-method=" + method + "\n")
	if !a.keyed() {
		b.WriteString(one + "client-secret=${OIDC_CLIENT_SECRET}\n")
	}
	b.WriteString(one + "redirect-uri=" + property(redirect) + "\n" + one + "scope=" + property(strings.Join(a.scopes(), ",")) + "\n")
	return b.String()
}

func (a App) proxy() string {
	const path = "/oauth2/callback"
	return a.answersAt("oauth2-proxy", path, "") + fmt.Sprintf(
		"provider = \"oidc\"\noidc_issuer_url = %s\nclient_id = %s\nclient_secret_file = \"/run/secrets/oidc\"\nredirect_url = %s\ncode_challenge_method = \"S256\"\nscope = %s\n",
		literal(a.Issuer), literal(a.Client.ClientID), literal(a.redirect(path)), literal(a.scope()))
}

func (a App) oauth4webapi() string {
	options := ""
	if a.insecure() {
		options = ", { [oauth.allowInsecureRequests]: true }"
	}
	text := fmt.Sprintf("const issuer = new URL(%s);\nconst as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer%s));\n"+
		"const client = { client_id: %s };\nconst clientAuth = oauth.None();\nconst redirect_uri = %s;\nconst scope = %s;\n",
		literal(a.Issuer), options, literal(a.Client.ClientID), literal(a.redirect("")), literal(a.scope()))
	if r := a.resource(); r != "" {
		text += "const resource = " + literal(r) + "; // in the authorization request and in additionalParameters of the token request\n"
	}
	return text
}

func (a App) oidcClient() string {
	more := ""
	if r := a.resource(); r != "" {
		more = "  resource: " + literal(r) + ",\n"
	}
	return fmt.Sprintf("const users = new UserManager({\n  authority: %s,\n  client_id: %s,\n  redirect_uri: %s,\n  scope: %s,\n%s});\n",
		literal(a.Issuer), literal(a.Client.ClientID), literal(a.redirect("")), literal(a.scope()), more)
}

func (a App) appAuth() string {
	more := ""
	if r := a.resource(); r != "" {
		more = "  additionalParameters: { resource: " + literal(r) + " },\n"
	}
	if a.insecure() {
		more += "  dangerouslyAllowInsecureHttpRequests: true,\n"
	}
	return fmt.Sprintf("const config = {\n  issuer: %s,\n  clientId: %s,\n  redirectUrl: %s,\n  scopes: [%s],\n%s};\n",
		literal(a.Issuer), literal(a.Client.ClientID), literal(a.redirect("")), literals(a.scopes()), more)
}
