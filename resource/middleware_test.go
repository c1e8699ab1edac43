package resource

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testMetadataURL = "https://posts.example.com/.well-known/oauth-protected-resource"

// guarded is an API behind the middleware, and what came through.
type guarded struct {
	issuer  *testIssuer
	key     testKey
	clock   *clock
	log     bytes.Buffer
	v       *Verifier
	handler http.Handler
	body    string
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{key: newTestKey(t, "k1", "EdDSA"), clock: &clock{}}
	g.issuer = newTestIssuer(t, g.key)
	logger := slog.New(slog.NewTextHandler(&g.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	g.v, err = New(Config{
		Issuer: g.issuer.url, Audience: testAudience, MetadataURL: testMetadataURL,
		ScopesSupported: []string{"posts:add"}, Now: g.clock.now, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	reached := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := FromContext(r.Context())
		if !ok || token.Subject != "person" {
			t.Errorf("handler got token %v, %v", token, ok)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		g.body = string(body)
	})
	mux := http.NewServeMux()
	mux.Handle("/login", g.v.RequireLogin(reached))
	mux.Handle("/add", g.v.RequirePermission("posts:add")(reached))
	mux.Handle("/both", g.v.RequireScope("posts:add", "posts:delete")(reached))
	mux.Handle("/nested", g.v.RequireLogin(g.v.RequireScope("posts:add")(reached)))
	g.handler = mux
	return g
}

func TestMiddlewareAnswers(t *testing.T) {
	g := newGuarded(t)
	good := g.issuer.token(t, g.key, g.clock.now(), nil)
	expired := g.issuer.token(t, g.key, g.clock.now(), map[string]any{"iat": epoch.Unix() - 600, "exp": epoch.Unix() - 60})
	const realm, meta = `Bearer realm="https://posts.example.com"`, `, resource_metadata="` + testMetadataURL + `"`
	const (
		missing   = `{"error":"missing_token","error_description":"an access token is needed in the Authorization header"}`
		malformed = `{"error":"invalid_request","error_description":"the Authorization header does not hold one access token"}`
	)
	malformedChallenge := realm + `, error="invalid_request", error_description="the Authorization header does not hold one access token"` + meta
	tests := []struct {
		name, path    string
		authorization []string
		status        int
		challenge     string
		body          string
	}{
		{"good", "/login", []string{"Bearer " + good}, 200, "", ""},
		{"scheme in other case", "/login", []string{"bEARER " + good}, 200, "", ""},
		{"permission held", "/add", []string{"Bearer " + good}, 200, "", ""},
		{"nested", "/nested", []string{"Bearer " + good}, 200, "", ""},
		{"nothing", "/login", nil, 401, realm + meta, missing},
		{"nothing, permission needed", "/both", nil, 401, realm + `, scope="posts:add posts:delete"` + meta, missing},
		{"other scheme", "/login", []string{"Basic YTpi"}, 401, realm + meta, missing},
		{"DPoP scheme", "/login", []string{"DPoP " + good}, 401, realm + meta, missing},
		{"token without scheme", "/login", []string{good}, 401, realm + meta, missing},
		{"token in the query", "/login?access_token=" + good, nil, 401, realm + meta, missing},
		{"expired", "/login", []string{"Bearer " + expired}, 401,
			realm + `, error="invalid_token", error_description="the access token has expired"` + meta,
			`{"error":"invalid_token","error_description":"the access token has expired"}`},
		{"one of two permissions", "/both", []string{"Bearer " + good}, 403,
			realm + `, error="insufficient_scope", error_description="the access token lacks a permission", scope="posts:add posts:delete"` + meta,
			`{"error":"insufficient_scope","error_description":"the access token lacks a permission"}`},
		{"no token after the scheme", "/login", []string{"Bearer "}, 400, malformedChallenge, malformed},
		{"scheme alone", "/login", []string{"Bearer"}, 400, malformedChallenge, malformed},
		{"two tokens in one header", "/login", []string{"Bearer " + good + ", Bearer " + good}, 400, malformedChallenge, malformed},
		{"two headers", "/login", []string{"Bearer " + good, "Bearer " + good}, 400,
			realm + `, error="invalid_request", error_description="the request has more than one Authorization header"` + meta,
			`{"error":"invalid_request","error_description":"the request has more than one Authorization header"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodGet, tt.path, nil)
			req.Header["Authorization"] = tt.authorization
			rec := httptest.NewRecorder()
			g.handler.ServeHTTP(rec, req)
			if rec.Code != tt.status {
				t.Errorf("status %d, want %d", rec.Code, tt.status)
			}
			if diff := cmp.Diff(tt.challenge, rec.Header().Get("WWW-Authenticate")); diff != "" {
				t.Errorf("challenge differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.body, strings.TrimSpace(rec.Body.String())); diff != "" {
				t.Errorf("body differs (-want +got):\n%s", diff)
			}
			if tt.status != 200 && rec.Header().Get("Cache-Control") != "no-store" {
				t.Error("a refusal may be cached")
			}
		})
	}
	for _, raw := range []string{good, expired} {
		if strings.Contains(g.log.String(), raw) {
			t.Error("a token is in the log")
		}
	}
	if !strings.Contains(g.log.String(), "the access token has expired") {
		t.Error("the log does not say why")
	}
}

func TestTokenInTheForm(t *testing.T) {
	g := newGuarded(t)
	good := g.issuer.token(t, g.key, g.clock.now(), nil)
	long := "text=" + strings.Repeat("x", 2*maxFormBytes)
	tests := []struct {
		name, kind, body, authorization string
		status                          int
	}{
		{"form alone", "application/x-www-form-urlencoded", "access_token=" + good, "", 401},
		{"header and form", "application/x-www-form-urlencoded; charset=utf-8", "a=1&access_token=" + good, "Bearer " + good, 400},
		{"header and broken form", "application/x-www-form-urlencoded", "a=%zz&access_token=x", "Bearer " + good, 400},
		{"other form", "application/x-www-form-urlencoded", "text=access_token", "Bearer " + good, 200},
		{"long form", "application/x-www-form-urlencoded", long, "Bearer " + good, 200},
		{"no form", "application/json", "access_token=x", "Bearer " + good, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(tt.body))
			req.Header.Set("Content-Type", tt.kind)
			if tt.authorization != "" {
				req.Header.Set("Authorization", tt.authorization)
			}
			rec := httptest.NewRecorder()
			g.body = ""
			g.handler.ServeHTTP(rec, req)
			if rec.Code != tt.status {
				t.Errorf("status %d, want %d: %s", rec.Code, tt.status, rec.Body)
			}
			if rec.Code == 200 && g.body != tt.body {
				t.Errorf("the handler read %d bytes of %d", len(g.body), len(tt.body))
			}
		})
	}
}

func TestFormThatBreaksOff(t *testing.T) {
	broken := errors.New("connection lost")
	req := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("a=1"), failing{broken}))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := checkForm(req); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if string(body) != "a=1" || !errors.Is(err, broken) {
		t.Errorf("the handler read %q, %v", body, err)
	}
}

func TestUnavailableAnswer(t *testing.T) {
	g := newGuarded(t)
	g.issuer.down = true
	req := httptest.NewRequest(http.MethodGet, "/login", nil)
	req.Header.Set("Authorization", "Bearer "+g.issuer.token(t, g.key, g.clock.now(), nil))
	rec := httptest.NewRecorder()
	g.handler.ServeHTTP(rec, req)
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") != "5" || rec.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("got %d with %v, want 503 with Retry-After alone", rec.Code, rec.Header())
	}
	if strings.Contains(rec.Body.String(), g.issuer.url) {
		t.Errorf("the cause is shown: %s", rec.Body)
	}
}

// TestTokenOfAnotherVerifier: what another API's middleware put into the
// context does not open this one.
func TestTokenOfAnotherVerifier(t *testing.T) {
	g := newGuarded(t)
	other, err := New(Config{Issuer: g.issuer.url, Audience: "https://other.example.com", Now: g.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, "/add", nil)
	req.Header.Set("Authorization", "Bearer "+g.issuer.token(t, g.key, g.clock.now(), map[string]any{"aud": "https://other.example.com"}))
	rec := httptest.NewRecorder()
	other.RequireLogin(g.handler).ServeHTTP(rec, req)
	if rec.Code != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", rec.Code)
	}
}

func TestFromContextWithoutToken(t *testing.T) {
	if token, ok := FromContext(t.Context()); ok || token != nil {
		t.Errorf("got %v, %v", token, ok)
	}
}

func TestRequireScopeRefusesMistakes(t *testing.T) {
	g := newGuarded(t)
	for _, scopes := range [][]string{{}, {""}, {"posts:add posts:delete"}, {`a"b`}, {"ä"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("scopes %q guard a route", scopes)
				}
			}()
			g.v.RequireScope(scopes...)
		}()
	}
}

func TestMetadata(t *testing.T) {
	g := newGuarded(t)
	rec := httptest.NewRecorder()
	g.v.MetadataHandler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource", nil))
	want := `{"resource":"https://posts.example.com","authorization_servers":["` + g.issuer.url +
		`"],"bearer_methods_supported":["header"],"scopes_supported":["posts:add"]}` + "\n"
	if diff := cmp.Diff(want, rec.Body.String()); diff != "" {
		t.Errorf("metadata differs (-want +got):\n%s", diff)
	}
	if rec.Header().Get("Content-Type") != "application/json" || rec.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers %v", rec.Header())
	}
	rec = httptest.NewRecorder()
	g.v.MetadataHandler().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", nil))
	if rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST got %d, %v", rec.Code, rec.Header())
	}
}

func TestPrintable(t *testing.T) {
	if got, want := printable("a\"b\\c\r\nd é\x7f"), "a?b?c??d ???"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRefusedIsCalledOnce for every refusal, of the middleware's and of Verify, with a
// reason.
func TestRefusedIsCalledOnce(t *testing.T) {
	g := newGuarded(t)
	var reasons []string
	g.v.events.Refused = func(reason string) { reasons = append(reasons, reason) }
	good := g.issuer.token(t, g.key, g.clock.now(), nil)
	mux := http.NewServeMux()
	mux.Handle("/two", g.v.RequireACR("aal2", 0)(g.handler))
	mux.Handle("/nested", g.v.RequireLogin(g.v.RequireScope("posts:delete")(g.handler)))
	mux.Handle("/", g.handler)
	for _, c := range []struct{ path, authorization, want string }{
		{"/login", "Bearer " + good, ""},
		{"/login", "", ReasonMissing},
		{"/login", "Bearer a b", ReasonMalformed},
		{"/login", "Bearer a.b.c", ReasonInvalid},
		{"/both", "Bearer " + good, ReasonScope},
		{"/nested", "Bearer " + good, ReasonScope},
		{"/two", "Bearer " + good, ReasonAuthentication},
	} {
		reasons = nil
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		mux.ServeHTTP(httptest.NewRecorder(), r)
		if got := strings.Join(reasons, " "); got != c.want {
			t.Errorf("%s %.10q: %q, want %q", c.path, c.authorization, got, c.want)
		}
	}
	reasons = nil
	_, _ = g.v.Verify(t.Context(), "a.b.c")
	if diff := cmp.Diff([]string{ReasonInvalid}, reasons); diff != "" {
		t.Error(diff)
	}
}
