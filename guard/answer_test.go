package guard

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// names of the headers that every answer to pass carries.
var names = []string{"Subject", "Client", "Scope", "Session", "Grant", "Issued", "Expires", "Time", "Acr"}

func ours(h http.Header) map[string]string {
	found := map[string]string{}
	for name, values := range h {
		if strings.HasPrefix(name, "X-Auth-") {
			found[strings.TrimPrefix(name, "X-Auth-")] = strings.Join(values, "|")
		}
	}
	return found
}

func nobody() map[string]string {
	empty := map[string]string{}
	for _, n := range names {
		empty[n] = ""
	}
	return empty
}

// ask sends a request to the guard; header is pairs.
func ask(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://guard.internal"+target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func newGuard(i *issuer, log *logged) http.Handler {
	g := &Guard{Verifier: i, Ready: func() bool { return true }, Log: log.logger()}
	return g.Handler()
}

// needCase is a URL that a proxy asks, with a token, and the answer.
type needCase struct {
	target, token string
	want          int
}

func needCases(good, bad string) []needCase {
	const none = ""
	return []needCase{
		{"/auth", none, 401},
		{"/auth", bad, 401},
		{"/auth", good, 200},
		{"/auth?permission=posts:add", good, 200},
		{"/auth?permission=posts:add&permission=openid", good, 200},
		{"/auth?permission=posts:add&permission=posts:delete", good, 403},
		{"/auth?permission=posts%3Aadd", good, 200},
		{"/auth?login=required", none, 401},
		{"/auth?login=optional", none, 200},
		{"/auth?login=optional", good, 200},
		{"/auth?login=optional", bad, 401},

		// What Envoy appends to its prefix is the client's.
		{"/auth/", none, 401},
		{"/auth/posts?login=optional", none, 401},
		{"/auth/posts?permission=nobody:has", good, 200},
		{"/auth/login=optional", none, 401},
		{"/auth/../optional/x", none, 401},
		{"/auth//optional/x", none, 401},
		{"/require/posts:add/", good, 200},
		{"/require/posts:add/posts/1?permission=nobody:has", good, 200},
		{"/require/posts:add,posts:delete/posts", good, 403},
		{"/require/posts:delete/../posts:add/", good, 403},
		{"/require/posts:delete/%2e%2e/posts:add/", good, 403},
		{"/require/posts:delete/posts?login=optional", none, 401},
		{"/optional/posts", none, 200},
		{"/optional/posts", bad, 401},
		{"/optional/../auth/", none, 200},

		// What is not understood asks no less.
		{"/", good, 403},
		{"/auth*", good, 403},
		{"/AUTH", good, 403},
		{"//auth", good, 403},
		{"/optional", good, 403},
		{"/require", good, 403},
		{"/require/", good, 403},
		{"/require/posts:add", good, 200},
		{"/require//posts", good, 403},
		{"/require/posts:add,/posts", good, 403},
		{"/require/posts%3Aadd/posts", good, 403},
		{"/auth?permission=", good, 403},
		{"/auth?permission=posts:add/x", good, 403},
		{"/auth?permissions=posts:add", good, 403},
		{"/auth?login=maybe", good, 403},
		{"/auth?login=optional&login=required", none, 403},
		{"/auth?login=optional&permission=posts:add", none, 403},
		{"/auth?permission=posts:add;login=optional", good, 403},
		{"/auth?permission=posts:add&permission=/posts?login=optional", none, 403},
	}
}

// TestAttack_194_NeedIsTheConfigurations: what a request needs is read from where
// a client cannot write, and from nothing else.
func TestAttack_194_NeedIsTheConfigurations(t *testing.T) {
	i, log := newIssuer(t), &logged{}
	h := newGuard(i, log)
	good, bad := i.token(nil), "eyJ.bad.token"
	for _, c := range needCases(good, bad) {
		for _, method := range []string{http.MethodGet, http.MethodPost, "PROPFIND"} {
			header := []string{"X-Forwarded-Uri", "/public?login=optional", "X-Original-Uri", "/auth?login=optional", "X-Original-Url", "/optional/"}
			if c.token != "" {
				header = append(header, "Authorization", "Bearer "+c.token)
			}
			got := ask(h, method, c.target, header...)
			if got.StatusCode != c.want {
				t.Errorf("%s %s with %.8q: %d, want %d", method, c.target, c.token, got.StatusCode, c.want)
			}
			if challenge := got.Header.Get("WWW-Authenticate"); got.StatusCode == 401 && !strings.HasPrefix(challenge, "Bearer ") {
				t.Errorf("%s: challenge %q", c.target, challenge)
			}
			if got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: a cache may keep the answer", c.target)
			}
			if told := ours(got.Header); got.StatusCode == 200 && len(told) != len(names) || got.StatusCode != 200 && len(told) > 0 {
				t.Errorf("%s: %d tells %v", c.target, got.StatusCode, told)
			}
		}
	}
	if text := log.String(); strings.Contains(text, good) || strings.Contains(text, bad) {
		t.Error("the log holds a token")
	}
}

func TestClaimsAreAlwaysAllThere(t *testing.T) {
	i := newIssuer(t)
	h := newGuard(i, &logged{})
	now := time.Now().Unix()
	for _, c := range []struct {
		what    string
		target  string
		changes map[string]any
		want    map[string]string
	}{
		{"a person", "/auth", map[string]any{"iat": now, "exp": now + 60, "auth_time": now - 5, "acr": "urn:two factors"}, map[string]string{
			"Subject": "ada", "Client": "app", "Scope": "openid posts:add", "Session": "session", "Grant": "grant",
			"Issued": strconv.FormatInt(now, 10), "Expires": strconv.FormatInt(now+60, 10), "Time": strconv.FormatInt(now-5, 10), "Acr": "urn:two%20factors",
		}},
		{"a machine", "/auth", map[string]any{"iat": now, "exp": now + 60, "sub": "app", "sid": nil, "gid": nil, "scope": nil}, map[string]string{
			"Subject": "app", "Client": "app", "Scope": "", "Session": "", "Grant": "",
			"Issued": strconv.FormatInt(now, 10), "Expires": strconv.FormatInt(now+60, 10), "Time": "", "Acr": "",
		}},
		{"nobody", "/auth?login=optional", nil, nobody()},
	} {
		var header []string
		if c.changes != nil {
			header = []string{"Authorization", "Bearer " + i.token(c.changes)}
		}
		got := ask(h, http.MethodGet, c.target, header...)
		if diff := cmp.Diff(c.want, ours(got.Header)); diff != "" || got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d (-want +got):\n%s", c.what, got.StatusCode, diff)
		}
	}
}

// TestAttack_194_HeadersCannotBeInjected: a name or id that holds line ends or
// other signs stays one value of one header, and differs from every other.
func TestAttack_194_HeadersCannotBeInjected(t *testing.T) {
	i := newIssuer(t)
	h := newGuard(i, &logged{})
	seen := map[string]string{}
	for subject, want := range map[string]string{
		"a\r\nX-Auth-Scope: admin": "a%0D%0AX-Auth-Scope:%20admin",
		"a%0D%0A":                  "a%250D%250A",
		" ada":                     "%20ada",
		"ada\t":                    "ada%09",
		"jürgen":                   "j%C3%BCrgen",
		"a\x00b\x7f":               "a%00b%7F",
		"https://app.example.com/": "https://app.example.com/",
	} {
		got := ask(h, http.MethodGet, "/auth", "Authorization", "Bearer "+i.token(map[string]any{"sub": subject}))
		told := ours(got.Header)
		if told["Subject"] != want || told["Scope"] != "openid posts:add" {
			t.Errorf("%q is told as %q, scope %q", subject, told["Subject"], told["Scope"])
		}
		if other, ok := seen[told["Subject"]]; ok {
			t.Errorf("%q looks like %q", subject, other)
		}
		seen[told["Subject"]] = subject
	}
}

// TestAttack_194_ImitatedNames: a name that a proxy would pass on, and a server of
// the CGI family reads as ours, is refused.
func TestAttack_194_ImitatedNames(t *testing.T) {
	i := newIssuer(t)
	h := newGuard(i, &logged{})
	good := []string{"Authorization", "Bearer " + i.token(nil)}
	for name, want := range map[string]int{
		"X_Auth_Subject": 403, "X-Auth_subject": 403, "x_auth-grant": 403, "X.Auth.Scope": 403, "X_AUTH_ANYTHING": 403,
		// Proxies overwrite these, and pass those on that mean nothing here.
		"X-Auth-Subject": 200, "X-Authority": 200, "X_Authority": 200, "My_X_Auth_Subject": 200,
	} {
		for _, target := range []string{"/auth", "/auth/x", "/optional/x"} {
			if got := ask(h, http.MethodGet, target, append(good, name, "root")...); got.StatusCode != want {
				t.Errorf("%s at %s: %d, want %d", name, target, got.StatusCode, want)
			} else if told := ours(got.Header); want == 200 && told["Subject"] != "ada" {
				t.Errorf("%s: told %v", name, told)
			}
		}
	}
}

func TestMalformedAuthorizationIs401(t *testing.T) {
	i := newIssuer(t)
	h := newGuard(i, &logged{})
	good := "Bearer " + i.token(nil)
	for what, header := range map[string][]string{
		"two of them":    {"Authorization", good, "Authorization", good},
		"two in one":     {"Authorization", good + ", " + good},
		"another scheme": {"Authorization", "Basic YTpi"},
		"empty":          {"Authorization", ""},
	} {
		for _, target := range []string{"/auth", "/auth?login=optional"} {
			got := ask(h, http.MethodGet, target, header...)
			if got.StatusCode != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s at %s: %d", what, target, got.StatusCode)
			}
		}
	}
}

func TestUnreachableKeysAre503(t *testing.T) {
	i := newIssuer(t)
	good := i.token(nil)
	down := httptest.NewServer(http.NotFoundHandler())
	i.url = down.URL
	down.Close()
	h := newGuard(lostIssuer(t, i), &logged{})
	if got := ask(h, http.MethodGet, "/auth", "Authorization", "Bearer "+good); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", got.StatusCode)
	}
}

func TestProbes(t *testing.T) {
	i := newIssuer(t)
	fresh := false
	g := &Guard{Verifier: i, Ready: func() bool { return fresh }, Log: (&logged{}).logger()}
	h := g.Handler()
	for _, c := range []struct {
		path  string
		fresh bool
		want  int
	}{{"/healthz", false, 200}, {"/readyz", false, 503}, {"/readyz", true, 200}} {
		fresh = c.fresh
		if got := ask(h, http.MethodGet, c.path); got.StatusCode != c.want {
			t.Errorf("%s, fresh %t: %d", c.path, c.fresh, got.StatusCode)
		}
	}
}

// TestTraefik asks as Traefik's forwardAuth does: GET at the address of the
// configuration, with the client's headers and the request in X-Forwarded-*.
func TestTraefik(t *testing.T) {
	i := newIssuer(t)
	h := newGuard(i, &logged{})
	forwarded := []string{
		"X-Forwarded-Method", "DELETE", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "posts.example.com",
		"X-Forwarded-Uri", "/auth?login=optional", "X-Forwarded-For", "203.0.113.9",
	}
	if got := ask(h, http.MethodGet, "/auth?permission=posts:delete", forwarded...); got.StatusCode != 401 {
		t.Errorf("without a token: %d", got.StatusCode)
	}
	with := append(forwarded, "Authorization", "Bearer "+i.token(nil))
	if got := ask(h, http.MethodGet, "/auth?permission=posts:delete", with...); got.StatusCode != 403 ||
		!strings.Contains(got.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
		t.Errorf("without the permission: %d %q", got.StatusCode, got.Header.Get("WWW-Authenticate"))
	}
	if got := ask(h, http.MethodGet, "/auth?permission=posts:add", with...); got.StatusCode != 200 {
		t.Errorf("with it: %d", got.StatusCode)
	}
}

// TestEnvoy asks as Envoy's ext_authz does: the client's method, no body, and the
// client's path and query behind the prefix.
func TestEnvoy(t *testing.T) {
	i := newIssuer(t)
	h := newGuard(i, &logged{})
	with := []string{"Authorization", "Bearer " + i.token(nil), "Content-Length", "0"}
	for target, want := range map[string]int{
		"/require/posts:add/posts/1?login=optional&permission=x": 200,
		"/require/posts:delete/posts/1":                          403,
	} {
		if got := ask(h, http.MethodDelete, target, with...); got.StatusCode != want {
			t.Errorf("%s: %d", target, got.StatusCode)
		}
	}
}
