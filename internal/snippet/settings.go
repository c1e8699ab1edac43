package snippet

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// App is what settings are made of.
type App struct {
	Issuer string // without a slash at its end
	Client *accounts.Client
	APIs   []accounts.API // of what it may ask for or holds, as accounts.APIsOf picks them
}

// part is what an app gets of one API.
type part struct {
	audience string
	scopes   []string
}

// Snippet is a text to paste. Name is that of a framework or tool; the environment has
// none.
type Snippet struct{ ID, Name, Text string }

// someRedirect stands where an app has no redirect URI.
const someRedirect = "https://app.example.com/callback"

// For returns what the app's developers can paste, by the kind of app and by how it
// authenticates.
func For(a App) []Snippet {
	var list []Snippet
	add := func(id, name, text string) { list = append(list, Snippet{id, name, text}) }
	add("env", "", a.Environment(""))
	if a.Client.Allows(accounts.GrantClientCredentials) {
		add("curl", "curl", a.machine())
	}
	if !a.Client.Allows(accounts.GrantAuthorizationCode) {
		return list
	}
	switch a.Client.AuthMethod {
	case accounts.AuthNone:
		add("oauth4webapi", "oauth4webapi (JavaScript)", a.oauth4webapi())
		switch a.Client.Type {
		case accounts.SPAClient:
			add("oidc-client-ts", "oidc-client-ts", a.oidcClient())
		case accounts.NativeClient:
			add("appauth", "React Native (react-native-app-auth)", a.appAuth())
		}
	case accounts.AuthPrivateKeyJWT:
		add("go", "Go (coreos/go-oidc, golang.org/x/oauth2)", a.goSettings())
		add("node", "Node.js (openid-client)", a.node())
		add("spring", "Spring Boot", a.spring())
	default:
		add("go", "Go (coreos/go-oidc, golang.org/x/oauth2)", a.goSettings())
		add("node", "Node.js (openid-client)", a.node())
		add("django", "Django (mozilla-django-oidc)", a.django())
		add("spring", "Spring Boot", a.spring())
		add("proxy", "oauth2-proxy", a.proxy())
	}
	return list
}

// keyed reports whether the app proves itself with a key of its own.
func (a App) keyed() bool { return a.Client.AuthMethod == accounts.AuthPrivateKeyJWT }

// insecure reports whether the issuer is one of development, which some libraries refuse
// unless told.
func (a App) insecure() bool { return strings.HasPrefix(a.Issuer, "http://") }

// redirect is the redirect URI with a path, or the first one.
func (a App) redirect(path string) string {
	for _, uri := range a.Client.RedirectURIs {
		if u, err := url.Parse(uri); err == nil && path != "" && strings.HasSuffix(u.Path, path) {
			return uri
		}
	}
	if len(a.Client.RedirectURIs) > 0 {
		return a.Client.RedirectURIs[0]
	}
	return someRedirect
}

// answersAt is a comment about a framework that takes the answer at a path of its own;
// empty if the app has such a redirect URI.
func (a App) answersAt(framework, path, otherwise string) string {
	at := a.redirect(path)
	u, err := url.Parse(at)
	if err != nil || strings.HasSuffix(u.Path, path) {
		return ""
	}
	wanted := path
	if u.Host != "" {
		wanted = u.Scheme + "://" + u.Host + path
	}
	return "# " + framework + " takes the answer at " + path + ", and the app has no such redirect URI.\n" +
		"# Add " + remark(wanted) + " to its redirect URIs" + otherwise + ".\n"
}

// of are the APIs that define some of the scopes, each with those.
func (a App) of(scopes []string) []part {
	var list []part
	for _, api := range a.APIs {
		its := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool {
			return !slices.ContainsFunc(api.Permissions, func(p accounts.Permission) bool { return p.Name == s })
		})
		if len(its) > 0 {
			list = append(list, part{api.Audience, its})
		}
	}
	return list
}

// wanted is what an app asks for in a sign-in, or what one holds that acts for itself.
func (a App) wanted() []string {
	if a.Client.Allows(accounts.GrantAuthorizationCode) {
		return a.Client.Scopes
	}
	return a.Client.Held()
}

// asked are the APIs of that. An access token is for one of them, so with several one is
// named: the first, or another instead.
func (a App) asked() []part { return a.of(a.wanted()) }

// scopes are what is asked for at once: what belongs to no API, and the permissions of
// the first one.
func (a App) scopes() []string {
	if apis := a.asked(); len(apis) > 1 {
		return a.scopesFor(apis[0])
	}
	return a.wanted()
}

func (a App) scopesFor(api part) []string {
	var list []string
	for _, s := range a.wanted() {
		elsewhere := slices.ContainsFunc(a.asked(), func(other part) bool { return slices.Contains(other.scopes, s) })
		if !elsewhere || slices.Contains(api.scopes, s) {
			list = append(list, s)
		}
	}
	return list
}

func (a App) scope() string { return strings.Join(a.scopes(), " ") }

// resource is the API that has to be named, because the app could mean another; empty if
// there is no other.
func (a App) resource() string {
	if apis := a.asked(); len(apis) > 1 {
		return apis[0].audience
	}
	return ""
}

// Environment sets the variables that an app reads. The secret is there only when it has
// just been made; it is empty otherwise.
func (a App) Environment(secret string) string {
	lines := []string{Assign("OIDC_ISSUER", a.Issuer), Assign("OIDC_CLIENT_ID", a.Client.ClientID)}
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, Assign(name, value))
		}
	}
	add("OIDC_CLIENT_SECRET", secret)
	add("OIDC_REDIRECT_URI", slices.Concat(a.Client.RedirectURIs, []string{""})[0])
	add("OIDC_SCOPES", a.scope())
	if add("OIDC_RESOURCE", a.resource()); a.resource() != "" {
		lines = append(lines, "# An access token is for one API. Another one:")
		for _, api := range a.asked()[1:] {
			lines = append(lines, "# "+remark(Assign("OIDC_RESOURCE", api.audience)+" "+Assign("OIDC_SCOPES", strings.Join(a.scopesFor(api), " "))))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// machine has one request for each API that the app holds something of.
func (a App) machine() string {
	var b strings.Builder
	if a.keyed() {
		b.WriteString("# CLIENT_ASSERTION is a JWT that the app signs with its key (RFC 7523): iss and sub are\n" +
			"# its client_id, aud is " + remark(a.Issuer) + ", jti is new each time, exp is soon.\n")
	}
	apis := a.of(a.Client.Held())
	if len(apis) == 0 {
		apis = []part{{}}
	}
	for i, api := range apis {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("curl " + Word(a.Issuer+"/oauth2/token") + " \\\n  -d grant_type=client_credentials")
		if len(api.scopes) > 0 {
			b.WriteString(" \\\n  --data-urlencode " + Word("scope="+strings.Join(api.scopes, " ")))
		}
		if api.audience != "" {
			b.WriteString(" \\\n  --data-urlencode " + Word("resource="+api.audience))
		}
		if a.keyed() {
			b.WriteString(" \\\n  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer" +
				" \\\n  --data-urlencode \"client_assertion=$CLIENT_ASSERTION\"\n")
			continue
		}
		// In the form: in a header both would have to be percent-encoded first.
		b.WriteString(" \\\n  --data-urlencode " + Word("client_id="+a.Client.ClientID) + " \\\n  --data-urlencode \"client_secret=$OIDC_CLIENT_SECRET\"\n")
	}
	return b.String()
}
