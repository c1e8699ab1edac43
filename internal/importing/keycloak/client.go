package keycloak

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/importing"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// addClients makes the apps.
func (r *Realm) addClients(report *importing.Report) error {
	for _, o := range r.rawApps {
		id := o.Text("clientId")
		if ownClient(id) {
			report.Note("client", id, "it is Keycloak's own")
			continue
		}
		a := &app{Object: o, realm: r, report: report, id: id, attributes: o.Values("attributes")}
		c, why := a.client()
		switch {
		case o.Err != nil:
			return fmt.Errorf("client %s: %w", importing.Short(id), o.Err)
		case why != "":
			a.note("not made: " + why)
		default:
			if err := r.plan.App(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// app is one client of the file.
type app struct {
	*importing.Object
	realm      *Realm
	report     *importing.Report
	id         string
	attributes map[string]string
}

func (a *app) note(reason string) { a.report.Note("client", a.id, reason) }

// client returns why it cannot be made otherwise.
func (a *app) client() (c *importing.Client, why string) {
	if protocol := a.Text("protocol"); protocol != "" && protocol != "openid-connect" {
		return nil, "it speaks " + importing.Short(protocol)
	}
	if a.Flag("bearerOnly", false) {
		return nil, "it only checks tokens: make an API for it"
	}
	c = &importing.Client{Disabled: !a.Flag("enabled", true)}
	c.ClientID, c.Name = a.id, a.Text("name")
	if c.Name == "" || strings.HasPrefix(c.Name, "${") {
		c.Name = a.id
	}
	if why := a.kind(c); why != "" {
		return nil, why
	}
	if why := a.authentication(c); why != "" {
		return nil, why
	}
	if c.Type != accounts.MachineClient {
		a.addresses(c)
		if len(c.RedirectURIs) == 0 {
			return nil, "none of its redirect URIs can be taken"
		}
		a.scopes(c)
		c.FirstParty = a.realm.options.FirstParty && !a.Flag("consentRequired", false)
		if !a.Flag("consentRequired", false) && !c.FirstParty {
			a.note("people are asked for consent now (--first-party asks for none where Keycloak asked for none)")
		}
	}
	a.policies(c)
	return c, ""
}

// kind finds the type that does the least of what the client could do.
func (a *app) kind(c *importing.Client) string {
	people, itself := a.Flag("standardFlowEnabled", true), a.itself(c)
	for name, reason := range map[string]string{
		"implicitFlowEnabled": "the implicit flow, which nobody should use any more", "directAccessGrantsEnabled": "the password grant, which nobody should use any more",
	} {
		if a.Flag(name, false) {
			a.note(reason)
		}
	}
	for name, reason := range map[string]string{
		"oauth2.device.authorization.grant.enabled": "the device grant", "oidc.ciba.grant.enabled": "the grant of CIBA", "standard.token.exchange.enabled": "token exchange",
	} {
		if a.attributes[name] == "true" {
			a.note(reason)
		}
	}
	switch {
	case people && a.Flag("publicClient", false):
		c.Type, c.GrantTypes = accounts.SPAClient, []string{accounts.GrantAuthorizationCode, accounts.GrantRefreshToken}
		if slices.ContainsFunc(a.Texts("redirectUris"), ofDevice) {
			c.Type = accounts.NativeClient
		}
	case people:
		c.Type, c.GrantTypes = accounts.WebClient, []string{accounts.GrantAuthorizationCode, accounts.GrantRefreshToken}
		if itself {
			c.GrantTypes = append(c.GrantTypes, accounts.GrantClientCredentials)
		}
	case itself:
		c.Type = accounts.MachineClient
	default:
		return "it has neither the code flow nor a service account"
	}
	if a.attributes["use.refresh.tokens"] == "false" {
		c.GrantTypes = slices.DeleteFunc(c.GrantTypes, func(grant string) bool { return grant == accounts.GrantRefreshToken })
	}
	return ""
}

// ofDevice reports whether a redirect URI is an app's on a device.
func ofDevice(uri string) bool {
	scheme, _, ok := strings.Cut(uri, ":")
	return ok && scheme != "http" && scheme != "https" && !strings.ContainsAny(scheme, "/*")
}

func (a *app) authentication(c *importing.Client) string {
	if a.Flag("publicClient", false) {
		if a.attributes["pkce.code.challenge.method"] == "" {
			a.note("it has to send a PKCE challenge now (S256)")
		}
		return ""
	}
	switch method := a.Text("clientAuthenticatorType"); method {
	case "", "client-secret":
		c.AuthMethod = accounts.AuthSecret
		text := a.Text("secret")
		if text == "" || strings.Trim(text, "*") == "" {
			a.note("the file does not hold its secret: make one by gatehouse client rotate-secret")
			return ""
		}
		if len(text) > maxSecret {
			return fmt.Sprintf("its secret is longer than %d bytes", maxSecret)
		}
		c.Secret = secret.Text(text)
		return ""
	case "client-jwt":
		c.AuthMethod, c.JWKS = accounts.AuthPrivateKeyJWT, a.attributes["jwks.string"]
		if c.JWKS == "" || a.attributes["use.jwks.url"] == "true" {
			return "its keys do not stand in the file as a JWK Set (jwks.string)"
		}
		return ""
	default:
		return "it authenticates by " + importing.Short(method)
	}
}

const maxSecret = 1024 // bytes, as accounts checks them

// addresses keeps what can be compared byte for byte, and never makes one wider.
func (a *app) addresses(c *importing.Client) {
	c.RedirectURIs = a.uris(c.Type, "redirect URI", a.Texts("redirectUris"))
	switch after := a.attributes["post.logout.redirect.uris"]; after {
	case "", "-":
	case "+": // Keycloak's word for the redirect URIs
		c.PostLogoutRedirectURIs = slices.Clone(c.RedirectURIs)
	default:
		c.PostLogoutRedirectURIs = a.uris(c.Type, "post-logout redirect URI", strings.Split(after, "##"))
	}
	origins := map[string]bool{"+": true, "/*": true}
	for _, uri := range c.RedirectURIs {
		if u, err := url.Parse(uri); err == nil {
			origins[u.Scheme+"://"+u.Host] = true
		}
	}
	for _, origin := range a.Texts("webOrigins") {
		if !origins[origin] || c.Type != accounts.SPAClient && origin != "+" && origin != "/*" {
			a.note("a web origin: browsers may call Gatehouse from the origins of a single-page app's redirect URIs")
		}
	}
	if to := a.attributes["backchannel.logout.url"]; to != "" {
		c.BackchannelLogoutURI = to
		c.BackchannelLogoutSessionRequired = a.attributes["backchannel.logout.session.required"] == "true"
	}
	if a.Flag("frontchannelLogout", false) && a.attributes["frontchannel.logout.url"] != "" {
		a.note("front-channel logout")
	}
	c.HomeURI = a.page("home page", a.absolute(a.Text("baseUrl")))
	c.LogoURI, c.PolicyURI, c.TermsURI = a.page("logo", a.attributes["logoUri"]), a.page("policy", a.attributes["policyUri"]), a.page("terms", a.attributes["tosUri"])
}

func (a *app) uris(t accounts.ClientType, what string, list []string) []string {
	var kept []string
	for _, raw := range list {
		uri := a.absolute(raw)
		switch {
		case slices.Contains(kept, uri) || uri == "":
		case strings.Contains(uri, "*"):
			a.note("a " + what + " with a wildcard: register each one that the app sends")
		case accounts.ValidateRedirectURI(t, uri) != nil:
			a.note("a " + what + " that is not taken: https, http on loopback, or an app's own scheme with a dot in it")
		case len(kept) == accounts.MaxRedirectURIs:
			a.note(fmt.Sprintf("more than %d of a %s", accounts.MaxRedirectURIs, what))
		default:
			kept = append(kept, uri)
		}
	}
	return kept
}

// absolute joins a path to the client's root URL, as Keycloak does.
func (a *app) absolute(raw string) string {
	root := a.Text("rootUrl")
	if strings.HasPrefix(raw, "/") && root != "" {
		return strings.TrimSuffix(root, "/") + raw
	}
	return raw
}

// page takes a link that people may follow.
func (a *app) page(what, raw string) string {
	if raw == "" || strings.Contains(raw, "${") {
		return ""
	}
	if u, err := url.Parse(raw); err != nil || u.Scheme != "https" || u.Host == "" {
		a.note("its " + what + ", which is no https address")
		return ""
	}
	return raw
}

// scopes keeps those of the protocol; Keycloak's defaults are given without being
// asked for, so that they are what the client may ask.
func (a *app) scopes(c *importing.Client) {
	c.Scopes = []string{"openid"}
	for _, name := range slices.Concat(a.Texts("defaultClientScopes"), a.Texts("optionalClientScopes")) {
		switch {
		case slices.Contains([]string{"profile", "email", "address", "phone", "offline_access"}, name):
			c.Scopes = append(c.Scopes, name)
		case !ownScope(name):
			a.note("the client scope " + importing.Short(name))
		}
	}
	if len(a.List("protocolMappers")) > 0 {
		a.note("protocol mappers of its own")
	}
}

// policies carries over how strictly the client is treated.
func (a *app) policies(c *importing.Client) {
	a.strictness()
	switch method := a.attributes["pkce.code.challenge.method"]; {
	case c.Type == accounts.MachineClient:
	case method == "plain":
		a.note("the PKCE method plain: it has to send S256 now")
	case method == "" && c.Type == accounts.WebClient:
		c.WithoutPKCE = true
		a.note("PKCE is not demanded, as before: demand it when the app sends it")
	}
	c.RequirePAR = a.attributes["require.pushed.authorization.requests"] == "true"
	if alg := a.attributes["id.token.signed.response.alg"]; alg != "" {
		if slices.Contains([]string{"RS256", "ES256", "EdDSA", "PS256"}, alg) {
			c.IDTokenAlgorithm = alg
		} else {
			a.note("ID tokens signed by " + importing.Short(alg))
		}
	}
	if text := a.attributes["access.token.lifespan"]; text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if most := int64(accounts.LongestAccessToken.Seconds()); err != nil || seconds <= 0 || seconds > most {
			a.note(fmt.Sprintf("a lifetime of access tokens that is not 1 to %d seconds", most))
		} else {
			c.AccessTokenLifetime = seconds * 1000
		}
	}
}

// strictness notes what kept others out and Gatehouse does not have, for a client or
// at all.
func (a *app) strictness() {
	for name, reason := range map[string]string{
		"dpop.bound.access.tokens":                   "its tokens were bound to its key (DPoP): they open to whoever has them now",
		"tls.client.certificate.bound.access.tokens": "its tokens were bound to its certificate (mTLS): they open to whoever has them now",
	} {
		if a.attributes[name] == "true" {
			a.note(reason)
		}
	}
	if demand := a.attributes["request.object.required"]; demand != "" && demand != "not required" {
		a.note("its requests had to be signed (request objects), and do not have to be now")
	}
	for _, name := range []string{
		"client.session.idle.timeout", "client.session.max.lifespan", "client.offline.session.idle.timeout", "client.offline.session.max.lifespan",
		"minimum.acr.value", "default.acr.values", "id.token.encrypted.response.alg", "access.token.signed.response.alg",
		"user.info.response.signature.alg", "user.info.encrypted.response.alg", "authorization.signed.response.alg", "authorization.encrypted.response.alg",
	} {
		if a.attributes[name] != "" {
			a.note("the setting " + name)
		}
	}
	if len(a.Object.Object("authenticationFlowBindingOverrides").Names()) > 0 {
		a.note("a way of its own to sign in: people sign in as for all other apps")
	}
	if a.Flag("authorizationServicesEnabled", false) {
		a.note("authorization services (policies for resources)")
	}
}
